/* Orders, one a line; each is answered by lines of its own and then "ok". */
#define _GNU_SOURCE
#include "guest.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static void ignore(int signal)
{
	(void)signal;
}

static void prepare_system(void)
{
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	mount("proc", "/proc", "proc", 0, 0);
	mount("sys", "/sys", "sysfs", 0, 0);
	mount("dev", "/dev", "devtmpfs", 0, 0);
	int console = open("/dev/console", O_RDWR);
	if (console >= 0) {
		dup2(console, 0);
		dup2(console, 1);
		dup2(console, 2);
	}
	struct termios raw;
	tcgetattr(0, &raw);
	cfmakeraw(&raw);
	tcsetattr(0, TCSANOW, &raw);
	put("/proc/sys/kernel/printk", "1 4 1 1"); /* a panic alone: at 0 the kernel dies in silence */
	put("/sys/devices/virtual/workqueue/cpumask", "1"); /* no work for a held processor */
	put("/sys/kernel/mm/transparent_hugepage/enabled", "madvise");
	put("/sys/kernel/mm/transparent_hugepage/khugepaged/defrag", "0");
	put("/sys/kernel/mm/transparent_hugepage/khugepaged/pages_to_scan", "1");
	put("/sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs", "600000");
	signal(SIGBUS, ignore);
}

static void add_item(int number, int is_vcpu, char *rest)
{
	if (number < 0 || number >= MAX_THREADS)
		return;
	struct thread *thread = &machine.thread[number];
	if (number >= machine.threads)
		machine.threads = number + 1;
	thread->number = number;
	thread->is_vcpu = is_vcpu;
	if (thread->items == MAX_ITEMS)
		return;
	struct item *item = &thread->item[thread->items++];
	if (sscanf(rest, "%15s %d %lu %lu", item->name, &item->slot, &item->page, &item->pages) < 3)
		die(rest);
	if (!strcmp(item->name, "log-clear"))
		machine.clears = 1;
}

static void add_slot(char *rest)
{
	struct slot *slot = &machine.slot[machine.slots];
	if (machine.slots == MAX_SLOTS ||
	    sscanf(rest, "%lx %lu %d %d", &slot->ipa, &slot->pages, &slot->backing, &slot->flags) != 4)
		die(rest);
	machine.slots++;
}

static void add_grant(char *rest)
{
	struct grant *grant = &machine.grant[machine.grants];
	if (machine.grants == MAX_GRANTS ||
	    sscanf(rest, "%d %lu %11s", &grant->slot, &grant->page, grant->what) != 3)
		die(rest);
	machine.grants++;
}

static void finish(const char *phase)
{
	tell_faults(phase);
	tell_kernel_log(phase);
}

/* Run a program of the archive; its lines are ours, its exit code is told. */
static void run_program(const char *path)
{
	int ends[2], status = 0;
	char line[512];
	if (pipe(ends))
		die("pipe");
	pid_t child = fork();
	if (child < 0)
		die("fork");
	if (!child) {
		dup2(ends[1], 1);
		dup2(ends[1], 2);
		close(ends[0]);
		close(ends[1]);
		execl(path, path, (char *)0);
		_exit(127);
	}
	close(ends[1]);
	FILE *said = fdopen(ends[0], "r");
	while (said && fgets(line, sizeof line, said)) {
		line[strcspn(line, "\n")] = 0;
		say("said %s", line);
	}
	if (said)
		fclose(said);
	waitpid(child, &status, 0);
	say("exit %d", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
}

static void obey(char *line)
{
	char word[16] = "";
	int length = 0, number = 0;
	sscanf(line, "%15s %n", word, &length);
	char *rest = line + length;
	if (!strcmp(word, "slot"))
		add_slot(rest);
	else if (!strcmp(word, "grant"))
		add_grant(rest);
	else if (!strcmp(word, "access") || !strcmp(word, "op")) {
		int used = 0;
		sscanf(rest, "%d %n", &number, &used);
		add_item(number, *word == 'a', rest + used);
	} else if (!strcmp(word, "sparse")) {
		machine.sparse = 1;
	} else if (!strcmp(word, "make")) {
		make_machine();
		start_threads();
		tell_backing();
		tell_kernel_log("make");
		watch_clear();
	} else if (!strcmp(word, "together")) {
		run_together();
		finish("race");
	} else if (!strcmp(word, "alone")) {
		for (char *at = strtok(rest, " "); at; at = strtok(0, " "))
			run_alone(atoi(at));
		finish("race");
	} else if (!strcmp(word, "probe")) {
		probe(!strcmp(rest, "log"));
		tell_kernel_log("probe");
	} else if (!strcmp(word, "dirty")) {
		tell_logs();
	} else if (!strcmp(word, "drop")) {
		stop_threads();
		drop_machine();
		tell_kernel_log("drop");
	} else if (!strcmp(word, "symbol")) {
		for (char *at = strtok(rest, " "); at; at = strtok(0, " "))
			tell_symbol(at);
	} else if (!strcmp(word, "name")) {
		for (char *at = strtok(rest, " "); at; at = strtok(0, " "))
			tell_name(strtoul(at, 0, 16));
	} else if (!strcmp(word, "run")) {
		run_program(rest);
		tell_kernel_log("run");
	} else if (!strcmp(word, "off")) {
		reboot(RB_POWER_OFF);
	} else {
		say("unknown %s", word);
	}
	say("ok %s", word);
}

int main(void)
{
	static char line[8192];
	struct utsname name;
	prepare_system();
	uname(&name);
	watch_start();
	say("boot %s", name.release);
	if (access("/dev/kvm", R_OK))
		say("no-kvm");
	if (!can_age())
		say("no-age");
	say("ok boot");
	while (next_line(line, sizeof line))
		obey(line);
	reboot(RB_POWER_OFF);
	return 0;
}

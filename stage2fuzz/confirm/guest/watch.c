/* What the kernel says of itself: faults through tracefs, its log, its symbols. */
#define _GNU_SOURCE
#include "guest.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define TRACING "/sys/kernel/tracing"
#define MOST_FAULTS 400

struct symbol {
	uint64_t address;
	char *name;
};
static struct symbol *symbols;
static int symbol_count, log_fd = -1;
static FILE *pipe_of_faults;

static int by_address(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;
	return x->address < y->address ? -1 : x->address > y->address;
}

static void read_symbols(void)
{
	put("/proc/sys/kernel/kptr_restrict", "0");
	FILE *file = fopen("/proc/kallsyms", "r");
	char line[512], name[400], type;
	uint64_t address;
	int room = 0;
	while (file && fgets(line, sizeof line, file)) {
		if (sscanf(line, "%lx %c %399s", &address, &type, name) != 3 || strchr(line, '[') || !address)
			continue;
		if (type != 't' && type != 'T' && type != 'w' && type != 'W')
			continue;
		if (symbol_count == room)
			symbols = realloc(symbols, (room = room ? 2 * room : 1 << 15) * sizeof *symbols);
		symbols[symbol_count++] = (struct symbol){ address, strdup(name) };
	}
	if (file)
		fclose(file);
	qsort(symbols, symbol_count, sizeof *symbols, by_address);
}

/* The address of a function; a suffix that the compiler appended (.isra.0) is no other name. */
void tell_symbol(const char *name)
{
	size_t length = strlen(name);
	if (!symbols)
		read_symbols();
	for (int i = 0; i < symbol_count; i++) {
		const char *other = symbols[i].name;
		if (!strncmp(other, name, length) && (!other[length] || other[length] == '.') &&
		    !strstr(other, ".cold")) {
			say("symbol %s %lx", name, symbols[i].address);
			return;
		}
	}
}

/* Which function an address lies in. */
void tell_name(uint64_t address)
{
	if (!symbols)
		read_symbols();
	int low = 0, high = symbol_count;
	while (low < high) {
		int middle = (low + high) / 2;
		if (symbols[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low)
		say("name %lx %s", address, symbols[low - 1].name);
}

void watch_start(void)
{
	mount("tracefs", TRACING, "tracefs", 0, 0);
	put(TRACING "/trace_clock", "mono");
	put(TRACING "/events/kvm/kvm_guest_fault/enable", "1");
	put(TRACING "/tracing_on", "1");
	/* Reading this consumes it; emptying "trace" would wait for RCU each time. */
	int fd = open(TRACING "/trace_pipe", O_RDONLY | O_NONBLOCK);
	pipe_of_faults = fd < 0 ? 0 : fdopen(fd, "r");
	log_fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	if (log_fd >= 0)
		lseek(log_fd, 0, SEEK_END); /* what it said while booting is no news */
	watch_clear();
}

/* Forget the faults so far. */
void watch_clear(void)
{
	char line[512];
	while (pipe_of_faults && fgets(line, sizeof line, pipe_of_faults))
		;
	if (pipe_of_faults)
		clearerr(pipe_of_faults);
}

/* Each fault of the guest, as "cpu nanoseconds ipa syndrome"; the door's own exits are none. */
void tell_faults(const char *phase)
{
	FILE *file = pipe_of_faults;
	char line[512];
	int told = 0, count = 0;
	if (!file) {
		say("untraced %s", phase);
		return;
	}
	while (fgets(line, sizeof line, file)) {
		char *cpu = strchr(line, '['), *event = strstr(line, "kvm_guest_fault:");
		char *ipa = strstr(line, "ipa "), *syndrome = strstr(line, "hsr ");
		double at = 0;
		if (!cpu || !event || !ipa || !syndrome)
			continue;
		char *stamp = event;
		while (stamp > line && stamp[-1] != ']')
			stamp--;
		char *digits = stamp;
		while (*digits && (*digits < '0' || *digits > '9'))
			digits++;
		at = strtod(digits, 0);
		uint64_t where = strtoul(ipa + 4, 0, 16);
		if (where < BASE_IPA)
			continue;
		count++;
		if (!strcmp(phase, "race") && told++ < MOST_FAULTS)
			say("fault %s %d %.0f %lx %lx", phase, atoi(cpu + 1), at * 1e9, where,
			    strtoul(syndrome + 4, 0, 16));
	}
	clearerr(file);
	say("faults %s %d", phase, count);
}

/* What the kernel logged since the last time. */
void tell_kernel_log(const char *phase)
{
	char record[2048];
	for (;;) {
		ssize_t got = log_fd < 0 ? -1 : read(log_fd, record, sizeof record - 1);
		if (got < 0 && errno == EPIPE)
			continue;
		if (got <= 0)
			return;
		record[got] = 0;
		char *text = strchr(record, ';');
		char *end = text ? strchr(text, '\n') : 0;
		if (end)
			*end = 0;
		if (text)
			say("log %s %s", phase, text + 1);
	}
}

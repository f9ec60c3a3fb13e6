/*
 * KVM/arm64 loses dirty pages: a page's write fault makes a block writable.
 *
 *   gcc -O2 -Wall -pthread -o lost_dirty_page lost_dirty_page.c && ./lost_dirty_page
 *
 * Needs: arm64 with KVM, root, four CPUs, 4 KiB pages, transparent huge pages, and a kernel with
 * /proc/PID/stack. It makes a VM with two vCPUs and one slot of 2 MiB, and prints how many pages the
 * guest changed that KVM_GET_DIRTY_LOG does not report. Exit code 1: pages were lost.
 *
 * The order that loses them (the log was on before, so page 0 is mapped by a page, read-only):
 *
 *   vCPU 0 (CPU 1)           host                        vCPU 1 (CPU 2)
 *   write to page 1 faults,
 *   sees the log off
 *                            log on: publishes slots,
 *                            waits for SRCU readers
 *                                                        write to page 0: permission fault,
 *                                                        sees the log on, wants a page
 *   maps a block, writable
 *                            write-protects the block
 *                                                        relaxes "the leaf" at page 0, which is
 *                                                        the block by now: 512 pages are writable,
 *                                                        one is marked dirty
 *
 * It is forced by starving threads, with nothing but user space: whoever waits for mmap_lock and is
 * woken owns it before it has a CPU, and a SCHED_FIFO spinner on that CPU keeps it so. Where each
 * thread is can be read in /proc/self/task/TID/stack.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096ul
#define PAGES 512
#define SLOT_SIZE (PAGES * PAGE)
#define WIDE (128ul << 20) /* so much memory that mprotect() of it takes a while */
#define SLOT_IPA 0x40000000ul
#define CODE_IPA 0x10000000ul
#define DOOR_IPA 0x0a000000ul /* no memory there: the guest's loads and stores come out as exits */
#define TRIES 40

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(2);
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

static void nap(double seconds)
{
	struct timespec t = { 0, (long)(seconds * 1e9) };
	nanosleep(&t, 0);
}

/* Threads: each pinned to a CPU, asleep until it gets a job. */
struct worker {
	int cpu, priority;
	void (*job)(struct worker *);
	pid_t tid;
	sem_t go;
	volatile int busy;
	int fd; /* of a vCPU, with its kvm_run, the order it executes and what it answered */
	struct kvm_run *run;
	uint64_t order, answer;
};

static void *live(void *argument)
{
	struct worker *worker = argument;
	struct sched_param parameter = { worker->priority };
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(worker->cpu, &set);
	if (sched_setaffinity(0, sizeof set, &set))
		die("sched_setaffinity: four CPUs are needed");
	if (worker->priority && sched_setscheduler(0, SCHED_FIFO, &parameter))
		die("sched_setscheduler: root is needed");
	worker->tid = syscall(SYS_gettid);
	for (;;) {
		while (sem_wait(&worker->go))
			;
		worker->job(worker);
		worker->busy = 0;
	}
	return 0;
}

static void employ(struct worker *worker, int cpu, int priority, void (*job)(struct worker *))
{
	pthread_t thread;
	pthread_attr_t small;
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 256 << 10); /* they are locked into memory later */
	worker->cpu = cpu;
	worker->priority = priority;
	worker->job = job;
	sem_init(&worker->go, 0, 0);
	if (pthread_create(&thread, &small, live, worker))
		die("pthread_create");
	while (!worker->tid)
		nap(0.001);
}

static void start(struct worker *worker)
{
	worker->busy = 1;
	sem_post(&worker->go);
}

static int finished(struct worker *worker, double seconds)
{
	double end = now() + seconds;
	while (worker->busy) {
		if (now() > end)
			return 0;
		nap(0.0005);
	}
	return 1;
}

/* Whether the thread is inside a kernel function of that name, now or within some seconds. */
static int inside(struct worker *worker, const char *function, double seconds)
{
	char path[64], stack[4096];
	double end = now() + seconds;
	snprintf(path, sizeof path, "/proc/self/task/%d/stack", worker->tid);
	do {
		int fd = open(path, O_RDONLY);
		if (fd < 0)
			die(path);
		ssize_t size = read(fd, stack, sizeof stack - 1);
		close(fd);
		stack[size > 0 ? size : 0] = 0;
		if (strstr(stack, function))
			return 1;
		if (seconds > 0)
			nap(0.001);
	} while (now() < end);
	return 0;
}

/* A spinner of high priority: as long as it is on, nobody else runs on its CPU. */
static volatile int spinning[4], wanted[4];

static void spin(struct worker *worker)
{
	spinning[worker->cpu] = 1;
	while (wanted[worker->cpu])
		;
	spinning[worker->cpu] = 0;
}

static void starve(struct worker *spinner)
{
	wanted[spinner->cpu] = 1;
	start(spinner);
	while (!spinning[spinner->cpu])
		nap(0.0002);
}

static void relent(struct worker *spinner)
{
	wanted[spinner->cpu] = 0;
	while (spinner->busy)
		nap(0.0002);
}

/* The VM. */
static int kvm, vm, marker_running;
static char *slot_memory, *wide, *narrow;
static uint64_t bits[PAGES / 64];

static const uint32_t guest[] = {
	0xf9400280, /* loop:  ldr x0, [x20]    an address; 1 in its low bits: write */
	0x92400803, /*        and x3, x0, #7   */
	0x927df001, /*        and x1, x0, #~7  */
	0xb5000063, /*        cbnz x3, write   */
	0xf9400022, /*        ldr x2, [x1]     */
	0x14000004, /*        b report         */
	0x910006d6, /* write: add x22, x22, #1 */
	0xf9000036, /*        str x22, [x1]    */
	0xaa1603e2, /*        mov x2, x22      */
	0xf9000682, /* report: str x2, [x20, #8] */
	0x17fffff6, /*        b loop           */
};

static void set_register(int fd, uint64_t offset, uint64_t value)
{
	struct kvm_one_reg reg = { KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | offset / 4,
				   (uint64_t)&value };
	if (ioctl(fd, KVM_SET_ONE_REG, &reg))
		die("KVM_SET_ONE_REG");
}

static void set_slot(int number, uint64_t ipa, uint64_t size, void *memory, int log)
{
	struct kvm_userspace_memory_region region = { number, log ? KVM_MEM_LOG_DIRTY_PAGES : 0, ipa,
						      size, (uint64_t)memory };
	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region))
		die("KVM_SET_USER_MEMORY_REGION");
}

static void set_log(int on)
{
	set_slot(0, SLOT_IPA, SLOT_SIZE, slot_memory, on);
}

static void read_log(void)
{
	struct kvm_dirty_log log = { .slot = 0, .dirty_bitmap = bits };
	memset(bits, 0, sizeof bits);
	if (ioctl(vm, KVM_GET_DIRTY_LOG, &log))
		die("KVM_GET_DIRTY_LOG");
}

static void execute(struct worker *vcpu)
{
	int given = 0;
	for (;;) {
		if (ioctl(vcpu->fd, KVM_RUN, 0)) {
			if (errno == EINTR)
				continue;
			die("KVM_RUN");
		}
		struct kvm_run *run = vcpu->run;
		if (run->exit_reason != KVM_EXIT_MMIO)
			die("KVM_RUN: an exit that is none of the door's");
		if (!run->mmio.is_write) {
			memcpy(run->mmio.data, &vcpu->order, 8);
			given = 1;
		} else if (given) {
			memcpy(&vcpu->answer, run->mmio.data, 8);
			return;
		}
	}
}

static struct worker vcpus[2], holder, second, enabler, spinner1, spinner3;

static void begin_access(int vcpu, int write, int page)
{
	vcpus[vcpu].order = (SLOT_IPA + page * PAGE) | write;
	start(&vcpus[vcpu]);
}

static void access_page(int vcpu, int write, int page)
{
	begin_access(vcpu, write, page);
	if (!finished(&vcpus[vcpu], 20))
		die("a guest access does not end");
}

/* The threads that take mmap_lock for writing, and the one that switches the log on. */
static void protect_wide(struct worker *worker)
{
	static int rights = PROT_READ;
	(void)worker;
	rights ^= PROT_READ;
	marker_running = 1;
	if (mprotect(wide, WIDE, rights))
		die("mprotect");
}

static void protect_narrow(struct worker *worker)
{
	static int rights = PROT_READ | PROT_WRITE;
	(void)worker;
	rights ^= PROT_WRITE;
	if (mprotect(narrow, PAGE, rights))
		die("mprotect");
}

static void enable_log(struct worker *worker)
{
	(void)worker;
	set_log(1);
}

static void make_vm(void)
{
	kvm = open("/dev/kvm", O_RDWR);
	if (kvm < 0)
		die("/dev/kvm");
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0)
		die("KVM_CREATE_VM");
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	char *raw = mmap(0, WIDE + 2 * SLOT_SIZE, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (raw == MAP_FAILED)
		die("mmap");
	wide = raw;
	slot_memory = (char *)(((uint64_t)raw + WIDE + SLOT_SIZE - 1) & -SLOT_SIZE);
	narrow = mmap(0, 2 * PAGE, PROT_READ | PROT_WRITE, flags | MAP_POPULATE, -1, 0);
	if (madvise(slot_memory, SLOT_SIZE, MADV_HUGEPAGE) || madvise(wide, WIDE, MADV_NOHUGEPAGE))
		die("madvise");
	memset(slot_memory, 0, SLOT_SIZE);
	mprotect(wide, WIDE, PROT_READ);
	for (uint64_t at = 0; at < WIDE; at += PAGE) /* entries for mprotect() to walk */
		(void)*(volatile char *)(wide + at);
	char *code = mmap(0, PAGE, PROT_READ | PROT_WRITE, flags, -1, 0);
	memcpy(code, guest, sizeof guest);
	__builtin___clear_cache(code, code + PAGE);
	set_log(0);
	set_slot(1, CODE_IPA, PAGE, code, 0);
	size_t size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	for (int i = 0; i < 2; i++) {
		struct kvm_vcpu_init init = { 0 };
		int fd = ioctl(vm, KVM_CREATE_VCPU, i);
		if (fd < 0 || ioctl(vm, KVM_ARM_PREFERRED_TARGET, &init) ||
		    ioctl(fd, KVM_ARM_VCPU_INIT, &init))
			die("KVM_ARM_VCPU_INIT");
		vcpus[i].fd = fd;
		vcpus[i].run = mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		set_register(fd, offsetof(struct kvm_regs, regs.pc), CODE_IPA);
		set_register(fd, offsetof(struct kvm_regs, regs.regs[20]), DOOR_IPA);
		set_register(fd, offsetof(struct kvm_regs, regs.regs[22]), (i + 1) * 1000000ul);
		employ(&vcpus[i], i + 1, 5, execute);
	}
}

/* Let `holder` be starved in the middle of mprotect(): it holds mmap_lock for writing. */
static int hold_mmap_lock(void)
{
	for (int attempt = 0; attempt < 200; attempt++) {
		if (!finished(&holder, 10))
			return 0;
		marker_running = 0;
		start(&holder);
		while (!*(volatile int *)&marker_running)
			sched_yield();
		if (attempt % 4)
			nap(0.0005 * (attempt % 4));
		for (int i = 0; i < 6 && holder.busy; i++) {
			starve(&spinner3);
			if (holder.busy && inside(&holder, "change_p", 0))
				return 1;
			relent(&spinner3);
			nap(0.0005);
		}
	}
	return 0;
}

/* One attempt; empty when the order was reached, else where it was not. */
static const char *force(void)
{
	const char *missed = "";
	int started[2] = { 0, 0 };
	set_log(1);
	read_log();
	access_page(0, 1, 0);
	access_page(0, 0, 1);
	read_log(); /* page 0 is mapped by a page now, read-only */
	set_log(0);
	if (!hold_mmap_lock())
		return "mprotect() was never caught";
	begin_access(0, 1, 1); /* vCPU 0 faults, sees the log off, waits for mmap_lock */
	started[0] = 1;
	if (!inside(&vcpus[0], "kvm_handle_guest_abort", 3)) {
		missed = "vCPU 0 did not fault";
		goto out;
	}
	nap(0.005);
	starve(&spinner1);  /* it will be given the lock but no CPU */
	relent(&spinner3);  /* the holder ends */
	if (!finished(&holder, 10)) {
		missed = "mprotect() did not end";
		goto out;
	}
	start(&enabler); /* the log goes on and waits for vCPU 0 */
	if (!inside(&enabler, "synchronize_srcu", 5)) {
		missed = "switching the log on does not wait for vCPU 0";
		goto out;
	}
	start(&second); /* a writer queues behind vCPU 0's read lock, */
	if (!inside(&second, "mprotect", 5)) {
		missed = "the second writer does not wait";
		goto out;
	}
	nap(0.003);
	starve(&spinner3);     /* and has no CPU when it gets it, */
	begin_access(1, 1, 0); /* so vCPU 1 waits with a fault that saw the log on */
	started[1] = 1;
	if (!inside(&vcpus[1], "kvm_handle_guest_abort", 3)) {
		missed = "vCPU 1 did not fault";
		goto out;
	}
	nap(0.005);
	relent(&spinner1); /* vCPU 0 maps the block; the log write-protects it */
	if (!finished(&vcpus[0], 20) || !finished(&enabler, 20))
		missed = "switching the log on did not end";
	else if (!vcpus[1].busy)
		missed = "vCPU 1 was too early";
out:
	if (spinning[1])
		relent(&spinner1);
	if (spinning[3])
		relent(&spinner3); /* the second writer, then vCPU 1 */
	for (int i = 0; i < 2; i++)
		if (started[i] && !finished(&vcpus[i], 20))
			die("a vCPU does not come back");
	finished(&enabler, 20);
	finished(&second, 20);
	finished(&holder, 20);
	return missed;
}

/* Write every page from the guest; how many of those that changed have no bit in the log? */
static int lost_pages(int *changed)
{
	uint64_t before[PAGES];
	int lost = 0;
	*changed = 0;
	for (int page = 0; page < PAGES; page++)
		before[page] = *(volatile uint64_t *)(slot_memory + page * PAGE);
	for (int page = 0; page < PAGES; page++)
		access_page(page & 1, 1, page);
	read_log();
	for (int page = 0; page < PAGES; page++)
		if (*(volatile uint64_t *)(slot_memory + page * PAGE) != before[page]) {
			++*changed;
			lost += !(bits[page / 64] >> page % 64 & 1);
		}
	return lost;
}

static void unlimit_realtime(void)
{
	int fd = open("/proc/sys/kernel/sched_rt_runtime_us", O_WRONLY);
	if (fd < 0 || write(fd, "-1", 2) != 2)
		perror("sched_rt_runtime_us");
	if (fd >= 0)
		close(fd);
}

int main(void)
{
	struct utsname name;
	uname(&name);
	setvbuf(stdout, 0, _IONBF, 0);
	unlimit_realtime();
	make_vm();
	employ(&holder, 3, 1, protect_wide);
	/* In 5.10 a realtime writer that waits is handed the lock out of turn. */
	employ(&second, 3, name.release[0] == '5' ? 0 : 1, protect_narrow);
	employ(&enabler, 0, 0, enable_log);
	employ(&spinner1, 1, 50, spin);
	employ(&spinner3, 3, 50, spin);
	/* A fault of our own would wait for mmap_lock as well. */
	if (mlockall(MCL_CURRENT) || munlock(slot_memory, SLOT_SIZE) || munlock(wide, WIDE))
		die("mlockall");
	for (int attempt = 1; attempt <= TRIES; attempt++) {
		const char *missed = force();
		if (*missed) {
			printf("attempt %d: not reached: %s\n", attempt, missed);
			set_log(0);
			continue;
		}
		int changed, lost = lost_pages(&changed);
		printf("attempt %d: the guest changed %d pages, %d of them are in no dirty log\n", attempt,
		       changed, lost);
		return lost > 0;
	}
	return 3;
}

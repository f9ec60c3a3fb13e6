/*
 * KVM/arm64: a nested guest keeps a translation that its guest hypervisor took away.
 *
 *   gcc -O2 -Wall -pthread -o guest_tlbi guest_tlbi.c && ./guest_tlbi
 *
 * Needs: arm64 with FEAT_NV2 (or QEMU 9 or later, -M virt,virtualization=on -cpu max), a kernel
 * booted with kvm-arm.mode=nested, root, 4 KiB pages. L1 is a guest hypervisor of a few lines, L2
 * its guest. KVM's handler of an L2 fault reads L1's stage-2 tables, samples mmu_invalidate_seq,
 * looks the host's page up, and maps it in the shadow stage 2. A TLBI of L1 in between unmaps the
 * shadow, where nothing is yet, and moves no sequence. Here the look-up takes long since
 * userfaultfd owns the page:
 *
 *   vCPU A: L2 reads page P     fault; L1's entry of P is valid; the handler waits for P's memory
 *   vCPU B: L1 makes the entry invalid; DSB; TLBI IPAS2E1IS; DSB; TLBI VMALLE1IS; DSB: it is over
 *   userfaultfd                 gives P its memory, and the handler maps it
 *   vCPU A: L2 reads P again, which has to be a fault that L1 is told of
 *
 * The controls: no TLBI at all; the TLBI before L2 runs; one more TLBI after the race. Exit code 1:
 * L2 read P after L1's TLBI was over; 0: it did not; 3: there are no nested guests here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
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
#include <unistd.h>

#ifndef KVM_CAP_ARM_EL2
#define KVM_CAP_ARM_EL2 240 /* since v6.16; older headers lack it, and the feature below */
#endif
#define HAS_EL2 7
#define PAGE 4096ul
#define RAM 0x40000000ul /* of L1; L1 maps it for L2 at the same addresses */
#define RAM_PAGES 16
#define P_AT 0x50000000ul /* page P and those of other tries, a slot of their own */
#define DOOR 0x0a000000ul /* no memory there: stores of L1 come out as exits */
#define GIC 0x08000000ul
#define SECRET 0x5ec2e75ec2e7ul
#define NORMAL (0x3ul | 0xf << 2 | 3 << 6 | 3 << 8 | 1 << 10) /* a page of L2's: may be written */
#define RUNS 5
#define TRIES (3 * RUNS)
#define READS 3 /* that L2 tries after the first */
#define PATIENCE 60

/* Pages of L1's RAM. */
enum { CODE, STAGE1, LEVEL1, LEVEL2, LEVEL3_RAM, LEVEL3_P };

/* What L1 and L2 execute. x20 is the door, x21 page P, x22 L1's entry of it, x23 the operand of the
 * TLBI; x0 to x11 are what L1 sets itself up with. L2 reads P and calls L1; L1 tells the door why
 * it was entered and what L2 read, and goes back. */
asm(".pushsection .rodata\n"
    ".globl guest_code, guest_l2, guest_vectors\n"
    ".balign 4096\n"
    "guest_code:\n"
    "	msr mair_el2, x0\n"
    "	msr tcr_el2, x1\n"
    "	msr ttbr0_el2, x2\n"
    "	msr vtcr_el2, x3\n"
    "	msr vttbr_el2, x4\n"
    "	msr hcr_el2, x5\n"
    "	msr vbar_el2, x6\n"
    "	isb\n"
    "	mrs x7, sctlr_el2\n"
    "	orr x7, x7, x8\n"
    "	msr sctlr_el2, x7\n"
    "	isb\n"
    "	cbnz x9, invalidate\n"
    "	msr elr_el2, x10\n"
    "	msr spsr_el2, x11\n"
    "	eret\n"
    "invalidate:\n"
    "	ldr x0, [x20, #24]\n" /* until the host says go */
    "	str xzr, [x22]\n"
    "	dsb ishst\n"
    "	tlbi ipas2e1is, x23\n"
    "	dsb ish\n"
    "	tlbi vmalle1is\n"
    "	dsb ish\n"
    "	isb\n"
    "	str x0, [x20, #32]\n" /* it is over */
    "	b invalidate\n"
    ".balign 256\n"
    "guest_l2:\n"
    "	ldr x0, [x21]\n"
    "	hvc #0\n"
    "	b guest_l2\n"
    ".balign 2048\n"
    "guest_vectors:\n"
    ".skip 0x200\n"
    "	mrs x1, esr_el2\n" /* of L1's own: none is expected */
    "	str x1, [x20, #16]\n"
    ".balign 0x200\n"
    "	mrs x1, esr_el2\n" /* of L2 */
    "	str x1, [x20]\n"
    "	str x0, [x20, #8]\n"
    "	eret\n"
    ".balign 4096\n"
    ".popsection\n");
extern char guest_code[], guest_l2[], guest_vectors[];

struct vcpu {
	int fd, invalidates;
	struct kvm_run *run;
	pthread_t thread;
	sem_t go, done; /* B: begin a TLBI, it is over; A: go on, L1 was entered */
	uint64_t esr, value;
};

static int kvm, vm, owner; /* owner: userfaultfd */
static char *ram, *pages; /* pages: what P is, a page for each try */
static size_t run_size;
static struct vcpu vcpus[2];

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(2);
}

static void set_core(int fd, size_t offset, uint64_t value)
{
	struct kvm_one_reg reg = { .addr = (uint64_t)&value };
	reg.id = KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | offset / 4;
	if (ioctl(fd, KVM_SET_ONE_REG, &reg))
		die("KVM_SET_ONE_REG");
}

static void set_x(int fd, int number, uint64_t value)
{
	set_core(fd, offsetof(struct kvm_regs, regs.regs[number]), value);
}

static void wait_for(sem_t *what, const char *name)
{
	struct timespec end;
	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += PATIENCE;
	while (sem_timedwait(what, &end))
		if (errno != EINTR)
			die(name);
}

/* Run a vCPU until L1 stands at its door; what it stored there, and where. */
static uint64_t run_to_the_door(struct vcpu *vcpu, uint64_t *value)
{
	while (ioctl(vcpu->fd, KVM_RUN, 0))
		if (errno != EINTR && errno != EAGAIN)
			die("KVM_RUN");
	if (vcpu->run->exit_reason != KVM_EXIT_MMIO) {
		fprintf(stderr, "exit %u\n", vcpu->run->exit_reason);
		exit(2);
	}
	memcpy(value, vcpu->run->mmio.data, 8);
	if (vcpu->run->mmio.phys_addr == DOOR + 16) {
		fprintf(stderr, "L1 took an exception of its own, ESR %#lx\n", *value);
		exit(2);
	}
	return vcpu->run->mmio.phys_addr - DOOR;
}

static void *run_l2(void *argument)
{
	struct vcpu *vcpu = argument;
	for (;;) {
		sem_wait(&vcpu->go);
		if (run_to_the_door(vcpu, &vcpu->esr) || run_to_the_door(vcpu, &vcpu->value) != 8)
			die("an exit of another kind");
		sem_post(&vcpu->done);
	}
	return 0;
}

static void *run_l1(void *argument)
{
	struct vcpu *vcpu = argument;
	uint64_t unused;
	if (run_to_the_door(vcpu, &unused) != 24)
		die("an exit of another kind");
	for (;;) {
		sem_post(&vcpu->done);
		sem_wait(&vcpu->go);
		if (run_to_the_door(vcpu, &unused) != 32 || run_to_the_door(vcpu, &unused) != 24)
			die("an exit of another kind");
	}
	return 0;
}

static void make_vcpu(int number)
{
	struct vcpu *vcpu = &vcpus[number];
	struct kvm_vcpu_init init = { 0 };
	vcpu->fd = ioctl(vm, KVM_CREATE_VCPU, number);
	if (vcpu->fd < 0 || ioctl(vm, KVM_ARM_PREFERRED_TARGET, &init))
		die("KVM_CREATE_VCPU");
	init.features[0] |= 1 << HAS_EL2;
	if (ioctl(vcpu->fd, KVM_ARM_VCPU_INIT, &init))
		die("KVM_ARM_VCPU_INIT with EL2");
	vcpu->run = mmap(0, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	vcpu->invalidates = number;
	sem_init(&vcpu->go, 0, 0);
	sem_init(&vcpu->done, 0, 0);
	uint64_t at = RAM + CODE * PAGE;
	uint64_t tables = 25 | 1 << 8 | 1 << 10 | 3 << 12; /* 39 bits, normal memory, shared */
	uint64_t x[] = {
		0xff00,				 /* MAIR: device, normal memory */
		tables | 1 << 23 | 2ul << 32,	 /* TCR: no TTBR1, 40 bits come out */
		RAM + STAGE1 * PAGE,		 /* TTBR0 */
		tables | 1 << 6 | 2 << 16 | 1ul << 31, /* VTCR: begin at level 1 */
		(RAM + LEVEL1 * PAGE) | 1ul << 48, /* VTTBR: VMID 1 */
		1ul << 34 | 1ul << 31 | 0x38 | 1, /* HCR: E2H, RW, IMO, FMO, AMO, VM */
		at + (guest_vectors - guest_code), /* VBAR */
		0, 1 << 12 | 1 << 2 | 1,	 /* SCTLR: I, C, M */
		vcpu->invalidates,
		at + (guest_l2 - guest_code), 0x3c5, /* L2 begins there, at EL1 */
	};
	for (unsigned i = 0; i < sizeof x / sizeof *x; i++)
		set_x(vcpu->fd, i, x[i]);
	set_x(vcpu->fd, 20, DOOR);
	set_core(vcpu->fd, offsetof(struct kvm_regs, regs.pc), at);
	set_core(vcpu->fd, offsetof(struct kvm_regs, regs.pstate), 0x3c9);
}

static void set_slot(int number, uint64_t at, uint64_t size, void *memory)
{
	struct kvm_userspace_memory_region region = { number, 0, at, size, (uint64_t)memory };
	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region))
		die("KVM_SET_USER_MEMORY_REGION");
}

static void device(int fd, uint32_t group, uint64_t which, void *value)
{
	struct kvm_device_attr attr = { .group = group, .attr = which, .addr = (uint64_t)value };
	if (ioctl(fd, KVM_SET_DEVICE_ATTR, &attr))
		die("KVM_SET_DEVICE_ATTR of the GIC");
}

static void make_gic(void)
{
	struct kvm_create_device gic = { .type = KVM_DEV_TYPE_ARM_VGIC_V3 };
	uint64_t distributor = GIC, region = (GIC + 0x100000) | 2ul << 52;
	if (ioctl(vm, KVM_CREATE_DEVICE, &gic))
		die("KVM_CREATE_DEVICE of a GICv3");
	device(gic.fd, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_DIST, &distributor);
	device(gic.fd, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION, &region);
	device(gic.fd, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, 0);
	close(gic.fd);
}

/* L1's own tables, which map all at its address, and those that it keeps for L2. */
static void make_tables(void)
{
	uint64_t *table = (uint64_t *)ram;
	const unsigned in_a_table = PAGE / 8;
	table[STAGE1 * in_a_table] = 1 << 10 | 1;
	table[STAGE1 * in_a_table + 1] = RAM | 1 << 10 | 3 << 8 | 1 << 2 | 1;
	table[LEVEL1 * in_a_table + 1] = (RAM + LEVEL2 * PAGE) | 3;
	table[LEVEL2 * in_a_table] = (RAM + LEVEL3_RAM * PAGE) | 3;
	table[LEVEL2 * in_a_table + (P_AT - RAM) / (2ul << 20)] = (RAM + LEVEL3_P * PAGE) | 3;
	table[LEVEL3_RAM * in_a_table + CODE] = (RAM + CODE * PAGE) | NORMAL;
	for (int i = 0; i < TRIES; i++)
		table[LEVEL3_P * in_a_table + i] = (P_AT + i * PAGE) | NORMAL;
}

/* One machine for all, and a page for each try: a shadow is unmapped over all of L2's addresses
 * when the machine ends, and when the host takes a page back; under emulation that takes long. */
static void make_machine(void)
{
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0)
		die("KVM_CREATE_VM");
	run_size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	ram = mmap(0, RAM_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pages = mmap(0, TRIES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ram == MAP_FAILED || pages == MAP_FAILED)
		die("mmap");
	memset(ram, 0, RAM_PAGES * PAGE);
	memcpy(ram + CODE * PAGE, guest_code, PAGE);
	__builtin___clear_cache(ram, ram + PAGE);
	make_tables();
	set_slot(0, RAM, RAM_PAGES * PAGE, ram);
	set_slot(1, P_AT, TRIES * PAGE, pages);
	for (int i = 0; i < 2; i++)
		make_vcpu(i);
	make_gic();
	pthread_create(&vcpus[0].thread, 0, run_l2, &vcpus[0]);
	pthread_create(&vcpus[1].thread, 0, run_l1, &vcpus[1]);
	wait_for(&vcpus[1].done, "L1 never came to its door");
}

/* The pages' memory is userfaultfd's: who looks one up waits. */
static void own_pages(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = {
		.range = { (uint64_t)pages, TRIES * PAGE }, .mode = UFFDIO_REGISTER_MODE_MISSING
	};
	owner = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (owner < 0 || ioctl(owner, UFFDIO_API, &api) || ioctl(owner, UFFDIO_REGISTER, &range))
		die("userfaultfd");
}

static void wait_for_lookup(void)
{
	struct pollfd waiting = { owner, POLLIN, 0 };
	struct uffd_msg message;
	if (poll(&waiting, 1, PATIENCE * 1000) != 1 ||
	    read(owner, &message, sizeof message) != sizeof message) {
		fprintf(stderr, "nobody looked the page up; ESR of L1 %#lx\n", vcpus[0].esr);
		exit(2);
	}
}

static void give_page(int page)
{
	static uint64_t full[PAGE / 8] __attribute__((aligned(4096)));
	full[0] = SECRET;
	struct uffdio_copy copy = { (uint64_t)pages + page * PAGE, (uint64_t)full, PAGE, 0, 0 };
	if (ioctl(owner, UFFDIO_COPY, &copy))
		die("UFFDIO_COPY");
}

static void invalidate(void)
{
	sem_post(&vcpus[1].go);
	wait_for(&vcpus[1].done, "L1's TLBI did not end");
}

/* Whether L2 read P; else it took a fault, and L1 was told. */
static int l2_read(void)
{
	wait_for(&vcpus[0].done, "L2 came back to nobody");
	uint64_t class = vcpus[0].esr >> 26;
	if (class != 0x16 && class != 0x24) {
		fprintf(stderr, "L2 came to L1 for another reason, ESR %#lx\n", vcpus[0].esr);
		exit(2);
	}
	return class == 0x16 && vcpus[0].value == SECRET;
}

static int l2_reads(int times)
{
	int found = 0;
	for (int i = 0; i < times; i++) {
		sem_post(&vcpus[0].go);
		found += l2_read();
	}
	return found;
}

enum order { NO_TLBI, TLBI_FIRST, RACE };

/* How often of READS L2 read P after L1 had taken it away (with no TLBI: at all). */
static int try(enum order order, int *after_another)
{
	static int used;
	int page = used++;
	set_x(vcpus[0].fd, 21, P_AT + page * PAGE);
	set_x(vcpus[1].fd, 22, RAM + LEVEL3_P * PAGE + page * 8);
	set_x(vcpus[1].fd, 23, (P_AT >> 12) + page);
	if (order == TLBI_FIRST) {
		invalidate();
		give_page(page);
	} else {
		sem_post(&vcpus[0].go);
		wait_for_lookup();
		if (order == RACE)
			invalidate();
		give_page(page);
		l2_read(); /* the read that was under way */
	}
	int found = l2_reads(READS);
	if (order == RACE) {
		invalidate();
		*after_another += l2_reads(1);
	}
	return found;
}

int main(void)
{
	static const char *const names[] = { "no TLBI", "TLBI first", "TLBI during the fault" };
	struct utsname name;
	setvbuf(stdout, 0, _IOLBF, 0);
	uname(&name);
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int nested = kvm < 0 ? 0 : ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_ARM_EL2);
	printf("Linux %s: KVM_CAP_ARM_EL2 %d\n", name.release, nested);
	if (nested <= 0)
		return 3;
	int kept = 0;
	make_machine();
	own_pages();
	for (enum order order = NO_TLBI; order <= RACE; order++) {
		int found = 0, after_another = 0;
		for (int i = 0; i < RUNS; i++)
			found += try(order, &after_another);
		printf("%s: L2 read the page in %d of %d accesses", names[order], found,
		       RUNS * READS);
		if (order == RACE) {
			printf("; after another TLBI in %d of %d", after_another, RUNS);
			kept = found;
		}
		printf("\n");
		fflush(stdout);
	}
	return kept > 0;
}

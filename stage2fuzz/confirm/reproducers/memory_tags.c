/*
 * KVM/arm64 shows a guest with MTE the memory tags of whoever had its pages before.
 *
 *   gcc -O2 -Wall -o memory_tags memory_tags.c && ./memory_tags
 *
 * Needs: arm64 with KVM and MTE, root, 4 KiB pages. It takes no race: one vCPU, one thread. A page
 * that the host maps without PROT_MTE keeps the tags of whoever had it before; KVM clears them in
 * sanitise_mte_tags() before it maps the page. It does not where
 *
 *   a permission fault makes a block     log on: the guest reads one page, which is mapped alone;
 *                                        log off: it writes to the page, and 2 MiB are mapped
 *   a page of hugetlbfs is mapped alone  log on: the guest touches one page after the other; the
 *                                        first of them marks the whole huge page as cleared
 *
 * Each run gives memory tags and frees it, so that there are old tags to find, and makes a VM
 * with one slot of 2 MiB, whose guest counts the pages that have a tag; it set none itself.
 * Without a log is the control. Before, a guest sets one tag itself and looks at that page and at
 * the next, which shows that tags can be seen here, and where. Only pages are counted, since QEMU
 * 7.2 takes all granules of a page for one pair (mended in 8.0, 28fb921f02ef): there one tag that
 * was set is seen in 128 of 256. Exit code 1: a guest saw tags; 0: none did; 3: the machine has no
 * MTE, or its tags do not work, or the memory of no run was a huge page.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#ifndef KVM_CAP_ARM_MTE
#define KVM_CAP_ARM_MTE 205 /* since v5.14 */
#endif
#ifndef PROT_MTE
#define PROT_MTE 0x20
#endif
#define TAGGED_ADDRESSES 1 /* PR_TAGGED_ADDR_ENABLE */
#define OLD_TAG 5ul
#define GRANULE 16ul
#define PAGE 4096ul
#define PAGES 512
#define SLOT_SIZE (PAGES * PAGE)
#define SLOT_IPA 0x40000000ul
#define CODE_IPA 0x10000000ul
#define DOOR_IPA 0x80000000ul /* no memory there: the guest's loads and stores come out as exits */
#define RUNS 3
#define POOL 2 /* huge pages of hugetlbfs */
#define HUGE_2M (MAP_HUGETLB | 21 << 26)

enum backing { SMALL, TRANSPARENT, HUGETLB, BACKINGS };
enum way { NO_LOG, LOG_SWITCHED_OFF, LOG_ON, WAYS };
enum order { READ, WRITE, LOOK, TAG };

static const char *const backing_names[] = { "4 KiB pages", "transparent huge page",
					     "hugetlb page" };
static const char *const way_names[] = { "no log", "log switched off", "log on" };

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(2);
}

static int kvm, vm, vcpu;
static struct kvm_run *run;
static size_t run_size;
static char *slot_memory, *raw_memory, *code;

/* x20 is the door. An order is a page's address and an enum order; the answer to LOOK is how many
 * granules of the page have a tag. TAG gives one to its first granule. */
extern const char guest_start[], guest_end[];
__asm__(".arch armv8.5-a+memtag\n"
	".pushsection .rodata\n"
	".balign 4\n"
	".globl guest_start, guest_end\n"
	"guest_start:\n"
	"	ldr x0, [x20]\n"
	"	and x1, x0, #~7\n"
	"	and x3, x0, #7\n"
	"	mov x2, #0\n"
	"	cmp x3, #2\n"
	"	b.eq 3f\n"
	"	b.hi 2f\n"
	"	cbnz x3, 1f\n"
	"	ldr x2, [x1]\n"
	"	b 5f\n"
	"1:	str x22, [x1]\n"
	"	b 5f\n"
	"2:	orr x5, x1, #7 << 56\n"
	"	stg x5, [x1]\n"
	"	b 5f\n"
	"3:	add x4, x1, #4096\n"
	"4:	mov x5, x1\n"
	"	ldg x5, [x1]\n"
	"	ubfx x5, x5, #56, #4\n"
	"	cmp x5, #0\n"
	"	cinc x2, x2, ne\n"
	"	add x1, x1, #16\n"
	"	cmp x1, x4\n"
	"	b.ne 4b\n"
	"5:	str x2, [x20, #8]\n"
	"	b guest_start\n"
	"guest_end:\n"
	".popsection\n");

static int enable_tags(void)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_ARM_MTE };
	return ioctl(vm, KVM_CHECK_EXTENSION, KVM_CAP_ARM_MTE) > 0 &&
	       !ioctl(vm, KVM_ENABLE_CAP, &cap);
}

static void set_one(uint64_t id, uint64_t value)
{
	struct kvm_one_reg reg = { .id = id, .addr = (uint64_t)&value };
	if (ioctl(vcpu, KVM_SET_ONE_REG, &reg))
		die("KVM_SET_ONE_REG");
}

static void set_register(uint64_t offset, uint64_t value)
{
	set_one(KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | offset / 4, value);
}

static int set_slot(int number, uint64_t ipa, uint64_t size, void *memory, int log)
{
	int flags = log ? KVM_MEM_LOG_DIRTY_PAGES : 0;
	struct kvm_userspace_memory_region region = { number, flags, ipa, size, (uint64_t)memory };
	return ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region);
}

/* Tags are seen through Normal Tagged memory only, so the guest's MMU is on: 1 GiB blocks, one to
 * one, the door's as device memory. */
static void set_up_stage1(void)
{
	uint64_t *table = (uint64_t *)(code + PAGE);
	uint64_t block = 1 << 10 | 3 << 8 | 1; /* AF, inner shareable */
	table[0] = block;
	table[1] = SLOT_IPA | block;
	table[2] = DOOR_IPA | block | 1 << 2;
	set_one(ARM64_SYS_REG(3, 0, 10, 2, 0), 0x00f0);		  /* MAIR_EL1: tagged, device */
	set_one(ARM64_SYS_REG(3, 0, 2, 0, 0), CODE_IPA + PAGE);	  /* TTBR0_EL1 */
	set_one(ARM64_SYS_REG(3, 0, 2, 0, 2), 0x2200803519ul);	  /* TCR_EL1: 39 bits, no TTBR1 */
	set_one(ARM64_SYS_REG(3, 0, 1, 0, 0), 0x80030d01805ul);	  /* SCTLR_EL1: M, C, I, ATA */
}

/* How much of the slot's memory is a huge page, in KiB, as /proc/self/smaps says. */
static long huge_size(void)
{
	char line[256];
	int inside = 0;
	long transparent = 0, hugetlb = 0, size;
	FILE *file = fopen("/proc/self/smaps", "r");
	if (!file)
		die("/proc/self/smaps");
	while (fgets(line, sizeof line, file)) {
		unsigned long start, end;
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = start <= (uint64_t)slot_memory && (uint64_t)slot_memory < end;
		if (inside && sscanf(line, "AnonHugePages: %ld", &size) == 1)
			transparent = size;
		if (inside && sscanf(line, "Private_Hugetlb: %ld", &size) == 1)
			hugetlb = size;
	}
	fclose(file);
	return transparent + hugetlb;
}

/* Give memory tags and free it: the next huge page is likely one of it. The pool of hugetlbfs is
 * given tags whole, which kernels before v6.13 refuse. */
static void leave_tags(enum backing backing)
{
	uint64_t size = backing == HUGETLB ? POOL * SLOT_SIZE : 16 * SLOT_SIZE;
	int size_flags = backing == HUGETLB ? HUGE_2M : 0;
	char *memory = mmap(0, size, PROT_READ | PROT_WRITE | PROT_MTE,
			    MAP_PRIVATE | MAP_ANONYMOUS | size_flags, -1, 0);
	if (memory == MAP_FAILED && backing == HUGETLB && errno == EINVAL)
		return;
	if (memory == MAP_FAILED)
		die("mmap with PROT_MTE");
	if (backing != HUGETLB)
		madvise(memory, size, MADV_HUGEPAGE);
	for (char *at = memory; at < memory + size; at += GRANULE)
		__asm__ volatile(".arch armv8.5-a+memtag\n\tstg %0, [%0]" : :
				 "r"((uint64_t)at | OLD_TAG << 56) : "memory");
	munmap(memory, size);
}

static void make_memory(enum backing backing)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	int size_flags = backing == HUGETLB ? HUGE_2M : 0;
	raw_memory = mmap(0, 2 * SLOT_SIZE, PROT_READ | PROT_WRITE, flags | size_flags, -1, 0);
	if (raw_memory == MAP_FAILED)
		die("mmap");
	slot_memory = (char *)(((uint64_t)raw_memory + SLOT_SIZE - 1) & -SLOT_SIZE);
	int advice = backing == TRANSPARENT ? MADV_HUGEPAGE : MADV_NOHUGEPAGE;
	if (backing != HUGETLB && madvise(slot_memory, SLOT_SIZE, advice))
		die("madvise");
	memset(slot_memory, 1, SLOT_SIZE);
}

/* 0: KVM refuses such memory in a VM with tags, as it did that of hugetlbfs before v6.13. */
static int make_vm(int log)
{
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0 || !enable_tags())
		die("KVM_CREATE_VM with tags");
	if (set_slot(0, SLOT_IPA, SLOT_SIZE, slot_memory, log)) {
		if (errno != EINVAL)
			die("KVM_SET_USER_MEMORY_REGION");
		close(vm);
		return 0;
	}
	if (set_slot(1, CODE_IPA, 2 * PAGE, code, 0))
		die("KVM_SET_USER_MEMORY_REGION");
	struct kvm_vcpu_init init = { 0 };
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu < 0 || ioctl(vm, KVM_ARM_PREFERRED_TARGET, &init) ||
	    ioctl(vcpu, KVM_ARM_VCPU_INIT, &init))
		die("KVM_ARM_VCPU_INIT");
	run = mmap(0, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED)
		die("mmap of the vCPU");
	set_up_stage1();
	set_register(offsetof(struct kvm_regs, regs.pc), CODE_IPA);
	set_register(offsetof(struct kvm_regs, regs.regs[20]), DOOR_IPA);
	return 1;
}

/* The guest carries out an order; it is through when its answer came out of the door. */
static uint64_t ask(enum order what, int page)
{
	uint64_t order = (SLOT_IPA + page * PAGE) | what, answer;
	int given = 0;
	for (;;) {
		if (ioctl(vcpu, KVM_RUN, 0)) {
			if (errno == EINTR)
				continue;
			die("KVM_RUN");
		}
		if (run->exit_reason != KVM_EXIT_MMIO)
			die("KVM_RUN: an exit that is none of the door's");
		if (!run->mmio.is_write) {
			memcpy(run->mmio.data, &order, 8);
			given = 1;
		} else if (given) {
			memcpy(&answer, run->mmio.data, 8);
			return answer;
		}
	}
}

static void drop_vm(void)
{
	munmap(run, run_size);
	close(vcpu);
	close(vm);
	munmap(raw_memory, 2 * SLOT_SIZE);
}

/* How many pages have old tags in the eyes of the guest; -1: KVM refuses such memory. */
static int run_once(enum way way, enum backing backing, int *huge)
{
	int tagged = 0;
	leave_tags(backing);
	make_memory(backing);
	*huge += huge_size() == SLOT_SIZE >> 10;
	if (!make_vm(way != NO_LOG)) {
		munmap(raw_memory, 2 * SLOT_SIZE);
		return -1;
	}
	if (way == LOG_SWITCHED_OFF) {
		ask(READ, 0);
		set_slot(0, SLOT_IPA, SLOT_SIZE, slot_memory, 0);
		ask(WRITE, 0);
	}
	for (int page = 0; page < PAGES; page++)
		tagged += ask(LOOK, page) > 0;
	drop_vm();
	return tagged;
}

/* Whether a guest sees the one tag that it sets, in its page and in no other. */
static int tags_work(void)
{
	make_memory(SMALL);
	make_vm(0);
	ask(TAG, 1);
	uint64_t own = ask(LOOK, 1), next = ask(LOOK, 2);
	drop_vm();
	printf("one tag set: seen in %lu granules of its page, in %lu of the next\n",
	       (unsigned long)own, (unsigned long)next);
	return own && !next;
}

static int try(enum way way, enum backing backing, int *huge)
{
	int most = 0, sum = 0, shown = 0, mine = 0;
	for (int i = 0; i < RUNS; i++) {
		int tagged = run_once(way, backing, &mine);
		if (tagged < 0) {
			printf("%s, %s: KVM refuses it in a VM with tags\n", way_names[way],
			       backing_names[backing]);
			return 0;
		}
		shown += tagged > 0;
		sum += tagged;
		most = tagged > most ? tagged : most;
	}
	printf("%s, %s: %d runs, %d on a huge page; the guest saw old tags in %d of them, ",
	       way_names[way], backing_names[backing], RUNS, mine, shown);
	printf("in %d of %d pages, at most %d a run\n", sum, RUNS * PAGES, most);
	*huge += mine;
	return sum;
}

int main(void)
{
	struct utsname name;
	int huge = 0, seen = 0;
	uname(&name);
	setvbuf(stdout, 0, _IONBF, 0);
	kvm = open("/dev/kvm", O_RDWR);
	if (kvm < 0)
		die("/dev/kvm");
	run_size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	int has_tags = enable_tags() && !prctl(PR_SET_TAGGED_ADDR_CTRL, TAGGED_ADDRESSES, 0, 0, 0);
	close(vm);
	printf("%s: KVM_CAP_ARM_MTE %d\n", name.release, has_tags);
	if (!has_tags)
		return 3;
	code = mmap(0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (code == MAP_FAILED)
		die("mmap");
	memcpy(code, guest_start, guest_end - guest_start);
	__builtin___clear_cache(code, code + PAGE);
	if (!tags_work())
		return 3;
	int pool = open("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", O_WRONLY);
	int has_pool = pool >= 0 && write(pool, "2", 1) == 1;
	for (int way = 0; way < WAYS; way++)
		for (int backing = 0; backing < BACKINGS; backing++)
			if (backing != HUGETLB || has_pool)
				seen += try(way, backing, &huge);
	return huge ? seen > 0 : 3;
}

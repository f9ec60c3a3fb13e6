/*
 * KVM/arm64 loses dirty pages of a VM with dirty rings and no bitmap, where memory is huge pages.
 *
 *   gcc -O2 -Wall -pthread -o dirty_ring dirty_ring.c && ./dirty_ring
 *
 * Needs: arm64 with KVM, root, 4 KiB pages. It takes no race: one vCPU, one thread. A VM that
 * enables KVM_CAP_DIRTY_LOG_RING_ACQ_REL and not KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP has no
 * memslot->dirty_bitmap, which is what memslot_is_logging() asks for; so user_mem_abort() maps as
 * if nothing were logged. Each run makes a VM with one slot of 2 MiB, and does this:
 *
 *   log on, nothing mapped: the guest reads 8 pages    none of them may be reported
 *   log off: the guest writes every page               the host's huge page becomes a block
 *   log on: the guest writes 8 pages                   these 8 must be reported
 *   reset: the guest writes every page                 all 512 must be reported
 *
 * What the guest changed is what the host sees in its memory. The same is done with the bitmap
 * beside the ring, with the bitmap alone, and on memory of small pages. Exit code 1: a ring alone
 * lost pages; 0: it lost none; 3: the kernel has no such ring, or no memory was a huge page.
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
#include <sys/utsname.h>
#include <unistd.h>

#ifndef KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP
#define KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP 225 /* since v6.2; older headers lack it */
#endif
#define RING_OFFSET 64 /* pages: KVM_DIRTY_LOG_PAGE_OFFSET of arm64, 0 in headers before v6.2 */
#define PAGE 4096ul
#define PAGES 512
#define SLOT_SIZE (PAGES * PAGE)
#define SLOT_IPA 0x40000000ul
#define CODE_IPA 0x10000000ul
#define DOOR_IPA 0x0a000000ul /* no memory there: the guest's loads and stores come out as exits */
#define RING_ENTRIES 1024     /* more than a slot has pages: no ring gets full */
#define FEW 8
#define STRIDE (PAGES / FEW)
#define RUNS 3

enum backing { SMALL, TRANSPARENT, HUGETLB, BACKINGS };
enum tracker { RING, RING_AND_BITMAP, BITMAP, TRACKERS };

static const char *const backing_names[] = { "4 KiB pages", "transparent huge page",
					     "hugetlb page" };
static const char *const tracker_names[] = { "ring alone", "ring and bitmap", "bitmap alone" };

struct tally {
	int runs, huge; /* runs, and how many of them had a huge page */
	int read;	/* pages reported that the guest only read */
	int few, few_lost, all, all_lost;
};

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(2);
}

static int kvm, vm, vcpu;
static struct kvm_run *run;
static size_t run_size;
static struct kvm_dirty_gfn *ring;
static uint32_t ring_next;
static char *slot_memory, *raw_memory, *code;
static uint8_t reported[PAGES];

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

static int extension(int number)
{
	return ioctl(vm, KVM_CHECK_EXTENSION, number);
}

static void enable(int number, uint64_t argument)
{
	struct kvm_enable_cap cap = { .cap = number, .args = { argument } };
	if (ioctl(vm, KVM_ENABLE_CAP, &cap))
		die("KVM_ENABLE_CAP");
}

static void set_register(uint64_t offset, uint64_t value)
{
	struct kvm_one_reg reg = { .addr = (uint64_t)&value };
	reg.id = KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | offset / 4;
	if (ioctl(vcpu, KVM_SET_ONE_REG, &reg))
		die("KVM_SET_ONE_REG");
}

static void set_slot(int number, uint64_t ipa, uint64_t size, void *memory, int log)
{
	int flags = log ? KVM_MEM_LOG_DIRTY_PAGES : 0;
	struct kvm_userspace_memory_region region = { number, flags, ipa, size, (uint64_t)memory };
	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region))
		die("KVM_SET_USER_MEMORY_REGION");
}

static void set_log(int on)
{
	set_slot(0, SLOT_IPA, SLOT_SIZE, slot_memory, on);
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

static void make_memory(enum backing backing)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	int size_flags = backing == HUGETLB ? MAP_HUGETLB | 21 << 26 /* of 2 MiB */ : 0;
	raw_memory = mmap(0, 2 * SLOT_SIZE, PROT_READ | PROT_WRITE, flags | size_flags, -1, 0);
	if (raw_memory == MAP_FAILED)
		die("mmap");
	slot_memory = (char *)(((uint64_t)raw_memory + SLOT_SIZE - 1) & -SLOT_SIZE);
	int advice = backing == TRANSPARENT ? MADV_HUGEPAGE : MADV_NOHUGEPAGE;
	if (backing != HUGETLB && madvise(slot_memory, SLOT_SIZE, advice))
		die("madvise");
	memset(slot_memory, 1, SLOT_SIZE);
}

static void make_vm(enum tracker tracker)
{
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0)
		die("KVM_CREATE_VM");
	if (tracker != BITMAP)
		enable(KVM_CAP_DIRTY_LOG_RING_ACQ_REL, RING_ENTRIES * sizeof(struct kvm_dirty_gfn));
	if (tracker == RING_AND_BITMAP)
		enable(KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP, 0);
	set_log(1);
	set_slot(1, CODE_IPA, PAGE, code, 0);
	struct kvm_vcpu_init init = { 0 };
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu < 0 || ioctl(vm, KVM_ARM_PREFERRED_TARGET, &init) ||
	    ioctl(vcpu, KVM_ARM_VCPU_INIT, &init))
		die("KVM_ARM_VCPU_INIT");
	run = mmap(0, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED)
		die("mmap of the vCPU");
	ring = 0;
	ring_next = 0;
	if (tracker != BITMAP) {
		ring = mmap(0, RING_ENTRIES * sizeof *ring, PROT_READ | PROT_WRITE, MAP_SHARED,
			    vcpu, RING_OFFSET * PAGE);
		if (ring == MAP_FAILED)
			die("mmap of the ring");
	}
	set_register(offsetof(struct kvm_regs, regs.pc), CODE_IPA);
	set_register(offsetof(struct kvm_regs, regs.regs[20]), DOOR_IPA);
	set_register(offsetof(struct kvm_regs, regs.regs[22]), 1000000);
}

static void destroy(void)
{
	if (ring)
		munmap(ring, RING_ENTRIES * sizeof *ring);
	munmap(run, run_size);
	close(vcpu);
	close(vm);
	munmap(raw_memory, 2 * SLOT_SIZE);
}

/* Let the guest read or write a page; it is through when its answer came out of the door. */
static void access_page(int write, int page)
{
	uint64_t order = (SLOT_IPA + page * PAGE) | write;
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
			return;
		}
	}
}

static void harvest_ring(void)
{
	for (;;) {
		struct kvm_dirty_gfn *entry = &ring[ring_next % RING_ENTRIES];
		if (!(__atomic_load_n(&entry->flags, __ATOMIC_ACQUIRE) & KVM_DIRTY_GFN_F_DIRTY))
			break;
		if (entry->slot == 0 && entry->offset < PAGES)
			reported[entry->offset] = 1;
		__atomic_store_n(&entry->flags, KVM_DIRTY_GFN_F_RESET, __ATOMIC_RELEASE);
		ring_next++;
	}
	if (ioctl(vm, KVM_RESET_DIRTY_RINGS, 0) < 0)
		die("KVM_RESET_DIRTY_RINGS");
}

/* Which pages ring and bitmap report, and write-protect them again. */
static void harvest(enum tracker tracker)
{
	uint64_t bits[PAGES / 64] = { 0 };
	struct kvm_dirty_log log = { .slot = 0, .dirty_bitmap = bits };
	memset(reported, 0, sizeof reported);
	if (ring)
		harvest_ring();
	int failed = ioctl(vm, KVM_GET_DIRTY_LOG, &log);
	if (tracker == RING ? !failed || errno != ENXIO : failed)
		die("KVM_GET_DIRTY_LOG: fails with a ring alone (ENXIO: no bitmap), and only then");
	for (int page = 0; page < PAGES; page++)
		reported[page] |= bits[page / 64] >> page % 64 & 1;
}

/* Write every stride'th page: how many pages changed, how many of them are nowhere reported? */
static void write_pages(enum tracker tracker, int stride, int *changed, int *lost)
{
	uint64_t before[PAGES];
	for (int page = 0; page < PAGES; page++)
		before[page] = *(volatile uint64_t *)(slot_memory + page * PAGE);
	for (int page = stride - 1; page < PAGES; page += stride)
		access_page(1, page);
	harvest(tracker);
	for (int page = 0; page < PAGES; page++)
		if (*(volatile uint64_t *)(slot_memory + page * PAGE) != before[page]) {
			++*changed;
			*lost += !reported[page];
		}
}

static void run_once(enum tracker tracker, enum backing backing, struct tally *tally)
{
	make_memory(backing);
	make_vm(tracker);
	tally->runs++;
	tally->huge += huge_size() == SLOT_SIZE >> 10;
	for (int page = STRIDE - 1; page < PAGES; page += STRIDE)
		access_page(0, page);
	harvest(tracker);
	for (int page = 0; page < PAGES; page++)
		tally->read += reported[page];
	set_log(0);
	for (int page = 0; page < PAGES; page++)
		access_page(1, page);
	set_log(1);
	write_pages(tracker, STRIDE, &tally->few, &tally->few_lost);
	write_pages(tracker, 1, &tally->all, &tally->all_lost);
	destroy();
}

static struct tally try(enum tracker tracker, enum backing backing)
{
	struct tally tally = { 0 };
	for (int i = 0; i < RUNS; i++)
		run_once(tracker, backing, &tally);
	printf("%s, %s: %d runs, %d on a huge page; reported though only read: %d; ",
	       tracker_names[tracker], backing_names[backing], tally.runs, tally.huge, tally.read);
	printf("lost: %d of %d, after a reset %d of %d\n", tally.few_lost, tally.few,
	       tally.all_lost, tally.all);
	return tally;
}

int main(void)
{
	struct utsname name;
	int huge = 0, lost = 0;
	uname(&name);
	setvbuf(stdout, 0, _IONBF, 0);
	kvm = open("/dev/kvm", O_RDWR);
	if (kvm < 0)
		die("/dev/kvm");
	run_size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	code = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (code == MAP_FAILED)
		die("mmap");
	memcpy(code, guest, sizeof guest);
	__builtin___clear_cache(code, code + PAGE);
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	int has_ring = extension(KVM_CAP_DIRTY_LOG_RING_ACQ_REL);
	int has_both = extension(KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP);
	close(vm);
	printf("%s: KVM_CAP_DIRTY_LOG_RING_ACQ_REL %d, KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP %d\n",
	       name.release, has_ring, has_both);
	if (has_ring <= 0)
		return 3;
	int pool = open("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", O_WRONLY);
	int has_pool = pool >= 0 && write(pool, "2", 1) == 1;
	for (int tracker = 0; tracker < TRACKERS; tracker++) {
		if (tracker == RING_AND_BITMAP && has_both <= 0)
			continue;
		for (int backing = 0; backing < BACKINGS; backing++) {
			if (backing == HUGETLB && !has_pool)
				continue;
			struct tally tally = try(tracker, backing);
			if (tracker == RING) {
				huge += tally.huge;
				lost += tally.few_lost + tally.all_lost;
			}
		}
	}
	return huge ? lost > 0 : 3;
}

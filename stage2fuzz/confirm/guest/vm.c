/* One virtual machine: its slots, its vCPUs, and one guest access. */
#define _GNU_SOURCE
#include "guest.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define CODE_SLOT 20
#define CORE(field) \
	(KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | (offsetof(struct kvm_regs, field) / 4))
#define VBAR_EL1 ARM64_SYS_REG(3, 0, 12, 0, 0)
#define VECTORS 0x800

struct machine machine;
static char *code;

/* The guest: read an order from the door, do the access, report at the door. x20 is the door, x22
 * counts what this vCPU writes, so that each write has a value of its own. */
static const uint32_t loop[] = {
	0xf9400280, /* loop:  ldr x0, [x20]        the order: an address, and the kind in its low bits */
	0x92400803, /*        and x3, x0, #7       */
	0x927df001, /*        and x1, x0, #~7      */
	0xb40000c3, /*        cbz x3, read         */
	0xf100047f, /*        cmp x3, #1           */
	0x540000c0, /*        b.eq write           */
	0xd63f0020, /*        blr x1               the page holds a "ret" eight bytes in */
	0xd2800002, /*        mov x2, #0           */
	0x14000006, /*        b report             */
	0xf9400022, /* read:  ldr x2, [x1]         */
	0x14000004, /*        b report             */
	0x910006d6, /* write: add x22, x22, #1     */
	0xf9000036, /*        str x22, [x1]        */
	0xaa1603e2, /*        mov x2, x22          */
	0xf9000682, /* report: str x2, [x20, #8]   */
	0x17fffff1, /*        b loop               */
};
static const uint32_t aborted[] = {
	0xd5385202, /* mrs x2, esr_el1 */
	0xf9000a82, /* str x2, [x20, #16]: an access that KVM refused by an exception */
};

static void set_register(int fd, uint64_t which, uint64_t value)
{
	struct kvm_one_reg reg = { which, (uint64_t)&value };
	if (ioctl(fd, KVM_SET_ONE_REG, &reg))
		die("KVM_SET_ONE_REG");
}

int set_slot(int number, int logging, int present)
{
	struct slot *slot = &machine.slot[number];
	if (slot->deleted)
		return 0; /* what was deleted is not made again by a change of its flags */
	uint32_t flags = (logging ? KVM_MEM_LOG_DIRTY_PAGES : 0) |
			 (slot->flags & SLOT_READONLY ? KVM_MEM_READONLY : 0);
	struct kvm_userspace_memory_region region = {
		number, flags, slot->ipa, present ? slot->pages * PAGE : 0, (uint64_t)slot->memory
	};
	if (ioctl(machine.vm, KVM_SET_USER_MEMORY_REGION, &region))
		return -errno;
	slot->logging = logging && present;
	slot->deleted = !present;
	return 0;
}

/* Read the dirty log of a slot into bits and clear it; 0 or a negative errno. */
long harvest(int number, uint64_t *bits)
{
	struct slot *slot = &machine.slot[number];
	struct kvm_dirty_log log = { .slot = number, .dirty_bitmap = bits };
	memset(bits, 0, (slot->pages + 63) / 64 * 8);
	if (ioctl(machine.vm, KVM_GET_DIRTY_LOG, &log))
		return -errno;
	if (machine.clears) {
		struct kvm_clear_dirty_log clear = {
			.slot = number, .num_pages = slot->pages, .dirty_bitmap = bits
		};
		if (ioctl(machine.vm, KVM_CLEAR_DIRTY_LOG, &clear))
			return -errno;
	}
	return 0;
}

static void park(struct thread *vcpu)
{
	set_register(vcpu->fd, CORE(regs.pc), CODE_IPA);
	set_register(vcpu->fd, CORE(regs.pstate), 0x3c5);
}

/* Run until the guest stands at its door and wants an order; what it reported before is lost. */
void to_the_door(struct thread *vcpu)
{
	for (;;) {
		int failed = ioctl(vcpu->fd, KVM_RUN, 0);
		if (failed && errno != EINTR && errno != EAGAIN)
			die("KVM_RUN of a guest without work");
		struct kvm_run *run = vcpu->run;
		if (!failed && run->exit_reason == KVM_EXIT_MMIO && !run->mmio.is_write &&
		    run->mmio.phys_addr == DOOR_IPA)
			return;
	}
}

/* One access; it is over when the guest reports it, when KVM_RUN fails, or when an exit says that
 * the page has no memory. Returns 0, -EIO for an MMIO exit, or the errno of KVM_RUN. */
long guest_access(struct thread *vcpu, int kind, uint64_t ipa, uint64_t *value)
{
	struct kvm_run *run = vcpu->run;
	uint64_t order = ipa + (kind == EXECUTE ? 8 : 0);
	order |= kind;
	memcpy(run->mmio.data, &order, 8);
	long result = 0;
	for (;;) {
		if (ioctl(vcpu->fd, KVM_RUN, 0)) {
			if (errno == EAGAIN)
				continue;
			result = -errno;
			break;
		}
		if (run->exit_reason != KVM_EXIT_MMIO) {
			result = -1000 - (long)run->exit_reason;
			break;
		}
		if (run->mmio.phys_addr == DOOR_IPA + 8) {
			memcpy(value, run->mmio.data, 8);
			to_the_door(vcpu);
			return 0;
		}
		if (run->mmio.phys_addr == DOOR_IPA + 16) {
			memcpy(value, run->mmio.data, 8);
			result = -ENOEXEC;
			break;
		}
		result = -EIO; /* the page is no memory: the VMM would have emulated a device */
		break;
	}
	run->immediate_exit = 1; /* let KVM finish the exit, then put the guest back to its loop */
	(void)!ioctl(vcpu->fd, KVM_RUN, 0);
	run->immediate_exit = 0;
	park(vcpu);
	to_the_door(vcpu);
	return result;
}

static void make_vcpu(struct thread *vcpu)
{
	struct kvm_vcpu_init init = { 0 };
	vcpu->fd = ioctl(machine.vm, KVM_CREATE_VCPU, vcpu->number);
	if (vcpu->fd < 0)
		die("KVM_CREATE_VCPU");
	if (ioctl(machine.vm, KVM_ARM_PREFERRED_TARGET, &init) ||
	    ioctl(vcpu->fd, KVM_ARM_VCPU_INIT, &init))
		die("KVM_ARM_VCPU_INIT");
	size_t size = ioctl(machine.kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	vcpu->run = mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED)
		die("mmap of a vCPU");
	park(vcpu);
	set_register(vcpu->fd, CORE(regs.regs[20]), DOOR_IPA);
	set_register(vcpu->fd, CORE(regs.regs[22]), (vcpu->number + 1) * 1000000ul);
	set_register(vcpu->fd, VBAR_EL1, CODE_IPA + VECTORS);
}

void make_machine(void)
{
	machine.kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (machine.kvm < 0)
		die("/dev/kvm");
	machine.vm = ioctl(machine.kvm, KVM_CREATE_VM, 0);
	if (machine.vm < 0)
		die("KVM_CREATE_VM");
	if (machine.clears) {
		struct kvm_enable_cap cap = { .cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, .args = { 1 } };
		if (ioctl(machine.vm, KVM_ENABLE_CAP, &cap))
			die("KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2");
	}
	code = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(code, loop, sizeof loop);
	memcpy(code + VECTORS, aborted, sizeof aborted);
	memcpy(code + VECTORS + 0x200, aborted, sizeof aborted);
	__builtin___clear_cache(code, code + PAGE);
	struct kvm_userspace_memory_region region = { CODE_SLOT, 0, CODE_IPA, PAGE, (uint64_t)code };
	if (ioctl(machine.vm, KVM_SET_USER_MEMORY_REGION, &region))
		die("KVM_SET_USER_MEMORY_REGION of the guest's code");
	for (int i = 0; i < machine.slots; i++)
		make_slot(&machine.slot[i]);
	populate();
	for (int i = 0; i < machine.grants; i++)
		give(&machine.grant[i]);
	for (int i = 0; i < machine.slots; i++) {
		errno = -set_slot(i, machine.slot[i].flags & SLOT_LOGGING, 1);
		if (errno)
			die("KVM_SET_USER_MEMORY_REGION");
	}
	for (int i = 0; i < machine.threads; i++)
		if (machine.thread[i].is_vcpu)
			make_vcpu(&machine.thread[i]);
	machine.made = 1;
}

void drop_machine(void)
{
	size_t size = ioctl(machine.kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	for (int i = 0; i < machine.threads; i++)
		if (machine.thread[i].is_vcpu) {
			munmap(machine.thread[i].run, size);
			close(machine.thread[i].fd);
		}
	close(machine.vm);
	close(machine.kvm);
	munmap(code, PAGE);
	for (int i = 0; i < machine.slots; i++)
		drop_slot(&machine.slot[i]);
	memset(&machine, 0, sizeof machine);
}

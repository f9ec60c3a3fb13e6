/* What the tree's nested.c needs besides: requests, flags, fixmaps, and locks that tell of MMUs. */

/* ---- what sys_regs.h and the header of the interrupt controller would need ---- */
#define __KVM_ARM_VGIC_NEW_H__
#define va_list __builtin_va_list
#define va_start __builtin_va_start
#define va_end __builtin_va_end
#define kvm_pr_unimpl(...) ((void)0)
#define str_write_read(x) ""
#define __inline_bsearch(...) NULL
#define MPIDR_LEVEL_SHIFT(level) ((level) * 8)
#define __printf(a, b)
struct va_format { const char *fmt; va_list *va; };
#include "sys_regs.h"

void kvm_stage2_unmap_range(struct kvm_s2_mmu *mmu, phys_addr_t start, u64 size, bool may_block);
void kvm_stage2_flush_range(struct kvm_s2_mmu *mmu, phys_addr_t addr, phys_addr_t end);
void kvm_stage2_wp_range(struct kvm_s2_mmu *mmu, phys_addr_t addr, phys_addr_t end);
#if S2_HAS_INIT_TYPE
int kvm_init_stage2_mmu(struct kvm *kvm, struct kvm_s2_mmu *mmu, unsigned long type);
#endif
void kvm_uninit_stage2_mmu(struct kvm *kvm);

/* ---- locks: who holds mmu_lock for writing may have bound a shadow MMU to another context ---- */
void s2_glue_note_bindings(void);
#undef write_unlock
#define write_unlock(l) (s2_glue_note_bindings(), s2_unlock((l)->name, 0))
static inline void s2_end_guard(int **lock)
{
	s2_glue_note_bindings();
	s2_unlock(**lock, 0);
}
static inline int *s2_begin_guard(int *lock)
{
	s2_lock(*lock, 0);
	return lock;
}
static inline void s2_end_read_guard(int **lock)
{
	s2_unlock(**lock, 1);
}
static inline int *s2_begin_read_guard(int *lock)
{
	s2_lock(*lock, 1);
	return lock;
}
#define S2_PASTED(a, b) a##b
#define S2_PASTE(a, b) S2_PASTED(a, b)
#define S2_GUARD(variable, l) \
	int *variable __attribute__((cleanup(s2_end_guard))) = s2_begin_guard(&(l)->name)
#define guard(kind) S2_GUARD_##kind
#define S2_GUARD_write_lock(l) S2_GUARD(S2_PASTE(s2_guard, __LINE__), l)
#define S2_GUARD_read_lock(l) \
	int *S2_PASTE(s2_guard, __LINE__) __attribute__((cleanup(s2_end_read_guard))) = \
		s2_begin_read_guard(&(l)->name)
#define S2_GUARD_preempt() ((void)0)
#define S2_GUARD_srcu(s) ((void)(s))
#define scoped_guard(kind, ...) S2_SCOPED_##kind(__VA_ARGS__)
#define S2_SCOPED_write_lock(l) \
	for (int *s2_held __attribute__((cleanup(s2_end_guard))) = s2_begin_guard(&(l)->name), \
		 *s2_once = s2_held; s2_once; s2_once = NULL)

/* ---- requests and flags of a vCPU ---- */
enum { KVM_REQ_NESTED_S2_UNMAP, KVM_REQ_MAP_L1_VNCR_EL2, KVM_REQ_GUEST_HYP_IRQ_PENDING };
static inline bool s2_take_request(struct kvm_vcpu *vcpu, int request)
{
	bool made = vcpu->requests >> request & 1;

	vcpu->requests &= ~(1UL << request);
	return made;
}
#define kvm_check_request(r, v) s2_take_request((v), (r))
#define kvm_make_request(r, v) ((void)((v)->requests |= 1UL << (r)))
#define vcpu_get_flag(v, f) 0
#define vcpu_set_flag(v, f) ((void)(v))
#define vcpu_clear_flag(v, f) ((void)(v))
#define vcpu_test_and_clear_flag(v, f) 0
/* The one flag of a CPU that is asked for is L1_VNCR_MAPPED. */
#define host_data_set_flag(f) s2_vncr_note(1)
#define host_data_clear_flag(f) s2_vncr_note(0)
#define host_data_test_flag(f) s2_vncr_noted()
struct kvm_vcpu *s2_glue_vcpu(unsigned long number);
#define kvm_for_each_vcpu(i, v, kvm) for ((i) = 0; ((v) = s2_glue_vcpu(i)) != NULL; (i)++)

/* ---- memory of its own, and of the guest ---- */
#define kvfree(p) ((void)(p))
#define kvmalloc_objs(type, count, ...) ((typeof(type) *)s2_scratch(sizeof(type) * (count)))
#define kvzalloc_objs(type, count, ...) kvmalloc_objs(type, count)
#define kvcalloc(count, size, ...) s2_scratch((size) * (count))
#define kzalloc_objs(type, ...) ((typeof(type) *)s2_scratch(sizeof(type)))
#undef __get_free_page
#define __get_free_page(gfp) ((unsigned long)s2_scratch(64))
#undef free_page
#define free_page(address) ((void)(address))
#define kvm_read_guest(kvm, gpa, data, size) s2_read_guest((gpa), (data), (size))

/* ---- L1's page of registers, which KVM maps on each CPU; no scenario has interrupts ---- */
#define NR_CPUS 8
#define KVM_MAX_VCPUS (S2_MAX_VCPUS + S2_MAX_HOST_THREADS)
#define FIX_VNCR 100
#define PAGE_KERNEL __pgprot(0)
#define PAGE_KERNEL_RO __pgprot(1)
#define __set_fixmap(i, pa, prot) s2_vncr_map(FIX_VNCR - (int)(i), (pa), !pgprot_val(prot))
#define clear_fixmap(i) s2_vncr_unmap(FIX_VNCR - (int)(i))
#define smp_processor_id() s2_this_cpu()
#define smp_mb__before_atomic() barrier()
#define smp_mb__after_atomic() barrier()
#define atomic_set(v, x) ((void)((v)->counter = (x)))
#define atomic_inc(v) ((void)(v)->counter++)
#define atomic_dec(v) ((void)(v)->counter--)
static inline int s2_exchange(atomic_t *of, int value)
{
	int was = of->counter;

	of->counter = value;
	return was;
}
#define atomic_xchg_relaxed(v, x) s2_exchange((v), (x))
#define kvm_inject_nested_sync(v, esr) ((void)(esr), s2_inject(-S2_INJECTED_STAGE2), 1)
#define kvm_inject_nested_irq(v) ((void)(v))
#define kvm_inject_serror_esr(v, esr) ((void)(esr), 1)
#define kvm_nested_s2_ptdump_create_debugfs(mmu) ((void)(mmu))
#define kvm_nested_s2_ptdump_remove_debugfs(mmu) ((void)(mmu))
#ifndef kvm_handle_guest_sea
int kvm_handle_guest_sea(struct kvm_vcpu *vcpu);
#endif
#define KVM_BUG(x, kvm, ...) WARN_ON(x)
#define SZ_32M 0x2000000
#define SZ_512M 0x20000000
#define EACCES 13
#define PAGE_NONE __pgprot(2)

/* ---- registers as the guest may set them: no scenario writes one by its own instruction ---- */
struct resx { u64 res0, res1; };
struct kvm_sysreg_masks { struct resx mask[NR_SYS_REGS - __SANITISED_REG_START__]; };
#define kvm_set_sysreg_resx(kvm, register, r) ((void)(r))
#define kvm_get_sysreg_resx(kvm, register) ((struct resx){ 0, 0 })
#define get_reg_fixed_bits(kvm, register) ((struct resx){ 0, 0 })
#undef BUILD_BUG_ON
#define BUILD_BUG_ON(x) ((void)0)
#define CNTHCTL_ECV (1UL << 12)
#define CNTHCTL_EL1TVT (1UL << 13)
#define CNTHCTL_EL1TVCT (1UL << 14)
#define CNTHCTL_EL1NVPCT (1UL << 15)
#define CNTHCTL_EL1NVVCT (1UL << 16)
#define CNTHCTL_CNTPMASK (1UL << 19)
#define CNTHCTL_CNTVMASK (1UL << 18)
#define vgic_ich_vtr() 0
#define kvm_vgic_global_state ((struct { u64 ich_vtr_el2; }){ 0 })
#define vcpu_get_vsesr(v) 0
#define __test_and_clear_bit(bit, word) ((void)(word), 0)

/* What the user's stage-2 code needs of KVM's and the host mm's headers, written from scratch. */
#ifndef STAGE2FUZZ_KVM_H
#define STAGE2FUZZ_KVM_H

/* ---- the host's page tables ---- */
typedef u64 pteval_t;
typedef struct { pteval_t pte; } pte_t;
typedef struct { pteval_t pgd; } pgd_t;
typedef struct { pteval_t pgprot; } pgprot_t;
#define PMD_SHIFT 21
#define PUD_SHIFT 30
#define CONT_PTE_SHIFT 16
#define CONT_PMD_SHIFT 25
#define PMD_SIZE (1UL << PMD_SHIFT)
#define PUD_SIZE (1UL << PUD_SHIFT)
#define PMD_MASK (~(PMD_SIZE - 1))
#define PUD_MASK (~(PUD_SIZE - 1))
#define S2_PMD_SIZE PMD_SIZE
#define __pte(x) ((pte_t){ x })
#define pte_val(x) ((x).pte)
#define pte_valid(x) (!!((x).pte & 1))
#define pte_young(x) (!!((x).pte & (1UL << 10)))
#define pte_pfn(x) (((x).pte & GENMASK(47, 12)) >> PAGE_SHIFT)
#define pfn_pte(pfn, prot) ((pte_t){ __pfn_to_phys(pfn) | 1 })

#define VM_SHARED 0x8UL
#define VM_PFNMAP 0x400UL
#define VM_HUGETLB 0x400000UL
#define VM_MTE_ALLOWED 0UL
#define VM_ALLOW_ANY_UNCACHED 0UL
#define VM_READ 1UL
#define VM_WRITE 2UL
#define VM_EXEC 4UL
struct mm_struct { pgd_t *pgd; };
struct vm_area_struct {
	unsigned long vm_start, vm_end, vm_flags, vm_pgoff;
	pgprot_t vm_page_prot;
	int shift;
};
struct task_struct { struct mm_struct *mm; };
extern struct task_struct s2_task;
#define current (&s2_task)
#define mmap_read_lock(mm) s2_lock(S2_LOCK_MMAP, 1)
#define mmap_read_unlock(mm) s2_unlock(S2_LOCK_MMAP, 1)
struct vm_area_struct *s2_vma_of(unsigned long hva, unsigned long end);
#define vma_lookup(mm, hva) s2_vma_of((hva), (hva) + 1)
#define find_vma(mm, hva) s2_vma_of((hva), (hva) + 1)
#define find_vma_intersection(mm, hva, end) s2_vma_of((hva), (end))
#define is_vm_hugetlb_page(vma) (!!((vma)->vm_flags & VM_HUGETLB))
#define hstate_vma(vma) (vma)
#define huge_page_shift(h) ((h)->shift)
#define huge_page_size(h) (1UL << (h)->shift)
#define vma_kernel_pagesize(vma) (1UL << (vma)->shift)
#define MMU_NOTIFIER_RANGE_BLOCKABLE 1
#define BUS_MCEERR_AR 4
#define send_sig_mceerr(code, address, lsb, task) s2_signal()
#define pfn_valid(pfn) (!s2_is_device(__pfn_to_phys(pfn)))
#define pfn_is_map_memory(pfn) pfn_valid(pfn)
#define is_zero_pfn(pfn) 0
#define kvm_is_transparent_hugepage(pfn) s2_is_huge(__pfn_to_phys(pfn))
#define kvm_get_pfn(pfn) ((void)(pfn), s2_pin_again())
#define PageReserved(page) 0
#define PageTransCompoundMap(page) 0
#define PageTransCompound(page) 0

/* ---- KVM ---- */
typedef u64 gpa_t;
typedef u64 gfn_t;
typedef u64 hpa_t;
typedef u64 hfn_t;
typedef unsigned long hva_t;
typedef hfn_t kvm_pfn_t;
#define KVM_PFN_ERR_MASK (0x7ffULL << 52)
#define KVM_PFN_ERR_FAULT KVM_PFN_ERR_MASK
#define KVM_PFN_ERR_HWPOISON (KVM_PFN_ERR_MASK + 1)
#define is_error_noslot_pfn(pfn) (!!((pfn) & KVM_PFN_ERR_MASK))
#define is_error_pfn(pfn) is_error_noslot_pfn(pfn)
#define KVM_HVA_ERR_BAD PAGE_OFFSET
#define kvm_is_error_hva(hva) ((hva) >= PAGE_OFFSET)
#define KVM_MEM_LOG_DIRTY_PAGES (1UL << 0)
#define KVM_MEM_READONLY (1UL << 1)
#define KVM_MEMSLOT_INVALID (1UL << 16)
#define KVM_PHYS_SHIFT 40

struct kvm_memory_slot {
	gfn_t base_gfn;
	unsigned long npages;
	unsigned long *dirty_bitmap;
	unsigned long userspace_addr;
	u32 flags;
	short id;
	u16 as_id;
	/* Ours: the runtime's number of this slot. */
	int s2_number;
};
struct kvm_memslots { int unused; };
enum kvm_mr_change { KVM_MR_CREATE, KVM_MR_DELETE, KVM_MR_MOVE, KVM_MR_FLAGS_ONLY };
struct kvm_userspace_memory_region { u32 slot, flags; u64 guest_phys_addr, memory_size, userspace_addr; };

#define KVM_ARCH_NR_OBJS_PER_MEMORY_CACHE 4
struct kvm_mmu_memory_cache {
	int nobjs, capacity;
	gfp_t gfp_zero, gfp_custom;
	void *kmem_cache;
	void *objects[KVM_ARCH_NR_OBJS_PER_MEMORY_CACHE];
};
#define kvm_mmu_topup_memory_cache(mc, wanted) s2_topup(&(mc)->nobjs, (wanted))
#define __kvm_mmu_topup_memory_cache(mc, capacity, wanted) s2_topup(&(mc)->nobjs, (wanted))
#define kvm_mmu_memory_cache_alloc(mc) s2_cache_alloc(&(mc)->nobjs)
#define kvm_mmu_memory_cache_nr_free_objects(mc) ((mc)->nobjs)
#define kvm_mmu_free_memory_cache(mc) ((mc)->nobjs = 0)

struct kvm_pgtable;
struct kvm_arch;
struct kvm_vmid { u64 vmid_gen; u32 vmid; atomic64_t id; };
struct kvm_s2_mmu {
	struct kvm_vmid vmid;
	phys_addr_t pgd_phys;
	struct kvm_pgtable *pgt;
	u64 vtcr;
	int *last_vcpu_ran;
	struct kvm_mmu_memory_cache split_page_cache;
	u64 split_page_chunk_size;
	struct kvm_arch *arch;
	struct kvm *kvm;
	u64 tlb_vttbr, tlb_vtcr;
	bool nested_stage2_enabled;
	int refcnt;
};
struct kvm_arch {
	struct kvm_s2_mmu mmu;
	u64 vtcr;
	unsigned long flags;
	struct { unsigned long handle; } pkvm;
};
struct kvm {
	rwlock_t mmu_lock;
	struct mutex slots_lock;
	struct mm_struct *mm;
	union { s64 mmu_notifier_seq, mmu_invalidate_seq; };
	union { s64 mmu_notifier_count, mmu_invalidate_in_progress; };
	struct kvm_arch arch;
	struct srcu_struct srcu;
	struct { struct { u64 remote_tlb_flush, remote_tlb_flush_requests; } generic;
		 u64 remote_tlb_flush, remote_tlb_flush_requests; } stat;
	bool manual_dirty_log_protect;
	bool dirty_ring_with_bitmap;
};
struct kvm_vcpu_fault_info { u64 esr_el2, far_el2, hpfar_el2, disr_el1; };
struct kvm_vcpu_arch {
	struct kvm_s2_mmu *hw_mmu;
	struct kvm_mmu_memory_cache mmu_page_cache;
	struct kvm_vcpu_fault_info fault;
	u64 hcr_el2, pc;
};
struct kvm_vcpu {
	struct kvm *kvm;
	int vcpu_id;
	struct kvm_vcpu_arch arch;
	struct { u64 exits; } stat;
	void *run;
};
union kvm_mmu_notifier_arg { pte_t pte; unsigned long attributes; };
struct kvm_gfn_range {
	struct kvm_memory_slot *slot;
	gfn_t start, end;
	union { pte_t pte; union kvm_mmu_notifier_arg arg; };
	bool may_block;
};
typedef int (*s2_hva_handler)(struct kvm *, gpa_t, u64, void *);

#define kvm_s2_mmu_to_kvm(mmu) container_of((mmu), struct kvm, arch.mmu)
struct kvm_memory_slot *s2_memslot_at(int index);
struct kvm_memory_slot *s2_memslot_of(gfn_t gfn);
#define kvm_memslots(kvm) ((struct kvm_memslots *)NULL)
#define kvm_for_each_memslot(slot, ...) \
	for (int s2_at = 0; s2_at < S2_MAX_SLOTS; s2_at++) \
		if (((slot) = s2_memslot_at(s2_at)) != NULL)
#define id_to_memslot(slots, id) s2_memslot_at(id)
#define gfn_to_memslot(kvm, gfn) s2_memslot_of(gfn)
#define kvm_slot_dirty_track_enabled(slot) (!!((slot)->flags & KVM_MEM_LOG_DIRTY_PAGES))
#define memslot_id(kvm, gfn) 0
#define hva_to_gfn_memslot(hva, slot) \
	((slot)->base_gfn + (((hva) - (slot)->userspace_addr) >> PAGE_SHIFT))
static inline unsigned long gfn_to_hva_memslot_prot(struct kvm_memory_slot *slot, gfn_t gfn,
						    bool *writable)
{
	if (!slot)
		return KVM_HVA_ERR_BAD;
	if (writable)
		*writable = !(slot->flags & KVM_MEM_READONLY);
	return slot->userspace_addr + ((gfn - slot->base_gfn) << PAGE_SHIFT);
}
static inline kvm_pfn_t s2_lookup(struct kvm_memory_slot *slot, gfn_t gfn, bool write, bool *writable)
{
	s2_u64 address;
	int granted = 0, ret = s2_pin(gfn << PAGE_SHIFT, write, &address, &granted);

	(void)slot;
	if (ret < 0)
		return KVM_PFN_ERR_FAULT;
	if (ret)
		return KVM_PFN_ERR_HWPOISON;
	if (writable)
		*writable = granted;
	return address >> PAGE_SHIFT;
}
#define gfn_to_pfn_prot(kvm, gfn, write, writable) s2_lookup(NULL, gfn, write, writable)
#define S2_ARGUMENT_9(a, b, c, d, e, f, g, h, i, ...) i
#define S2_LOOKUP_7(slot, gfn, atomic, async, write, writable, hva) \
	s2_lookup(slot, gfn, write, writable)
#define S2_LOOKUP_8(slot, gfn, atomic, interruptible, async, write, writable, hva) \
	s2_lookup(slot, gfn, write, writable)
#define __gfn_to_pfn_memslot(...) \
	S2_ARGUMENT_9(__VA_ARGS__, S2_LOOKUP_8, S2_LOOKUP_7, 0)(__VA_ARGS__)
#define FOLL_WRITE 1u
static inline kvm_pfn_t __kvm_faultin_pfn(const struct kvm_memory_slot *slot, gfn_t gfn,
					  unsigned int flags, bool *writable, struct page **page)
{
	kvm_pfn_t pfn = s2_lookup(NULL, gfn, flags & FOLL_WRITE, writable);

	(void)slot;
	*page = pfn & KVM_PFN_ERR_MASK || !pfn_valid(pfn) ? NULL : pfn_to_page(pfn);
	return pfn;
}
#define kvm_set_pfn_dirty(pfn) s2_pfn_dirty()
#define kvm_set_pfn_accessed(pfn) ((void)(pfn))
#define kvm_release_pfn_clean(pfn) ((void)(pfn), s2_unpin())
#define kvm_release_pfn_dirty(pfn) (s2_pfn_dirty(), ((void)(pfn), s2_unpin()))
static inline void kvm_release_faultin_page(struct kvm *kvm, struct page *page, bool unused,
					    bool dirty)
{
	(void)kvm;
	if (!page)
		return;
	if (dirty && !unused)
		s2_pfn_dirty();
	s2_unpin();
}
void s2_mark_dirty_slot(const struct kvm_memory_slot *slot, gfn_t gfn);
#define mark_page_dirty(kvm, gfn) s2_mark_dirty_slot(s2_memslot_of(gfn), (gfn))
#define mark_page_dirty_in_slot(kvm, slot, gfn) s2_mark_dirty_slot((slot), (gfn))
#define mmu_notifier_retry(kvm, seq) s2_retry(seq)
#define mmu_invalidate_retry(kvm, seq) s2_retry(seq)
#define kvm_dirty_log_manual_protect_and_init_set(kvm) 0
#define kvm_account_pgtable_pages(p, n) ((void)(p), (void)(n))
#define kvm_mmu_has_cache(x) 0

/* ---- EL2 calls ---- */
#define kvm_call_hyp(f, ...) f(__VA_ARGS__)
#define kvm_call_hyp_nvhe(f, ...) 0
#define kvm_call_hyp_ret(f, ...) 0
#define __kvm_tlb_flush_vmid_ipa(mmu, ipa, level) s2_tlb_flush_ipa((ipa), (level), 1)
#define __kvm_tlb_flush_vmid_ipa_nsh(mmu, ipa, level) s2_tlb_flush_ipa((ipa), (level), 0)
#define __kvm_tlb_flush_vmid_range(mmu, start, pages) s2_tlb_flush_range((start), (pages))
#define __kvm_tlb_flush_vmid(mmu) s2_tlb_flush_vmid()
#define TLBI_TTL_UNKNOWN INT_MAX
#define __TLBI_VADDR(address, asid) (address)
#define __tlbi_level(op, address, level) ((void)(address), (void)(level))
#define __tlbi(op, ...) ((void)0)
#define __tlbi_sync_s1ish_hyp() dsb(ish)
#define MAX_TLBI_RANGE_PAGES (1UL << 21)
/* The older trees name the page by its frame number, the newer by its address. */
#define S2_ADDRESS_OF(x) \
	_Generic((x), void *: virt_to_phys((void *)(unsigned long)(x)), default: __pfn_to_phys((u64)(x)))
#define __clean_dcache_guest_page(x, size) s2_dcache_clean(S2_ADDRESS_OF(x), (size))
#define __invalidate_icache_guest_page(x, size) s2_icache_invalidate(S2_ADDRESS_OF(x), (size))
#define __flush_dcache_area(va, size) s2_dcache_clean(__pa(va), (size))
#define kvm_flush_dcache_to_poc(va, size) s2_dcache_clean(__pa(va), (size))

/* ---- what the CPU can do ---- */
enum { ARM64_HAS_STAGE2_FWB = 1, ARM64_HAS_CACHE_DIC, ARM64_HAS_CACHE_IDC, ARM64_HAS_TLB_RANGE,
       ARM64_WORKAROUND_AMPERE_AC03_CPU_38, ARM64_WORKAROUND_NVIDIA_CARMEL_CNP,
       ARM64_KVM_PROTECTED_MODE, ARM64_HAS_LPA2, ARM64_HAS_S1PIE,
       ARM64_KVM_HVHE, ARM64_HAS_ARMv8_4_TTL };
static inline bool s2_cap(int cap)
{
	return cap == ARM64_HAS_STAGE2_FWB ? s2_options.fwb :
	       cap == ARM64_HAS_CACHE_DIC ? s2_options.dic : 0;
}
#define cpus_have_const_cap(cap) s2_cap(cap)
#define cpus_have_final_cap(cap) s2_cap(cap)
#define cpus_have_cap(cap) s2_cap(cap)
#define alternative_has_cap_unlikely(cap) s2_cap(cap)
/* Range TLBIs come with FWB, so that both flushing strategies of an unmap are exercised. */
#define system_supports_tlb_range() (!!s2_options.fwb)
#define MT_NORMAL 0
#define MT_NORMAL_NC 2
#define MT_DEVICE_nGnRE 4
#define MT_S2_NORMAL 0xf
#define MT_S2_NORMAL_NC 5
#define MT_S2_DEVICE_nGnRE 1
#define MT_S2_FWB_NORMAL 6
#define MT_S2_FWB_NORMAL_NC 5
#define MT_S2_FWB_DEVICE_nGnRE 1
#define S2_SECOND(a, b, ...) b
#define PAGE_S2_MEMATTR(attr, ...) \
	((u64)(S2_SECOND(0, ##__VA_ARGS__, s2_options.fwb) ? MT_S2_FWB_##attr : MT_S2_##attr) << 2)
#define ID_AA64MMFR0_PARANGE_SHIFT 0
#define ID_AA64MMFR0_PARANGE_MAX 5
#define ID_AA64MMFR0_EL1_PARANGE_SHIFT 0
#define ID_AA64MMFR0_EL1_PARANGE_MAX 5
#define ID_AA64MMFR0_EL1_PARANGE_48 5
#define ID_AA64MMFR0_EL1_PARANGE_52 6
#define SYS_ID_AA64MMFR0_EL1 0
#define SYS_ID_AA64MMFR1_EL1 1
#define cpuid_feature_extract_unsigned_field(reg, shift) (((reg) >> (shift)) & 15)
#define id_aa64mmfr0_parange_to_phys_shift(x) 48
#define read_sanitised_ftr_reg(reg) ((u64)ID_AA64MMFR0_EL1_PARANGE_48)
#define get_vmid_bits(mmfr1) 16
#define kvm_get_vmid_bits() 16
#define get_kvm_ipa_limit() 48
#define kvm_lpa2_is_enabled() 0
#define kvm_supports_stage2_lpa2() 0
#define lpa2_is_enabled() 0
#define kvm_phys_shift(mmu) (s2_options.ipa_bits)
#define kvm_phys_size(mmu) (1ULL << s2_options.ipa_bits)
#define KVM_VM_TYPE_ARM_IPA_SIZE_MASK 0xffUL
#define KVM_VM_TYPE_ARM_IPA_SIZE(type) ((type) & KVM_VM_TYPE_ARM_IPA_SIZE_MASK)
#define kvm_has_mte(kvm) 0
#define system_supports_mte() 0
#define system_supports_lpa2() 0
#define system_supports_bti_kernel() 0
#define page_mte_tagged(page) 1
#define mte_clear_page_tags(p) ((void)(p))
#define set_page_mte_tagged(page) ((void)(page))
#define try_page_mte_tagging(page) 0
#define is_protected_kvm_enabled() 0
#define kvm_vm_is_protected(kvm) 0
#define is_kernel_in_hyp_mode() 0
#define has_vhe() 0
#define has_cpuid_feature(...) 0
#define static_branch_likely(key) 0
#define static_branch_unlikely(key) 0
#define kern_hyp_va(x) (x)
#define idmap_t0sz 16
#define ARM64_MIN_PARANGE_BITS 32
#define IDMAP_VA_BITS 48
#define vabits_actual 48
#define KVM_ARM_EAGER_SPLIT_CHUNK_SIZE_DEFAULT (s2_options.eager_split ? PMD_SIZE : 0)
/* ---- nested virtualisation: never ---- */
struct kvm_s2_trans { phys_addr_t output; };
#define KVM_NV_GUEST_MAP_SZ 0
#define kvm_is_nested_s2_mmu(kvm, mmu) 0
#define kvm_walk_nested_s2(v, ipa, t) ((t)->output = 0, 0)
#define kvm_s2_handle_perm_fault(v, t) ((void)(t), 0)
#define kvm_s2_trans_esr(t) ((void)(t), 0)
#define kvm_s2_trans_output(t) ((t)->output)
#define kvm_s2_trans_size(t) ((void)(t), PAGE_SIZE)
#define kvm_s2_trans_writable(t) ((void)(t), true)
#define kvm_s2_trans_readable(t) ((void)(t), true)
#define kvm_s2_trans_executable(t) ((void)(t), true)
#define kvm_encode_nested_level(t) ((void)(t), 0)
#define kvm_inject_s2_fault(v, esr) s2_inject(-S2_EFAULT)
#define kvm_nested_s2_unmap(kvm, may_block) ((void)(kvm))
#define kvm_nested_s2_wp(kvm) ((void)(kvm))
#define kvm_nested_s2_flush(kvm) ((void)(kvm))
#define kvm_init_nested_s2_mmu(mmu) ((void)(mmu))
extern char __hyp_idmap_text_start[], __hyp_idmap_text_end[], __kvm_hyp_init[];

/* ---- one fault, as the syndrome describes it ---- */
#define kvm_vcpu_get_esr(v) ((v)->arch.fault.esr_el2)
#define kvm_vcpu_get_hsr(v) kvm_vcpu_get_esr(v)
#define kvm_vcpu_get_hfar(v) ((v)->arch.fault.far_el2)
#define kvm_vcpu_get_fault_ipa(v) (((phys_addr_t)(v)->arch.fault.hpfar_el2 & GENMASK_ULL(43, 4)) << 8)
#define kvm_vcpu_trap_get_class(v) ((kvm_vcpu_get_esr(v) >> 26) & 0x3f)
#define kvm_vcpu_trap_is_iabt(v) (kvm_vcpu_trap_get_class(v) == 0x20)
#define kvm_vcpu_trap_get_fault(v) (kvm_vcpu_get_esr(v) & 0x3f)
#define kvm_vcpu_trap_get_fault_type(v) (kvm_vcpu_get_esr(v) & 0x3c)
#define kvm_vcpu_trap_get_fault_level(v) ((u8)(kvm_vcpu_get_esr(v) & 3))
#define kvm_vcpu_trap_is_translation_fault(v) (kvm_vcpu_trap_get_fault_type(v) == 4)
#define kvm_vcpu_trap_is_permission_fault(v) (kvm_vcpu_trap_get_fault_type(v) == 0xc)
#define kvm_vcpu_trap_get_perm_fault_granule(v) \
	(1UL << (12 + 9 * (3 - (int)kvm_vcpu_trap_get_fault_level(v))))
#define kvm_vcpu_abt_iss1tw(v) (!kvm_vcpu_trap_is_iabt(v) && (kvm_vcpu_get_esr(v) >> 7 & 1))
#define kvm_vcpu_dabt_iss1tw(v) kvm_vcpu_abt_iss1tw(v)
#define kvm_vcpu_dabt_is_cm(v) 0
#define kvm_vcpu_trap_is_exec_fault(v) (kvm_vcpu_trap_is_iabt(v) && !kvm_vcpu_abt_iss1tw(v))
#define kvm_vcpu_abt_issea(v) 0
#define kvm_vcpu_dabt_iswrite(v) (!!(kvm_vcpu_get_esr(v) & (1 << 6)))
#define kvm_is_write_fault(v) \
	(kvm_vcpu_abt_iss1tw(v) || (!kvm_vcpu_trap_is_iabt(v) && kvm_vcpu_dabt_iswrite(v)))
#define kvm_vcpu_dabt_isvalid(v) 0
#define kvm_handle_guest_sea(ipa, esr) 0
#define vcpu_pc(v) (&(v)->arch.pc)
#define vcpu_hcr(v) (&(v)->arch.hcr_el2)
#define vcpu_has_cache_enabled(v) 1
#define vcpu_is_protected(v) 0
#define vcpu_has_nv(v) 0
#define is_nested_ctxt(v) 0
#define io_mem_abort(v, ipa) 0
#define kvm_inject_pabt(v, a) s2_inject(-S2_ENOEXEC)
#define kvm_inject_dabt(v, a) s2_inject(-S2_EFAULT)
#define kvm_inject_undefined(v) s2_inject(-S2_EFAULT)
#define kvm_inject_vabt(v) s2_inject(-S2_EFAULT)
#define kvm_inject_size_fault(v) s2_inject(-S2_EFAULT)
#define kvm_incr_pc(v) ((void)(v))
#define kvm_skip_instr(v, wide) ((void)(v))

/* ---- the tree's own numbers ---- */
#include <asm/pgtable-hwdef.h>
#include <asm/kvm_arm.h>
#include <asm/stage2_pgtable.h>

/* ---- declarations that the tree's own headers would have made ---- */
void kvm_flush_remote_tlbs(struct kvm *kvm);
void kvm_flush_remote_tlbs_memslot(struct kvm *kvm, const struct kvm_memory_slot *slot);
void kvm_free_stage2_pgd(struct kvm_s2_mmu *mmu);

#endif

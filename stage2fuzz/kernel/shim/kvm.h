/* Structures and calls of KVM's generic half. */

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
#define INVALID_GPA (~(gpa_t)0)
#define gfn_to_gpa(gfn) ((gpa_t)(gfn) << PAGE_SHIFT)
#define gpa_to_gfn(gpa) ((gfn_t)((gpa) >> PAGE_SHIFT))
#define KVM_BUG_ON(x, kvm) WARN_ON(x)
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
struct kvm_userspace_memory_region {
	u32 slot, flags;
	u64 guest_phys_addr, memory_size, userspace_addr;
};

#define KVM_ARCH_NR_OBJS_PER_MEMORY_CACHE 4
struct kvm_mmu_memory_cache {
	int nobjs, capacity;
	gfp_t gfp_zero, gfp_custom;
	void *kmem_cache;
	void *objects[KVM_ARCH_NR_OBJS_PER_MEMORY_CACHE];
};
/* What virt/kvm fills a cache to, whatever its caller needs at least. */
#define S2_CACHE_CAPACITY 40
static inline int kvm_mmu_topup_memory_cache(struct kvm_mmu_memory_cache *mc, int wanted)
{
	return s2_topup(&mc->nobjs, wanted, S2_CACHE_CAPACITY);
}
#define __kvm_mmu_topup_memory_cache(mc, capacity, wanted) \
	s2_topup(&(mc)->nobjs, (wanted), (capacity))
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
	bool nested_stage2_enabled, pending_unmap;
	atomic_t refcnt;
};
struct kvm_arch {
	struct kvm_s2_mmu mmu;
	u64 vtcr;
	unsigned long flags;
	struct { unsigned long handle; } pkvm;
	struct kvm_s2_mmu **nested_mmus;
	int nested_mmus_size, nested_mmus_next;
	atomic_t vncr_tlb_count;
	unsigned long vcpu_features[1];
	struct mutex config_lock;
	struct kvm_sysreg_masks *sysreg_masks;
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
	u64 manual_dirty_log_protect;
	bool dirty_ring_with_bitmap;
	atomic_t online_vcpus;
};
#define S2_NESTED_REGISTER_COUNT 64
struct kvm_vcpu_fault_info { u64 esr_el2, far_el2, hpfar_el2, disr_el1; };
struct kvm_vcpu_arch {
	struct kvm_s2_mmu *hw_mmu;
	struct kvm_mmu_memory_cache mmu_page_cache;
	struct kvm_hyp_memcache pkvm_memcache;
	struct kvm_vcpu_fault_info fault;
	u64 hcr_el2, mdcr_el2, pc;
	struct { u64 *vncr_array; } ctxt;
	struct vncr_tlb *vncr_tlb;
	bool in_hyp, uses_caches;
	/* The same in all objects, be they compiled before it is known which units there are. */
	u64 sys_regs[S2_NESTED_REGISTER_COUNT];
};
struct kvm_vcpu {
	struct kvm *kvm;
	int vcpu_id;
	unsigned long requests;
	bool scheduled_out;
	struct kvm_vcpu_arch arch;
	struct { u64 exits; } stat;
	struct kvm_run *run;
};
union kvm_mmu_notifier_arg { pte_t pte; unsigned long attributes; };
struct kvm_gfn_range {
	struct kvm_memory_slot *slot;
	gfn_t start, end;
	union { pte_t pte; union kvm_mmu_notifier_arg arg; };
	bool may_block;
};
typedef int (*s2_hva_handler)(struct kvm *, gpa_t, u64, void *);

#if S2_HAS_UNIT_NESTED
#define kvm_s2_mmu_to_kvm(of) container_of((of)->arch, struct kvm, arch)
#else
#define kvm_s2_mmu_to_kvm(mmu) container_of((mmu), struct kvm, arch.mmu)
#endif
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
static inline gfn_t hva_to_gfn_memslot(unsigned long hva, const struct kvm_memory_slot *slot)
{
	return slot->base_gfn + ((hva - slot->userspace_addr) >> PAGE_SHIFT);
}
static inline unsigned long gfn_to_hva_memslot_prot(struct kvm_memory_slot *slot, gfn_t gfn,
						    bool *writable)
{
	if (!slot)
		return KVM_HVA_ERR_BAD;
	if (writable)
		*writable = !(slot->flags & KVM_MEM_READONLY);
	return slot->userspace_addr + ((gfn - slot->base_gfn) << PAGE_SHIFT);
}
void s2_mark_dirty_slot(const struct kvm_memory_slot *slot, gfn_t gfn);
#define mark_page_dirty(kvm, gfn) s2_mark_dirty_slot(s2_memslot_of(gfn), (gfn))
#define mark_page_dirty_in_slot(kvm, slot, gfn) s2_mark_dirty_slot((slot), (gfn))
static inline void kvm_fault_lock(struct kvm *kvm)
{
	read_lock(&kvm->mmu_lock);
}
static inline void kvm_fault_unlock(struct kvm *kvm)
{
	read_unlock(&kvm->mmu_lock);
}
#define mmu_notifier_retry(kvm, seq) s2_retry(seq)
#define mmu_invalidate_retry(kvm, seq) s2_retry(seq)
#define KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE 1
#define KVM_DIRTY_LOG_INITIALLY_SET 2
#define kvm_dirty_log_manual_protect_and_init_set(kvm) \
	(!!((kvm)->manual_dirty_log_protect & KVM_DIRTY_LOG_INITIALLY_SET))
#define kvm_account_pgtable_pages(p, n) ((void)(p), (void)(n))
#define kvm_mmu_has_cache(x) 0

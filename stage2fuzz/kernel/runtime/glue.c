/* Glue: struct kvm, memslots and vCPUs for the user's mmu.c, and each call into it.
 *
 * Compiled against the user's own headers, without instrumentation. What differs between API
 * generations is decided by probes (S2_HAS_*), never by a version number: users have backports.
 */
#include <asm/kvm_arm.h>
#include <asm/kvm_pgtable.h>
#include <asm/stage2_pgtable.h>

#define MEMSLOT_VERSIONS 16

char __hyp_idmap_text_start[1], __hyp_idmap_text_end[1], __kvm_hyp_init[1];
static struct mm_struct mm;
struct task_struct s2_task = { &mm };
static struct kvm kvm;
static struct kvm_vcpu vcpus[S2_MAX_VCPUS];
static struct kvm_memory_slot memslots[S2_MAX_SLOTS][MEMSLOT_VERSIONS];
static struct kvm_memory_slot *current_memslot[S2_MAX_SLOTS], *last_memslot[S2_MAX_SLOTS];
static int memslot_versions[S2_MAX_SLOTS];
static struct vm_area_struct vmas[S2_MAX_SLOTS];

/* ---- the functions of mmu.c that no header of the tree declares here ---- */
int kvm_handle_guest_abort(struct kvm_vcpu *vcpu);
void kvm_arch_flush_shadow_memslot(struct kvm *, struct kvm_memory_slot *);
void kvm_arch_flush_shadow_all(struct kvm *);
void kvm_arch_mmu_enable_log_dirty_pt_masked(struct kvm *, struct kvm_memory_slot *, gfn_t,
					     unsigned long);
#if S2_HAS_INIT_TYPE
int kvm_init_stage2_mmu(struct kvm *, struct kvm_s2_mmu *, unsigned long);
#else
int kvm_init_stage2_mmu(struct kvm *, struct kvm_s2_mmu *);
#endif
#if S2_HAS_COMMIT_REGION_POINTER
void kvm_arch_commit_memory_region(struct kvm *, struct kvm_memory_slot *,
				   const struct kvm_memory_slot *, enum kvm_mr_change);
#else
void kvm_arch_commit_memory_region(struct kvm *, const struct kvm_userspace_memory_region *,
				   struct kvm_memory_slot *, const struct kvm_memory_slot *,
				   enum kvm_mr_change);
#endif
#if S2_HAS_GFN_RANGE
bool kvm_unmap_gfn_range(struct kvm *, struct kvm_gfn_range *);
bool kvm_age_gfn(struct kvm *, struct kvm_gfn_range *);
bool kvm_test_age_gfn(struct kvm *, struct kvm_gfn_range *);
bool kvm_set_spte_gfn(struct kvm *, struct kvm_gfn_range *);
#else
int kvm_unmap_hva_range(struct kvm *, unsigned long, unsigned long, unsigned);
int kvm_age_hva(struct kvm *, unsigned long, unsigned long);
int kvm_test_age_hva(struct kvm *, unsigned long);
int kvm_set_spte_hva(struct kvm *, unsigned long, pte_t);
#endif

/* ---- memslots and the VMM's own tables ---- */

/* What operations iterate over: a slot under deletion is in the list until it is flushed. */
struct kvm_memory_slot *s2_memslot_at(int index)
{
	return index >= 0 && index < S2_MAX_SLOTS ? last_memslot[index] : NULL;
}

struct kvm_memory_slot *s2_memslot_of(gfn_t gfn)
{
	for (int i = 0; i < S2_MAX_SLOTS; i++) {
		struct kvm_memory_slot *slot = current_memslot[i];

		if (slot && gfn >= slot->base_gfn && gfn < slot->base_gfn + slot->npages)
			return slot;
	}
	return NULL;
}

void s2_mark_dirty_slot(const struct kvm_memory_slot *slot, gfn_t gfn)
{
	if (slot && kvm_slot_dirty_track_enabled(slot) && slot->dirty_bitmap)
		s2_mark_dirty(slot->s2_number, gfn << PAGE_SHIFT);
}

struct vm_area_struct *s2_vma_of(unsigned long hva, unsigned long end)
{
	for (int i = 0; i < S2_MAX_SLOTS; i++) {
		struct vm_area_struct *vma = &vmas[i];
		const struct kvm_memory_slot *slot = last_memslot[i];

		if (!slot || end <= vma->vm_start || hva >= vma->vm_end)
			continue;
		if (hva >= vma->vm_start &&
		    s2_host_absent((slot->base_gfn << PAGE_SHIFT) + (hva - slot->userspace_addr)))
			return NULL;
		return vma;
	}
	return NULL;
}

/* Tables of the VMM as get_user_mapping_size() walks them: level 0, level 1, a level 2 of blocks,
 * a level 2 of tables, a level 3 of pages. Only levels and valid bits are ever looked at. */
enum { USER_TOP, USER_PUD, USER_BLOCKS, USER_TABLES, USER_PTES };

static kvm_pte_t *user_table(int which)
{
	return (kvm_pte_t *)(s2_arena + S2_ARENA_SIZE) + 512 * which;
}

static kvm_pte_t link_to(int which)
{
	return (S2_TABLE_BASE + S2_ARENA_SIZE + 4096UL * which) | 3;
}

static void build_user_tables(void)
{
	for (int i = 0; i < 512; i++) {
		user_table(USER_BLOCKS)[i] = ((kvm_pte_t)i << PMD_SHIFT) | 1;
		user_table(USER_TABLES)[i] = link_to(USER_PTES);
		user_table(USER_PTES)[i] = ((kvm_pte_t)i << PAGE_SHIFT) | 3;
	}
	mm.pgd = (pgd_t *)user_table(USER_TOP);
}

static void map_for_user(const struct s2_glue_slot *what)
{
	u64 end = what->user_address + what->size;

	user_table(USER_TOP)[what->user_address >> 39 & 511] = link_to(USER_PUD);
	for (u64 at = ALIGN_DOWN(what->user_address, PUD_SIZE); at < end; at += PUD_SIZE)
		user_table(USER_PUD)[at >> PUD_SHIFT & 511] =
			what->backing == S2_BACKING_PMD ? link_to(USER_BLOCKS) :
			what->backing == S2_BACKING_PUD ? ((at & GENMASK(47, 30)) | 1) :
							  link_to(USER_TABLES);
}

void s2_glue_publish(int number, const struct s2_glue_slot *what)
{
	struct kvm_memory_slot *slot =
		&memslots[number][memslot_versions[number]++ % MEMSLOT_VERSIONS];
	struct vm_area_struct *vma = &vmas[number];

	slot->base_gfn = what->first >> PAGE_SHIFT;
	slot->npages = what->size >> PAGE_SHIFT;
	slot->userspace_addr = what->user_address;
	slot->flags = (what->flags & S2_SLOT_READONLY ? KVM_MEM_READONLY : 0) |
		      (what->flags & S2_SLOT_LOGGING ? KVM_MEM_LOG_DIRTY_PAGES : 0);
	slot->dirty_bitmap = what->flags & S2_SLOT_LOGGING ? (unsigned long *)&mm : NULL;
	slot->id = number;
	slot->s2_number = number;
	current_memslot[number] = what->exists ? slot : NULL;
	last_memslot[number] = slot;
	vma->vm_start = what->user_address;
	vma->vm_end = what->user_address + what->size;
	vma->vm_flags = VM_READ | VM_WRITE;
	vma->shift = PAGE_SHIFT;
	if (what->backing == S2_BACKING_DEVICE)
		vma->vm_flags |= VM_PFNMAP;
	/* 1 GiB comes from hugetlbfs, 2 MiB is a transparent huge page: the two ways there are. */
	if (what->backing == S2_BACKING_PUD) {
		vma->vm_flags |= VM_HUGETLB;
		vma->shift = PUD_SHIFT;
	}
	map_for_user(what);
}

/* ---- one virtual machine ---- */

static u64 make_vtcr(void)
{
#if S2_HAS_GET_VTCR
	return kvm_get_vtcr(ID_AA64MMFR0_EL1_PARANGE_48, 2 << 4, s2_options.ipa_bits);
#else
	int levels = stage2_pgtable_levels(s2_options.ipa_bits);

	return VTCR_EL2_FLAGS | VTCR_EL2_T0SZ(s2_options.ipa_bits) | VTCR_EL2_LVLS_TO_SL0(levels);
#endif
}

int s2_glue_begin(void)
{
	static bool tables_built;

	if (!tables_built)
		build_user_tables();
	tables_built = true;
	kvm.mmu_lock.name = S2_LOCK_MMU;
	kvm.mm = &mm;
	kvm.mmu_notifier_seq = kvm.mmu_notifier_count = 0;
	memset(&kvm.arch.mmu, 0, sizeof(kvm.arch.mmu));
	kvm.arch.vtcr = kvm.arch.mmu.vtcr = make_vtcr();
	kvm.arch.mmu.arch = &kvm.arch;
	s2_watched_sequence = &kvm.mmu_notifier_seq;
	for (int i = 0; i < S2_MAX_SLOTS; i++) {
		current_memslot[i] = last_memslot[i] = NULL;
		memslot_versions[i] = 0;
	}
	for (int i = 0; i < S2_MAX_VCPUS; i++) {
		vcpus[i].kvm = &kvm;
		vcpus[i].vcpu_id = i;
		vcpus[i].arch.hw_mmu = &kvm.arch.mmu;
		vcpus[i].arch.mmu_page_cache.nobjs = 0;
	}
#if S2_HAS_INIT_TYPE
	return kvm_init_stage2_mmu(&kvm, &kvm.arch.mmu, s2_options.ipa_bits);
#else
	return kvm_init_stage2_mmu(&kvm, &kvm.arch.mmu);
#endif
}

void s2_glue_sequence(s2_s64 sequence, s2_s64 count)
{
	kvm.mmu_notifier_seq = sequence;
	kvm.mmu_notifier_count = count;
}

int s2_glue_fault(int thread, s2_u64 ipa, int kind, int status, int level, int table_walk)
{
	struct kvm_vcpu *vcpu = &vcpus[thread];
	u64 fsc = (status == S2_TRANSLATION ? 0x04 : status == S2_ACCESS_FLAG ? 0x08 : 0x0c) | level;
	u64 class = kind == S2_EXECUTE ? ESR_ELx_EC_IABT_LOW : ESR_ELx_EC_DABT_LOW;

	vcpu->arch.fault.esr_el2 = (class << ESR_ELx_EC_SHIFT) | ESR_ELx_IL | fsc |
				   (kind == S2_WRITE ? ESR_ELx_WNR : 0) |
				   (table_walk ? ESR_ELx_S1PTW : 0);
	vcpu->arch.fault.hpfar_el2 = ipa >> 8;
	vcpu->arch.fault.far_el2 = ipa;
	return kvm_handle_guest_abort(vcpu);
}

/* ---- the host's operations ---- */

static void commit(int number)
{
	struct kvm_memory_slot *slot = current_memslot[number];
	struct kvm_memory_slot old = *slot;

#if S2_HAS_COMMIT_REGION_POINTER
	kvm_arch_commit_memory_region(&kvm, &old, slot, KVM_MR_FLAGS_ONLY);
#else
	struct kvm_userspace_memory_region region = { .slot = number, .flags = slot->flags };

	kvm_arch_commit_memory_region(&kvm, &region, &old, slot, KVM_MR_FLAGS_ONLY);
#endif
}

void s2_glue_commit_logging(int number)
{
	commit(number);
}

void s2_glue_logging_off(int number)
{
	commit(number);
}

void s2_glue_protect_masked(int number, s2_u64 first_page, unsigned long mask)
{
	kvm_arch_mmu_enable_log_dirty_pt_masked(&kvm, current_memslot[number], first_page, mask);
}

#if S2_HAS_ARCH_FLUSH_REMOTE
/* virt/kvm's half: the architecture flushes, and says whether it could. */
int kvm_arch_flush_remote_tlbs(struct kvm *);
int kvm_arch_flush_remote_tlbs_range(struct kvm *, gfn_t, u64);

void kvm_flush_remote_tlbs(struct kvm *vm)
{
	kvm_arch_flush_remote_tlbs(vm);
}

void kvm_flush_remote_tlbs_memslot(struct kvm *vm, const struct kvm_memory_slot *slot)
{
	kvm_arch_flush_remote_tlbs_range(vm, slot->base_gfn, slot->npages);
}

void s2_glue_flush_all(int number)
{
	kvm_flush_remote_tlbs_memslot(&kvm, last_memslot[number]);
}
#else
void s2_glue_flush_all(int number)
{
	(void)number;
	kvm_flush_remote_tlbs(&kvm);
}
#endif

void s2_glue_flush_slot(int number)
{
	kvm_arch_flush_shadow_memslot(&kvm, last_memslot[number]);
}

#if S2_HAS_GFN_RANGE
static struct kvm_gfn_range range_of(int number, u64 first, u64 size)
{
	struct kvm_gfn_range range = { .slot = last_memslot[number],
				       .start = first >> PAGE_SHIFT,
				       .end = (first + size) >> PAGE_SHIFT,
				       .may_block = true };

	return range;
}
#else
static unsigned long hva_of(int number, u64 first)
{
	const struct kvm_memory_slot *slot = last_memslot[number];

	return slot->userspace_addr + (first - (slot->base_gfn << PAGE_SHIFT));
}
#endif

void s2_glue_invalidate(int number, s2_u64 first, s2_u64 size)
{
#if S2_HAS_GFN_RANGE
	struct kvm_gfn_range range = range_of(number, first, size);
	u64 end = last_memslot[number]->base_gfn + last_memslot[number]->npages;

	range.end = min(range.end, end);
	if (kvm_unmap_gfn_range(&kvm, &range))
		s2_glue_flush_all(number);
#else
	if (kvm_unmap_hva_range(&kvm, hva_of(number, first), hva_of(number, first + size), 0))
		s2_glue_flush_all(number);
#endif
}

int s2_glue_age(int number, s2_u64 first, s2_u64 size)
{
#if S2_HAS_GFN_RANGE
	struct kvm_gfn_range range = range_of(number, first, size);

	return kvm_age_gfn(&kvm, &range);
#else
	return kvm_age_hva(&kvm, hva_of(number, first), hva_of(number, first + size));
#endif
}

int s2_glue_test_young(int number, s2_u64 first)
{
#if S2_HAS_GFN_RANGE
	struct kvm_gfn_range range = range_of(number, first, PAGE_SIZE);

	return kvm_test_age_gfn(&kvm, &range);
#else
	return kvm_test_age_hva(&kvm, hva_of(number, first));
#endif
}

int s2_glue_change_pte(int number, s2_u64 first, s2_u64 address)
{
	pte_t pte = __pte(address | 3 | (1UL << 10));

#if S2_HAS_SET_SPTE_GFN
	struct kvm_gfn_range range = range_of(number, first, PAGE_SIZE);

	range.pte = pte;
	return kvm_set_spte_gfn(&kvm, &range);
#elif !S2_HAS_GFN_RANGE
	return kvm_set_spte_hva(&kvm, hva_of(number, first), pte);
#else
	(void)number, (void)first, (void)pte;
	return 0;
#endif
}

void s2_glue_teardown(void)
{
#if S2_HAS_FLUSH_SHADOW_ALL
	kvm_arch_flush_shadow_all(&kvm);
#else
	kvm_free_stage2_pgd(&kvm.arch.mmu);
#endif
}

/* ---- hyp stage 1, which has tables of its own ---- */

static struct kvm_pgtable hyp;

#if S2_HAS_MM_OPS
static void *hyp_zalloc(void *unused)
{
	(void)unused;
	return s2_page_alloc(1, 1);
}

static void hyp_get(void *p)
{
	get_page(virt_to_page(p));
}

static void hyp_put(void *p)
{
	put_page(virt_to_page(p));
}

static void *hyp_va(phys_addr_t address)
{
	return __va(address);
}

static phys_addr_t hyp_pa(void *p)
{
	return __pa(p);
}

static struct kvm_pgtable_mm_ops hyp_operations = {
	.zalloc_page = hyp_zalloc, .get_page = hyp_get, .put_page = hyp_put,
	.phys_to_virt = hyp_va, .virt_to_phys = hyp_pa,
};
#endif

s2_u64 s2_glue_hyp_begin(void)
{
#if S2_HAS_MM_OPS
	kvm_pgtable_hyp_init(&hyp, 39, &hyp_operations);
#else
	kvm_pgtable_hyp_init(&hyp, 39);
#endif
	return __pa(hyp.pgd);
}

int s2_glue_hyp_map(s2_u64 first, int writable)
{
	enum kvm_pgtable_prot prot = KVM_PGTABLE_PROT_R | (writable ? KVM_PGTABLE_PROT_W : 0);

	return kvm_pgtable_hyp_map(&hyp, first, PAGE_SIZE, first, prot);
}

/* ---- calls into pgtable.c, as the oracles see them ---- */

static int rights(enum kvm_pgtable_prot prot)
{
	/* The model's numbers: X 1, W 2, R 4, device 8; the tree's own have changed. */
	return (prot & KVM_PGTABLE_PROT_X ? 1 : 0) | (prot & KVM_PGTABLE_PROT_W ? 2 : 0) |
	       (prot & KVM_PGTABLE_PROT_R ? 4 : 0) | (prot & KVM_PGTABLE_PROT_DEVICE ? 8 : 0);
}

#define WRAP(type, name, ...) \
	type __real_##name(__VA_ARGS__); \
	type __wrap_##name(__VA_ARGS__); \
	type __wrap_##name(__VA_ARGS__)

#if S2_HAS_MAP_FLAGS
WRAP(int, kvm_pgtable_stage2_map, struct kvm_pgtable *pgt, u64 addr, u64 size, u64 phys,
     enum kvm_pgtable_prot prot, void *mc, enum kvm_pgtable_walk_flags flags)
#elif S2_HAS_MM_OPS
WRAP(int, kvm_pgtable_stage2_map, struct kvm_pgtable *pgt, u64 addr, u64 size, u64 phys,
     enum kvm_pgtable_prot prot, void *mc)
#else
WRAP(int, kvm_pgtable_stage2_map, struct kvm_pgtable *pgt, u64 addr, u64 size, u64 phys,
     enum kvm_pgtable_prot prot, struct kvm_mmu_memory_cache *mc)
#endif
{
	int ret;

	s2_call(S2_CALL_MAP, addr, size, phys, rights(prot));
#if S2_HAS_MAP_FLAGS
	ret = __real_kvm_pgtable_stage2_map(pgt, addr, size, phys, prot, mc, flags);
#else
	ret = __real_kvm_pgtable_stage2_map(pgt, addr, size, phys, prot, mc);
#endif
	s2_return(S2_CALL_MAP, addr, size, ret);
	return ret;
}

#if S2_HAS_RELAX_FLAGS
WRAP(int, kvm_pgtable_stage2_relax_perms, struct kvm_pgtable *pgt, u64 addr,
     enum kvm_pgtable_prot prot, enum kvm_pgtable_walk_flags flags)
#else
WRAP(int, kvm_pgtable_stage2_relax_perms, struct kvm_pgtable *pgt, u64 addr,
     enum kvm_pgtable_prot prot)
#endif
{
	u64 size = s2_fault_granule(), first = addr & ~(size - 1);
	int ret;

	s2_call(S2_CALL_RELAX, first, size, 0, rights(prot));
#if S2_HAS_RELAX_FLAGS
	ret = __real_kvm_pgtable_stage2_relax_perms(pgt, addr, prot, flags);
#else
	ret = __real_kvm_pgtable_stage2_relax_perms(pgt, addr, prot);
#endif
	s2_return(S2_CALL_RELAX, first, size, ret);
	return ret;
}

#define WRAP_RANGE(name, call) \
	WRAP(int, name, struct kvm_pgtable *pgt, u64 addr, u64 size) \
	{ \
		int ret; \
		\
		s2_call(call, addr, size, 0, 0); \
		ret = __real_##name(pgt, addr, size); \
		s2_return(call, addr, size, ret); \
		return ret; \
	}

WRAP_RANGE(kvm_pgtable_stage2_unmap, S2_CALL_UNMAP)
WRAP_RANGE(kvm_pgtable_stage2_wrprotect, S2_CALL_WRPROTECT)

#if S2_HAS_MKYOUNG_FLAGS
WRAP(void, kvm_pgtable_stage2_mkyoung, struct kvm_pgtable *pgt, u64 addr,
     enum kvm_pgtable_walk_flags flags)
{
	s2_call(S2_CALL_MKYOUNG, addr & PAGE_MASK, PAGE_SIZE, 0, 0);
	__real_kvm_pgtable_stage2_mkyoung(pgt, addr, flags);
	s2_return(S2_CALL_MKYOUNG, addr & PAGE_MASK, PAGE_SIZE, 0);
}
#else
WRAP(kvm_pte_t, kvm_pgtable_stage2_mkyoung, struct kvm_pgtable *pgt, u64 addr)
{
	kvm_pte_t pte;

	s2_call(S2_CALL_MKYOUNG, addr & PAGE_MASK, PAGE_SIZE, 0, 0);
	pte = __real_kvm_pgtable_stage2_mkyoung(pgt, addr);
	s2_return(S2_CALL_MKYOUNG, addr & PAGE_MASK, PAGE_SIZE, !!(pte & 1));
	return pte;
}
#endif

#if S2_HAS_TEST_CLEAR_YOUNG
WRAP(bool, kvm_pgtable_stage2_test_clear_young, struct kvm_pgtable *pgt, u64 addr, u64 size,
     bool mkold)
{
	int call = mkold ? S2_CALL_MKOLD : S2_CALL_IS_YOUNG;
	bool young;

	s2_call(call, addr, size, 0, 0);
	young = __real_kvm_pgtable_stage2_test_clear_young(pgt, addr, size, mkold);
	s2_return(call, addr, size, young);
	return young;
}
#else
WRAP(kvm_pte_t, kvm_pgtable_stage2_mkold, struct kvm_pgtable *pgt, u64 addr)
{
	kvm_pte_t pte;

	s2_call(S2_CALL_MKOLD, addr, PAGE_SIZE, 0, 0);
	pte = __real_kvm_pgtable_stage2_mkold(pgt, addr);
	s2_return(S2_CALL_MKOLD, addr, PAGE_SIZE, !!(pte & (1UL << 10)));
	return pte;
}

WRAP(bool, kvm_pgtable_stage2_is_young, struct kvm_pgtable *pgt, u64 addr)
{
	bool young;

	s2_call(S2_CALL_IS_YOUNG, addr, PAGE_SIZE, 0, 0);
	young = __real_kvm_pgtable_stage2_is_young(pgt, addr);
	s2_return(S2_CALL_IS_YOUNG, addr, PAGE_SIZE, young);
	return young;
}
#endif

#if S2_HAS_SPLIT
WRAP(int, kvm_pgtable_stage2_split, struct kvm_pgtable *pgt, u64 addr, u64 size,
     struct kvm_mmu_memory_cache *mc)
{
	int ret;

	s2_call(S2_CALL_SPLIT, addr, size, 0, 0);
	ret = __real_kvm_pgtable_stage2_split(pgt, addr, size, mc);
	s2_return(S2_CALL_SPLIT, addr, size, ret);
	return ret;
}
#endif

WRAP(void, kvm_pgtable_stage2_destroy, struct kvm_pgtable *pgt)
{
	s2_call(S2_CALL_DESTROY, 0, 0, 0, 0);
	__real_kvm_pgtable_stage2_destroy(pgt);
	s2_return(S2_CALL_DESTROY, 0, 0, 0);
}

#undef kvm_pgtable_hyp_map
WRAP(int, kvm_pgtable_hyp_map, struct kvm_pgtable *pgt, u64 addr, u64 size, u64 phys,
     enum kvm_pgtable_prot prot)
{
	int ret;

	s2_call(S2_CALL_HYP_MAP, addr, size, phys, rights(prot));
	ret = __real_kvm_pgtable_hyp_map(pgt, addr, size, phys, prot);
	s2_return(S2_CALL_HYP_MAP, addr, size, ret);
	return ret;
}

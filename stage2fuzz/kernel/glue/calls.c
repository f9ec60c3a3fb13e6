/* Calls into pgtable.c, wrapped by the linker so that the oracles see them. */

static int rights(enum kvm_pgtable_prot prot)
{
	/* Our numbers: the tree's own have changed. */
	return (prot & KVM_PGTABLE_PROT_X ? S2_PROT_X : 0) |
	       (prot & KVM_PGTABLE_PROT_W ? S2_PROT_W : 0) |
	       (prot & KVM_PGTABLE_PROT_R ? S2_PROT_R : 0) |
	       (prot & KVM_PGTABLE_PROT_DEVICE ? S2_PROT_DEVICE : 0);
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

	s2_call(S2_CALL_MAP, tree_of(pgt) | addr, size, phys, rights(prot));
#if S2_HAS_MAP_FLAGS
	ret = __real_kvm_pgtable_stage2_map(pgt, addr, size, phys, prot, mc, flags);
#else
	ret = __real_kvm_pgtable_stage2_map(pgt, addr, size, phys, prot, mc);
#endif
	s2_return(S2_CALL_MAP, tree_of(pgt) | addr, size, ret);
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
	u64 size = s2_fault_granule(), first = tree_of(pgt) | (addr & ~(size - 1));
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
		u64 first = tree_of(pgt) | addr; \
		int ret; \
		\
		if (passes_over(pgt, addr, size)) \
			return 0; \
		s2_call(call, first, size, 0, 0); \
		ret = __real_##name(pgt, addr, size); \
		s2_return(call, first, size, ret); \
		return ret; \
	}

WRAP_RANGE(kvm_pgtable_stage2_unmap, S2_CALL_UNMAP)
WRAP_RANGE(kvm_pgtable_stage2_wrprotect, S2_CALL_WRPROTECT)
WRAP_RANGE(kvm_pgtable_stage2_flush, S2_CALL_FLUSH)

#if S2_HAS_MKYOUNG_FLAGS
WRAP(void, kvm_pgtable_stage2_mkyoung, struct kvm_pgtable *pgt, u64 addr,
     enum kvm_pgtable_walk_flags flags)
{
	u64 first = tree_of(pgt) | (addr & PAGE_MASK);

	s2_call(S2_CALL_MKYOUNG, first, PAGE_SIZE, 0, 0);
	__real_kvm_pgtable_stage2_mkyoung(pgt, addr, flags);
	s2_return(S2_CALL_MKYOUNG, first, PAGE_SIZE, 0);
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

#if S2_HAS_DESTROY_RANGE
/* Range after range, then the root: one call to the oracles. A block at a time there are a quarter
 * of a million ranges in 48 bits; where the root has no entry there is nothing to walk, nor to
 * see. */
WRAP(void, kvm_pgtable_stage2_destroy_range, struct kvm_pgtable *pgt, u64 addr, u64 size)
{
	const kvm_pte_t *root = (const kvm_pte_t *)pgt->pgd;

	if (!addr)
		s2_call(S2_CALL_DESTROY, tree_of(pgt), 0, 0, 0);
	if (root[addr >> S2_LEVEL_SHIFT(pgt->start_level)])
		__real_kvm_pgtable_stage2_destroy_range(pgt, addr, size);
}

WRAP(void, kvm_pgtable_stage2_destroy_pgd, struct kvm_pgtable *pgt)
{
	u64 tree = tree_of(pgt);

	__real_kvm_pgtable_stage2_destroy_pgd(pgt);
	s2_return(S2_CALL_DESTROY, tree, 0, 0);
}
#else
WRAP(void, kvm_pgtable_stage2_destroy, struct kvm_pgtable *pgt)
{
	s2_call(S2_CALL_DESTROY, 0, 0, 0, 0);
	__real_kvm_pgtable_stage2_destroy(pgt);
	s2_return(S2_CALL_DESTROY, 0, 0, 0);
}
#endif

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

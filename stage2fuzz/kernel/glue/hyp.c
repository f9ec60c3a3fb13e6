/* Hyp stage 1, which has tables of its own. */

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

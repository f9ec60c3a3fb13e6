/* Looking up a host page for a fault, and giving it back. */

static inline kvm_pfn_t s2_lookup(struct kvm_memory_slot *slot, gfn_t gfn, bool write,
				  bool *writable)
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
#define FOLL_HWPOISON 2u
#define FOLL_LONGTERM 4u
static inline kvm_pfn_t __kvm_faultin_pfn(const struct kvm_memory_slot *slot, gfn_t gfn,
					  unsigned int flags, bool *writable, struct page **page)
{
	kvm_pfn_t pfn = s2_lookup(NULL, gfn, flags & FOLL_WRITE, writable);

	(void)slot;
	*page = pfn & KVM_PFN_ERR_MASK || !pfn_valid(pfn) ? NULL : pfn_to_page(pfn);
	return pfn;
}
#define kvm_set_pfn_dirty(pfn) s2_pfn_dirty(__pfn_to_phys(pfn))
#define kvm_set_pfn_accessed(pfn) s2_pfn_accessed(__pfn_to_phys(pfn))
#define kvm_release_pfn_clean(pfn) s2_unpin(__pfn_to_phys(pfn))
#define kvm_release_pfn_dirty(pfn) (kvm_set_pfn_dirty(pfn), kvm_release_pfn_clean(pfn))
static inline void kvm_release_faultin_page(struct kvm *kvm, struct page *page, bool unused,
					    bool dirty)
{
	(void)kvm;
	if (!page)
		return;
	if (dirty && !unused)
		s2_pfn_dirty(page_to_phys(page));
	s2_unpin(page_to_phys(page));
}
#define kvm_release_page_unused(page) kvm_release_faultin_page(NULL, (page), true, false)

/* Protected KVM, which is never there: the calls that a tree would make instead of pgtable.c's. */

#define is_protected_kvm_enabled() 0
#define kvm_vm_is_protected(kvm) 0
#define vcpu_is_protected(v) 0
#define pkvm_hyp_vm_is_created(kvm) 0
#define NVHE_STACK_SIZE PAGE_SIZE

#define pkvm_pgtable_stage2_init kvm_pgtable_stage2_init
#define pkvm_pgtable_stage2_map kvm_pgtable_stage2_map
#define pkvm_pgtable_stage2_unmap kvm_pgtable_stage2_unmap
#define pkvm_pgtable_stage2_wrprotect kvm_pgtable_stage2_wrprotect
#define pkvm_pgtable_stage2_flush kvm_pgtable_stage2_flush
#define pkvm_pgtable_stage2_split kvm_pgtable_stage2_split
#define pkvm_pgtable_stage2_mkyoung kvm_pgtable_stage2_mkyoung
#define pkvm_pgtable_stage2_relax_perms kvm_pgtable_stage2_relax_perms
#define pkvm_pgtable_stage2_test_clear_young kvm_pgtable_stage2_test_clear_young
#define pkvm_pgtable_stage2_free_unlinked kvm_pgtable_stage2_free_unlinked
#define pkvm_pgtable_stage2_destroy kvm_pgtable_stage2_destroy
#define pkvm_pgtable_stage2_destroy_range kvm_pgtable_stage2_destroy_range
#define pkvm_pgtable_stage2_destroy_pgd kvm_pgtable_stage2_destroy_pgd

/* The hypervisor's own memory cache, and pages that a protected VM pins for good. */
#define HYP_MEMCACHE_ACCOUNT_STAGE2 1
struct pkvm_mapping { u64 gfn, pfn, nr_pages; };
struct kvm_hyp_memcache {
	phys_addr_t head;
	unsigned long nr_pages, flags;
	struct pkvm_mapping *mapping;
};
#define __free_hyp_memcache(mc, free_page, to_va, arg) ((void)(mc))
#define __topup_hyp_memcache(mc, wanted, alloc_page, to_pa, arg) ((void)(mc), 0)
#define account_locked_vm(mm, pages, more) ((void)(mm), 0)
#define pin_user_pages(hva, count, flags, pages) ((void)(pages), -EFAULT)
#define unpin_user_pages(pages, count) ((void)(pages))

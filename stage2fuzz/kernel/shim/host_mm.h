/* The host's page tables, VMAs and page kinds. */

typedef u64 pteval_t;
typedef struct { pteval_t pte; } pte_t;
typedef struct { pteval_t pgd; } pgd_t;
typedef struct { pteval_t pgprot; } pgprot_t;
#define PMD_SHIFT S2_LEVEL_SHIFT(2)
#define PUD_SHIFT S2_LEVEL_SHIFT(1)
#define CONT_PTE_SHIFT (PAGE_SHIFT + CONFIG_ARM64_CONT_PTE_SHIFT)
#define CONT_PMD_SHIFT (PMD_SHIFT + CONFIG_ARM64_CONT_PMD_SHIFT)
#define PMD_SIZE (1UL << PMD_SHIFT)
#define PUD_SIZE (1UL << PUD_SHIFT)
#define PMD_MASK (~(PMD_SIZE - 1))
#define PUD_MASK (~(PUD_SIZE - 1))
#define S2_PMD_SIZE PMD_SIZE
#define __pte(x) ((pte_t){ x })
#define pgprot_val(x) ((x).pgprot)
#define __pgprot(x) ((pgprot_t){ x })
#define pte_val(x) ((x).pte)
#define pte_valid(x) (!!((x).pte & 1))
#define pte_young(x) (!!((x).pte & (1UL << 10)))
#define pte_pfn(x) (((x).pte & GENMASK(47, PAGE_SHIFT)) >> PAGE_SHIFT)
#define pfn_pte(pfn, prot) ((pte_t){ __pfn_to_phys(pfn) | 1 })

#define VM_SHARED 0x8UL
#define VM_PFNMAP 0x400UL
#define VM_MIXEDMAP 0x10000000UL
#define VM_HUGETLB 0x400000UL
#define VM_MTE_ALLOWED 0x20UL
#define VM_ALLOW_ANY_UNCACHED 0UL
#define VM_READ 1UL
#define VM_WRITE 2UL
#define VM_EXEC 4UL
typedef unsigned long vm_flags_t;
struct mm_struct { pgd_t *pgd; };
struct vm_area_struct {
	struct mm_struct *vm_mm;
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
#define find_vma(mm, hva) s2_vma_of((hva), ~0UL)
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
#define folio_test_swapbacked(folio) 1
#define folio_test_hugetlb(folio) s2_is_hugetlb(page_to_phys(&(folio)->page))
#define PageReserved(page) 0
#define PageTransCompoundMap(page) 0
#define PageTransCompound(page) 0

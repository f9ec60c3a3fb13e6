/* Barriers, caches and TLBs: the tree's own asm/tlbflush.h as it lies, its instructions caught.
 *
 * `asm` is a macro while that header is read, so that each TLBI hands its text and its operand to
 * the runtime. An inline function of newer trees names the operand `arg`; what has no operand sees
 * the file's constant of that name.
 */
#undef dsb
#undef isb
#define dsb(domain) s2_dsb(#domain)
#define isb() ((void)0)
#define kvm_flush_dcache_to_poc(va, size) s2_cache_maintenance((void *)(va), (size))
static inline void __clean_dcache_guest_page(void *va, size_t size)
{
	s2_cache_maintenance(va, size);
}
static inline void __invalidate_icache_guest_page(void *va, size_t size)
{
	s2_cache_maintenance(va, size);
}
static inline void dcache_clean_inval_poc(unsigned long a, unsigned long b) { (void)a, (void)b; }

static const u64 arg __maybe_unused;
#define asm(...) s2_instruction(#__VA_ARGS__, (s2_u64)(arg))
struct mm_struct { int unused; };
struct vm_area_struct { struct mm_struct *vm_mm; unsigned long vm_flags; };
struct arch_tlbflush_unmap_batch { int unused; };
typedef u64 ptval_t, pteval_t;
typedef struct { u64 pmd; } pmd_t;
#define pte_val(x) ((x).pte)
#define pmd_val(x) ((x).pmd)
#define ASID(mm) 0
#define USER_ASID_FLAG (1UL << 48)
#define arm64_kernel_unmapped_at_el0() 0
#define mmu_notifier_arch_invalidate_secondary_tlbs(mm, a, b) ((void)(mm))
#define PTE_SWBITS_MASK 0UL
#define ARM64_ASM_PREAMBLE
#define ALTERNATIVE(plain, ...) plain
#include <asm/tlbflush.h>
#undef __tlbi
#define S2_OPERAND(none, value, ...) value
#define __tlbi(op, ...) s2_tlbi(#op, (s2_u64)(S2_OPERAND(0, ##__VA_ARGS__, 0)))
__asm__(".macro ic operation:vararg\n.endm\n");
#include <asm/kvm_pgtable.h>
void __kvm_tlb_flush_vmid_ipa(struct kvm_s2_mmu *mmu, phys_addr_t ipa, int level);
void __kvm_tlb_flush_vmid_ipa_nsh(struct kvm_s2_mmu *mmu, phys_addr_t ipa, int level);
void __kvm_tlb_flush_vmid_range(struct kvm_s2_mmu *mmu, phys_addr_t start, unsigned long pages);
void __kvm_tlb_flush_vmid(struct kvm_s2_mmu *mmu);
#define kvm_call_hyp(f, ...) f(__VA_ARGS__)
#define kvm_call_hyp_nvhe(f, ...) 0

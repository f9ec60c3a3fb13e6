/* EL2 calls, and what the CPU can do. */

/* ---- EL2 calls ---- */
#define kvm_call_hyp(f, ...) f(__VA_ARGS__)
#define kvm_call_hyp_nvhe(f, ...) 0
#define kvm_call_hyp_ret(f, ...) 0
#if S2_HAS_UNIT_TLB
#include "tlb_calls.h"
#else
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
#endif
/* The older trees name the page by its frame number, the newer by its address. */
#define S2_ADDRESS_OF(x) \
	_Generic((x), void *: virt_to_phys((void *)(unsigned long)(x)), \
		 default: __pfn_to_phys((u64)(x)))
/* With FWB the guest's accesses are cacheable whatever it says. */
#define __clean_dcache_guest_page(x, size) \
	(s2_options.fwb ? (void)0 : s2_dcache_clean(S2_ADDRESS_OF(x), (size)))
#define __invalidate_icache_guest_page(x, size) s2_icache_invalidate(S2_ADDRESS_OF(x), (size))
#define __flush_dcache_area(va, size) s2_dcache_clean(__pa(va), (size))
#define kvm_flush_dcache_to_poc(va, size) s2_dcache_clean(__pa(va), (size))

/* ---- what the CPU can do ---- */
enum { ARM64_HAS_STAGE2_FWB = 1, ARM64_HAS_CACHE_DIC, ARM64_HAS_CACHE_IDC, ARM64_HAS_TLB_RANGE,
       ARM64_WORKAROUND_AMPERE_AC03_CPU_38, ARM64_WORKAROUND_NVIDIA_CARMEL_CNP,
       ARM64_KVM_PROTECTED_MODE, ARM64_HAS_LPA2, ARM64_HAS_S1PIE,
       ARM64_KVM_HVHE, ARM64_HAS_ARMv8_4_TTL, ARM64_HAS_XNX, ARM64_HAS_RAS_EXTN,
       ARM64_WORKAROUND_SPECULATIVE_AT, ARM64_WORKAROUND_REPEAT_TLBI,
       ARM64_WORKAROUND_REPEAT_TLBI_SYNC, ARM64_WORKAROUND_4193714, ARM64_HAS_NESTED_VIRT,
       ARM64_HAS_HCR_NV1, ARM64_HAS_NV2P1, ARM64_HAS_NV3, ARM64_HAS_FGT };
static inline bool s2_cap(int cap)
{
	return cap == ARM64_HAS_STAGE2_FWB ? s2_options.fwb :
	       cap == ARM64_HAS_CACHE_DIC ? s2_options.dic :
					    cap == ARM64_HAS_ARMv8_4_TTL ||
					    cap == ARM64_HAS_NESTED_VIRT;
}
#define cpus_have_const_cap(cap) s2_cap(cap)
#define cpus_have_final_cap(cap) s2_cap(cap)
#define cpus_have_cap(cap) s2_cap(cap)
#define alternative_has_cap_unlikely(cap) s2_cap(cap)
#define alternative_has_feature_unlikely(cap) s2_cap(cap)
/* Range TLBIs come with FWB, so that both flushing strategies of an unmap are exercised. */
#define system_supports_tlb_range() (!!s2_options.fwb)
#define MT_NORMAL 0
#define MT_NORMAL_NC 2
#define MT_DEVICE_nGnRnE 3
#define MT_DEVICE_nGnRE 4
#define MT_S2_NORMAL 0xf
#define MT_S2_NORMAL_NC 5
#define MT_S2_DEVICE_nGnRE 1
#define MT_S2_AS_S1 MT_S2_NORMAL
#define MT_S2_FWB_AS_S1 7
#define MT_S2_FWB_NORMAL 6
#define MT_S2_FWB_NORMAL_NC 5
#define MT_S2_FWB_DEVICE_nGnRE 1
#define S2_SECOND(a, b, ...) b
#define PAGE_S2_MEMATTR(attr, ...) \
	((u64)(S2_SECOND(0, ##__VA_ARGS__, s2_options.fwb) ? MT_S2_FWB_##attr : MT_S2_##attr) << 2)
#define ID_AA64MMFR0_PARANGE_SHIFT 0
#define ID_AA64MMFR0_PARANGE_MAX 5
#define ID_AA64MMFR0_EL1_PARANGE_MAX 5
/* The older trees; the newer have these from the table of registers. */
#ifndef ID_AA64MMFR0_EL1_PARANGE_48
#define ID_AA64MMFR0_EL1_PARANGE_SHIFT 0
#define ID_AA64MMFR0_EL1_PARANGE_48 5
#define ID_AA64MMFR0_EL1_PARANGE_52 6
#define SYS_ID_AA64MMFR0_EL1 0
#define SYS_ID_AA64MMFR1_EL1 1
#endif
#define sys_reg(...) 0
#define SYS_FIELD_PREP_ENUM(reg, field, value) \
	FIELD_PREP(reg##_##field##_MASK, SYS_FIELD_VALUE(reg, field, value))
#define SYS_FIELD_VALUE(reg, field, value) reg##_##field##_##value
#define cpuid_feature_extract_unsigned_field(reg, shift) (((reg) >> (shift)) & 15)
#define id_aa64mmfr0_parange_to_phys_shift(x) 48
#define read_sanitised_ftr_reg(reg) ((u64)ID_AA64MMFR0_EL1_PARANGE_48)
#define get_vmid_bits(mmfr1) 16
#define kvm_get_vmid_bits() 16
#define get_kvm_ipa_limit() 48
#define kvm_lpa2_is_enabled() 0
#define kvm_supports_stage2_lpa2() 0
#define lpa2_is_enabled() 0
#if S2_HAS_UNIT_NESTED
#define kvm_phys_shift(mmu) VTCR_EL2_IPA((mmu)->vtcr)
#else
#define kvm_phys_shift(mmu) (s2_options.ipa_bits)
#endif
#define kvm_phys_size(mmu) (1ULL << kvm_phys_shift(mmu))
#define KVM_VM_TYPE_ARM_IPA_SIZE_MASK 0xffUL
#define KVM_VM_TYPE_ARM_IPA_SIZE(type) ((type) & KVM_VM_TYPE_ARM_IPA_SIZE_MASK)
#define kvm_supports_cacheable_pfnmap() (s2_options.fwb && s2_options.dic)
#define kvm_has_ras(kvm) 0
#define kvm_has_mte(kvm) (s2_options.mte)
#define system_supports_mte() (s2_options.mte)
#define system_supports_lpa2() 0
#define system_supports_bti() 0
#define system_supports_bti_kernel() 0
#define PG_mte_tagged 0
#define page_mte_tagged(page) s2_page_tagged(page_to_phys(page))
#define try_page_mte_tagging(page) s2_try_tagging(page_to_phys(page))
#define set_page_mte_tagged(page) s2_set_tagged(page_to_phys(page))
#define mte_clear_page_tags(p) s2_clear_tags(__pa(p))
#define folio_try_hugetlb_mte_tagging(folio) s2_try_folio_tagging(page_to_phys(&(folio)->page))
#define folio_set_hugetlb_mte_tagged(folio) s2_set_folio_tagged(page_to_phys(&(folio)->page))
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
/* mmu.c calls it above its definition, and its prototype is in a header that we do not serve. */
enum kvm_pgtable_prot;
int create_hyp_mappings(void *from, void *to, enum kvm_pgtable_prot prot);
extern char __hyp_idmap_text_start[], __hyp_idmap_text_end[], __kvm_hyp_init[];

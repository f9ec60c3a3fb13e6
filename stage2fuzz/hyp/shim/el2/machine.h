/* The CPU: its registers, capabilities and memory attributes. pKVM is on, and this is EL2. */
#define is_protected_kvm_enabled() 1
#define static_branch_likely(key) 1
#define static_branch_unlikely(key) 0
#define has_vhe() 0
#define has_hvhe() 0

#define read_sysreg(r) s2_read_register(#r)
#define write_sysreg(v, r) s2_write_register((v), #r)
#define read_sysreg_s(r) s2_read_register(#r)
#define read_sysreg_el1(r) s2_read_register(#r)
#define read_sysreg_el2(r) s2_read_register(#r)
#define write_sysreg_el1(v, r) s2_write_register((v), #r)
#define write_sysreg_el2(v, r) s2_write_register((v), #r)
#define write_sysreg_hcr(v) s2_write_register((v), "hcr_el2")
#define read_cpuid(r) s2_read_register(#r)
#define PSR_MODE_EL0t 0
#define PSR_MODE_MASK 0xf
#define SCTLR_ELx_M 1UL
#define TCR_EPD0_MASK (1UL << 7)
#define TCR_EPD1_MASK (1UL << 23)
struct arm_smccc_res { unsigned long a0, a1, a2, a3; };
#define ARM_SMCCC_CPU_WORKAROUND_4193714 0
#define hyp_smccc_1_1_smc(...) ((void)0)
#define __load_stage2(mmu, ...) s2_load_stage2((mmu)->vmid.id.counter)
#define kvm_get_vttbr(mmu) ((mmu)->pgd_phys)
void inject_host_exception(u64 esr);
#define id_aa64mmfr0_el1_sys_val ((u64)5)
#define id_aa64mmfr1_el1_sys_val ((u64)(2 << 4))

enum {
	ARM64_HAS_STAGE2_FWB = 1, ARM64_HAS_CACHE_DIC, ARM64_HAS_CACHE_IDC, ARM64_HAS_TLB_RANGE,
	ARM64_WORKAROUND_AMPERE_AC03_CPU_38, ARM64_HAS_LPA2, ARM64_HAS_S1PIE, ARM64_KVM_HVHE,
	ARM64_HAS_ARMv8_4_TTL, ARM64_HAS_XNX, ARM64_HAS_RAS_EXTN, ARM64_WORKAROUND_4193714,
	ARM64_WORKAROUND_834220, ARM64_WORKAROUND_SPECULATIVE_AT,
	ARM64_WORKAROUND_REPEAT_TLBI_SYNC, ARM64_WORKAROUND_REPEAT_TLBI, ARM64_HAS_32BIT_EL1,
	ARM64_HAS_EVT, ARM64_MISMATCHED_CACHE_TYPE, ARM64_KVM_PROTECTED_MODE, ARM64_SPECTRE_V3A,
	ARM64_SSBS, ARM64_WORKAROUND_2645198
};
/* FEAT_TTL and FEAT_RAS; a case may add FWB, and range TLBIs with it. */
#define s2_cap(c) (!!(el2_capabilities >> (c) & 1))
extern unsigned long el2_capabilities;
#define cpus_have_final_cap(c) s2_cap(c)
#define cpus_have_const_cap(c) s2_cap(c)
#define alternative_has_cap_unlikely(c) s2_cap(c)
#define system_supports_tlb_range() s2_cap(ARM64_HAS_TLB_RANGE)
#define system_supports_lpa2() 0
#define system_supports_bti() 0
#define system_supports_bti_kernel() 0
#define system_supports_sve() 0
#define kvm_supports_stage2_lpa2() 0
#define lpa2_is_enabled() 0
#define kvm_has_mte(kvm) 0
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
#define PAGE_S2_MEMATTR(attr, ...) \
	((u64)(S2_SECOND_OF(0, ##__VA_ARGS__, s2_cap(ARM64_HAS_STAGE2_FWB)) ? \
		MT_S2_FWB_##attr : MT_S2_##attr) << 2)
#define id_aa64mmfr0_parange_to_phys_shift(x) 48
#define get_vmid_bits(x) 16
#define cpuid_feature_extract_unsigned_field(reg, shift) (((reg) >> (shift)) & 15)
#define pfn_is_map_memory(pfn) 1
#define __phys_to_pfn(x) ((unsigned long)((x) >> PAGE_SHIFT))
#define __pfn_to_phys(x) ((phys_addr_t)(x) << PAGE_SHIFT)
#define kvm_account_pgtable_pages(p, n) ((void)0)
#include <asm/brk-imm.h>
#define sys_reg(a, b, c, d, e) ((a) << 19 | (b) << 16 | (c) << 12 | (d) << 8 | (e) << 5)
#include <asm/sysreg-defs.h>
#ifndef ID_AA64MMFR0_EL1_PARANGE_48
#define ID_AA64MMFR0_EL1_PARANGE_48 5
#define ID_AA64MMFR0_EL1_PARANGE_52 6
#define ID_AA64MMFR0_EL1_PARANGE_SHIFT 0
#endif
#define SYS_FIELD_VALUE(reg, field, value) reg##_##field##_##value
#define SYS_FIELD_PREP_ENUM(reg, field, value) \
	FIELD_PREP(reg##_##field##_MASK, SYS_FIELD_VALUE(reg, field, value))
#include <asm/pgtable-hwdef.h>
#include <asm/kvm_arm.h>
#include <asm/stage2_pgtable.h>

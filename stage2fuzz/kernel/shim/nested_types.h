/* What the tree's nested.c and mmu.c share of nested virtualisation, and what a vCPU has of it.
 *
 * One case in a library: a vCPU has virtual EL2 where the scenario asks for it. Registers are
 * memory, whoever reads them.
 */
#define S2_NESTED_REGISTERS(R) \
	R(SCTLR_EL1) R(TTBR0_EL1) R(TTBR1_EL1) R(TCR_EL1) R(CNTHCTL_EL2) R(MDCR_EL2) R(SCTLR_EL2) \
	R(TTBR0_EL2) R(TTBR1_EL2) R(TCR_EL2) R(TCR2_EL2) R(FAR_EL2) R(HPFAR_EL2) R(ESR_EL2) \
	R(ZCR_EL2) R(VPIDR_EL2) R(CPTR_EL2) R(SCTLR2_EL2) R(__SANITISED_REG_START__) R(HCR_EL2) \
	R(SCTLR2_EL1) R(VTTBR_EL2) R(VTCR_EL2) R(VMPIDR_EL2) R(VNCR_EL2) R(NVHCR_EL2) R(HCRX_EL2) \
	R(HFGRTR_EL2) R(HFGWTR_EL2) R(HFGITR_EL2) R(HDFGRTR_EL2) R(HDFGWTR_EL2) R(HAFGRTR_EL2) \
	R(HFGRTR2_EL2) R(HFGWTR2_EL2) R(HFGITR2_EL2) R(HDFGRTR2_EL2) R(HDFGWTR2_EL2) R(ICH_HCR_EL2)
#define S2_REGISTER(name) name,
enum vcpu_sysreg { __INVALID_SYSREG__, S2_NESTED_REGISTERS(S2_REGISTER) NR_SYS_REGS };
_Static_assert(NR_SYS_REGS <= 64, "S2_NESTED_REGISTER_COUNT");
#define __vcpu_sys_reg(v, r) ((v)->arch.sys_regs[r])
#define vcpu_read_sys_reg(v, r) __vcpu_sys_reg((v), (r))
#define vcpu_write_sys_reg(v, value, r) (__vcpu_sys_reg((v), (r)) = (value))
#define __vcpu_assign_sys_reg(v, r, value) (__vcpu_sys_reg((v), (r)) = (value))
#define __vcpu_rmw_sys_reg(v, r, op, value) (__vcpu_sys_reg((v), (r)) op (value))

/* What the guest's ID registers offer: a granule of 4 KiB, range TLBIs, no level hints, and
 * FEAT_NV2 where the scenario has it. */
#define KVM_ARM_VCPU_HAS_EL2 7
#define KVM_ARM_VCPU_HAS_EL2_E2H0 8
#define vcpu_has_feature(v, f) (!!s2_options.nested)
#define kvm_has_feat(kvm, reg, field, limit) \
	(!__builtin_strcmp(#reg "." #field "." #limit, "ID_AA64ISAR0_EL1.TLB.RANGE") || \
	 (!__builtin_strcmp(#reg "." #field "." #limit, "ID_AA64MMFR4_EL1.NV_frac.NV2_ONLY") && \
	  s2_options.vncr))
#define kvm_has_feat_enum(kvm, reg, field, value) 0
/* PARange as the guest sees it: 36 bits, so that its output sizes and ours are small. */
#define S2_GUEST_PA_BITS 36
#define kvm_get_pa_bits(kvm) ((void)(kvm), S2_GUEST_PA_BITS)
#define kvm_read_vm_id_reg(kvm, reg) ((u64)ID_AA64MMFR0_EL1_PARANGE_36)

/* Whether the guest is in its hypervisor or in a guest of that. */
#define is_hyp_ctxt(v) ((v)->arch.in_hyp)
#define is_nested_ctxt(v) (s2_options.nested && !(v)->arch.in_hyp)
#define vcpu_is_el2(v) is_hyp_ctxt(v)
#define vcpu_el2_e2h_is_set(v) 1
#define vcpu_el2_tge_is_set(v) is_hyp_ctxt(v)
#define vcpu_mode_priv(v) 1
#define kvm_is_nested_s2_mmu(vm, of) ((of) != &(vm)->arch.mmu)
#define kvm_s2_mmu_valid(of) (!((of)->tlb_vttbr & VTTBR_CNP_BIT))
#define get_vmid(vttbr) ((u16)((vttbr) >> 48))

typedef u64 __le64;
typedef u64 __be64;
#define le64_to_cpu(x) (x)
#define be64_to_cpu(x) __builtin_bswap64(x)
#define cpu_to_le64(x) (x)
#define cpu_to_be64(x) __builtin_bswap64(x)
#define sign_extend64(value, bit) ((s64)((u64)(value) << (63 - (bit))) >> (63 - (bit)))
#define fls64(x) ((x) ? 64 - __builtin_clzll(x) : 0)
#ifndef __force
#define __force
#endif

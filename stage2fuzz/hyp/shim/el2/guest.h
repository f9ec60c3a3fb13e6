/* What a guest's CPU has, and what it may ask of the hypervisor. */
#define kvm_has_feat(kvm, reg, field, limit) S2_FEATURE_##field
#define S2_FEATURE_RAS 1
#define S2_FEATURE_AMU 0
#define S2_FEATURE_LO 0
#define S2_FEATURE_PMUVer 0
#define S2_FEATURE_DebugVer 1
#define S2_FEATURE_DoubleLock 0
#define S2_FEATURE_PMSVer 0
#define S2_FEATURE_TraceFilt 0
#define S2_FEATURE_TraceBuffer 0
#define S2_FEATURE_FGT 1
#define S2_FEATURE_EL0 0
#define S2_FEATURE_EL1 0
#define S2_FEATURE_FP 1
#define S2_FEATURE_AdvSIMD 1
#define S2_FEATURE_SME 0
#define ARM64_FEATURE_MASK(x) (x##_MASK)
#define vcpu_has_feature(v, f) 0
#define vcpu_has_ptrauth(v) 0
#define vcpu_set_hcrx(v) ((void)0)
#define kvm_vcpu_has_feature(kvm, f) 0
#define kvm_read_vm_id_reg(kvm, r) 0
#define vcpu_clear_flag(v, f) ((void)0)
#define vcpu_set_flag(v, f) ((void)0)
#define vcpu_sve_state_size(v) 0
#define sve_vl_valid(x) 0
#define sve_state_size_from_vl(x) 0
#define kvm_get_cap_for_kvm_ioctl(i, e) (-EINVAL)
enum { ARM_EXCEPTION_TRAP = 2 };
#define SMCCC_RET_SUCCESS 0
#define SMCCC_RET_INVALID_PARAMETER (-3)
enum {
	ARM_SMCCC_KVM_FUNC_FEATURES, ARM_SMCCC_KVM_FUNC_HYP_MEMINFO = 2,
	ARM_SMCCC_KVM_FUNC_MEM_SHARE, ARM_SMCCC_KVM_FUNC_MEM_UNSHARE
};
enum {
	ARM_SMCCC_VENDOR_HYP_KVM_FEATURES_FUNC_ID, ARM_SMCCC_VENDOR_HYP_KVM_HYP_MEMINFO_FUNC_ID,
	ARM_SMCCC_VENDOR_HYP_KVM_MEM_SHARE_FUNC_ID, ARM_SMCCC_VENDOR_HYP_KVM_MEM_UNSHARE_FUNC_ID
};
#define smccc_get_function(v) ((v)->arch.ctxt.regs.regs[0])
#define smccc_get_arg1(v) ((v)->arch.ctxt.regs.regs[1])
#define smccc_get_arg2(v) ((v)->arch.ctxt.regs.regs[2])
#define smccc_get_arg3(v) ((v)->arch.ctxt.regs.regs[3])
#define smccc_set_retval(v, a, b, c, d) ((v)->arch.ctxt.regs.regs[0] = (a))
#define kvm_vcpu_trap_get_class(v) ((v)->arch.fault.esr_el2 >> 26 & 0x3f)
#define kvm_vcpu_trap_is_translation_fault(v) (((v)->arch.fault.esr_el2 & 0x3c) == 4)
#define kvm_vcpu_get_fault_ipa(v) (((v)->arch.fault.hpfar_el2 & GENMASK_ULL(43, 4)) << 8)
#define kvm_vcpu_get_hfar(v) ((v)->arch.fault.far_el2)
#ifndef FAR_TO_FIPA_OFFSET
#define FAR_TO_FIPA_OFFSET(x) ((x) & 0xfff)
#endif

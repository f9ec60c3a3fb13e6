/* One fault, as its syndrome describes it. */

#define kvm_vcpu_get_esr(v) ((v)->arch.fault.esr_el2)
#define kvm_vcpu_get_hsr(v) kvm_vcpu_get_esr(v)
#define kvm_vcpu_get_hfar(v) ((v)->arch.fault.far_el2)
#define kvm_vcpu_trap_get_class(v) ((kvm_vcpu_get_esr(v) >> 26) & 0x3f)
#define kvm_vcpu_trap_is_iabt(v) (kvm_vcpu_trap_get_class(v) == 0x20)
#define kvm_vcpu_trap_get_fault(v) (kvm_vcpu_get_esr(v) & 0x3f)
#define kvm_vcpu_trap_get_fault_type(v) (kvm_vcpu_get_esr(v) & 0x3c)
#define kvm_vcpu_trap_get_fault_level(v) ((u8)(kvm_vcpu_get_esr(v) & 3))
#define kvm_vcpu_trap_is_translation_fault(v) (kvm_vcpu_trap_get_fault_type(v) == 4)
#define kvm_vcpu_trap_is_permission_fault(v) (kvm_vcpu_trap_get_fault_type(v) == 0xc)
#define kvm_vcpu_trap_get_perm_fault_granule(v) \
	(1UL << S2_LEVEL_SHIFT((int)kvm_vcpu_trap_get_fault_level(v)))
#define kvm_vcpu_dabt_iss1tw(v) kvm_vcpu_abt_iss1tw(v)
#if !S2_HAS_GUEST_SEA
#define kvm_handle_guest_sea(ipa, esr) 0
#endif
#define apei_claim_sea(regs) (-ENOENT)
#define vcpu_pc(v) (&(v)->arch.pc)
#define vcpu_hcr(v) (&(v)->arch.hcr_el2)
#define vcpu_has_cache_enabled(v) ((v)->arch.uses_caches)
#define io_mem_abort(v, ipa) s2_mmio((ipa), kvm_vcpu_dabt_isvalid(v))
#define kvm_inject_pabt(v, a) s2_inject(-S2_ENOEXEC)
#define kvm_inject_dabt(v, a) s2_inject(-S2_INJECTED_DABT)
#define kvm_inject_undefined(v) s2_inject(-S2_INJECTED_DABT)
#define kvm_inject_vabt(v) s2_inject(-S2_INJECTED_SERROR)
#define kvm_inject_size_fault(v) s2_inject(-S2_INJECTED_SIZE_FAULT)
/* The newer trees' answer to KVM_RUN comes from the injection itself. */
#define kvm_inject_sea_iabt(v, a) (s2_inject(-S2_ENOEXEC), 1)
#define kvm_inject_sea_dabt(v, a) (s2_inject(-S2_INJECTED_DABT), 1)
#define kvm_inject_sea(v, iabt, a) (s2_inject((iabt) ? -S2_ENOEXEC : -S2_INJECTED_DABT), 1)
#define kvm_inject_serror(v) (s2_inject(-S2_INJECTED_SERROR), 1)
#define kvm_inject_dabt_excl_atomic(v, a) s2_inject(-S2_INJECTED_DABT)
#define KVM_EXIT_ARM_SEA 41
#define KVM_EXIT_ARM_SEA_FLAG_GPA_VALID 1
#define KVM_ARCH_FLAG_EXIT_SEA 11
struct kvm_run {
	u32 exit_reason;
	struct { u64 flags, esr, gva, gpa; } arm_sea;
};
#define kvm_incr_pc(v) ((void)(v), s2_skip_instruction())
#define kvm_skip_instr(v, wide) ((void)(v), s2_skip_instruction())
#define kvm_vcpu_trap_il_is32bit(v) 1

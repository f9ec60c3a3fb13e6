/* One virtual machine, and the fault of one of its vCPUs. */

static u64 make_vtcr(void)
{
#if S2_HAS_GET_VTCR
	return kvm_get_vtcr(ID_AA64MMFR0_EL1_PARANGE_48, 2 << 4, s2_options.ipa_bits);
#else
	int levels = stage2_pgtable_levels(s2_options.ipa_bits);

	return VTCR_EL2_FLAGS | VTCR_EL2_T0SZ(s2_options.ipa_bits) | VTCR_EL2_LVLS_TO_SL0(levels);
#endif
}

int s2_glue_begin(void)
{
	static bool tables_built;

	if (!tables_built)
		build_user_tables();
	tables_built = true;
	s2_structures = vms_ending = 0;
	kvm.mmu_lock.name = S2_LOCK_MMU;
	kvm.mm = &mm;
	kvm.mmu_notifier_seq = kvm.mmu_notifier_count = 0;
	kvm.manual_dirty_log_protect =
		(s2_options.manual ? KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE : 0) |
		(s2_options.logs_begin_set ? KVM_DIRTY_LOG_INITIALLY_SET : 0);
	memset(&kvm.arch.mmu, 0, sizeof(kvm.arch.mmu));
	/* Those of an earlier run's guest hypervisor are not this VM's to free. */
	kvm.arch.nested_mmus = NULL;
	kvm.arch.nested_mmus_size = kvm.arch.nested_mmus_next = 0;
	kvm.arch.vtcr = kvm.arch.mmu.vtcr = make_vtcr();
	kvm.arch.mmu.arch = &kvm.arch;
	kvm.arch.mmu.vmid.vmid = S2_VMID;
	s2_watched_sequence = &kvm.mmu_notifier_seq;
	for (int i = 0; i < S2_MAX_SLOTS; i++) {
		current_memslot[i] = last_memslot[i] = NULL;
		memslot_versions[i] = 0;
	}
	for (int i = 0; i < VCPUS; i++) {
		vcpus[i].kvm = &kvm;
		vcpus[i].vcpu_id = i;
		vcpus[i].arch.hw_mmu = &kvm.arch.mmu;
		vcpus[i].arch.mmu_page_cache.nobjs = 0;
		vcpus[i].arch.hcr_el2 = 0;
		vcpus[i].arch.uses_caches = true;
	}
#if S2_HAS_INIT_TYPE
	return kvm_init_stage2_mmu(&kvm, &kvm.arch.mmu, s2_options.ipa_bits);
#else
	return kvm_init_stage2_mmu(&kvm, &kvm.arch.mmu);
#endif
}

void s2_glue_sequence(s2_s64 sequence, s2_s64 count)
{
	kvm.mmu_notifier_seq = sequence;
	kvm.mmu_notifier_count = count;
}

/* Counters that nobody reads are no part of a configuration. */
void s2_glue_forget_statistics(void)
{
	memset(&kvm.stat, 0, sizeof(kvm.stat));
	for (int i = 0; i < VCPUS; i++)
		memset(&vcpus[i].stat, 0, sizeof(vcpus[i].stat));
}

/* The syndrome's fault status code. */
static u64 fault_code(int status, int level, int how)
{
	switch (status) {
	case S2_TRANSLATION: return 0x04 | level;
	case S2_ACCESS_FLAG: return 0x08 | level;
	case S2_PERMISSION: return 0x0c | level;
	case S2_UNSUPPORTED_ACCESS: return 0x35;
	default: return how & S2_TABLE_WALK ? 0x14 | level : 0x10;
	}
}

int s2_glue_fault(int thread, s2_u64 ipa, int kind, int status, int level, int how)
{
	struct kvm_vcpu *vcpu = &vcpus[thread];
	int result, fetch = kind == S2_EXECUTE || how & S2_FETCH_WALK;
	u64 class = fetch ? ESR_ELx_EC_IABT_LOW : ESR_ELx_EC_DABT_LOW;
	int named = !fetch && !(how & (S2_NO_SYNDROME | S2_TABLE_WALK));

	S2_ASSERT((unsigned)thread < S2_MAX_VCPUS, thread);
	if (s2_options.alone)
		return fault_alone(vcpu, ipa, kind, status);
	vcpu->arch.fault.esr_el2 = (class << ESR_ELx_EC_SHIFT) | ESR_ELx_IL |
				   fault_code(status, level, how) |
				   (kind == S2_WRITE ? ESR_ELx_WNR : 0) |
				   (named ? ESR_ELx_ISV : 0) |
				   (how & S2_CACHE_MAINTENANCE ? ESR_ELx_CM : 0) |
				   (how & S2_TABLE_WALK ? ESR_ELx_S1PTW : 0);
	vcpu->arch.fault.hpfar_el2 = (ipa >> 12 << 4) | S2_HPFAR_VALID;
	vcpu->arch.fault.far_el2 = ipa | S2_OFFSET_IN_PAGE;
	result = kvm_handle_guest_abort(vcpu);
	memset(&vcpu->arch.fault, 0, sizeof(vcpu->arch.fault));
	return result;
}

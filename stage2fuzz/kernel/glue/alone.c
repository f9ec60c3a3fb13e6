/* pgtable.c without mmu.c: the least fault handler there can be, for the benchmark alone. */

static enum kvm_pgtable_prot wanted(int kind)
{
	return KVM_PGTABLE_PROT_R | (kind == S2_WRITE ? KVM_PGTABLE_PROT_W : 0) |
	       (kind == S2_EXECUTE ? KVM_PGTABLE_PROT_X : 0);
}

static int map_alone(struct kvm_vcpu *vcpu, u64 ipa, enum kvm_pgtable_prot prot)
{
	struct kvm_pgtable *pgt = vcpu->arch.hw_mmu->pgt;
	void *mc = &vcpu->arch.mmu_page_cache;

#if S2_HAS_HANDLE_FAULT
	return kvm_pgtable_stage2_map(pgt, ipa, PAGE_SIZE, S2_HOST_BASE + ipa, prot, mc,
				      KVM_PGTABLE_WALK_HANDLE_FAULT | KVM_PGTABLE_WALK_SHARED);
#elif S2_HAS_SHARED_WALK
	return kvm_pgtable_stage2_map(pgt, ipa, PAGE_SIZE, S2_HOST_BASE + ipa, prot, mc,
				      KVM_PGTABLE_WALK_SHARED);
#else
	return kvm_pgtable_stage2_map(pgt, ipa, PAGE_SIZE, S2_HOST_BASE + ipa, prot, mc);
#endif
}

static int relax_alone(struct kvm_vcpu *vcpu, u64 ipa, enum kvm_pgtable_prot prot)
{
#if S2_HAS_RELAX_FLAGS && S2_HAS_HANDLE_FAULT
	return kvm_pgtable_stage2_relax_perms(vcpu->arch.hw_mmu->pgt, ipa, prot,
					      KVM_PGTABLE_WALK_HANDLE_FAULT |
						      KVM_PGTABLE_WALK_SHARED);
#elif S2_HAS_RELAX_FLAGS
	return kvm_pgtable_stage2_relax_perms(vcpu->arch.hw_mmu->pgt, ipa, prot,
					      KVM_PGTABLE_WALK_SHARED);
#else
	return kvm_pgtable_stage2_relax_perms(vcpu->arch.hw_mmu->pgt, ipa, prot);
#endif
}

static int fault_alone(struct kvm_vcpu *vcpu, u64 ipa, int kind, int status)
{
	int ret;

	if (kvm_mmu_topup_memory_cache(&vcpu->arch.mmu_page_cache, 4))
		return -ENOMEM;
	s2_lock(S2_LOCK_MMU, s2_shared_faults);
	ret = status == S2_TRANSLATION ? map_alone(vcpu, ipa, wanted(kind)) :
					 relax_alone(vcpu, ipa, wanted(kind));
	s2_unlock(S2_LOCK_MMU, s2_shared_faults);
	return ret == -EAGAIN || !ret ? 1 : ret;
}

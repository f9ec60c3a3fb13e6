/* The tree's own TLB code, as EL1 calls it: through a hypercall, or directly with VHE. */

#if S2_HAS_UNIT_TLB
struct kvm_vcpu *s2_running_vcpu(void)
{
	int vcpu = s2_vcpu_on_this_cpu();

	return vcpu < 0 ? NULL : &vcpus[vcpu];
}

/* A hypercall ends with an exception return, which is a context synchronisation event. */
#define S2_FLUSH(function, ...) \
	do { \
		if (s2_options.vhe) { \
			s2_vhe_##function(__VA_ARGS__); \
		} else { \
			s2_nvhe_##function(__VA_ARGS__); \
			s2_exception_return(); \
		} \
	} while (0)

void s2_flush_vmid_ipa(struct kvm_s2_mmu *mmu, phys_addr_t ipa, int level)
{
	S2_FLUSH(flush_vmid_ipa, mmu, ipa, level);
}

void s2_flush_vmid(struct kvm_s2_mmu *mmu)
{
	S2_FLUSH(flush_vmid, mmu);
}

#if S2_HAS_LOCAL_FLUSH
void s2_flush_vmid_ipa_nsh(struct kvm_s2_mmu *mmu, phys_addr_t ipa, int level)
{
	S2_FLUSH(flush_vmid_ipa_nsh, mmu, ipa, level);
}
#endif

#if S2_HAS_RANGE_FLUSH
void s2_flush_vmid_range(struct kvm_s2_mmu *mmu, phys_addr_t start, unsigned long pages)
{
	S2_FLUSH(flush_vmid_range, mmu, start, pages);
}
#endif
#endif

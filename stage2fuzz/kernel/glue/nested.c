/* A guest hypervisor (L1) and the vCPUs that run its guests (L2), as KVM_RUN drives nested.c.
 *
 * L1 is at virtual EL2 with VTCR_EL2 for 4 KiB, 36 bits and a start at level 1. Which guest of its
 * runs is VTTBR_EL2 alone: to switch is to put the vCPU and to load it again.
 */
const int s2_has_nested = S2_HAS_UNIT_NESTED;

#if S2_HAS_UNIT_NESTED
#define GUEST_VTCR ((64 - S2_GUEST_PA_BITS) | 1UL << 6 | 1UL << 16 | 1UL << 31)
int s2_handle_guest_tlbi(struct kvm_vcpu *vcpu, int operation, u64 operand);
unsigned long s2_vncr_valid_at(void);
static u64 bound[VCPUS * 2];

/* at.c: walks of stage 1, and access flags that the walk of L1's stage 2 would set. L1 at EL2 maps
 * its memory one to one, with global pages of 4 KiB, and never changes it; VTCR_EL2.HA is clear. */
int __kvm_translate_va(struct kvm_vcpu *vcpu, struct s1_walk_info *wi, struct s1_walk_result *wr,
		       u64 va)
{
	(void)vcpu;
	s2_vncr_walk(va);
	wi->pgshift = PAGE_SHIFT;
	wr->pa = va;
	wr->level = 3;
	wr->nG = false;
	wr->pr = wr->pw = true;
	return 0;
}

int __kvm_at_swap_desc(struct kvm *vm, gpa_t ipa, u64 old, u64 new)
{
	(void)vm, (void)ipa, (void)old, (void)new;
	return -EFAULT;
}

struct kvm_vcpu *s2_glue_vcpu(unsigned long number)
{
	return number < (unsigned long)kvm.online_vcpus.counter ? &vcpus[number] : NULL;
}

static struct kvm_s2_mmu *shadow(int number)
{
	S2_ASSERT((unsigned)number < (unsigned)kvm.arch.nested_mmus_size, number);
	return kvm.arch.nested_mmus[number];
}

static int number_of_shadow(const struct kvm_s2_mmu *mmu)
{
	for (int i = 0; i < kvm.arch.nested_mmus_size; i++)
		if (kvm.arch.nested_mmus[i] == mmu)
			return i;
	return -1;
}

/* As KVM_ARM_VCPU_INIT does it, one vCPU after another; how many shadow MMUs there are. */
int s2_glue_nested_begin(int online)
{
	kvm.arch.nested_mmus_size = kvm.arch.nested_mmus_next = 0;
	S2_ASSERT(!kvm_init_nested(&kvm), online);
	for (int i = 0; i < online; i++) {
		vcpus[i].requests = 0;
		vcpus[i].arch.ctxt.vncr_array = NULL;
		vcpus[i].arch.hw_mmu = NULL;
		vcpus[i].arch.vncr_tlb = NULL;
		vcpus[i].arch.in_hyp = true;
		memset(vcpus[i].arch.sys_regs, 0, sizeof(vcpus[i].arch.sys_regs));
		kvm.online_vcpus.counter = i + 1;
		S2_ASSERT(!kvm_vcpu_init_nested(&vcpus[i]), i);
	}
	for (int i = 0; s2_options.vncr && i < online; i++) {
		S2_ASSERT(!kvm_vcpu_allocate_vncr_tlb(&vcpus[i]), i);
		s2_vncr_watch(i, (const char *)vcpus[i].arch.vncr_tlb + s2_vncr_valid_at());
	}
	for (int i = 0; i < kvm.arch.nested_mmus_size; i++) {
		shadow(i)->vmid.vmid = S2_VMID + 1 + (u32)i;
		bound[i] = shadow(i)->tlb_vttbr;
	}
	return kvm.arch.nested_mmus_size;
}

s2_u64 s2_glue_shadow_root(int number)
{
	return shadow(number)->pgd_phys;
}

/* Who gives mmu_lock back may have bound an MMU to another context. */
void s2_glue_note_bindings(void)
{
	for (int i = 0; i < kvm.arch.nested_mmus_size; i++) {
		struct kvm_s2_mmu *mmu = kvm.arch.nested_mmus[i];

		if (mmu->tlb_vttbr == bound[i])
			continue;
		bound[i] = mmu->tlb_vttbr;
		s2_bind_shadow(i, kvm_s2_mmu_valid(mmu) ? mmu->tlb_vttbr : 0);
	}
}

/* vcpu_load and what the run loop does before it enters the guest; the MMU that is used now. */
int s2_glue_nested_load(int thread, s2_u64 vttbr)
{
	struct kvm_vcpu *vcpu = &vcpus[thread];

	vcpu->arch.in_hyp = !vttbr;
	vcpu->arch.sys_regs[HCR_EL2] = HCR_VM | (s2_options.vncr ? HCR_NV : 0);
	vcpu->arch.sys_regs[SCTLR_EL2] = s2_options.vncr ? SCTLR_ELx_M : 0;
	vcpu->arch.sys_regs[VTCR_EL2] = GUEST_VTCR;
	vcpu->arch.sys_regs[VTTBR_EL2] = vttbr;
	kvm_vcpu_load_hw_mmu(vcpu);
	return number_of_shadow(vcpu->arch.hw_mmu);
}

void s2_glue_nested_enter(int thread)
{
	check_nested_vcpu_requests(&vcpus[thread]);
}

void s2_glue_nested_put(int thread)
{
	kvm_vcpu_put_hw_mmu(&vcpus[thread]);
}

void s2_glue_vncr_set(int thread, s2_u64 ipa)
{
	vcpus[thread].arch.sys_regs[VNCR_EL2] = ipa;
}

/* A register of L2 that lies in that page, which this CPU has not mapped, or not writable. */
int s2_glue_vncr_fault(int thread, int is_write, int is_permission)
{
	struct kvm_vcpu *vcpu = &vcpus[thread];
	int result;

	vcpu->arch.fault.esr_el2 = (u64)ESR_ELx_EC_DABT_CUR << ESR_ELx_EC_SHIFT | ESR_ELx_IL |
				   ESR_ELx_VNCR | (is_permission ? 0x0f : 0x07) |
				   (is_write ? ESR_ELx_WNR : 0);
	result = kvm_handle_vncr_abort(vcpu);
	memset(&vcpu->arch.fault, 0, sizeof(vcpu->arch.fault));
	return result;
}

/* The hypervisor executes a TLBI, which traps. */
void s2_glue_guest_tlbi(int thread, int operation, s2_u64 vttbr, s2_u64 operand)
{
	vcpus[thread].arch.sys_regs[VTTBR_EL2] = vttbr;
	s2_handle_guest_tlbi(&vcpus[thread], operation, operand);
}

/* What tells the oracles of which tree a call is: bits above all that an address has. */
static u64 tree_of(const struct kvm_pgtable *pgt)
{
	const struct kvm_s2_mmu *mmu = pgt->mmu;

	return mmu && mmu != &kvm.arch.mmu ? (u64)(mmu->vmid.vmid - S2_VMID) << S2_TREE_SHIFT : 0;
}

/* A range of a shadow tree is walked a GiB at a time; where the root has no entry, and nobody can
 * make one, there is nothing to walk or to see. */
static int passes_over(const struct kvm_pgtable *pgt, u64 first, u64 size)
{
	return tree_of(pgt) && size == PUD_SIZE && !((const u64 *)pgt->pgd)[first >> PUD_SHIFT];
}
#else
int s2_glue_nested_begin(int online) { (void)online; return 0; }
s2_u64 s2_glue_shadow_root(int number) { (void)number; return 0; }
int s2_glue_nested_load(int thread, s2_u64 vttbr) { (void)thread, (void)vttbr; return -1; }
void s2_glue_nested_enter(int thread) { (void)thread; }
void s2_glue_nested_put(int thread) { (void)thread; }
void s2_glue_vncr_set(int thread, s2_u64 ipa) { (void)thread, (void)ipa; }
int s2_glue_vncr_fault(int thread, int is_write, int is_permission)
{
	(void)thread, (void)is_write, (void)is_permission;
	return 0;
}
void s2_glue_guest_tlbi(int thread, int operation, s2_u64 vttbr, s2_u64 operand)
{
	(void)thread, (void)operation, (void)vttbr, (void)operand;
}
#define tree_of(pgt) 0
#define passes_over(pgt, first, size) 0
#endif

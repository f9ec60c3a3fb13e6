/* A trapped TLBI of a guest hypervisor, as the tree's sys_regs.c carries it out, and where nested.c
 * notes that its translation of L1's page of registers is valid (emulate.py). */
#include <asm/kvm_nested.h>

#define undef_access(vcpu, p, r) ((void)(vcpu), (void)(p), (void)(r), s2_warn(S2_WARN_OTHER), false)
#include "guest_tlbi.h"

int s2_handle_guest_tlbi(struct kvm_vcpu *vcpu, int operation, u64 operand);
unsigned long s2_vncr_valid_at(void);

unsigned long s2_vncr_valid_at(void)
{
	return offsetof(struct vncr_tlb, valid);
}

/* Arm ARM, C5.5: TLBI IPAS2E1IS, RIPAS2E1IS, VMALLS12E1IS and ALLE1IS. */
int s2_handle_guest_tlbi(struct kvm_vcpu *vcpu, int operation, u64 operand)
{
	struct sys_reg_params p = { .Op0 = 1, .Op1 = 4, .CRn = 8, .regval = operand,
				    .is_write = true };

	switch (operation) {
	case S2_OP_GUEST_TLBI_IPA:
		p.Op2 = 1;
		return handle_ipas2e1is(vcpu, &p, NULL);
	case S2_OP_GUEST_TLBI_RANGE:
		p.Op2 = 2;
		return handle_ripas2e1is(vcpu, &p, NULL);
	case S2_OP_GUEST_TLBI_VMID:
		p.CRm = 3;
		p.Op2 = 6;
		return handle_vmalls12e1is(vcpu, &p, NULL);
	default:
		p.CRm = 3;
		p.Op2 = 4;
		return handle_alle1is(vcpu, &p, NULL);
	}
}

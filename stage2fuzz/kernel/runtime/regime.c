/* Which guest each PE's TLBIs are for.
 *
 * A write of a system register is in effect for sure only after a context synchronisation event
 * (Arm ARM, D1.3.5): until then a TLBI is taken to be for whom the register named before, since a
 * CPU may do it so.
 */
#include "record.h"
#include "regime.h"
#include "scenario.h"
#include "scheduler.h"

#define VMID_SHIFT 48
/* HCR_EL2.TGE: what stage 1 of EL1&0 is meant to be is the host's own translation. */
#define HCR_TGE (1ULL << 27)

struct s2_regime s2_regime;

S2_OWN void reset_regime(void)
{
	for (int i = 0; i < S2_THREADS; i++) {
		s2_regime.vttbr[i] = (struct s2_register){ 0, 0 };
		s2_regime.hcr[i] = s2_scenario.vhe ? (struct s2_register){ HCR_TGE, HCR_TGE } :
						    (struct s2_register){ 0, 0 };
	}
}

static int me(void)
{
	S2_ASSERT((unsigned)s2_sched.current < S2_THREADS, s2_sched.current);
	return s2_sched.current;
}

void s2_write_vttbr(s2_u64 value)
{
	struct s2_register *vttbr = &s2_regime.vttbr[me()];

	s2_record(S2_CONTEXT, 0, (int64_t)(vttbr->written >> VMID_SHIFT),
		  (int64_t)(value >> VMID_SHIFT), 0);
	vttbr->written = value;
}

void s2_write_hcr(s2_u64 value)
{
	s2_regime.hcr[me()].written = value;
}

s2_u64 s2_hcr(void)
{
	return s2_regime.hcr[me()].written;
}

S2_OWN int vmid_in_effect(int stage1_only)
{
	if (stage1_only && s2_regime.hcr[me()].in_effect & HCR_TGE)
		return 0;
	return (int)(s2_regime.vttbr[me()].in_effect >> VMID_SHIFT);
}

S2_OWN void synchronise_context(void)
{
	s2_regime.vttbr[me()].in_effect = s2_regime.vttbr[me()].written;
	s2_regime.hcr[me()].in_effect = s2_regime.hcr[me()].written;
}

void s2_exception_return(void)
{
	synchronise_context();
}

int s2_vcpu_on_this_cpu(void)
{
	return me() < s2_scenario.vcpus ? me() : -1;
}

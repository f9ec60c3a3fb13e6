/* What a TLBI does: nothing before the DSB that completes it. */
#include "record.h"
#include "scenario.h"
#include "scheduler.h"
#include "step.h"
#include "storebuffer.h"
#include "tables.h"
#include "tlb.h"
#include "window.h"

struct s2_tlb s2_tlb;

S2_OWN void reset_tlb(void)
{
	for (int i = 0; i < S2_THREADS; i++) {
		s2_tlb.walking[i] = 0;
		s2_tlb.issued_count[i] = 0;
	}
}

/* Walks in flight that a completed TLBI of the running thread covers start again. */
static void end_walks(const struct s2_issued *issued)
{
	for (int pe = 0; pe < s2_scenario.vcpus; pe++) {
		s2_u64 walked = s2_tlb.walking[pe];

		if (walked && (issued->broadcast || pe == s2_sched.current) &&
		    walked - issued->first < issued->size)
			s2_tlb.walking[pe] = S2_WALK_AGAIN;
	}
}

S2_OWN void complete_tlbis(int kind)
{
	int me = s2_sched.current, waiting = 0;

	S2_ASSERT((unsigned)me < S2_THREADS, me);
	s2_point(S2_DSB, 0);
	if (s2_scenario.pending_stores)
		empty_storebuffer();
	s2_record(S2_DSB, 0, 0, 0, kind);
	if (s2_scenario.tlb)
		window_dsb(kind);
	for (int i = 0; i < s2_tlb.issued_count[me]; i++) {
		const struct s2_issued *issued = &s2_tlb.issued[me][i];

		if (issued->broadcast && kind != S2_DSB_ISH)
			s2_tlb.issued[me][waiting++] = *issued;
		else
			end_walks(issued);
	}
	s2_tlb.issued_count[me] = waiting;
}

/* What a walk under way must be inside of to start again. By IPA those are the walks that may hold
 * the entry: those below it, if it was a table. */
static void note_issued(const struct s2_tlbi *tlbi)
{
	int me = s2_sched.current;
	struct s2_issued *issued;
	s2_u64 covered = granule(tlbi->level < 0 ? 0 : tlbi->level);

	S2_ASSERT((unsigned)me < S2_THREADS, me);
	if (tlbi->operation == S2_TLBI_VMALLE1)
		return;
	if (s2_tlb.issued_count[me] == S2_ISSUED)
		give_up(S2_LIMIT_TLBIS);
	issued = &s2_tlb.issued[me][s2_tlb.issued_count[me]++];
	issued->broadcast = tlbi->broadcast;
	issued->first = tlbi->operation == S2_TLBI_ALLE1 ? 0 : tlbi->ipa & ~(covered - 1);
	issued->size = tlbi->operation == S2_TLBI_ALLE1	  ? ~0ULL :
		       tlbi->operation != S2_TLBI_IPAS2E1 ? 1ULL << S2_TREE_SHIFT :
		       tlbi->size > covered		  ? tlbi->size :
							    covered;
}

S2_OWN void issue_tlbi(struct s2_tlbi *tlbi)
{
	int form = tlbi->operation | (tlbi->broadcast ? S2_TLBI_BROADCAST : 0) |
		   (tlbi->last_level ? S2_TLBI_LAST_LEVEL : 0) | (tlbi->level + 1) << 8;

	/* Shadow MMUs have the VMIDs above the VM's own. */
	if (tlbi->vmid > S2_VMID && tlbi->operation != S2_TLBI_ALLE1)
		tlbi->ipa |= (s2_u64)(tlbi->vmid - S2_VMID) << S2_TREE_SHIFT;
	s2_point(S2_TLBI, (int64_t)tlbi->ipa);
	if (tlbi->vmid >= S2_VMID || tlbi->operation == S2_TLBI_ALLE1) {
		note_issued(tlbi);
		if (s2_scenario.tlb)
			window_tlbi(tlbi);
	}
	s2_record(S2_TLBI, (int64_t)tlbi->ipa, (int64_t)tlbi->size, tlbi->vmid, form);
}

void s2_dcache_clean(s2_u64 address, s2_u64 size)
{
	s2_record(S2_DCACHE_CLEAN, (int64_t)address, (int64_t)size, 0, 0);
}

void s2_icache_invalidate(s2_u64 address, s2_u64 size)
{
	s2_record(S2_ICACHE_INVALIDATE, (int64_t)address, (int64_t)size, 0, 0);
}

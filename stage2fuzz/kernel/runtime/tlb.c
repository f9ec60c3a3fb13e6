/* TLB maintenance in the order of hyp/nvhe/tlb.c.
 *
 * Each part of an invalidation is a step of its own: between the stage-2 and the stage-1 TLBI
 * other PEs still hold combined entries, and nothing is done before the DSB that completes it.
 */
#include "record.h"
#include "scenario.h"
#include "scheduler.h"
#include "step.h"
#include "tables.h"
#include "tlb.h"
#include "window.h"

#define VMID 1

struct s2_tlb s2_tlb;

S2_OWN void reset_tlb(void)
{
	for (int i = 0; i < S2_THREADS; i++) {
		s2_tlb.walking[i] = 0;
		s2_tlb.issued_count[i] = 0;
	}
}

/* A DSB completes the thread's TLBIs: walks in flight that they cover start again. */
static void complete(int kind)
{
	int me = s2_sched.current;

	S2_ASSERT((unsigned)me < S2_THREADS, me);
	s2_point(S2_DSB, 0);
	s2_record(S2_DSB, 0, 0, 0, kind);
	if (s2_scenario.tlb)
		window_dsb(kind);
	for (int i = 0; i < s2_tlb.issued_count[me]; i++) {
		const struct s2_issued *issued = &s2_tlb.issued[me][i];

		for (int pe = 0; pe < s2_scenario.vcpus; pe++) {
			s2_u64 walked = s2_tlb.walking[pe];

			if (walked && (issued->broadcast || pe == me) &&
			    walked - issued->first < issued->size)
				s2_tlb.walking[pe] = S2_WALK_AGAIN;
		}
	}
	s2_tlb.issued_count[me] = 0;
}

S2_OWN void dsb_ish(void)
{
	complete(S2_DSB_ISH);
}

/* What a walk under way must be inside of to start again. By IPA those are the walks that may hold
 * the entry: those below it, if it was a table. */
static void note_issued(s2_u64 ipa, s2_u64 size, int operation, int broadcast, int level)
{
	int me = s2_sched.current;
	struct s2_issued *issued;
	s2_u64 covered = granule(level < 0 ? 0 : level);

	S2_ASSERT((unsigned)me < S2_THREADS, me);
	if (operation == S2_TLBI_VMALLE1)
		return;
	if (s2_tlb.issued_count[me] == S2_ISSUED)
		give_up(S2_LIMIT_TLBIS);
	issued = &s2_tlb.issued[me][s2_tlb.issued_count[me]++];
	issued->broadcast = broadcast;
	issued->first = operation == S2_TLBI_IPAS2E1 ? ipa & ~(covered - 1) : 0;
	issued->size = operation != S2_TLBI_IPAS2E1 ? ~0ULL : size > covered ? size : covered;
}

static void tlbi(s2_u64 ipa, s2_u64 size, int operation, int broadcast, int level)
{
	int aux = operation | (broadcast ? S2_TLBI_BROADCAST : 0) | (level + 1) << 8;

	s2_point(S2_TLBI, (int64_t)ipa);
	note_issued(ipa, size, operation, broadcast, level);
	if (s2_scenario.tlb)
		window_tlbi(ipa, size, operation, broadcast, level);
	s2_record(S2_TLBI, (int64_t)ipa, (int64_t)size, VMID, aux);
}

static void enter(int kind)
{
	s2_point(S2_DSB, 0);
	s2_record(S2_DSB, 0, 0, 0, kind);
	s2_record(S2_CONTEXT, 0, 0, VMID, 0);
}

static void leave(void)
{
	s2_isb();
	s2_record(S2_CONTEXT, 0, VMID, 0, 0);
}

void s2_tlb_flush_ipa(s2_u64 ipa, int level, int broadcast)
{
	int end = broadcast ? S2_DSB_ISH : S2_DSB_NSH;

	if (s2_sched.silent)
		return;
	/* Level 0 and everything out of range mean that no hint is given: no leaf is at level
	 * 0. */
	if (level < 1 || level > 3)
		level = -1;
	enter(broadcast ? S2_DSB_ISHST : S2_DSB_NSHST);
	tlbi(ipa & ~4095ULL, 0, S2_TLBI_IPAS2E1, broadcast, level);
	complete(end);
	tlbi(0, 0, S2_TLBI_VMALLE1, broadcast, -1);
	complete(end);
	leave();
}

void s2_tlb_flush_range(s2_u64 ipa, s2_u64 pages)
{
	if (s2_sched.silent)
		return;
	enter(S2_DSB_ISHST);
	tlbi(ipa & ~4095ULL, pages * 4096, S2_TLBI_IPAS2E1, 1, -1);
	complete(S2_DSB_ISH);
	tlbi(0, 0, S2_TLBI_VMALLE1, 1, -1);
	complete(S2_DSB_ISH);
	leave();
}

void s2_tlb_flush_vmid(void)
{
	if (s2_sched.silent)
		return;
	enter(S2_DSB_ISHST);
	tlbi(0, 0, S2_TLBI_VMALLS12E1, 1, -1);
	complete(S2_DSB_ISH);
	leave();
}

void s2_dcache_clean(s2_u64 address, s2_u64 size)
{
	s2_record(S2_DCACHE_CLEAN, (int64_t)address, (int64_t)size, 0, 0);
}

void s2_icache_invalidate(s2_u64 address, s2_u64 size)
{
	s2_record(S2_ICACHE_INVALIDATE, (int64_t)address, (int64_t)size, 0, 0);
}

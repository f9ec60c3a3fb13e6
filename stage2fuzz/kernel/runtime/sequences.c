/* TLB maintenance in the order of hyp/nvhe/tlb.c, for a tree that comes without it.
 *
 * Each part of an invalidation is a step of its own: between the stage-2 and the stage-1 TLBI
 * other PEs still hold combined entries, and nothing is done before the DSB that completes it.
 */
#include "record.h"
#include "scheduler.h"
#include "step.h"
#include "tlb.h"

static void begin(int kind)
{
	s2_barrier(kind);
	s2_record(S2_CONTEXT, 0, 0, S2_VMID, 0);
}

static void end(void)
{
	s2_isb();
	s2_record(S2_CONTEXT, 0, S2_VMID, 0, 0);
}

static void flush_stages(struct s2_tlbi *stage2, int kind)
{
	struct s2_tlbi stage1 = { .operation = S2_TLBI_VMALLE1, .vmid = S2_VMID, .level = -1,
				  .broadcast = stage2->broadcast };

	issue_tlbi(stage2);
	complete_tlbis(kind);
	issue_tlbi(&stage1);
	complete_tlbis(kind);
}

void s2_tlb_flush_ipa(s2_u64 ipa, int level, int broadcast)
{
	/* Level 0 and everything out of range mean that no hint is given: no leaf is there. */
	struct s2_tlbi tlbi = { .operation = S2_TLBI_IPAS2E1, .vmid = S2_VMID,
				.ipa = ipa & S2_PAGE_MASK,
				.level = level < 1 || level > 3 ? -1 : level,
				.broadcast = broadcast };

	if (s2_sched.silent)
		return;
	begin(broadcast ? S2_DSB_ISHST : S2_DSB_NSHST);
	flush_stages(&tlbi, broadcast ? S2_DSB_ISH : S2_DSB_NSH);
	end();
}

void s2_tlb_flush_range(s2_u64 ipa, s2_u64 pages)
{
	struct s2_tlbi tlbi = { .operation = S2_TLBI_IPAS2E1, .vmid = S2_VMID,
				.ipa = ipa & S2_PAGE_MASK,
				.size = pages * S2_PAGE_SIZE, .level = -1, .broadcast = 1 };

	if (s2_sched.silent)
		return;
	begin(S2_DSB_ISHST);
	flush_stages(&tlbi, S2_DSB_ISH);
	end();
}

void s2_tlb_flush_vmid(void)
{
	struct s2_tlbi tlbi = { .operation = S2_TLBI_VMALLS12E1, .vmid = S2_VMID, .level = -1,
				.broadcast = 1 };

	if (s2_sched.silent)
		return;
	begin(S2_DSB_ISHST);
	issue_tlbi(&tlbi);
	complete_tlbis(S2_DSB_ISH);
	end();
}

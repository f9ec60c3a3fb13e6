/* TLB maintenance in the order of hyp/nvhe/tlb.c, and the hardware's walk for a guest access.
 *
 * Each part of an invalidation is a step of its own: between the stage-2 and the stage-1 TLBI
 * other PEs still hold combined entries, and nothing is done before the DSB that completes it.
 */
#include "machine.h"

#define VMID 1
#define VALID 1ULL
#define TYPE 2ULL
#define AF (1ULL << 10)
#define XN (1ULL << 54)
#define READ_BIT (1ULL << 6)
#define WRITE_BIT (1ULL << 7)
#define ADDRESS 0x0000FFFFFFFFF000ULL

static inline s2_u64 granule(int level)
{
	return 1ULL << (12 + 9 * (3 - level));
}

/* ---- a TLB that never evicts: what a completed TLBI has not removed may be used ---- */

/* A TLBI by IPA cannot find entries that combine both stages; they go with the stage-1 TLBI that
 * completes after it. An entry that no TLBI by IPA covered is there again at the next access. */
static void forget(int pe, const struct s2_issued *issued)
{
	for (int i = 0; i < s2.tlb_count[pe];) {
		struct s2_tlb_entry *entry = &s2.tlb[pe][i];
		s2_u64 size = granule(entry->level);
		int gone = 1;

		if (issued->operation == S2_TLBI_VMALLE1)
			gone = entry->uncovered;
		else if (issued->operation == S2_TLBI_IPAS2E1) {
			int hinted = issued->level < 0 || issued->level == entry->level;

			if (hinted && entry->ipa < issued->ipa + issued->size &&
			    issued->ipa < entry->ipa + size)
				entry->uncovered = 1;
			gone = 0;
		}
		if (gone)
			*entry = s2.tlb[pe][--s2.tlb_count[pe]];
		else
			i++;
	}
}

static void remember_leaf(int pe, s2_u64 ipa, s2_u64 leaf, int level)
{
	struct s2_tlb_entry *entry;

	if (!s2.scenario.tlb || s2.tlb_count[pe] == S2_TLB)
		return;
	ipa &= ~(granule(level) - 1);
	for (int i = 0; i < s2.tlb_count[pe]; i++)
		if (s2.tlb[pe][i].ipa == ipa && s2.tlb[pe][i].level == level &&
		    s2.tlb[pe][i].leaf == leaf)
			return;
	entry = &s2.tlb[pe][s2.tlb_count[pe]++];
	entry->ipa = ipa;
	entry->leaf = leaf;
	entry->level = level;
	entry->uncovered = 0;
}

/* The cached leaf that an access uses without a walk, the oldest if sticky, else as chosen. */
static const struct s2_tlb_entry *cached_leaf(int pe, s2_u64 ipa)
{
	const struct s2_tlb_entry *found[S2_TLB];
	int count = 0, chosen;

	for (int i = 0; i < s2.tlb_count[pe]; i++)
		if (ipa - s2.tlb[pe][i].ipa < granule(s2.tlb[pe][i].level))
			found[count++] = &s2.tlb[pe][i];
	if (!count)
		return NULL;
	if (s2.scenario.tlb == S2_TLB_STICKY)
		return found[0];
	chosen = s2_choose(count + 1);
	return chosen ? found[chosen - 1] : NULL;
}

/* A DSB completes the thread's TLBIs: walks in flight that they cover start again. */
static void complete(int kind)
{
	int me = s2.current;

	s2_point(S2_DSB, 0);
	s2_record(S2_DSB, 0, 0, 0, kind);
	for (int i = 0; i < s2.issued_count[me]; i++) {
		const struct s2_issued *issued = &s2.issued[me][i];

		for (int pe = 0; pe < s2.scenario.vcpus; pe++) {
			if (!issued->broadcast && pe != me)
				continue;
			forget(pe, issued);
			if (issued->operation != S2_TLBI_VMALLE1 && s2.walking[pe])
				s2.walking[pe] = ~0ULL;
		}
	}
	s2.issued_count[me] = 0;
}

void s2_dsb_ish(void)
{
	complete(S2_DSB_ISH);
}

static void tlbi(s2_u64 ipa, s2_u64 size, int operation, int broadcast, int level)
{
	int me = s2.current, aux = operation | (broadcast ? S2_TLBI_BROADCAST : 0) | (level + 1) << 8;

	s2_point(S2_TLBI, (int64_t)ipa);
	if (s2.issued_count[me] < S2_ISSUED) {
		struct s2_issued *issued = &s2.issued[me][s2.issued_count[me]++];

		issued->ipa = ipa;
		issued->size = size ? size : 1;
		issued->operation = operation;
		issued->broadcast = broadcast;
		issued->level = level;
	}
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

	if (s2.silent)
		return;
	/* Level 0 and everything out of range mean that no hint is given (no leaf is at level 0). */
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
	if (s2.silent)
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
	if (s2.silent)
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

/* The hardware's walk for one guest access, and the TLB entry that it uses instead. */
#include "record.h"
#include "scenario.h"
#include "scheduler.h"
#include "setup.h"
#include "step.h"
#include "storebuffer.h"
#include "tables.h"
#include "tlb.h"
#include "walk.h"
#include "window.h"
#include "words.h"

/* Access flags that one walk sets; more only where stale entries send it round for ever. */
#define MAX_FLAGS_SET 64

static int denied(s2_u64 entry, int kind)
{
	if (kind & S2_EXECUTE)
		return (entry & S2_PTE_XN) || !(entry & S2_PTE_READ);
	return (kind & S2_READ && !(entry & S2_PTE_READ)) ||
	       (kind & S2_WRITE && !(entry & S2_PTE_WRITE));
}

/* What the walker reads; memory that holds no tables reads as zero. */
static s2_u64 *descriptor(s2_u64 address)
{
	static s2_u64 nothing;

	return address - S2_TABLE_BASE < S2_ARENA_SIZE ? s2_va(address) : &nothing;
}

/* The value that the walker uses: memory's, or one that the PE may still hold. */
static s2_u64 read_descriptor(s2_u64 at, s2_u64 ipa, int level)
{
	s2_u64 entry = *(volatile s2_u64 *)descriptor(at);
	int is_hit = 0;

	if (s2_scenario.tlb)
		entry = cached_descriptor(at, entry, &is_hit);
	if (is_hit)
		s2_record(S2_HIT, (int64_t)ipa, 0, (int64_t)entry, level);
	else
		s2_record(S2_WALK, (int64_t)at, 0, (int64_t)entry, level);
	return entry;
}

/* One hardware walk, one descriptor load a step: 0 or the fault, the level, the address. The last
 * load and the access are one step, as a completed TLBI waits for accesses under way. */
static int walk(s2_u64 ipa, int kind, int *level_out, s2_u64 *address)
{
	const struct s2_thread *guest = running_thread();
	int me = s2_sched.current, level = guest->start_level, flags_set = 0, fault;
	s2_u64 table = guest->root, tagged = ipa | guest->tree, entry, mask = ~0ULL;
	s2_u64 hit = s2_scenario.tlb ? cached_leaf(tagged, level_out) : 0;

	if (hit) {
		*address = (hit & S2_PTE_ADDRESS) + (ipa & (granule(*level_out) - 1));
		s2_record(S2_HIT, (int64_t)tagged, 0, (int64_t)hit, *level_out);
		return denied(hit, kind) ? S2_PERMISSION : 0;
	}
	s2_tlb.walking[me] = tagged;
	for (;;) {
		s2_u64 at = table + ((ipa >> S2_LEVEL_SHIFT(level)) & mask) * 8;

		s2_point(S2_WALK, (int64_t)at);
		if (s2_tlb.walking[me] == S2_WALK_AGAIN) {
			s2_tlb.walking[me] = tagged;
			level = guest->start_level;
			table = guest->root;
			mask = ~0ULL;
			continue;
		}
		entry = read_descriptor(at, tagged, level);
		if (!(entry & S2_PTE_VALID)) {
			fault = S2_TRANSLATION;
			break;
		}
		if ((entry & S2_PTE_TABLE) && level < 3) {
			level++;
			table = entry & S2_PTE_ADDRESS;
			mask = S2_ENTRIES - 1;
			continue;
		}
		if (!(entry & S2_PTE_AF)) {
			volatile s2_u64 *memory = descriptor(at);

			if (!s2_scenario.hardware_af) {
				fault = S2_ACCESS_FLAG;
				break;
			}
			if (++flags_set > MAX_FLAGS_SET)
				give_up(S2_LIMIT_FAULTS);
			s2_point(S2_HARDWARE_AF, (int64_t)at);
			if (*memory == entry) {
				note_word(memory, entry);
				*memory = entry | S2_PTE_AF;
				if (s2_scenario.tlb)
					window_write(at, entry, entry | S2_PTE_AF);
				s2_record(S2_HARDWARE_AF, (int64_t)at, (int64_t)entry,
					  (int64_t)(entry | S2_PTE_AF), level);
			}
			level = guest->start_level;
			table = guest->root;
			mask = ~0ULL;
			continue;
		}
		s2_tlb.walking[me] = 0;
		*level_out = level;
		*address = (entry & S2_PTE_ADDRESS) + (ipa & (granule(level) - 1));
		return denied(entry, kind) ? S2_PERMISSION : 0;
	}
	s2_tlb.walking[me] = 0;
	*level_out = level;
	*address = 0;
	return fault;
}

/* A walker reads memory, past the stores that its own CPU has pending. */
S2_OWN int translate(s2_u64 ipa, int kind, int *level_out, s2_u64 *address)
{
	int hidden = hide_stores();
	int fault = walk(ipa, kind, level_out, address);

	if (hidden)
		show_own_stores();
	return fault;
}

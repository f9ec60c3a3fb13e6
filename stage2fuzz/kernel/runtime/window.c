/* The window TLB: what each PE might still hold, the same as stage2fuzz/window.py.
 *
 * Each location that was written over a cacheable value keeps its recent values and, for each PE,
 * how far its stage-2-only entries and walk caches (`stage2`) and its combined entries
 * (`combined`) are clean. Kept only where the scenario asks for a TLB. Beyond its limits values
 * are forgotten and counted, which leaves behaviour out and adds none.
 */
#include <string.h>
#include "pages.h"
#include "places.h"
#include "scenario.h"
#include "scheduler.h"
#include "setup.h"
#include "strategy.h"
#include "tables.h"
#include "tlb.h"
#include "window.h"

#define RECORDS 64
#define DEPTH 8
#define CANDIDATES 32

struct record {
	s2_u64 location, ipa, end, values[DEPTH];
	int used, orphan, level, base, count;
	unsigned serial;
	int stage2[S2_MAX_VCPUS], combined[S2_MAX_VCPUS];
};

/* What a TLBI will clean of a record when its DSB completes. */
struct cleaning {
	struct record *record;
	unsigned serial;
	int broadcast, stage2, combined[S2_MAX_VCPUS], moves_combined;
};

static struct {
	struct record record[RECORDS];
	struct cleaning issued[S2_THREADS][4 * RECORDS];
	int issued_count[S2_THREADS], records, forgotten;
	unsigned serial;
	struct { int level; s2_u64 base; } table[S2_PAGES];
} window;

static inline int is_table_entry(s2_u64 value, int level)
{
	const s2_u64 table = S2_PTE_VALID | S2_PTE_TABLE;

	return level < 3 && (value & table) == table;
}

static inline int cacheable(s2_u64 value, int level)
{
	return (value & S2_PTE_VALID) && ((value & S2_PTE_AF) || is_table_entry(value, level));
}

S2_OWN int window_forgotten(void)
{
	return s2_scenario.tlb ? window.forgotten : 0;
}

S2_OWN void reset_window(void)
{
	window.forgotten = 0;
	memset(window.record, 0, sizeof(window.record));
	memset(window.issued_count, 0, sizeof(window.issued_count));
	window.records = 0;
	for (int i = 0; i < S2_PAGES; i++)
		window.table[i].level = -1;
	for (int i = 0; i < s2_vm.roots; i++)
		window_root(s2_vm.root + (s2_u64)i * S2_PAGE_SIZE, s2_vm.start_level,
			    (s2_u64)i * S2_ENTRIES * granule(s2_vm.start_level));
}

S2_OWN void window_root(s2_u64 page, int level, s2_u64 base)
{
	int number = (int)((page - S2_TABLE_BASE) >> S2_PAGE_SHIFT);

	S2_ASSERT((unsigned)number < S2_PAGES, page);
	window.table[number].level = level;
	window.table[number].base = base;
}

/* ---- what is stale ---- */

/* What `pe` may use of a location besides its current value, newest first; how many. */
static int stale(const struct record *of, int pe, s2_u64 *found)
{
	int low = of->stage2[pe] < of->combined[pe] ? of->stage2[pe] : of->combined[pe], count = 0;

	for (int i = of->count - 2; i >= 0 && i + of->base >= low; i--) {
		s2_u64 value = of->values[i];
		int seen = value == of->values[of->count - 1];

		for (int j = 0; j < count; j++)
			seen |= found[j] == value;
		if (seen || !cacheable(value, of->level))
			continue;
		if (i + of->base >= of->stage2[pe] ||
		    (!is_table_entry(value, of->level) && i + of->base >= of->combined[pe]))
			found[count++] = value;
	}
	return count;
}

static int is_clean(const struct record *of)
{
	s2_u64 found[DEPTH];

	for (int pe = 0; pe < s2_scenario.vcpus; pe++)
		if (stale(of, pe, found))
			return 0;
	return 1;
}

static struct record *record_of(s2_u64 location)
{
	for (int i = 0; i < RECORDS; i++)
		if (window.record[i].used && !window.record[i].orphan &&
		    window.record[i].location == location)
			return &window.record[i];
	return NULL;
}

/* ---- writes ---- */

static void append(struct record *to, s2_u64 value)
{
	if (to->count == DEPTH) {
		window.forgotten++;
		memmove(to->values, to->values + 1, sizeof(to->values[0]) * (DEPTH - 1));
		to->count--;
		to->base++;
	}
	to->values[to->count++] = value;
}

static struct record *new_record(s2_u64 location, int level, s2_u64 ipa, s2_u64 value)
{
	for (int i = 0; i < RECORDS; i++) {
		struct record *made = &window.record[i];

		if (made->used)
			continue;
		memset(made, 0, sizeof(*made));
		made->used = 1;
		made->serial = ++window.serial;
		made->location = location;
		made->level = level;
		made->ipa = ipa;
		made->end = ipa + granule(level);
		append(made, value);
		window.records++;
		return made;
	}
	return NULL;
}

/* The visible value of a linked location changed; `ipa` is the first address that it covers. */
static void note_write(s2_u64 location, int level, s2_u64 ipa, s2_u64 old, s2_u64 value)
{
	struct record *record = window.records ? record_of(location) : NULL;

	if (record && (record->ipa != ipa || record->level != level)) {
		/* The table page was freed and used again elsewhere: what was cached of its old
		 * life still translates the old addresses. */
		append(record, 0);
		record->orphan = 1;
		record = NULL;
	}
	if (!record) {
		if (old == value || !cacheable(old, level))
			return;
		record = new_record(location, level, ipa, old);
		if (!record) {
			window.forgotten++;
			return;
		}
	} else if (record->values[record->count - 1] != old) {
		append(record, old);
	}
	append(record, value);
}

/* A table was unlinked: the valid entries in it and below may stay cached until a TLBI. */
static void note_unlinked(s2_u64 page)
{
	int at = (int)((page - S2_TABLE_BASE) >> S2_PAGE_SHIFT), level;
	const s2_u64 *entry = s2_va(page);

	if (page - S2_TABLE_BASE >= S2_ARENA_SIZE || window.table[at].level < 0)
		return;
	level = window.table[at].level;
	window.table[at].level = -1;
	for (int i = 0; i < S2_ENTRIES; i++) {
		if (!(entry[i] & S2_PTE_VALID))
			continue;
		note_write(page + (s2_u64)i * 8, level,
			   window.table[at].base + (s2_u64)i * granule(level), entry[i], 0);
		if (is_table_entry(entry[i], level))
			note_unlinked(entry[i] & S2_PTE_ADDRESS);
	}
}

/* A table was linked, and with it the tables below. */
static void note_linked(s2_u64 page, int level, s2_u64 base)
{
	const s2_u64 *entry = s2_va(page);

	if (page - S2_TABLE_BASE >= S2_ARENA_SIZE)
		return;
	window.table[(page - S2_TABLE_BASE) >> S2_PAGE_SHIFT].level = level;
	window.table[(page - S2_TABLE_BASE) >> S2_PAGE_SHIFT].base = base;
	for (int i = 0; level < 3 && i < S2_ENTRIES; i++)
		if (is_table_entry(entry[i], level))
			note_linked(entry[i] & S2_PTE_ADDRESS, level + 1,
				    base + (s2_u64)i * granule(level));
}

/* An entry changed for walkers. */
S2_OWN void window_write(s2_u64 location, s2_u64 old, s2_u64 value)
{
	int page = (int)((location - S2_TABLE_BASE) >> S2_PAGE_SHIFT), level;
	s2_u64 ipa;

	S2_ASSERT((unsigned)page < S2_PAGES, location);
	level = window.table[page].level;
	if (level < 0)
		return;
	ipa = window.table[page].base + (location & (S2_PAGE_SIZE - 1)) / 8 * granule(level);
	if (old != value && is_table_entry(old, level))
		note_unlinked(old & S2_PTE_ADDRESS);
	if (is_table_entry(value, level))
		note_linked(value & S2_PTE_ADDRESS, level + 1, ipa);
	note_write(location, level, ipa, old, value);
}

/* ---- invalidation ---- */

/* How far a TLBI by IPA cleans a location that it covers: up to the first value that its level
 * hint, or that it is for leaves alone, lets it leave. */
static int hinted_end(const struct record *of, const struct s2_tlbi *tlbi)
{
	int low = of->stage2[0], end = of->base + of->count - 1, hint = tlbi->level;

	for (int pe = 1; pe < s2_scenario.vcpus; pe++)
		low = of->stage2[pe] < low ? of->stage2[pe] : low;
	for (int i = 0; (hint >= 0 || tlbi->last_level) && i < of->count - 1; i++) {
		s2_u64 value = of->values[i];

		if (i + of->base < low || !cacheable(value, of->level))
			continue;
		if (is_table_entry(value, of->level) ?
			    tlbi->last_level || (hint >= 0 && hint < of->level) :
			    hint >= 0 && hint != of->level)
			return i + of->base;
	}
	return end;
}

S2_OWN void window_tlbi(const struct s2_tlbi *tlbi)
{
	int me = s2_sched.current, operation = tlbi->operation;

	for (int i = 0; window.records && i < RECORDS; i++) {
		struct record *record = &window.record[i];
		struct cleaning *to;
		int end = record->base + record->count - 1;

		if (!record->used || (operation != S2_TLBI_ALLE1 &&
				      record->ipa >> S2_TREE_SHIFT != tlbi->ipa >> S2_TREE_SHIFT))
			continue;
		/* What is not cleaned would be found stale though it can't be. */
		if (window.issued_count[me] == 4 * RECORDS)
			give_up(S2_LIMIT_TLBIS);
		to = &window.issued[me][window.issued_count[me]];
		to->record = record;
		to->serial = record->serial;
		to->broadcast = tlbi->broadcast;
		to->moves_combined = operation != S2_TLBI_IPAS2E1;
		to->stage2 = operation == S2_TLBI_VMALLE1 ? -1 : end;
		for (int pe = 0; pe < S2_MAX_VCPUS; pe++)
			to->combined[pe] = operation == S2_TLBI_VMALLE1 ? record->stage2[pe] : end;
		if (operation == S2_TLBI_IPAS2E1) {
			if (record->ipa >= tlbi->ipa + (tlbi->size ? tlbi->size : 1) ||
			    tlbi->ipa >= record->end)
				continue;
			to->stage2 = hinted_end(record, tlbi);
		}
		window.issued_count[me]++;
	}
}

static void clean(const struct cleaning *by, int pe)
{
	struct record *record = by->record;

	if (record->stage2[pe] < by->stage2)
		record->stage2[pe] = by->stage2;
	if (by->moves_combined && record->combined[pe] < by->combined[pe])
		record->combined[pe] = by->combined[pe];
}

/* A DSB of `kind` completes the thread's TLBIs: ISH all of them, NSH the local ones. */
S2_OWN void window_dsb(int kind)
{
	int me = s2_sched.current, waiting = 0;

	for (int i = 0; i < window.issued_count[me]; i++) {
		struct cleaning *by = &window.issued[me][i];
		struct record *record = by->record;

		if (!record->used || record->serial != by->serial)
			continue;
		if (by->broadcast && kind != S2_DSB_ISH) {
			window.issued[me][waiting++] = *by;
			continue;
		}
		for (int pe = 0; pe < s2_scenario.vcpus; pe++)
			if (by->broadcast || pe == me)
				clean(by, pe);
		if (is_clean(record)) {
			record->used = 0;
			window.records--;
		}
	}
	window.issued_count[me] = waiting;
}

/* ---- what a walk may use ---- */

/* The oldest candidate if the TLB is sticky, else one that is chosen; 0 is the mildest. */
static int pick(int options)
{
	return s2_scenario.tlb == S2_TLB_STICKY ? options - 1 : choose(options);
}

/* What a walk reads at a location: its value, or one that the PE may still hold. */
S2_OWN s2_u64 cached_descriptor(s2_u64 location, s2_u64 value, int *is_hit)
{
	const struct record *record = window.records ? record_of(location) : NULL;
	s2_u64 found[DEPTH + 1];
	int count = 1, chosen, old;

	*is_hit = 0;
	if (!record)
		return value;
	found[0] = value;
	old = stale(record, s2_sched.current, found + 1);
	for (int i = 1; i <= old; i++)
		if (found[i] != value)
			found[count++] = found[i];
	if (count == 1)
		return value;
	chosen = pick(count);
	*is_hit = chosen != 0;
	return found[chosen];
}

/* A leaf that the PE may still hold for `ipa` and uses without a walk, or 0. */
S2_OWN s2_u64 cached_leaf(s2_u64 ipa, int *level)
{
	s2_u64 leaf[CANDIDATES], found[DEPTH];
	int levels[CANDIDATES], count = 0, chosen;

	for (int i = 0; window.records && i < RECORDS; i++) {
		const struct record *record = &window.record[i];
		int old;

		if (!record->used || ipa < record->ipa || ipa >= record->end)
			continue;
		old = stale(record, s2_sched.current, found);
		for (int j = 0; j < old; j++) {
			if (is_table_entry(found[j], record->level))
				continue;
			if (count == CANDIDATES) {
				window.forgotten++;
				break;
			}
			leaf[count] = found[j];
			levels[count++] = record->level;
		}
	}
	if (!count)
		return 0;
	chosen = pick(count + 1);
	*level = chosen ? levels[chosen - 1] : 0;
	return chosen ? leaf[chosen - 1] : 0;
}

/* ---- what a search keeps ---- */

S2_OWN void window_pieces(void (*with)(void *at, size_t size))
{
	with(&window.records, sizeof(window.records));
	with(&window.forgotten, sizeof(window.forgotten));
	with(&window.serial, sizeof(window.serial));
	with(window.issued_count, sizeof(window.issued_count));
	with(window.record, sizeof(window.record));
	for (int i = 0; i < s2_sched.threads; i++)
		with(window.issued[i],
		     sizeof(window.issued[0][0]) * (size_t)window.issued_count[i]);
	with(window.table, sizeof(window.table[0]) * (size_t)s2_memory.next_page);
}

static uint64_t record_key(const struct record *of)
{
	uint64_t key = mix(of->location, of->ipa ^ of->end);

	key = mix(key, (uint64_t)of->orphan << 32 | (uint32_t)of->level);
	/* Values are numbered from the oldest that is kept. */
	for (int i = 0; i < of->count; i++)
		key = mix(key, of->values[i]);
	for (int pe = 0; pe < s2_scenario.vcpus; pe++)
		key = mix(key, (uint64_t)(of->stage2[pe] - of->base) << 32 |
				       (uint32_t)(of->combined[pe] - of->base));
	return key;
}

static uint64_t cleaning_key(const struct cleaning *by)
{
	const struct record *of = by->record;
	uint64_t key = mix(record_key(of),
			   (uint64_t)by->broadcast * 2 + (uint64_t)by->moves_combined);

	key = mix(key, (uint64_t)(by->stage2 - of->base));
	for (int pe = 0; pe < s2_scenario.vcpus; pe++)
		key = mix(key, (uint64_t)(by->combined[pe] - of->base));
	return key;
}

S2_OWN uint64_t window_key(void)
{
	uint64_t sum = 0;

	for (int i = 0; i < RECORDS; i++)
		if (window.record[i].used)
			sum += record_key(&window.record[i]);
	for (int t = 0; t < s2_sched.threads; t++)
		for (int i = 0; i < window.issued_count[t]; i++) {
			const struct cleaning *by = &window.issued[t][i];

			if (by->record->used && by->record->serial == by->serial)
				sum += mix((uint64_t)t + 7, cleaning_key(by));
		}
	for (int i = 0; i < s2_memory.next_page; i++)
		if (window.table[i].level >= 0)
			sum += mix((uint64_t)i << 8 | (uint64_t)window.table[i].level,
				   window.table[i].base);
	return sum;
}

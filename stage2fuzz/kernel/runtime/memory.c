/* Table memory: entries, table pages with reference counts, barriers, read-side sections. */
#include <string.h>
#include "machine.h"

char s2_arena[S2_ARENA_SIZE + S2_USER_PAGES * 4096UL] __attribute__((aligned(1 << 21)));
struct s2_page s2_page_table[S2_PAGES + S2_USER_PAGES];
const s2_s64 *s2_watched_sequence;

void s2_memory_reset(void)
{
	for (int i = 0; i < s2.next_page; i++)
		s2_page_table[i].live = s2_page_table[i].count = 0;
	s2.next_page = s2.free_count = s2.deferred_count = 0;
	s2.plain_entry = NULL;
}

/* What virt/kvm fills a cache to, whatever its caller needs at least. */
#define CACHE_CAPACITY 40

/* ---- entries ---- */

/* Empty entries that a walk over a whole slot passes are no step: under the lock nobody could
 * change them, and there would be hundreds. */
static inline int passed_over(const volatile void *entry)
{
	return s2.silent || (s2.thread[s2.current].sparse && !*(const volatile s2_u64 *)entry);
}

s2_u64 s2_entry_load(const volatile void *entry)
{
	s2_u64 value;

	if (passed_over(entry))
		return *(const volatile s2_u64 *)entry;
	s2_point(S2_LOAD, (int64_t)s2_pa(entry));
	value = *(const volatile s2_u64 *)entry;
	s2_record(S2_LOAD, (int64_t)s2_pa(entry), 0, (int64_t)value, 0);
	return value;
}

void s2_entry_store(volatile void *entry, s2_u64 value, int order)
{
	volatile s2_u64 *at = entry;
	s2_u64 old;

	if (s2.silent) {
		*at = value;
		return;
	}
	s2_point(S2_STORE, (int64_t)s2_pa(entry));
	old = *at;
	*at = value;
	s2_record(S2_STORE, (int64_t)s2_pa(entry), (int64_t)old, (int64_t)value, order);
}

s2_u64 s2_entry_cmpxchg(volatile void *entry, s2_u64 expected, s2_u64 value)
{
	volatile s2_u64 *at = entry;
	int64_t where = (int64_t)s2_pa(entry);
	s2_u64 old;

	if (!s2.silent)
		s2_point(S2_STORE, where);
	old = *at;
	if (old != expected) {
		s2_record(S2_CAS_FAIL, where, (int64_t)old, (int64_t)value, 0);
		return old;
	}
	*at = value;
	s2_record(S2_STORE, where, (int64_t)old, (int64_t)value, S2_ORDER_CAS);
	return old;
}

/* The compiler announces plain accesses before they happen; nobody else runs in between. */
static void plain_load(const void *address)
{
	if (s2.silent || s2.current < 0 || passed_over(address))
		return;
	s2_point(S2_LOAD, (int64_t)s2_pa(address));
	s2.plain_loads++;
	s2_record(S2_LOAD, (int64_t)s2_pa(address), 0, (int64_t)*(const s2_u64 *)address, 0);
}

static void plain_store(void *address)
{
	if (s2.silent || s2.current < 0)
		return;
	s2_point(S2_STORE, (int64_t)s2_pa(address));
	s2.plain_old = *(s2_u64 *)address;
	s2.plain_entry = address;
}

void s2_record_plain(void)
{
	volatile s2_u64 *entry = s2.plain_entry;

	s2.plain_entry = NULL;
	s2_record(S2_STORE, (int64_t)s2_pa(entry), (int64_t)s2.plain_old, (int64_t)*entry,
		  S2_ORDER_PLAIN);
}

static void sequence_read(void)
{
	if (s2.silent || s2.current < 0)
		return;
	s2_point(S2_SEQ_READ, 0);
	s2_record(S2_SEQ_READ, 0, 0, *s2_watched_sequence, 0);
}

static inline void seen_load(const void *address)
{
	if (__builtin_expect(s2_is_entry(address), 0))
		plain_load(address);
	else if (__builtin_expect(address == (const void *)s2_watched_sequence, 0))
		sequence_read();
}

/* Both spellings of compiler instrumentation: clang's trace-loads, and -fsanitize=thread. */
void __sanitizer_cov_load8(uint64_t *address) { seen_load(address); }
void __sanitizer_cov_store8(uint64_t *address)
{
	if (s2_is_entry(address))
		plain_store(address);
}
void __sanitizer_cov_load1(uint8_t *address) { (void)address; }
void __sanitizer_cov_load2(uint16_t *address) { (void)address; }
void __sanitizer_cov_load4(uint32_t *address) { (void)address; }
void __sanitizer_cov_load16(void *address) { (void)address; }
void __sanitizer_cov_store1(uint8_t *address) { (void)address; }
void __sanitizer_cov_store2(uint16_t *address) { (void)address; }
void __sanitizer_cov_store4(uint32_t *address) { (void)address; }
void __sanitizer_cov_store16(void *address) { (void)address; }
void __tsan_read8(void *address) { seen_load(address); }
void __tsan_write8(void *address) { __sanitizer_cov_store8(address); }
void __tsan_volatile_read8(void *address) { seen_load(address); }
void __tsan_volatile_write8(void *address) { __sanitizer_cov_store8(address); }
void __tsan_read_write8(void *address)
{
	seen_load(address);
	__sanitizer_cov_store8(address);
}
#define NOTHING(name) void __tsan_##name(void *address) { (void)address; }
NOTHING(read1) NOTHING(read2) NOTHING(read4) NOTHING(read16)
NOTHING(write1) NOTHING(write2) NOTHING(write4) NOTHING(write16)
NOTHING(volatile_read1) NOTHING(volatile_read2) NOTHING(volatile_read4) NOTHING(volatile_read16)
NOTHING(volatile_write1) NOTHING(volatile_write2) NOTHING(volatile_write4)
NOTHING(volatile_write16) NOTHING(func_entry)
NOTHING(unaligned_read8) NOTHING(unaligned_write8)
void __tsan_func_exit(void) {}
void __tsan_init(void) {}
void __tsan_read_range(void *address, unsigned long size) { (void)address; (void)size; }
void __tsan_write_range(void *address, unsigned long size) { (void)address; (void)size; }

void s2_barrier(int kind)
{
	if (s2.silent)
		return;
	if (kind == S2_DSB_ISH || kind == S2_DSB_NSH) {
		s2_dsb_ish();
		return;
	}
	s2_point(S2_DSB, 0);
	s2_record(S2_DSB, 0, 0, 0, kind);
}

void s2_isb(void)
{
	s2_record(S2_ISB, 0, 0, 0, 0);
}

/* ---- table pages ---- */

static inline int page_index(const struct s2_page *page)
{
	return (int)(page - s2_page_table);
}

static inline int64_t page_address(const struct s2_page *page)
{
	return (int64_t)(S2_TABLE_BASE + (s2_u64)page_index(page) * 4096);
}

/* Roots, the VMM's own tables and guest pages are not counted for the oracles. */
static inline int is_counted(const struct s2_page *page)
{
	return page >= s2_page_table + s2.roots && page < s2_page_table + S2_PAGES;
}

void *s2_page_alloc(int count, int from_system)
{
	int index;
	char *memory;

	if (count == 1 && s2.free_count)
		index = s2.free_pages[--s2.free_count];
	else if (s2.next_page + count <= S2_PAGES)
		index = s2.next_page, s2.next_page += count;
	else
		return NULL;
	memory = s2_arena + (s2_u64)index * 4096;
	if (!s2.silent) {
		int64_t where = page_address(&s2_page_table[index]);

		s2_point(S2_ALLOC, where);
		s2_record(S2_ALLOC, where, 0, 0, from_system);
		s2_page_table[index].live = s2_page_table[index].count = 1;
		s2_point(S2_ZERO, where);
		memset(memory, 0, 4096);
		s2_record(S2_ZERO, where, 0, 0, 0);
		return memory;
	}
	for (int i = 0; i < count; i++)
		s2_page_table[index + i].live = s2_page_table[index + i].count = 1;
	memset(memory, 0, 4096UL * (unsigned long)count);
	return memory;
}

void s2_page_get(struct s2_page *page)
{
	if (s2.silent || !is_counted(page))
		return;
	s2_point(S2_GET, page_address(page));
	page->count++;
	s2_record(S2_GET, page_address(page), 0, page->count, 0);
	if (!page->live)
		s2_warn(S2_WARN_REFCOUNT);
}

void s2_page_free(struct s2_page *page)
{
	if (s2.silent || !is_counted(page))
		return;
	s2_point(S2_FREE, page_address(page));
	if (page->live) {
		page->live = page->count = 0;
		s2.free_pages[s2.free_count++] = page_index(page);
	}
	s2_record(S2_FREE, page_address(page), 0, 0, 0);
}

void s2_page_put(struct s2_page *page)
{
	if (s2.silent || !is_counted(page))
		return;
	s2_point(S2_PUT, page_address(page));
	page->count--;
	s2_record(S2_PUT, page_address(page), 0, page->count, 0);
	if (!page->live)
		s2_warn(S2_WARN_REFCOUNT);
	else if (!page->count)
		s2_page_free(page);
}

int s2_page_count(struct s2_page *page)
{
	return page->count;
}

int s2_topup(int *cached, int wanted)
{
	int failed;

	if (*cached >= wanted)
		return 0;
	s2.topups++;
	s2_point(S2_TOPUP, 0);
	failed = s2.topups == s2.scenario.failing_topup;
	s2_record(S2_TOPUP, 0, wanted, failed ? -S2_ENOMEM : 0, 0);
	if (failed)
		return -S2_ENOMEM;
	*cached = s2.scenario.cache_pages ? s2.scenario.cache_pages : CACHE_CAPACITY;
	return 0;
}

void *s2_cache_alloc(int *cached)
{
	if (!*cached)
		return NULL;
	--*cached;
	return s2_page_alloc(1, 0);
}

/* Small allocations of the kernel's own structs; given back as a whole with the run. */
static char scratch[65536] __attribute__((aligned(64)));
static unsigned long scratch_used;

void *s2_scratch(unsigned long size)
{
	void *memory;

	if (!size)
		scratch_used = 0;
	size = (size + 63) & ~63UL;
	if (scratch_used + size > sizeof(scratch))
		return NULL;
	memory = scratch + scratch_used;
	scratch_used += size;
	memset(memory, 0, size);
	return memory;
}

/* ---- RCU: a deferred free runs as soon as no reader that was there before is left ---- */

void s2_rcu_lock(void)
{
	if (s2.silent)
		return;
	s2_record(S2_RCU_LOCK, 0, 0, 0, 0);
	s2.thread[s2.current].rcu_depth++;
}

static void run_deferred(void)
{
	for (int i = 0; i < s2.deferred_count; i++) {
		void *head = s2.deferred[i];
		void (*callback)(void *) = s2.deferred_callback[i];

		if (s2.deferred_readers[i])
			continue;
		s2.deferred_count--;
		for (int j = i; j < s2.deferred_count; j++) {
			s2.deferred[j] = s2.deferred[j + 1];
			s2.deferred_callback[j] = s2.deferred_callback[j + 1];
			s2.deferred_readers[j] = s2.deferred_readers[j + 1];
		}
		i = -1;
		callback(head);
	}
}

void s2_rcu_unlock(void)
{
	if (s2.silent)
		return;
	s2_record(S2_RCU_UNLOCK, 0, 0, 0, 0);
	if (--s2.thread[s2.current].rcu_depth || !s2.deferred_count)
		return;
	for (int i = 0; i < s2.deferred_count; i++)
		s2.deferred_readers[i] &= ~(1u << s2.current);
	run_deferred();
}

void s2_defer(void *head, void (*callback)(void *))
{
	const struct s2_page *page = (const struct s2_page *)
		((char *)head - offsetof(struct s2_page, rcu_next));
	uint32_t readers = 0;

	if (s2.deferred_count == 64)
		s2_give_up(S2_LIMIT_STEPS);
	for (int i = 0; i < s2.threads; i++)
		readers |= (uint32_t)(s2.thread[i].rcu_depth > 0) << i;
	s2_record(S2_FREE_DEFERRED, page_address(page), 0, 0, 0);
	s2.deferred[s2.deferred_count] = head;
	s2.deferred_callback[s2.deferred_count] = callback;
	s2.deferred_readers[s2.deferred_count++] = readers;
	if (!readers)
		run_deferred();
}

/* Shared accesses of entries: by macro, and plain ones that the compiler announces. */
#include <string.h>
#include "pages.h"
#include "record.h"
#include "scenario.h"
#include "step.h"
#include "storebuffer.h"
#include "tables.h"
#include "regime.h"
#include "tlb.h"
#include "vncr.h"
#include "window.h"
#include "words.h"

/* Empty entries that a walk over a whole slot passes are no step: under the lock nobody could
 * change them, and there would be hundreds. */
static inline int passed_over(const volatile void *entry)
{
	return s2_sched.silent || (running_thread()->sparse && !*(const volatile s2_u64 *)entry);
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

static void note_store(volatile s2_u64 *entry, s2_u64 old, s2_u64 value, int order)
{
	note_word(entry, old);
	if (s2_scenario.pending_stores && order != S2_ORDER_CAS && !s2_sched.silent) {
		buffer_store(entry, old, value, order);
		order |= S2_PENDING;
	} else if (s2_scenario.tlb && !s2_sched.silent) {
		window_write(s2_pa(entry), old, value);
	}
	s2_record(S2_STORE, (int64_t)s2_pa(entry), (int64_t)old, (int64_t)value, order);
}

void s2_entry_store(volatile void *entry, s2_u64 value, int order)
{
	volatile s2_u64 *at = entry;
	s2_u64 old;

	if (s2_sched.silent) {
		*at = value;
		return;
	}
	s2_point(S2_STORE, (int64_t)s2_pa(entry));
	old = *at;
	*at = value;
	note_store(at, old, value, order);
}

/* What reads and writes an entry in one instruction does so after all that the CPU stored. */
static void settle_stores(void)
{
	if (s2_scenario.pending_stores && !s2_sched.silent)
		empty_storebuffer();
}

s2_u64 s2_entry_cmpxchg(volatile void *entry, s2_u64 expected, s2_u64 value)
{
	volatile s2_u64 *at = entry;
	int64_t where = (int64_t)s2_pa(entry);
	s2_u64 old;

	if (!s2_sched.silent)
		s2_point(S2_STORE, where);
	settle_stores();
	old = *at;
	if (old != expected) {
		s2_record(S2_CAS_FAIL, where, (int64_t)old, (int64_t)value, 0);
		return old;
	}
	*at = value;
	note_store(at, old, value, S2_ORDER_CAS);
	return old;
}

/* One step: nobody comes between what it reads and what it writes. */
s2_u64 s2_entry_xchg(volatile void *entry, s2_u64 value)
{
	volatile s2_u64 *at = entry;
	s2_u64 old;

	if (!s2_sched.silent)
		s2_point(S2_STORE, (int64_t)s2_pa(entry));
	settle_stores();
	old = *at;
	*at = value;
	note_store(at, old, value, S2_ORDER_CAS);
	return old;
}

/* The compiler announces plain accesses before they happen; nobody else runs in between. */
static void plain_load(const void *address)
{
	if (s2_sched.current < 0 || passed_over(address))
		return;
	s2_point(S2_LOAD, (int64_t)s2_pa(address));
	s2_log.plain_loads++;
	s2_record(S2_LOAD, (int64_t)s2_pa(address), 0, (int64_t)*(const s2_u64 *)address, 0);
}

static void plain_store(void *address)
{
	if (s2_sched.silent || s2_sched.current < 0)
		return;
	s2_point(S2_STORE, (int64_t)s2_pa(address));
	if (s2_sites.on)
		note_stack(s2_sites.plain);
	s2_log.plain_old = *(s2_u64 *)address;
	s2_log.plain_entry = address;
}

S2_OWN void record_plain(void)
{
	volatile s2_u64 *entry = s2_log.plain_entry;
	int event = s2_log.events_count;

	s2_log.plain_entry = NULL;
	note_store(entry, s2_log.plain_old, *entry, S2_ORDER_PLAIN);
	if (s2_sites.on && event < s2_log.events_count)
		memcpy(s2_sites.stack[event], s2_sites.plain, sizeof(s2_sites.plain));
}

static void sequence_read(void)
{
	if (s2_sched.silent || s2_sched.current < 0)
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
void __sanitizer_cov_load1(uint8_t *address) { note_vncr_byte(address, 0); }
void __sanitizer_cov_load2(uint16_t *address) { (void)address; }
void __sanitizer_cov_load4(uint32_t *address) { (void)address; }
void __sanitizer_cov_load16(void *address) { (void)address; }
void __sanitizer_cov_store1(uint8_t *address) { note_vncr_byte(address, 1); }
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
void __tsan_read1(void *address) { note_vncr_byte(address, 0); }
void __tsan_write1(void *address) { note_vncr_byte(address, 1); }
NOTHING(read2) NOTHING(read4) NOTHING(read16)
NOTHING(write2) NOTHING(write4) NOTHING(write16)
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
	if (s2_sched.silent) {
		s2_memory.zeros_late = 0;
		return;
	}
	if (kind == S2_DSB_ISH || kind == S2_DSB_NSH) {
		complete_tlbis(kind);
		return;
	}
	s2_point(S2_DSB, 0);
	if (s2_scenario.pending_stores && kind == S2_DMB_ISHST)
		order_stores();
	else
		settle_stores();
	s2_record(S2_DSB, 0, 0, 0, kind);
}

void s2_isb(void)
{
	s2_record(S2_ISB, 0, 0, 0, 0);
	synchronise_context();
}

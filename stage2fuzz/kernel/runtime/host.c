/* The machine around the kernel code: slots, host pages, dirty log, notifiers, vCPU threads.
 *
 * This is our model of virt/kvm and of the VMM, the same as stage2fuzz/engine/host.py and the parts
 * of abort.py that virt/kvm provides; every report lists it as "modelled, not yours".
 */
#include <string.h>
#include "machine.h"

#define PAGE 4096ULL
#define MAX_CHANGED 4
#define HYP_VMID -1
#define HYP_BITS 39
#define USER_BASE 0x7f0000000000ULL

enum { RW, R_ONLY, ABSENT, POISON, LAZY };
enum { BACKING_PAGE, BACKING_PMD, BACKING_PUD, BACKING_DEVICE };

struct s2_glue_options s2_options;

static s2_u64 ipa_of(int64_t page)
{
	return S2_IPA_BASE + (s2_u64)page * PAGE;
}

static s2_u64 backing_size(int backing)
{
	return backing == BACKING_PMD ? PAGE << 9 : backing == BACKING_PUD ? PAGE << 18 : PAGE;
}

static s2_u64 home(int slot, s2_u64 unit)
{
	return S2_HOST_BASE + (unit - S2_IPA_BASE) + (s2.slot[slot].skewed ? PAGE : 0);
}

static s2_u64 unit_of(const struct s2_slot *slot, s2_u64 ipa)
{
	s2_u64 size = backing_size(slot->backing);

	return slot->first + (ipa - slot->first) / size * size;
}

static int number_of(const struct s2_slot *slot)
{
	return (int)(slot - s2.slot);
}

struct s2_slot *s2_slot_of(s2_u64 ipa)
{
	for (int i = 0; i < s2.scenario.slots; i++)
		if (s2.slot[i].exists && ipa >= s2.slot[i].first && ipa < s2.slot[i].end)
			return &s2.slot[i];
	return NULL;
}

/* The slot that holds `ipa`, deleted or not: a fault may still be under way in it. */
static struct s2_slot *any_slot_of(s2_u64 ipa)
{
	for (int i = 0; i < s2.scenario.slots; i++)
		if (ipa >= s2.slot[i].first && ipa < s2.slot[i].end)
			return &s2.slot[i];
	return NULL;
}

static struct s2_host_page *host_page(const struct s2_slot *slot, s2_u64 ipa)
{
	s2_u64 unit = unit_of(slot, ipa);
	struct s2_host_page *page;

	for (int i = 0; i < s2.host_pages; i++)
		if (s2.host_page[i].unit == unit)
			return &s2.host_page[i];
	if (s2.host_pages == 64)
		s2_give_up(S2_LIMIT_STEPS);
	page = &s2.host_page[s2.host_pages++];
	page->unit = unit;
	page->address = home(number_of(slot), unit);
	page->host = RW;
	page->slot = number_of(slot);
	return page;
}

static int host_flags(const struct s2_slot *slot, int host)
{
	static const int flags[] = { S2_HOST_READ | S2_HOST_WRITE, S2_HOST_READ, S2_HOST_ABSENT,
				     S2_HOST_POISON, S2_HOST_READ };

	return flags[host] | (slot->backing == BACKING_DEVICE ? S2_HOST_DEVICE : 0);
}

static void announce(const struct s2_slot *slot, const struct s2_host_page *page)
{
	s2_record(S2_BACKING, (int64_t)page->unit, (int64_t)backing_size(slot->backing),
		  (int64_t)page->address, host_flags(slot, page->host));
}

/* ---- what a fault handler asks of virt/kvm ---- */

int s2_retry(s2_u64 sampled)
{
	int retry = s2.invalidations || (s2_u64)s2.sequence != sampled;

	s2_record(S2_RETRY, 0, (int64_t)sampled, retry, 0);
	return retry;
}

int s2_host_absent(s2_u64 ipa)
{
	struct s2_slot *slot = any_slot_of(ipa);

	return !slot || host_page(slot, ipa)->host == ABSENT;
}

int s2_pin(s2_u64 ipa, int write, s2_u64 *address, int *writable)
{
	struct s2_slot *slot = any_slot_of(ipa);
	struct s2_thread *me = &s2.thread[s2.current];
	struct s2_host_page *page;
	int flags;

	s2_point(S2_PIN, (int64_t)ipa);
	page = host_page(slot, ipa);
	if (page->host == ABSENT || (write && page->host == R_ONLY))
		return -S2_EFAULT;
	if (write && page->host == LAZY) {
		page->host = RW;
		announce(slot, page);
	}
	flags = host_flags(slot, page->host);
	*address = page->address + (ipa - page->unit);
	*writable = !!(flags & S2_HOST_WRITE) && !(slot->flags & S2_SLOT_READONLY);
	me->pinned = me->pins_host_page = !(flags & (S2_HOST_DEVICE | S2_HOST_POISON));
	me->pinned_ipa = ipa;
	me->pinned_address = *address;
	s2_record(S2_PIN, (int64_t)ipa, write ? S2_HOST_WRITE : 0, (int64_t)*address, flags);
	s2_point(S2_PIN, (int64_t)ipa);
	return flags & S2_HOST_POISON;
}

/* A huge page adjustment drops the reference of the tail and takes one of the head page: what
 * counts is what is left when the fault is over. */
void s2_pin_again(void)
{
	s2.thread[s2.current].pinned++;
}

void s2_unpin(void)
{
	struct s2_thread *me = &s2.thread[s2.current];

	if (!me->pins_host_page)
		return;
	me->pinned--;
}

/* One UNPIN for each reference that the fault gave back, at its end. */
static void settle_pins(struct s2_thread *me)
{
	if (!me->pins_host_page)
		return;
	for (me->pins_host_page = 0; me->pinned < 1; me->pinned++) {
		s2_point(S2_UNPIN, (int64_t)me->pinned_ipa);
		s2_record(S2_UNPIN, (int64_t)me->pinned_ipa, 0, (int64_t)me->pinned_address, 0);
	}
}

void s2_pfn_dirty(void)
{
	struct s2_thread *me = &s2.thread[s2.current];

	s2_record(S2_PFN_DIRTY, (int64_t)me->pinned_ipa, 0, (int64_t)me->pinned_address, 0);
}

void s2_mark_dirty(int number, s2_u64 ipa)
{
	struct s2_slot *slot = &s2.slot[number];
	int at = 0;

	s2_point(S2_MARK_DIRTY, (int64_t)ipa);
	while (at < slot->dirty_count && slot->dirty[at] != ipa)
		at++;
	if (at == slot->dirty_count && at < 64)
		slot->dirty[slot->dirty_count++] = ipa;
	s2_record(S2_MARK_DIRTY, (int64_t)ipa, 0, 0, 0);
}

/* What backs a host address, whichever generation of the page it is. */
static int backing_of(s2_u64 address)
{
	s2_u64 slot = (address - S2_HOST_BASE) % S2_GENERATION_STRIDE / (S2_SLOT_STRIDE * PAGE);

	return slot < (s2_u64)s2.scenario.slots ? s2.slot[slot].backing : BACKING_PAGE;
}

int s2_is_device(s2_u64 address)
{
	return backing_of(address) == BACKING_DEVICE;
}

int s2_is_huge(s2_u64 address)
{
	return backing_of(address) == BACKING_PMD;
}

void s2_signal(void)
{
	s2.thread[s2.current].signalled = 1;
}

void s2_inject(int code)
{
	s2.thread[s2.current].injected = code;
}

s2_u64 s2_fault_granule(void)
{
	return s2.thread[s2.current].fault_granule;
}

/* ---- calls and complaints ---- */

static int is_sparse(int call)
{
	return call == S2_CALL_UNMAP || call == S2_CALL_WRPROTECT || call == S2_CALL_DESTROY ||
	       call == S2_CALL_SPLIT;
}

void s2_call(int call, s2_u64 first, s2_u64 size, s2_u64 argument, int rights)
{
	if (s2.silent)
		return;
	s2.thread[s2.current].sparse = is_sparse(call);
	s2.thread[s2.current].call = call;
	s2_record(S2_CALL, (int64_t)first, (int64_t)size, (int64_t)argument, call | rights << 8);
}

void s2_return(int call, s2_u64 first, s2_u64 size, s2_s64 result)
{
	if (s2.silent)
		return;
	s2.thread[s2.current].sparse = s2.thread[s2.current].call = 0;
	s2_record(S2_RETURN, (int64_t)first, (int64_t)size, result, call);
}

/* Hyp stage 1 refuses a remap with a warning, and means it. */
void s2_warn(int code)
{
	if (code == S2_WARN_OTHER && s2.thread[s2.current].call == S2_CALL_HYP_MAP)
		code = S2_WARN_HYP_REMAP;
	s2_record(S2_WARN, 0, 0, 0, code);
}

/* ---- the host's operations ---- */

static void publish_slot(const struct s2_slot *slot)
{
	struct s2_glue_slot what = { slot->first, slot->end - slot->first,
				     USER_BASE - USER_BASE % (PAGE << 18) + (slot->first - S2_IPA_BASE) +
				     (slot->skewed ? PAGE : 0),
				     slot->flags, slot->backing, slot->skewed, slot->exists };

	s2_glue_publish(number_of(slot), &what);
}

/* A new memslot array, then waiting until no fault handler uses the old one. */
static void publish(struct s2_slot *slot, int flags, int exists)
{
	s2_point(S2_SLOT, number_of(slot));
	slot->flags = flags;
	slot->exists = exists;
	publish_slot(slot);
	s2_record(S2_SLOT, (int64_t)slot->first, exists ? (int64_t)(slot->end - slot->first) : 0,
		  flags, number_of(slot));
	s2_wait_for(S2_FOR_READERS, ++s2.slots_epoch, S2_SLOT, number_of(slot));
}

/* kvm_arch_prepare_memory_region refuses to log device memory. */
static int log_enable(struct s2_slot *slot)
{
	if (slot->backing == BACKING_DEVICE)
		return -S2_EINVAL;
	s2_lock(S2_LOCK_SLOTS, 0);
	if (slot->exists && !(slot->flags & S2_SLOT_LOGGING)) {
		slot->dirty_count = 0;
		publish(slot, slot->flags | S2_SLOT_LOGGING, 1);
		s2_glue_commit_logging(number_of(slot));
	}
	s2_unlock(S2_LOCK_SLOTS, 0);
	return 0;
}

static int log_disable(struct s2_slot *slot)
{
	s2_lock(S2_LOCK_SLOTS, 0);
	if (slot->exists && slot->flags & S2_SLOT_LOGGING) {
		publish(slot, slot->flags & ~S2_SLOT_LOGGING, 1);
		s2_glue_logging_off(number_of(slot));
	}
	s2_unlock(S2_LOCK_SLOTS, 0);
	return 0;
}

static void clear_bit(struct s2_slot *slot, s2_u64 ipa)
{
	int at = 0;

	while (slot->dirty[at] != ipa)
		at++;
	s2_point(S2_CLEAR_DIRTY, (int64_t)ipa);
	slot->dirty[at] = slot->dirty[--slot->dirty_count];
	s2_record(S2_CLEAR_DIRTY, (int64_t)ipa, 0, 0, 0);
}

/* Clear bits and write-protect what they covered under the lock; unlock, flush, report. */
static int harvest(struct s2_slot *slot, s2_u64 first, s2_u64 size, int by_clear)
{
	s2_u64 taken[64];
	int count = 0;

	s2_lock(S2_LOCK_SLOTS, 0);
	if (!slot->exists || !(slot->flags & S2_SLOT_LOGGING)) {
		s2_unlock(S2_LOCK_SLOTS, 0);
		return -S2_ENOENT;
	}
	s2_lock(S2_LOCK_MMU, 0);
	for (int i = 0; i < slot->dirty_count; i++) {
		int at = count;

		if (slot->dirty[i] < first || slot->dirty[i] >= first + size)
			continue;
		for (; at > 0 && taken[at - 1] > slot->dirty[i]; at--)
			taken[at] = taken[at - 1];
		taken[at] = slot->dirty[i];
		count++;
	}
	for (int i = 0; i < count; i++)
		clear_bit(slot, taken[i]);
	for (int i = 0; i < count;) {
		s2_u64 word = (taken[i] - slot->first) / (64 * PAGE);
		unsigned long mask = 0;

		for (; i < count && (taken[i] - slot->first) / (64 * PAGE) == word; i++)
			mask |= 1UL << ((taken[i] - slot->first) / PAGE % 64);
		s2_glue_protect_masked(number_of(slot), word * 64, mask);
	}
	s2_unlock(S2_LOCK_MMU, 0);
	if (count)
		s2_glue_flush_all(number_of(slot));
	for (int i = 0; i < count; i++)
		s2_record(S2_REPORT, (int64_t)taken[i], 0, 0, by_clear);
	s2_unlock(S2_LOCK_SLOTS, 0);
	return 0;
}

static void publish_sequence(void)
{
	s2_glue_sequence(s2.sequence, s2.invalidations);
}

static void invalidate_start(struct s2_slot *slot, s2_u64 first, s2_u64 size)
{
	s2_record(S2_CALL, (int64_t)first, (int64_t)size, 0, S2_CALL_INVALIDATE_START);
	s2_lock(S2_LOCK_MMU, 0);
	s2.invalidations++;
	publish_sequence();
	s2_record(S2_INVALIDATE_BEGIN, (int64_t)first, (int64_t)size, s2.invalidations, 0);
	s2_glue_invalidate(number_of(slot), first, size);
	s2_unlock(S2_LOCK_MMU, 0);
	s2_record(S2_RETURN, (int64_t)first, (int64_t)size, 0, S2_CALL_INVALIDATE_START);
}

static void invalidate_end(s2_u64 first, s2_u64 size)
{
	s2_record(S2_CALL, (int64_t)first, (int64_t)size, 0, S2_CALL_INVALIDATE_FINISH);
	s2_lock(S2_LOCK_MMU, 0);
	s2.sequence++;
	s2.invalidations--;
	publish_sequence();
	s2_record(S2_INVALIDATE_END, (int64_t)first, (int64_t)size, s2.sequence, 0);
	s2_unlock(S2_LOCK_MMU, 0);
	s2_record(S2_RETURN, (int64_t)first, (int64_t)size, 0, S2_CALL_INVALIDATE_FINISH);
}

static void relocate(struct s2_slot *slot, s2_u64 unit, int host)
{
	struct s2_host_page *page = host_page(slot, unit);

	s2.generation++;
	page->address = home(number_of(slot), unit) +
			(s2_u64)s2.generation * S2_GENERATION_STRIDE;
	if (host >= 0)
		page->host = host;
	announce(slot, page);
}

/* The host mappings that the range touches: the first of them, their size, the length. */
static s2_u64 host_range(struct s2_slot *slot, s2_u64 first, s2_u64 size, s2_u64 *step,
			 s2_u64 *length)
{
	s2_u64 start = unit_of(slot, first);

	*step = backing_size(slot->backing);
	*length = (first + size - start + *step - 1) / *step * *step;
	return start;
}

static int move(struct s2_slot *slot, s2_u64 first, s2_u64 size)
{
	s2_u64 step, length, start = host_range(slot, first, size, &step, &length);

	invalidate_start(slot, start, length);
	for (s2_u64 i = 0; i < MAX_CHANGED && i * step < length; i++) {
		s2_point(S2_BACKING, (int64_t)(start + i * step));
		relocate(slot, start + i * step, -1);
	}
	invalidate_end(start, length);
	return 0;
}

static void change_host(struct s2_slot *slot, s2_u64 unit, int host)
{
	struct s2_host_page *page = host_page(slot, unit);

	s2_point(S2_BACKING, (int64_t)unit);
	page->host = host;
	announce(slot, page);
}

static int protect(struct s2_slot *slot, s2_u64 first, s2_u64 size)
{
	s2_u64 step, length, start = host_range(slot, first, size, &step, &length);

	s2_lock(S2_LOCK_MMAP, 0);
	invalidate_start(slot, start, length);
	for (s2_u64 i = 0; i < MAX_CHANGED && i * step < length; i++) {
		int host = host_page(slot, start + i * step)->host;

		if (host == RW || host == LAZY)
			change_host(slot, start + i * step, R_ONLY);
	}
	invalidate_end(start, length);
	s2_unlock(S2_LOCK_MMAP, 0);
	return 0;
}

static int unprotect(struct s2_slot *slot, s2_u64 first, s2_u64 size)
{
	s2_u64 step, length, start = host_range(slot, first, size, &step, &length);

	s2_lock(S2_LOCK_MMAP, 0);
	for (s2_u64 i = 0; i < MAX_CHANGED && i * step < length; i++)
		if (host_page(slot, start + i * step)->host == R_ONLY)
			change_host(slot, start + i * step, RW);
	s2_unlock(S2_LOCK_MMAP, 0);
	return 0;
}

static int change_pte(struct s2_slot *slot, s2_u64 first)
{
	s2_u64 unit = unit_of(slot, first), address;

	if (slot->backing != BACKING_PAGE)
		return 0;
	invalidate_start(slot, unit, PAGE);
	s2_point(S2_BACKING, (int64_t)unit);
	relocate(slot, unit, LAZY);
	address = host_page(slot, unit)->address;
	s2_record(S2_CALL, (int64_t)unit, (int64_t)PAGE, (int64_t)address, S2_CALL_CHANGE_PTE);
	s2_lock(S2_LOCK_MMU, 0);
	s2.sequence++;
	publish_sequence();
	if (slot->exists)
		s2_glue_change_pte(number_of(slot), unit, address);
	s2_unlock(S2_LOCK_MMU, 0);
	s2_record(S2_RETURN, (int64_t)unit, (int64_t)PAGE, 0, S2_CALL_CHANGE_PTE);
	invalidate_end(unit, PAGE);
	return 0;
}

/* The core ages one host mapping a call; a longer range is a few such calls. */
static int age(struct s2_slot *slot, s2_u64 first, s2_u64 size)
{
	int young = 0;

	s2_lock(S2_LOCK_MMU, 0);
	if (size == PAGE << 9 || size == PAGE << 18)
		young = s2_glue_age(number_of(slot), first, size);
	else
		for (s2_u64 i = 0; i < MAX_CHANGED && i * PAGE < size; i++)
			young |= s2_glue_age(number_of(slot), first + i * PAGE, PAGE);
	s2_unlock(S2_LOCK_MMU, 0);
	return young;
}

static int test_young(struct s2_slot *slot, s2_u64 first)
{
	int young;

	s2_lock(S2_LOCK_MMU, 0);
	young = s2_glue_test_young(number_of(slot), first);
	s2_unlock(S2_LOCK_MMU, 0);
	return young;
}

static int slot_delete(struct s2_slot *slot)
{
	s2_lock(S2_LOCK_SLOTS, 0);
	if (slot->exists) {
		publish(slot, slot->flags, 0);
		s2_glue_flush_slot(number_of(slot));
	}
	s2_unlock(S2_LOCK_SLOTS, 0);
	return 0;
}

/* The VM dies when nobody uses it any more: vCPUs have ended, no other operation is under way. */
static int teardown(void)
{
	s2.thread[s2.current].busy = 0;
	s2_wait_for(S2_FOR_SILENCE, 0, S2_THREAD_END, 0);
	s2.mapped = 0;
	s2_glue_teardown();
	return 0;
}

static int hyp_map(s2_u64 first)
{
	int result;

	s2_lock(S2_LOCK_HYP, 0);
	s2_glue_hyp_map(first, 1);
	result = s2_glue_hyp_map(first, 0);
	s2_unlock(S2_LOCK_HYP, 0);
	return result;
}

static int operate(int op, struct s2_slot *slot, s2_u64 first, s2_u64 size)
{
	switch (op) {
	case S2_OP_LOG_ENABLE: return log_enable(slot);
	case S2_OP_LOG_DISABLE: return log_disable(slot);
	case S2_OP_LOG_GET: return harvest(slot, slot->first, slot->end - slot->first, 0);
	case S2_OP_LOG_CLEAR: return harvest(slot, first, size, 1);
	case S2_OP_MOVE: return move(slot, first, size);
	case S2_OP_PROTECT: return protect(slot, first, size);
	case S2_OP_UNPROTECT: return unprotect(slot, first, size);
	case S2_OP_AGE: return age(slot, first, size);
	case S2_OP_TEST_YOUNG: return test_young(slot, first);
	case S2_OP_CHANGE_PTE: return change_pte(slot, first);
	case S2_OP_SLOT_DELETE: return slot_delete(slot);
	case S2_OP_TEARDOWN: return teardown();
	case S2_OP_HYP_MAP: return hyp_map(first);
	}
	return 0;
}

void s2_host_body(void)
{
	static const int calls[] = {
		[S2_OP_LOG_ENABLE] = S2_CALL_LOG_ENABLE, [S2_OP_LOG_DISABLE] = S2_CALL_LOG_DISABLE,
		[S2_OP_LOG_GET] = S2_CALL_LOG_GET, [S2_OP_LOG_CLEAR] = S2_CALL_LOG_CLEAR,
		[S2_OP_AGE] = S2_CALL_AGE, [S2_OP_TEST_YOUNG] = S2_CALL_TEST_YOUNG,
		[S2_OP_SLOT_DELETE] = S2_CALL_SLOT_DELETE, [S2_OP_TEARDOWN] = S2_CALL_TEARDOWN,
		[S2_OP_HYP_MAP] = 0,
	};
	int index = s2.current - s2.scenario.vcpus;

	for (int i = 0; i < s2.scenario.host[index].ops; i++) {
		const struct s2_host_op *op = &s2.scenario.host[index].op[i];
		int number = (int)(op->page / S2_SLOT_STRIDE), result;
		struct s2_slot *slot = &s2.slot[number];
		s2_u64 first = ipa_of(op->page), size = (s2_u64)op->pages * PAGE;
		int call = calls[op->op];

		if (!s2.mapped || number >= s2.scenario.slots || !slot->exists || first >= slot->end)
			continue;
		if (first + size > slot->end)
			size = slot->end - first;
		if (call)
			s2_record(S2_CALL, (int64_t)first, (int64_t)size, 0, call);
		s2.thread[s2.current].busy = 1;
		result = operate(op->op, slot, first, size);
		s2.thread[s2.current].busy = 0;
		if (call)
			s2_record(S2_RETURN, (int64_t)first, (int64_t)size, result, call);
	}
}

/* ---- the guest ---- */

/* What KVM_RUN makes of the handler's answer: an injected abort ends the access, and so does a
 * signal, which makes it return to user space. */
static int outcome(struct s2_thread *me, int ret)
{
	if (me->injected)
		ret = me->injected;
	else if (me->signalled)
		ret = 0;
	me->injected = me->signalled = 0;
	return ret;
}

void s2_vcpu_body(void)
{
	int id = s2.current;
	struct s2_thread *me = &s2.thread[id];

	for (int number = 0; number < s2.scenario.vcpu[id].accesses; number++) {
		const struct s2_access *access = &s2.scenario.vcpu[id].access[number];
		s2_u64 ipa = ipa_of(access->page), address;
		int kind = access->kind, faults, level, status, ret;

		for (faults = 0; faults < S2_MAX_FAULTS; faults++) {
			status = s2_translate(ipa, kind, &level, &address);
			if (!status) {
				s2_record(S2_ACCESS, (int64_t)ipa, kind, (int64_t)address, number);
				break;
			}
			s2_record(S2_FAULT, (int64_t)ipa, kind, status, level);
			me->fault_ipa = ipa;
			me->fault_granule = 1ULL << (12 + 9 * (3 - level));
			ret = outcome(me, s2_glue_fault(id, ipa, kind, status, level, 0));
			settle_pins(me);
			s2_record(S2_RESUME, (int64_t)ipa, kind, ret, !s2_slot_of(ipa));
			if (ret != 1 && ret != -S2_EAGAIN)
				break;
			me->pending_kind = S2_WALK;
			me->pending_where = (int64_t)s2_root_entry(ipa);
			s2_yield();
		}
		if (faults == S2_MAX_FAULTS)
			s2_give_up(S2_LIMIT_FAULTS);
	}
}

/* ---- set-up ---- */

void s2_run_teardown(void)
{
	if (s2.scenario.teardown && s2.mapped) {
		s2.mapped = 0;
		s2_glue_teardown();
	}
	s2_coroutine_switch(&s2.thread[0].coroutine, &s2.hub);
}

static int maps_hyp(void)
{
	for (int i = 0; i < s2.scenario.hosts; i++)
		for (int j = 0; j < s2.scenario.host[i].ops; j++)
			if (s2.scenario.host[i].op[j].op == S2_OP_HYP_MAP)
				return 1;
	return 0;
}

/* KVM_CAP_ARM_EAGER_SPLIT_CHUNK_SIZE is a choice of the VMM; here it comes with 48 IPA bits, where
 * the slots are small enough for a run to split them page by page. */
static int splits_eagerly(void)
{
	for (int i = 0; i < s2.scenario.slots; i++)
		if (s2.scenario.slot[i].pages > 1024)
			return 0;
	return s2.scenario.ipa_bits == 48;
}

void s2_vm_reset(void)
{
	const struct s2_scenario *scenario = &s2.scenario;

	s2_memory_reset();
	s2_scratch(0);
	s2_options.ipa_bits = scenario->ipa_bits;
	s2_options.dic = scenario->dic;
	s2_options.fwb = scenario->fwb;
	s2_options.eager_split = splits_eagerly();
	s2.start_level = scenario->ipa_bits == 40 ? 1 : 0;
	s2.roots = scenario->ipa_bits == 40 ? 2 : 1;
	s2.root = S2_TABLE_BASE;
	s2.mapped = 1;
	s2.sequence = s2.invalidations = 0;
	s2.generation = s2.topups = s2.slots_epoch = s2.host_pages = s2.plain_loads = 0;
	for (int i = 0; i < S2_THREADS; i++) {
		s2.walking[i] = 0;
		s2.issued_count[i] = 0;
	}
	for (int i = 0; i < S2_MAX_VCPUS; i++)
		s2.tlb_count[i] = 0;
	s2_glue_begin();
	s2.hyp_root = 0;
	if (maps_hyp()) {
		s2.hyp_root = s2_glue_hyp_begin();
		s2.roots++;
	}
	publish_sequence();
	for (int i = 0; i < scenario->slots; i++) {
		struct s2_slot *slot = &s2.slot[i];
		int logged = scenario->slot[i].logging &&
			     scenario->slot[i].backing != BACKING_DEVICE;

		slot->first = ipa_of((int64_t)i * S2_SLOT_STRIDE);
		slot->pages = scenario->slot[i].pages;
		slot->end = slot->first + (s2_u64)slot->pages * PAGE;
		slot->backing = scenario->slot[i].backing;
		slot->skewed = scenario->slot[i].skewed;
		slot->flags = (scenario->slot[i].readonly ? S2_SLOT_READONLY : 0) |
			      (logged ? S2_SLOT_LOGGING : 0);
		slot->exists = 1;
		slot->dirty_count = 0;
		publish_slot(slot);
	}
	for (int i = 0; i < scenario->vcpus; i++) {
		s2.thread[i].pending_kind = S2_WALK;
		s2.thread[i].pending_where =
			(int64_t)s2_root_entry(ipa_of(scenario->vcpu[i].access[0].page));
	}
	for (int i = 0; i < scenario->host_pages; i++) {
		struct s2_slot *slot = &s2.slot[scenario->host_page[i].page / S2_SLOT_STRIDE];

		host_page(slot, ipa_of(scenario->host_page[i].page))->host =
			scenario->host_page[i].host;
	}
}

/* The events that say what there is before anything runs. */
void s2_describe(void)
{
	s2_record(S2_ROOT, (int64_t)s2.root, s2.start_level, 1,
		  s2.scenario.ipa_bits | (s2.scenario.dic ? S2_ROOT_DIC : 0) |
			  (s2.scenario.fwb ? S2_ROOT_FWB : 0));
	if (s2.hyp_root)
		s2_record(S2_ROOT, (int64_t)s2.hyp_root, 1, HYP_VMID, HYP_BITS);
	for (int i = 0; i < s2.scenario.slots; i++) {
		const struct s2_slot *slot = &s2.slot[i];
		int64_t size = (int64_t)(slot->end - slot->first);

		s2_record(S2_SLOT, (int64_t)slot->first, size, slot->flags, i);
		s2_record(S2_BACKING, (int64_t)slot->first, size, (int64_t)home(i, slot->first),
			  host_flags(slot, RW));
	}
	for (int i = 0; i < s2.host_pages; i++)
		announce(&s2.slot[s2.host_page[i].slot], &s2.host_page[i]);
}

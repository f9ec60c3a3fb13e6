/* The virtual machine of a scenario, before anything runs and when all have ended. */
#include "execute.h"
#include "hostpages.h"
#include "memslots.h"
#include "nested.h"
#include "notifier.h"
#include "pages.h"
#include "record.h"
#include "scenario.h"
#include "scheduler.h"
#include "setup.h"
#include "tags.h"
#include "window.h"

#define HYP_VMID -1
#define HYP_BITS 39
/* Stage 2 has up to 16 root pages where that saves a level. */
#define MOST_ROOT_BITS 4

struct s2_glue_options s2_options;
struct s2_vm s2_vm;

S2_OWN void end_machine(void)
{
	if (s2_scenario.teardown && s2_vm.mapped) {
		s2_vm.mapped = 0;
		s2_glue_teardown();
	}
}

static int maps_hyp(void)
{
	for (int i = 0; i < s2_scenario.hosts; i++)
		for (int j = 0; j < s2_scenario.host[i].ops; j++)
			if (s2_scenario.host[i].op[j].op == S2_OP_HYP_MAP)
				return 1;
	return 0;
}

/* KVM_CAP_ARM_EAGER_SPLIT_CHUNK_SIZE is a choice of the VMM; here it comes with 48 IPA bits, where
 * the slots are small enough for a run to split them page by page. */
static int splits_eagerly(void)
{
	for (int i = 0; i < s2_scenario.slots; i++)
		if (s2_scenario.slot[i].pages > 2 * S2_ENTRIES)
			return 0;
	return s2_scenario.ipa_bits == 48;
}

static int has_ring(void)
{
	return s2_scenario.dirty_ring && s2_has_dirty_ring;
}

static void set_up_slots(void)
{
	for (int i = 0; i < s2_scenario.slots; i++) {
		struct s2_slot *slot = slot_numbered(i);
		int logged = s2_scenario.slot[i].logging &&
			     s2_scenario.slot[i].backing != S2_BACKING_DEVICE;

		slot->base = ipa_of((int64_t)i * S2_SLOT_STRIDE);
		slot->first = slot->base + (s2_u64)s2_scenario.slot[i].first * PAGE;
		slot->pages = s2_scenario.slot[i].pages;
		slot->end = slot->first + (s2_u64)slot->pages * PAGE;
		slot->backing = s2_scenario.slot[i].backing;
		slot->skewed = s2_scenario.slot[i].skewed;
		slot->hugetlb = s2_scenario.slot[i].hugetlb;
		slot->contiguous = s2_scenario.slot[i].contiguous;
		slot->origin = slot->first;
		slot->moved = 0;
		slot->flags = (s2_scenario.slot[i].readonly ? S2_SLOT_READONLY : 0) |
			      (logged ? S2_SLOT_LOGGING : 0);
		slot->exists = 1;
		slot->dirty_count = 0;
		slot->all_set = logged && s2_scenario.logs_begin_set;
		publish_slot(slot);
	}
	for (int i = 0; i < s2_scenario.host_pages; i++) {
		int64_t page = s2_scenario.host_page[i].page;

		host_page(slot_numbered(page / S2_SLOT_STRIDE), ipa_of(page))->host =
			s2_scenario.host_page[i].host;
	}
}

/* The level from which so many bits of an address are translated. */
static int start_level(int bits)
{
	int level = 3;

	while (S2_LEVEL_SHIFT(level - 1) < bits)
		level--;
	return level;
}

/* Pages beside each other that a root of that level has, as a power of two. */
static int root_bits(int bits, int level)
{
	int more = bits - S2_LEVEL_SHIFT(level - 1);

	return more > 0 ? more : 0;
}

S2_OWN void set_up_vm(void)
{
	s2_options.ipa_bits = s2_scenario.ipa_bits;
	s2_options.dic = s2_scenario.dic;
	s2_options.fwb = s2_scenario.fwb;
	s2_options.vhe = s2_scenario.vhe;
	s2_options.nested = s2_scenario.nested;
	s2_options.vncr = s2_scenario.vncr;
	s2_options.eager_split = splits_eagerly();
	s2_options.manual = s2_scenario.manual;
	s2_options.logs_begin_set = s2_scenario.logs_begin_set;
	s2_options.dirty_ring = has_ring();
	s2_options.mte = has_tags();
	s2_vm.start_level = start_level(s2_scenario.ipa_bits - MOST_ROOT_BITS);
	s2_vm.roots = 1 << root_bits(s2_scenario.ipa_bits, s2_vm.start_level);
	s2_vm.root = S2_TABLE_BASE;
	s2_vm.mapped = 1;
	if (s2_scenario.tlb)
		reset_window();
	s2_glue_begin();
	s2_vm.zeros_late = s2_memory.zeros_late;
	s2_vm.roots += set_up_nested();
	s2_vm.hyp_root = 0;
	if (maps_hyp()) {
		s2_vm.hyp_root = s2_glue_hyp_begin();
		s2_vm.roots++;
	}
	publish_sequence(0);
	set_up_slots();
	for (int i = 0; i < s2_scenario.vcpus; i++) {
		s2_sched.thread[i].pending_kind = S2_WALK;
		s2_sched.thread[i].pending_where = (int64_t)root_entry(
			&s2_sched.thread[i], ipa_of(s2_scenario.vcpu[i].access[0].page));
	}
}

/* The events that say what there is before anything runs. */
S2_OWN void describe_machine(void)
{
	s2_record(S2_ROOT, (int64_t)s2_vm.root, s2_vm.start_level, 1,
		  s2_scenario.ipa_bits | (s2_scenario.dic ? S2_ROOT_DIC : 0) |
			  (s2_scenario.fwb ? S2_ROOT_FWB : 0) |
			  (s2_options.dirty_ring ? S2_ROOT_DIRTY_RING : 0) |
			  (s2_vm.zeros_late ? S2_ROOT_ZEROS_LATE : 0) |
			  (s2_options.mte ? S2_ROOT_MTE : 0) |
			  (S2_PAGE_SHIFT - 12) / 2 * S2_ROOT_GRANULE);
	describe_nested();
	if (s2_vm.hyp_root)
		s2_record(S2_ROOT, (int64_t)s2_vm.hyp_root, start_level(HYP_BITS), HYP_VMID,
			  HYP_BITS);
	for (int i = 0; i < s2_scenario.slots; i++) {
		const struct s2_slot *slot = slot_numbered(i);
		int64_t size = (int64_t)(slot->end - slot->first);

		s2_record(S2_SLOT, (int64_t)slot->first, size, slot->flags, i);
		s2_record(S2_BACKING, (int64_t)slot->first, size, (int64_t)home(i, slot->first),
			  host_flags(slot, S2_GRANT_RW));
		if (slot->all_set)
			begin_log(slot_numbered(i));
	}
	for (int i = 0; i < s2_host.host_pages; i++)
		announce(slot_numbered(s2_host.host_page[i].slot), &s2_host.host_page[i]);
}

/* There is no set-up but that of each run. */
S2_PUBLIC int32_t s2_started(void)
{
	return 0;
}

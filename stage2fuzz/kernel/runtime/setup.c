/* The virtual machine of a scenario, before anything runs and when all have ended. */
#include "machine.h"

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
	if (scenario->tlb)
		reset_window();
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

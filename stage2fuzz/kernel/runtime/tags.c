/* Allocation tags (MTE): what PG_mte_tagged, its lock and mte_clear_page_tags are to a handler.
 *
 * A page that the host maps without PROT_MTE comes with the tags of whoever had it before. What
 * the guest's own instructions do to tags is not modelled: it may read and write those of all it
 * can reach.
 */
#include "hostpages.h"
#include "record.h"
#include "scenario.h"
#include "step.h"
#include "tags.h"

struct s2_tags s2_tags;

S2_OWN void reset_tags(void)
{
	s2_tags.spans = 0;
	for (int i = 0; i < S2_THREADS; i++)
		s2_tags.locked[i] = 0;
}

/* kvm_arch_prepare_memory_region refuses a slot whose VMA does not allow tags: device memory, and
 * hugetlbfs before it learnt of them. */
S2_OWN int has_tags(void)
{
	if (!s2_scenario.mte || !s2_has_mte)
		return 0;
	for (int i = 0; i < s2_scenario.slots; i++)
		if (s2_scenario.slot[i].backing == S2_BACKING_DEVICE ||
		    (s2_scenario.slot[i].backing == S2_BACKING_PUD && !s2_has_hugetlb_mte))
			return 0;
	return 1;
}

int s2_page_tagged(s2_u64 address)
{
	for (int i = s2_tags.spans - 1; i >= 0; i--)
		if (address >= s2_tags.span[i].first && address < s2_tags.span[i].end)
			return 1;
	return 0;
}

/* Whoever gets 1 must initialise the page's tags and then say so; the others wait for that. */
int s2_try_tagging(s2_u64 address)
{
	if (s2_page_tagged(address))
		return 0;
	for (int i = 0; i < s2_sched.threads; i++)
		if (i != s2_sched.current && s2_tags.locked[i] == address) {
			wait_for(S2_FOR_TAGS, i, S2_TAGS_CLEAR, (int64_t)address);
			return 0;
		}
	s2_tags.locked[s2_sched.current] = address;
	return 1;
}

void s2_set_tagged(s2_u64 address, s2_u64 size)
{
	int last = s2_tags.spans - 1;

	s2_tags.locked[s2_sched.current] = 0;
	if (last >= 0 && s2_tags.span[last].end == address) {
		s2_tags.span[last].end += size;
		return;
	}
	if (s2_tags.spans == S2_TAG_SPANS)
		give_up(S2_LIMIT_HOST_PAGES);
	s2_tags.span[s2_tags.spans].first = address;
	s2_tags.span[s2_tags.spans++].end = address + size;
}

/* One event for pages one after the other, of which a block has many. */
void s2_clear_tags(s2_u64 address)
{
	struct s2_event *last = &s2_log.events[s2_log.events_count - 1];

	if (s2_log.events_count && last->kind == S2_TAGS_CLEAR &&
	    last->thread == s2_sched.current && (s2_u64)(last->where + last->old) == address) {
		last->old += PAGE;
		return;
	}
	s2_point(S2_TAGS_CLEAR, (int64_t)address);
	s2_record(S2_TAGS_CLEAR, (int64_t)address, PAGE, 0, 0);
}

/* The folio of a page of hugetlbfs has one flag for all of it. */
s2_u64 s2_folio_address(s2_u64 address)
{
	s2_u64 size, skew;

	if (!s2_is_hugetlb(address))
		return address;
	size = backing_size(S2_BACKING_PUD);
	skew = s2_host.slot[(address - S2_HOST_BASE) % S2_GENERATION_STRIDE /
			    (S2_SLOT_STRIDE * PAGE)].skewed ? PAGE : 0;
	return (address - skew) / size * size + skew;
}

s2_u64 s2_folio_size(s2_u64 address)
{
	return s2_is_hugetlb(address) ? backing_size(S2_BACKING_PUD) : PAGE;
}

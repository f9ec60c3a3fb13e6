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

/* Entries that one contiguous mapping of the host takes. */
#define CONT_PAGES (S2_PAGE_SHIFT == 12 ? 16 : S2_PAGE_SHIFT == 14 ? 128 : 32)
#define CONT_BLOCKS (S2_PAGE_SHIFT == 12 ? 16 : 32)

struct s2_tags s2_tags;

S2_OWN void reset_tags(void)
{
	s2_tags.spans = 0;
	for (int i = 0; i < S2_THREADS; i++)
		s2_tags.locked[i] = 0;
}

/* The pages of a mapping of hugetlbfs are one folio; 0: the slot's memory comes from elsewhere. */
static s2_u64 hugetlb_size(int backing, int hugetlb, int contiguous)
{
	s2_u64 size = backing_size(backing);

	switch (backing) {
	case S2_BACKING_PUD: return size;
	case S2_BACKING_PMD: return contiguous ? CONT_BLOCKS * size : hugetlb ? size : 0;
	case S2_BACKING_PAGE: return contiguous ? CONT_PAGES * size : 0;
	}
	return 0;
}

/* kvm_arch_prepare_memory_region refuses a slot whose VMA does not allow tags: device memory, and
 * hugetlbfs before it learnt of them. */
S2_OWN int has_tags(void)
{
	if (!s2_scenario.mte || !s2_has_mte)
		return 0;
	for (int i = 0; i < s2_scenario.slots; i++)
		if (s2_scenario.slot[i].backing == S2_BACKING_DEVICE ||
		    (!s2_has_hugetlb_mte &&
		     hugetlb_size(s2_scenario.slot[i].backing, s2_scenario.slot[i].hugetlb,
				  s2_scenario.slot[i].contiguous)))
			return 0;
	return 1;
}

/* Bytes of the folio that a page is in, which for memory of no hugetlbfs is the page. */
static s2_u64 folio_size(const struct s2_slot *slot)
{
	s2_u64 size = hugetlb_size(slot->backing, slot->hugetlb, slot->contiguous);

	return size ? size : PAGE;
}

/* Where the folio of a page begins. */
static s2_u64 folio_of(s2_u64 address)
{
	const struct s2_slot *slot = slot_of_address(address);
	s2_u64 size = folio_size(slot);

	return address / size * size;
}

int s2_is_hugetlb(s2_u64 address)
{
	return folio_size(slot_of_address(address)) != PAGE;
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
			wait_for(S2_FOR_TAGS, (int)(address / PAGE), S2_TAGS_CLEAR,
				 (int64_t)address);
			return 0;
		}
	s2_tags.locked[s2_sched.current] = address;
	return 1;
}

static void set_tagged(s2_u64 address, s2_u64 size)
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

void s2_set_tagged(s2_u64 address)
{
	set_tagged(address, PAGE);
}

/* The folio of a page of hugetlbfs has one flag for all of it. */
int s2_try_folio_tagging(s2_u64 address)
{
	return s2_try_tagging(folio_of(address));
}

void s2_set_folio_tagged(s2_u64 address)
{
	set_tagged(folio_of(address), folio_size(slot_of_address(address)));
}

/* One event for pages one after the other, of which a block has many. */
void s2_clear_tags(s2_u64 address)
{
	int count = s2_log.events_count;
	struct s2_event *last = count ? &s2_log.events[count - 1] : NULL;

	if (last && last->kind == S2_TAGS_CLEAR &&
	    last->thread == s2_sched.current && (s2_u64)(last->where + last->old) == address) {
		last->old += PAGE;
		return;
	}
	s2_point(S2_TAGS_CLEAR, (int64_t)address);
	s2_record(S2_TAGS_CLEAR, (int64_t)address, PAGE,
		  (int64_t)folio_size(slot_of_address(address)), 0);
}

/* Memslots and host pages: our model of what virt/kvm and the VMM have. */
#ifndef STAGE2FUZZ_HOSTPAGES_H
#define STAGE2FUZZ_HOSTPAGES_H

#include <stdint.h>
#include "scheduler.h"
#include "seam.h"

#define PAGE ((s2_u64)S2_PAGE_SIZE)
/* Host pages that one operation changes at most. */
#define MAX_CHANGED 4
#define USER_BASE 0x7f0000000000ULL
#define S2_DIRTY_PAGES 64
#define S2_HOST_PAGES 64

struct s2_slot {
	/* `base` is a multiple of every block, to which the host's mappings are aligned, `skewed`
	 * pages of them apart. The slot began at `origin` and lies `moved` bytes above that now.
	 * Pages of the host are numbered by where the guest saw them at first, whatever has become
	 * of the slot. */
	s2_u64 base, origin, moved, first, end;
	int pages, backing, flags, skewed, hugetlb, contiguous, exists;
	/* The dirty bitmap, sparse: the set bits in the order in which they were set; or, where all
	 * were set at first, those that are not. */
	int all_set, dirty_count;
	s2_u64 dirty[S2_DIRTY_PAGES];
};

struct s2_host_page {
	s2_u64 unit, size, address;
	int host, slot, locked;
	/* Of a huge page: whether it is mapped by pages, and how often it was split. Of one of
	 * those pages: which time it belongs to. */
	int split, splits;
};

struct s2_host {
	struct s2_slot slot[S2_MAX_SLOTS];
	/* The host mappings that were asked for or changed, and how often one moved. */
	int host_pages, generation;
	struct s2_host_page host_page[S2_HOST_PAGES];
	/* Memslot arrays that were published: readers of an older one are waited for. */
	int slots_epoch;
	/* mmu_notifier_seq, and invalidations under way. */
	s2_s64 sequence, invalidations;
};

extern struct s2_host s2_host;

S2_OWN void reset_host(void);
S2_OWN s2_u64 ipa_of(int64_t page);
S2_OWN s2_u64 backing_size(int backing);
/* Where the host keeps a page of a slot before it moves it. */
S2_OWN s2_u64 home(int slot, s2_u64 unit);
/* How its pages are numbered: the address that `ipa` had before the slot moved. */
S2_OWN s2_u64 original(const struct s2_slot *slot, s2_u64 ipa);
/* Whether it can move, and whether the host maps it by transparent huge pages. */
S2_OWN int can_move(const struct s2_slot *slot);
S2_OWN int is_transparent(const struct s2_slot *slot);
/* The slot whose memory a host address is, whichever generation of the page. */
S2_OWN const struct s2_slot *slot_of_address(s2_u64 address);
S2_OWN int number_of(const struct s2_slot *slot);
S2_OWN struct s2_slot *slot_numbered(int64_t number);
/* The slot that holds `ipa`, NULL if none does. */
S2_OWN struct s2_slot *slot_of_ipa(s2_u64 ipa);
/* The host mapping that the original address `ipa` is in; a huge page, split or not. */
S2_OWN struct s2_host_page *host_page(const struct s2_slot *slot, s2_u64 ipa);
S2_OWN struct s2_host_page *huge_page(const struct s2_slot *slot, s2_u64 ipa);
/* Of all its mappings with this grant, none of them split. */
S2_OWN int host_flags(const struct s2_slot *slot, int host);
/* Record what a host mapping is now. */
S2_OWN void announce(const struct s2_slot *slot, const struct s2_host_page *page);
/* Give back the references that a fault took and has not given back: its UNPIN events. */
S2_OWN void settle_pins(struct s2_thread *me);

#endif

/* The window TLB: what each PE might still hold. */
#ifndef STAGE2FUZZ_WINDOW_H
#define STAGE2FUZZ_WINDOW_H

#include <stddef.h>
#include <stdint.h>
#include "linkage.h"
#include "seam.h"

S2_OWN void reset_window(void);
/* A root page more: a shadow's, whose addresses have bits above all others. */
S2_OWN void window_root(s2_u64 page, int level, s2_u64 base);
/* Stale translations of this run that there was no room for. */
S2_OWN int window_forgotten(void);
/* An entry changed for walkers. */
S2_OWN void window_write(s2_u64 location, s2_u64 old, s2_u64 value);
/* The running thread issued a TLBI; a DSB of `kind` completes its own. */
struct s2_tlbi;
S2_OWN void window_tlbi(const struct s2_tlbi *tlbi);
S2_OWN void window_dsb(int kind);
/* What a walk reads at a location: its value, or one that the PE may still hold. */
S2_OWN s2_u64 cached_descriptor(s2_u64 location, s2_u64 value, int *is_hit);
/* A leaf that the PE may still hold for `ipa` and uses without a walk, or 0. */
S2_OWN s2_u64 cached_leaf(s2_u64 ipa, int *level);
/* What a snapshot keeps of it: each piece of memory in use, counts before what they count. And what
 * tells it from others, whatever the records are called and whenever they were made. */
S2_OWN void window_pieces(void (*with)(void *at, size_t size));
S2_OWN uint64_t window_key(void);

#endif

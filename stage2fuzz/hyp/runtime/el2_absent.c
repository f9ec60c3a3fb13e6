/* What the shared modules ask of a machine that EL2 alone does not have: they find none of it. */
#include "abi.h"
#include "assertion.h"
#include "door.h"
#include "hostpages.h"
#include "pages.h"
#include "scenario.h"
#include "scheduler.h"
#include "setup.h"
#include "storebuffer.h"
#include "tags.h"
#include "window.h"

struct s2_host s2_host;
struct s2_scenario s2_scenario;
struct s2_vm s2_vm;
struct s2_memory s2_memory;
struct s2_page s2_page_table[1];
struct s2_glue_options s2_options;
const s2_s64 *s2_watched_sequence;

S2_OWN int window_forgotten(void) { return 0; }
int s2_page_tagged(s2_u64 address)
{
	(void)address;
	return 0;
}
S2_OWN int hide_shown_stores(void) { return 0; }
S2_OWN void show_own_stores(void) {}
S2_OWN void empty_storebuffer(void) {}
S2_OWN uint32_t waiting_storebuffers(void) { return 0; }
S2_OWN void drain_storebuffer(void) {}
S2_OWN int drain_from_outside(int is_answer) { return is_answer; }

/* Searching every interleaving needs snapshots of a machine with one tree. */
S2_PUBLIC int32_t s2_search_begin(const struct s2_search *asked, const int64_t *memory,
				  int32_t pieces)
{
	(void)asked;
	(void)memory;
	(void)pieces;
	return 0;
}

S2_PUBLIC int32_t s2_search_go(int64_t steps, s2_judge judge, struct s2_search_counts *told)
{
	(void)steps;
	(void)judge;
	(void)told;
	S2_DOOR(-1);
	S2_ASSERT(!"nothing is searched", steps);
	return -1;
}

S2_PUBLIC void s2_search_end(void) {}

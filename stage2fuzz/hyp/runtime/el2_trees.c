/* Which tree a table page belongs to: known by the entry that links it. */
#include <string.h>
#include "el2_trees.h"
#include "host.h"
#include "machine.h"
#include "record.h"
#include "walks.h"

static struct {
	unsigned char of[S2_EL2_PAGES];
	/* Whether EL2's stage 1 has the page: 0 unknown, 1 no, 2 read only, 3 yes. */
	unsigned char mapped[S2_EL2_PAGES];
} trees, trees_kept;

static unsigned char *tree_slot(s2_u64 physical)
{
	s2_u64 index = (physical - S2_EL2_PHYSICAL) >> 12;

	return index < S2_EL2_PAGES ? &trees.of[index] : NULL;
}

S2_OWN int tree_of(const volatile void *entry)
{
	return trees.of[((unsigned long)entry - S2_EL2_MEMORY) >> 12];
}

/* Each CPU has a slot of EL2's private mappings for itself, which it changes without a lock: their
 * tables are of no tree. */
static int is_private(int tree, int level, int at)
{
	s2_u64 va = (s2_u64)at << 39;

	return tree == S2_TREE_HYP && !level && va >= S2_EL2_PRIVATE && va < S2_EL2_PAGE_STATES;
}

static void mark_table(s2_u64 physical, int tree, int level)
{
	unsigned char *slot = tree_slot(physical);
	const s2_u64 *entry = s2_va(physical);

	if (!slot)
		return;
	*slot = (unsigned char)tree;
	for (int i = 0; level < 3 && i < 512; i++)
		if ((entry[i] & 3) == 3 && !is_private(tree, level, i))
			mark_table(entry[i] & EL2_ADDRESS, tree, level + 1);
}

S2_OWN void note_entry(int tree, s2_u64 old, s2_u64 value)
{
	unsigned char *slot = (value & 3) == 3 ? tree_slot(value & EL2_ADDRESS) : NULL;

	/* A leaf of the last level looks like a table; pages that are mapped hold no tables. */
	if (slot && tree && !(value & EL2_LEAF_OF_LAST_LEVEL) && !*slot)
		*slot = (unsigned char)tree;
	if (tree == S2_TREE_HYP && old != value)
		memset(trees.mapped, 0, sizeof(trees.mapped));
}

S2_OWN void note_guest_tree(int vm)
{
	s2_u64 root = guest_root_of(vm);

	for (unsigned long i = 0; root && i < el2_machine.layout.root; i++)
		mark_table(root + i * 4096, S2_TREE_GUEST + vm, el2_machine.layout.start_level);
}

S2_OWN void note_trees(void)
{
	memset(&trees, 0, sizeof(trees));
	for (unsigned long i = 0; i < el2_machine.layout.root; i++)
		mark_table(el2_host_root() + i * 4096, S2_TREE_HOST,
			   el2_machine.layout.start_level);
	mark_table(el2_hyp_root(), S2_TREE_HYP, 0);
	for (int vm = 0; vm < S2_EL2_VMS; vm++)
		note_guest_tree(vm);
}

S2_OWN void keep_trees(void) { trees_kept = trees; }
S2_OWN void restore_trees(void) { trees = trees_kept; }

S2_OWN void check_access(const void *at, int store)
{
	unsigned long index = ((unsigned long)at - S2_EL2_MEMORY) >> 12;
	unsigned char *known = &trees.mapped[index];

	if (!*known)
		*known = hyp_translation((s2_u64)at) ? 3 : 1;
	if (*known == 1)
		s2_record(S2_HYP_ACCESS, (int64_t)index - EL2_TEST_AREA, 0, 0, store);
}

/* The hardware's walks of EL2's trees. */
#include "machine.h"
#include "walks.h"

S2_OWN struct el2_walk walk_stage2(s2_u64 root, s2_u64 ipa)
{
	struct el2_walk found = { 0, el2_machine.layout.start_level, 0, 0 };
	s2_u64 at = ipa / granule(found.level);

	for (; root; found.level++) {
		found.entry = s2_va(root)[at];
		if (!(found.entry & 1))
			return found;
		if (found.level == 3 || !(found.entry & 2)) {
			s2_u64 inside = granule(found.level) - 1;

			found.valid = 1;
			found.address = (found.entry & EL2_ADDRESS & ~inside) | (ipa & inside);
			return found;
		}
		root = found.entry & EL2_ADDRESS;
		at = ipa / granule(found.level + 1) & 511;
	}
	return found;
}

S2_OWN s2_u64 hyp_translation(s2_u64 va)
{
	s2_u64 table = el2_hyp_root();

	for (int level = 0; level < 4; level++) {
		s2_u64 entry = s2_va(table)[va / granule(level) & 511];

		if (!(entry & 1))
			return 0;
		if (level == 3 || !(entry & 2)) {
			s2_u64 inside = granule(level) - 1;

			return (entry & EL2_ADDRESS & ~inside) | (va & inside);
		}
		table = entry & EL2_ADDRESS;
	}
	return 0;
}

S2_OWN int may_write(const struct el2_walk *walk)
{
	return walk->valid && (walk->entry & S2_PTE_WRITE);
}

/* Accesses of the host and of guests, through the TLB and stage 2. */
#include "accesses.h"
#include "el2_tlb.h"
#include "host.h"
#include "machine.h"
#include "observe.h"
#include "record.h"
#include "step.h"
#include "walks.h"

S2_OWN s2_u64 secret_of(int vm)
{
	return 0x5ec2e70000000000UL | (s2_u64)vm;
}

/* The word that a write leaves in one of the pages that cases name; elsewhere it could be ours. */
static void touch(s2_u64 address, int write, s2_u64 value, int tree)
{
	int64_t page = page_number(address);
	s2_u64 *word;

	if (page < 0 || page >= S2_EL2_TEST_PAGES)
		return;
	word = s2_va(address & ~4095UL);
	if (write) {
		mark_written(word, 8);
		*word = value;
	}
	s2_record(S2_PAGE_DATA, page, 0, (int64_t)*word, tree);
}

static int uses(int cpu, s2_s64 vmid, s2_u64 root, s2_u64 ipa, int write, s2_u64 value, int tree)
{
	s2_u64 address;
	struct el2_walk walk;

	s2_point(S2_PAGE_DATA, (int64_t)ipa);
	if (tlb_holds(cpu, vmid, ipa, write, &address)) {
		touch(address, write, value, tree);
		return ACCESS_DONE;
	}
	walk = walk_stage2(root, ipa);
	if (!walk.valid || !(walk.entry & S2_PTE_AF))
		return ACCESS_ABSENT;
	if (write && !may_write(&walk))
		return ACCESS_FORBIDDEN;
	tlb_fill(cpu, vmid, ipa, &walk);
	touch(walk.address, write, value, tree);
	return ACCESS_DONE;
}

S2_OWN int host_uses(int cpu, s2_u64 address, int write)
{
	return uses(cpu, 0, el2_host_root(), address, write, 0x4057, S2_TREE_HOST);
}

S2_OWN int guest_uses(int cpu, s2_u64 ipa, int write)
{
	const struct el2_cpu *me = &el2_host.cpu[cpu];
	s2_u64 value = el2_host.vm[me->vm].is_protected ? secret_of(me->vm) : 0x6035;

	return uses(cpu, me->vmid, me->root, ipa, write, value, S2_TREE_GUEST + me->vm);
}

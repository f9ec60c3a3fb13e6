/* A guest hypervisor (L1): its stage-2 tables, what it does to them, and vCPUs that run its guests.
 *
 * L1 maps the pages of each of its guests one to one, with tables of its own for each guest. Only
 * leaf entries ever change, so the tables are no memory: an entry is worked out from its address.
 * From GUEST_TABLES on each guest has a root, tables of level 2 and tables of level 3.
 */
#include <string.h>
#include "hostpages.h"
#include "nested.h"
#include "record.h"
#include "scenario.h"
#include "scheduler.h"
#include "setup.h"
#include "step.h"
#include "tables.h"
#include "vncr.h"
#include "window.h"

#define LEVEL_2 0x1000
#define LEVEL_3 0x100000
#define TABLE_BITS 3
/* Normal memory, readable and writable, inner shareable, accessed. */
#define LEAF_BITS (3 | 0xf << 2 | S2_PTE_READ | S2_PTE_WRITE | 3 << 8 | S2_PTE_AF)
#define VMID_SHIFT 48
#define SHADOW_BITS 36

struct s2_nested s2_nested;

static s2_u64 tables_of(int guest)
{
	return S2_GUEST_TABLES + (s2_u64)guest * S2_GUEST_TABLES_STRIDE;
}

static s2_u64 vttbr_of(int guest)
{
	return (s2_u64)(guest + 1) << VMID_SHIFT | tables_of(guest);
}

static int guest_of(s2_u64 ipa)
{
	return (int)((ipa - S2_IPA_BASE) / PAGE % (s2_u64)s2_scenario.nested);
}

static s2_u64 first_entry(s2_u64 ipa)
{
	return (ipa & ~(PAGE - 1)) | LEAF_BITS;
}

static s2_u64 *changed_entry(int guest, s2_u64 ipa)
{
	for (int i = 0; i < s2_nested.changes; i++)
		if (s2_nested.change[i].guest == guest && s2_nested.change[i].ipa == ipa)
			return &s2_nested.change[i].entry;
	return NULL;
}

static s2_u64 leaf_entry(int guest, s2_u64 ipa)
{
	const s2_u64 *changed = changed_entry(guest, ipa);

	return changed ? *changed : first_entry(ipa);
}

/* KVM reads L1's tables. Upper levels never change, so to read them is no step. */
int s2_read_guest(s2_u64 gpa, void *data, s2_u64 size)
{
	s2_u64 in = gpa - S2_GUEST_TABLES, offset = in % S2_GUEST_TABLES_STRIDE, entry, ipa;
	int guest = (int)(in / S2_GUEST_TABLES_STRIDE);

	if (in >= (s2_u64)s2_scenario.nested * S2_GUEST_TABLES_STRIDE || size != sizeof(entry))
		return -S2_EFAULT;
	if (offset >= LEVEL_3) {
		ipa = (offset - LEVEL_3) / 8 * PAGE;
		s2_point(S2_GUEST_LOAD, (int64_t)ipa);
		entry = leaf_entry(guest, ipa);
		s2_record(S2_GUEST_LOAD, (int64_t)ipa, guest + 1, (int64_t)entry, 0);
	} else if (offset >= LEVEL_2) {
		entry = (tables_of(guest) + LEVEL_3 + (offset - LEVEL_2) / 8 * PAGE) | TABLE_BITS;
	} else {
		entry = (tables_of(guest) + LEVEL_2 + offset / 8 * PAGE) | TABLE_BITS;
	}
	memcpy(data, &entry, sizeof(entry));
	return 0;
}

S2_OWN int set_up_nested(void)
{
	int online = s2_scenario.vcpus + s2_scenario.hosts;

	s2_nested.shadows = s2_nested.changes = 0;
	reset_vncr();
	for (int i = 0; i < online; i++) {
		s2_sched.thread[i].root = s2_vm.root;
		s2_sched.thread[i].start_level = s2_vm.start_level;
		s2_sched.thread[i].tree = 0;
	}
	if (!s2_scenario.nested)
		return 0;
	s2_nested.shadows = s2_glue_nested_begin(online);
	S2_ASSERT(s2_nested.shadows <= S2_SHADOWS, s2_nested.shadows);
	for (int i = 0; i < s2_nested.shadows; i++) {
		s2_nested.root[i] = s2_glue_shadow_root(i);
		s2_nested.bound[i] = 0;
		if (s2_scenario.tlb)
			window_root(s2_nested.root[i], 1, (s2_u64)(i + 1) << S2_TREE_SHIFT);
	}
	return s2_nested.shadows;
}

S2_OWN void describe_nested(void)
{
	for (int i = 0; i < s2_nested.shadows; i++)
		s2_record(S2_ROOT, (int64_t)s2_nested.root[i], 1, S2_VMID + 1 + i, SHADOW_BITS);
}

void s2_bind_shadow(int number, s2_u64 vttbr)
{
	s2_record(S2_MMU_BIND, number + 1, (int64_t)(s2_nested.bound[number] >> VMID_SHIFT),
		  (int64_t)(vttbr >> VMID_SHIFT), 0);
	s2_nested.bound[number] = vttbr;
}

/* ---- vCPUs that run L2 ---- */

S2_OWN void load_guest(s2_u64 ipa)
{
	struct s2_thread *me = running_thread();
	int number;

	if (s2_scenario.vncr)
		s2_glue_vncr_set(s2_sched.current, page_of_registers(s2_sched.current));
	number = s2_glue_nested_load(s2_sched.current, vttbr_of(guest_of(ipa)));
	S2_ASSERT(number >= 0, number);
	me->root = s2_nested.root[number];
	me->start_level = 1;
	me->tree = (s2_u64)(number + 1) << S2_TREE_SHIFT;
	s2_record(S2_MMU_LOAD, number + 1, 0, guest_of(ipa) + 1, 0);
}

S2_OWN void enter_guest(void)
{
	s2_glue_nested_enter(s2_sched.current);
}

S2_OWN void put_guest(void)
{
	struct s2_thread *me = running_thread();

	s2_record(S2_MMU_PUT, (int64_t)(me->tree >> S2_TREE_SHIFT), 0, 0, 0);
	s2_glue_nested_put(s2_sched.current);
	me->root = s2_vm.root;
	me->start_level = s2_vm.start_level;
	me->tree = 0;
}

/* ---- what L1 does ---- */

S2_OWN int is_of_hypervisor(int op)
{
	return op >= S2_OP_GUEST_UNMAP && op <= S2_OP_GUEST_TLBI_ALL;
}

static void write_entry(int guest, s2_u64 ipa, s2_u64 entry)
{
	s2_u64 *changed = changed_entry(guest, ipa), old = leaf_entry(guest, ipa);

	s2_point(S2_GUEST_STORE, (int64_t)ipa);
	if (!changed) {
		int last = s2_nested.changes++;

		s2_nested.change[last].guest = guest;
		s2_nested.change[last].ipa = ipa;
		changed = &s2_nested.change[last].entry;
	}
	*changed = entry;
	s2_record(S2_GUEST_STORE, (int64_t)ipa, (int64_t)old, (int64_t)entry, guest + 1);
}

/* C5.5: the smallest scale at which 32 units are enough. */
static s2_u64 range_operand(s2_u64 ipa, s2_u64 pages)
{
	s2_u64 scale = 0, unit;

	while (pages > 32ULL << (5 * scale + 1))
		scale++;
	unit = 1ULL << (5 * scale + 1);
	return ipa / PAGE | ((pages + unit - 1) / unit - 1) << 39 | scale << 44 | 1ULL << 46;
}

static void invalidate_guest(int op, s2_u64 ipa, s2_u64 size)
{
	s2_u64 operand = 0, vmid = (s2_u64)guest_of(ipa) + 1;

	if (op == S2_OP_GUEST_TLBI_IPA) {
		size = PAGE;
		operand = ipa / PAGE;
	} else if (op == S2_OP_GUEST_TLBI_RANGE) {
		operand = range_operand(ipa, size / PAGE);
	} else {
		ipa = 0;
		size = 1ULL << SHADOW_BITS;
		vmid = op == S2_OP_GUEST_TLBI_ALL ? 0 : vmid;
	}
	s2_point(S2_CALL, (int64_t)ipa);
	s2_record(S2_CALL, (int64_t)ipa, (int64_t)size, (int64_t)vmid, S2_CALL_GUEST_TLBI);
	s2_glue_guest_tlbi(s2_sched.current, op, vttbr_of(vmid ? (int)vmid - 1 : 0), operand);
	s2_point(S2_RETURN, (int64_t)ipa);
	s2_record(S2_RETURN, (int64_t)ipa, (int64_t)size, 0, S2_CALL_GUEST_TLBI);
}

S2_OWN void operate_hypervisor(int op, s2_u64 ipa, s2_u64 size)
{
	int guest = guest_of(ipa);
	s2_u64 entry = leaf_entry(guest, ipa);

	switch (op) {
	case S2_OP_GUEST_UNMAP:
		write_entry(guest, ipa, 0);
		return;
	case S2_OP_GUEST_PROTECT:
		if (entry & S2_PTE_VALID)
			write_entry(guest, ipa, entry & ~(s2_u64)S2_PTE_WRITE);
		return;
	case S2_OP_GUEST_MAP:
	case S2_OP_GUEST_MOVE:
		if (!(entry & S2_PTE_VALID))
			write_entry(guest, ipa,
				    first_entry(ipa) + (op == S2_OP_GUEST_MOVE ? PAGE : 0));
		return;
	default:
		invalidate_guest(op, ipa, size);
	}
}

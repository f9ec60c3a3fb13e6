/* TLBs and the TLBIs of EL2, whose operands are read as the Arm manual defines them. */
#include <string.h>
#include "el2_tlb.h"
#include "machine.h"
#include "observe.h"
#include "record.h"
#include "scheduler.h"
#include "step.h"
#include "tables.h"

struct el2_tlb el2_tlb;

S2_OWN void reset_el2_tlb(void)
{
	memset(&el2_tlb, 0, sizeof(el2_tlb));
}

S2_OWN int tlb_holds(int cpu, s2_s64 vmid, s2_u64 ipa, int write, s2_u64 *address)
{
	for (int i = 0; i < EL2_TLB_ENTRIES; i++) {
		const struct el2_translation *one = &el2_tlb.entry[cpu][i];

		if (!one->valid || one->vmid != vmid || ipa - one->ipa >= granule(one->level) ||
		    (write && !one->write))
			continue;
		*address = one->address + (ipa - one->ipa);
		return 1;
	}
	return 0;
}

S2_OWN void tlb_fill(int cpu, s2_s64 vmid, s2_u64 ipa, const struct el2_walk *walk)
{
	s2_u64 inside = granule(walk->level) - 1;
	struct el2_translation made = { 1, walk->level, may_write(walk), vmid, ipa & ~inside,
					walk->address & ~inside };

	el2_changes++;
	el2_tlb.entry[cpu][el2_tlb.used[cpu]++ % EL2_TLB_ENTRIES] = made;
}

void s2_load_stage2(s2_s64 vmid)
{
	if (s2_sched.current >= 0)
		el2_tlb.vmid[s2_sched.current] = vmid;
}

struct invalidation { s2_u64 first, size; int level, all; };

static void invalidate_on(int cpu, s2_s64 vmid, const struct invalidation *what)
{
	for (int i = 0; i < EL2_TLB_ENTRIES; i++) {
		struct el2_translation *one = &el2_tlb.entry[cpu][i];

		if (!one->valid || (what->all < 2 && one->vmid != vmid))
			continue;
		if (what->all ||
		    (what->first < one->ipa + granule(one->level) &&
		     one->ipa < what->first + what->size &&
		     (what->level < 0 || what->level == one->level)))
			one->valid = 0;
	}
}

static int begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

void s2_tlbi(const char *operation, s2_u64 operand)
{
	struct invalidation what = { (operand & 0xfffffffffUL) << 12, 4096, -1, 0 };
	int me = s2_sched.current, local = !strstr(operation, "is");

	if (s2_sched.silent || me < 0)
		return;
	s2_point(S2_TLBI, (int64_t)operand);
	if (begins(operation, "ipas2e1")) {
		if (operand >> 46 & 1)
			what.level = (int)(operand >> 44 & 3);
	} else if (begins(operation, "ripas2e1")) {
		what.first = (operand & 0x1fffffffffUL) << 12;
		what.size = ((operand >> 39 & 31) + 1) << (5 * (operand >> 44 & 3) + 1 + 12);
		what.level = (operand >> 37 & 3) ? (int)(operand >> 37 & 3) : -1;
	} else if (begins(operation, "vmalls12e1")) {
		what.all = 1;
	} else if (begins(operation, "alle1")) {
		what.all = 2;
	} else {
		return;
	}
	for (int cpu = 0; cpu < S2_CPUS; cpu++)
		if (!local || cpu == me)
			invalidate_on(cpu, el2_tlb.vmid[me], &what);
	s2_record(S2_TLBI, (int64_t)what.first, (int64_t)what.size, el2_tlb.vmid[me],
		  what.all ? S2_TLBI_VMALLS12E1 : S2_TLBI_IPAS2E1);
}

/* An instruction by its text: the name of a TLBI is a string of its own behind "tlbi ". */
void s2_instruction(const char *text, s2_u64 operand)
{
	const char *at = strstr(text, "\"tlbi \"");
	char name[24];
	int length = 0;

	at = at ? strchr(at + 7, '"') : NULL;
	if (!at)
		return;
	for (at++; *at && *at != '"' && *at != '\\' && length < 23; at++)
		name[length++] = *at;
	name[length] = 0;
	s2_tlbi(name, operand);
}

/* An abort of the host, as its syndrome says: a translation fault of data. */
s2_u64 s2_read_register(const char *name)
{
	return strstr(name, "ESR") || strstr(name, "esr") ? 0x93000006UL : 0;
}

void s2_write_register(s2_u64 value, const char *name)
{
	(void)value;
	(void)name;
}

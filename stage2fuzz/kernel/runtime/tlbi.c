/* The instructions of the tree's own TLB code: names and operands as the Arm ARM has them.
 *
 * C5.5: IPAS2E1 takes IPA[51:12] in bits 39:0 and a TTL hint in 47:44; RIPAS2E1 takes a base in
 * 36:0, TTL in 38:37, NUM in 43:39, SCALE in 45:44 and the granule in 47:46, and covers
 * (NUM + 1) * 2^(5 * SCALE + 1) granules. A range for another granule does nothing of use.
 */
#include <string.h>
#include "record.h"
#include "regime.h"
#include "scheduler.h"
#include "tlb.h"

/* TG of an operand, and the first level at which this granule has blocks. */
#define GRANULE ((S2_PAGE_SHIFT - 12) / 2 + 1)
#define FIRST_BLOCKS (S2_PAGE_SHIFT == 12 ? 1 : 2)

static s2_u64 field(s2_u64 operand, int high, int low)
{
	return operand >> low & (~0ULL >> (63 - high + low));
}

/* A hint for another granule, or for a level where no leaf can be, is none. */
static int hinted_level(s2_u64 operand)
{
	s2_u64 level = field(operand, 45, 44);

	return field(operand, 47, 46) == GRANULE && level >= FIRST_BLOCKS ? (int)level : -1;
}

static void name_pages(struct s2_tlbi *tlbi, int range, s2_u64 operand)
{
	if (!range) {
		tlbi->ipa = field(operand, 39, 0) << 12;
		tlbi->level = hinted_level(operand);
		return;
	}
	tlbi->ipa = field(operand, 36, 0) << S2_PAGE_SHIFT;
	tlbi->level = field(operand, 38, 37) ? (int)field(operand, 38, 37) : -1;
	if (field(operand, 47, 46) == GRANULE)
		tlbi->size = (field(operand, 43, 39) + 1)
			     << (5 * field(operand, 45, 44) + 1 + S2_PAGE_SHIFT);
}

static const char *after(const char *text, const char *prefix)
{
	size_t length = strlen(prefix);

	return strncmp(text, prefix, length) ? NULL : text + length;
}

/* How one TLBI's name begins, and what it does. */
static const struct {
	const char *name;
	int operation, range, last_level;
} forms[] = {
	{ "ipas2e1", S2_TLBI_IPAS2E1, 0, 0 },	 { "ipas2le1", S2_TLBI_IPAS2E1, 0, 1 },
	{ "ripas2e1", S2_TLBI_IPAS2E1, 1, 0 },	 { "ripas2le1", S2_TLBI_IPAS2E1, 1, 1 },
	{ "vmalls12e1", S2_TLBI_VMALLS12E1, 0, 0 }, { "vmalle1", S2_TLBI_VMALLE1, 0, 0 },
	{ "alle1", S2_TLBI_ALLE1, 0, 0 },
};

void s2_tlbi(const char *name, s2_u64 operand)
{
	struct s2_tlbi tlbi = { .level = -1 };

	if (s2_sched.silent)
		return;
	for (unsigned i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		const char *rest = after(name, forms[i].name);

		if (!rest)
			continue;
		tlbi.operation = forms[i].operation;
		tlbi.last_level = forms[i].last_level;
		tlbi.broadcast = after(rest, "is") || after(rest, "os");
		tlbi.vmid = vmid_in_effect(tlbi.operation == S2_TLBI_VMALLE1);
		if (tlbi.operation == S2_TLBI_IPAS2E1)
			name_pages(&tlbi, forms[i].range, operand);
		issue_tlbi(&tlbi);
		return;
	}
	/* By virtual address, or of EL2's own stage 1: no entry of a guest goes for sure. */
}

/* `text` is what stood between the parentheses of an asm statement. */
void s2_instruction(const char *text, s2_u64 operand)
{
	static const char mnemonic[] = "\"tlbi \"";
	const char *found = strstr(text, mnemonic);
	char name[16];
	int length = 0;

	if (!found) {
		if (!strcmp(text, "isb"))
			s2_isb();
		else
			S2_ASSERT(!strcmp(text, "nop"), text[0]);
		return;
	}
	found = strchr(found + sizeof(mnemonic) - 1, '"');
	S2_ASSERT(found, 0);
	for (found++; *found && *found != '"' && length < 15; found++)
		name[length++] = *found;
	name[length] = 0;
	s2_tlbi(name, operand);
}

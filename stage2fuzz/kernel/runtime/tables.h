/* Where table entries lie, in our memory and as physical addresses, and what they cover. */
#ifndef STAGE2FUZZ_TABLES_H
#define STAGE2FUZZ_TABLES_H

#include "seam.h"

static inline s2_u64 s2_pa(const volatile void *address)
{
	return (s2_u64)((const volatile char *)address - s2_arena) + S2_TABLE_BASE;
}

static inline s2_u64 *s2_va(s2_u64 address)
{
	return (s2_u64 *)(s2_arena + (address - S2_TABLE_BASE));
}

/* Bytes that an entry of `level` covers. */
static inline s2_u64 granule(int level)
{
	return 1ULL << S2_LEVEL_SHIFT(level);
}

#endif

/* The scenario of a run: what each host CPU does. */
#ifndef STAGE2FUZZ_EL2_PROGRAM_H
#define STAGE2FUZZ_EL2_PROGRAM_H

#include <stdint.h>
#include "linkage.h"
#include "numbers.h"

struct el2_call {
	int op, page, gfn, vm, flag;
};

struct el2_scenario {
	int cpus, fwb, teardown;
	struct { int calls; struct el2_call call[S2_MAX_HYP_CALLS]; } cpu[S2_MAX_CPUS];
};

extern struct el2_scenario el2_scenario;

/* Read a scenario of `length` numbers; how many were read, negative if they are none. */
S2_OWN int64_t read_scenario(const int64_t *numbers, int64_t length);

#endif

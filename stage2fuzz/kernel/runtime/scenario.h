/* The scenario that is run, as native.py wrote it, and the virtual machine made of it. */
#ifndef STAGE2FUZZ_SCENARIO_H
#define STAGE2FUZZ_SCENARIO_H

#include <stdint.h>
#include "linkage.h"
#include "seam.h"

struct s2_access {
	int kind;
	int64_t page;
};

struct s2_host_op {
	int op;
	int64_t page, pages;
};

struct s2_scenario {
	int ipa_bits, tlb, hardware_af, dic, fwb, cache_pages, failing_topup, teardown;
	int failing_atomic, vhe, manual, logs_begin_set, failing_alloc, nested, dirty_ring;
	int pending_stores, vncr;
	int slots, vcpus, hosts, host_pages;
	struct {
		int pages, first, backing, readonly, logging, skewed, hugetlb, contiguous;
	} slot[S2_MAX_SLOTS];
	struct { int accesses; struct s2_access access[S2_MAX_ACCESSES]; } vcpu[S2_MAX_VCPUS];
	struct { int ops; struct s2_host_op op[S2_MAX_HOST_OPS]; } host[S2_MAX_HOST_THREADS];
	struct { int64_t page; int host; } host_page[S2_MAX_HOST_PAGES];
};

extern struct s2_scenario s2_scenario;

/* Read a scenario of `length` numbers; how many it has, which is another number if it is none. */
S2_OWN int64_t read_scenario(const int64_t *numbers, int64_t length);

#endif

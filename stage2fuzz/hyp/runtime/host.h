/* The host: its VMs, what each of its CPUs is at, and the calls it makes. */
#ifndef STAGE2FUZZ_EL2_HOST_H
#define STAGE2FUZZ_EL2_HOST_H

#include "el2_seam.h"
#include "linkage.h"
#include "program.h"

struct el2_vm {
	/* 0 where there is none. */
	int handle, is_protected;
};

struct el2_cpu {
	/* The VM and vCPU that are loaded (-1: none), and where its guest's walks begin. */
	int vm, vcpu;
	s2_u64 root;
	s2_s64 vmid;
	/* Pages of this CPU that were handed over for tables. */
	unsigned long cache_used;
	/* The guest's page that the call under way is about; -1 for none. */
	int gfn;
	s2_u64 abort_address;
	int abort_injected, pins[S2_EL2_TEST_PAGES];
};

struct el2_host {
	struct el2_vm vm[S2_EL2_VMS];
	struct el2_cpu cpu[S2_CPUS];
	/* Test pages that EL2 was donated, and that were shared for FF-A. */
	unsigned donated, ffa;
};

extern struct el2_host el2_host;

/* The VMs that are there from the start. */
S2_OWN void create_vms(void);
S2_OWN void run_call(int cpu, const struct el2_call *call);
/* Everything is undone in order, and each page that the host had handed over is looked at. */
S2_OWN void take_all_back(void);
S2_OWN void keep_host(void);
S2_OWN void restore_host(void);
/* Ask EL2 something without a step or an event. */
S2_OWN s2_u64 guest_root_of(int vm);

#endif

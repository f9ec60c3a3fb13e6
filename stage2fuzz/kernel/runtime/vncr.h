/* A guest hypervisor's page of registers, as each CPU has it mapped for the vCPU it runs. */
#ifndef STAGE2FUZZ_VNCR_H
#define STAGE2FUZZ_VNCR_H

#include "linkage.h"
#include "scheduler.h"

/* Nobody has a page mapped, and no pseudo-TLB is watched. */
S2_OWN void reset_vncr(void);
/* Where the page of a vCPU lies: it is the one that its program names first. */
S2_OWN s2_u64 page_of_registers(int vcpu);
/* The running vCPU uses its page: whether it got through, or what the fault of that left. */
enum { VNCR_THROUGH, VNCR_AGAIN, VNCR_GIVEN_UP };
S2_OWN int touch_page(int is_write);
/* A byte is about to be read, or written: whether a pseudo-TLB is valid is a step. */
S2_OWN void note_vncr_byte(const void *address, int is_store);

#endif

/* The seam between EL2's own code and the runtime: what either side may call of the other.
 *
 * The other engine's seam.h holds what both engines share: entries, barriers, complaints.
 */
#ifndef STAGE2FUZZ_EL2_SEAM_H
#define STAGE2FUZZ_EL2_SEAM_H

#include "seam.h"

/* The machine's memory, as EL2 sees it and as physical addresses; the array of page states lies
 * where EL2 itself lays it out. */
#define S2_EL2_MEMORY S2_ARENA_AT
#define S2_EL2_PAGES S2_PAGES
#define S2_EL2_PHYSICAL ((s2_u64)S2_TABLE_BASE)
#define S2_EL2_PAGE_STATES 0x600000000000UL
#define S2_CPUS 8
#define S2_EL2_VMS S2_MAX_EL2_VMS
#define S2_EL2_VCPUS 2

/* What EL2 calls of the runtime. */
int s2_cpu(void);
void *s2_memset(void *at, int value, unsigned long size);
void s2_lock_at(const void *lock);
void s2_unlock_at(const void *lock);
int s2_is_locked_at(const void *lock);
s2_u64 s2_read_register(const char *name);
void s2_write_register(s2_u64 value, const char *name);
void s2_load_stage2(s2_s64 vmid);
void s2_dsb(const char *domain);
void s2_cache_maintenance(const void *at, unsigned long size);
void s2_leave_boot(void) __attribute__((noreturn));
s2_u64 s2_host_fault_address(void);
void s2_host_abort_injected(void);

/* What the runtime calls of EL2's glue. */
struct el2_layout {
	/* Pages of EL2's pool, of a VM, of a vCPU, of a guest's root; bytes of a page's state. */
	unsigned long pool, vm, vcpu, root, state;
	/* Pages that a vCPU's memory cache must hold before a page can be mapped. */
	int cache;
	int start_level;
};
struct el2_state { int host, hyp; unsigned count; };

void el2_measure(unsigned long memory, struct el2_layout *to);
void el2_boot(unsigned long memory, int cpus, unsigned long capabilities);
int el2_boot_result(void);
struct el2_state el2_unpack(s2_u64 word);
/* The tables of the host (0: stage 2, 1: EL2's stage 1) and of a guest; 0 where there are none. */
s2_u64 el2_host_root(void);
s2_u64 el2_hyp_root(void);
s2_u64 el2_guest_root(int handle);
s2_s64 el2_guest_vmid(int handle);
/* Which lock this is (LOCK_*); `vm` has where each VM's structure lies, or 0. */
int el2_lock_name(const void *lock, const unsigned long *vm);

/* The host's structures, in its own pages. */
void el2_host_vm(void *vm, int vcpus, int is_protected, int handle);
void el2_host_vcpu(void *vcpu, void *vm, int number);
void el2_host_topup(void *vcpu, void *page);
int el2_host_cached(const void *vcpu);

/* Hypercalls, as the handlers of hyp-main.c make them, and what EL2 does by itself. */
int el2_share_hyp(s2_u64 pfn);
int el2_unshare_hyp(s2_u64 pfn);
int el2_donate_hyp(s2_u64 pfn);
int el2_reclaim_hyp(s2_u64 pfn);
int el2_pin(void *at);
void el2_unpin(void *at);
int el2_share_ffa(s2_u64 pfn);
int el2_unshare_ffa(s2_u64 pfn);
int el2_host_abort(void);
int el2_load(int handle, int vcpu);
int el2_put(void);
int el2_share_guest(s2_u64 pfn, s2_u64 gfn, int write);
int el2_donate_guest(s2_u64 pfn, s2_u64 gfn);
int el2_unshare_guest(int handle, s2_u64 gfn);
int el2_wrprotect_guest(int handle, s2_u64 gfn);
int el2_age_guest(int handle, s2_u64 gfn, int clear);
int el2_relax_guest(s2_u64 gfn, int write);
int el2_mkyoung_guest(s2_u64 gfn);
int el2_guest_share(s2_u64 gfn);
int el2_guest_unshare(s2_u64 gfn);
int el2_force_reclaim(s2_u64 physical);
int el2_reserve_vm(void);
int el2_init_vm(void *host_vm, unsigned long vm, unsigned long root);
int el2_init_vcpu(int handle, void *host_vcpu, unsigned long vcpu);
int el2_start_teardown(int handle);
int el2_reclaim_gfn(int handle, s2_u64 gfn);
int el2_finalize_teardown(int handle);

#endif

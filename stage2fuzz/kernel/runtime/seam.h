/* The seam between the user's kernel code and our runtime: what either side may call of the other.
 *
 * Kernel code is compiled with the shim headers and no libc, the runtime with libc and no shim, so
 * nothing here names a type of either. Kinds, limits and numbers come from numbers.h, which
 * build.py writes from stage2fuzz/events.py, arch.py and scenario.py: there is one source of truth.
 */
#ifndef STAGE2FUZZ_SEAM_H
#define STAGE2FUZZ_SEAM_H

#include "numbers.h"

typedef unsigned long long s2_u64;
typedef long long s2_s64;

#define S2_PAGES 2048
/* How far an address is shifted to number the entries of a level. The granule is the build's. */
#define S2_LEVEL_SHIFT(level) (S2_PAGE_SHIFT + (S2_PAGE_SHIFT - 3) * (3 - (level)))
/* The one guest's; 0 is the host's. */
#define S2_VMID 1
#define S2_ARENA_SIZE ((unsigned long)S2_PAGES * S2_PAGE_SIZE)
/* Host-side tables of the VMM (never watched) follow the arena of stage-2 tables. */
#define S2_USER_PAGES 8

struct s2_page {
	int count;
	int live;
	unsigned long private_;
	void *rcu_next;
	void (*rcu_callback)(void *);
};

#ifdef S2_ARENA_AT
#define s2_arena ((char *)S2_ARENA_AT)
#else
extern char s2_arena[];
#endif
extern struct s2_page s2_page_table[];
extern const s2_s64 *s2_watched_sequence;

static inline int s2_is_entry(const volatile void *address)
{
	return (unsigned long)address - (unsigned long)s2_arena < S2_ARENA_SIZE;
}

/* Entries. */
s2_u64 s2_entry_load(const volatile void *entry);
void s2_entry_store(volatile void *entry, s2_u64 value, int order);
s2_u64 s2_entry_xchg(volatile void *entry, s2_u64 value);
s2_u64 s2_entry_cmpxchg(volatile void *entry, s2_u64 expected, s2_u64 value);
void s2_barrier(int kind);
void s2_isb(void);

/* Table pages; a struct page of the kernel is an s2_page of ours. */
void *s2_page_alloc(int count, int from_system);
void s2_page_get(struct s2_page *page);
void s2_page_put(struct s2_page *page);
void s2_page_free(struct s2_page *page);
int s2_page_count(struct s2_page *page);
void s2_defer(void *head, void (*callback)(void *));
int s2_topup(int *cached, int wanted, int capacity);
void *s2_cache_alloc(int *cached);
void *s2_scratch(unsigned long size);

/* Locks and read-side sections. */
void s2_lock(int name, int shared);
void s2_unlock(int name, int shared);
int s2_lock_contended(int name);
void s2_rcu_lock(void);
void s2_rcu_unlock(void);
void s2_slots_read_lock(void);
void s2_slots_read_unlock(void);

/* TLB and cache maintenance. */
void s2_tlb_flush_ipa(s2_u64 ipa, int level, int broadcast);
void s2_tlb_flush_range(s2_u64 ipa, s2_u64 pages);
void s2_tlb_flush_vmid(void);
/* What the tree's own TLB code executes: an instruction by its text, a TLBI by its name, and the
 * registers that say which guest a TLBI is for. */
void s2_instruction(const char *text, s2_u64 operand);
void s2_tlbi(const char *operation, s2_u64 operand);
void s2_write_vttbr(s2_u64 value);
void s2_write_hcr(s2_u64 value);
s2_u64 s2_hcr(void);
void s2_exception_return(void);
int s2_vcpu_on_this_cpu(void);
void s2_dcache_clean(s2_u64 address, s2_u64 size);
void s2_icache_invalidate(s2_u64 address, s2_u64 size);

/* The host of virt/kvm, as far as a fault handler sees it. */
int s2_retry(s2_u64 sampled);
int s2_pin(s2_u64 ipa, int write, s2_u64 *address, int *writable);
void s2_pin_again(void);
void s2_unpin(s2_u64 address);
void s2_pfn_accessed(s2_u64 address);
void s2_pfn_dirty(s2_u64 address);
void s2_mark_dirty(int slot, s2_u64 ipa);
int s2_is_device(s2_u64 address);
int s2_is_huge(s2_u64 address);
int s2_page_tagged(s2_u64 address);
int s2_try_tagging(s2_u64 address);
void s2_set_tagged(s2_u64 address);
void s2_clear_tags(s2_u64 address);
int s2_is_hugetlb(s2_u64 address);
int s2_try_folio_tagging(s2_u64 address);
void s2_set_folio_tagged(s2_u64 address);
int s2_host_absent(s2_u64 ipa);
/* Whether there is no VMA anywhere in a slot. */
int s2_slot_absent(int slot);
int s2_maps_by_pages(void);
void s2_signal(void);
void s2_inject(int code);
void s2_skip_instruction(void);
int s2_mmio(s2_u64 address, int has_syndrome);

/* The memory of a guest hypervisor, as far as it holds its stage-2 tables. */
int s2_read_guest(s2_u64 gpa, void *data, s2_u64 size);
/* A shadow MMU is for another context of its from now on; VTTBR 0: for none. */
void s2_bind_shadow(int number, s2_u64 vttbr);

/* L1's page of registers (VNCR_EL2) of a vCPU that runs L2: KVM's mapping of it on each CPU and its
 * note that there is one, whose validity is `watch`ed, and L1's own stage 1, to read which is a
 * step. Each thread has a CPU of its own. */
int s2_this_cpu(void);
void s2_vncr_map(int cpu, s2_u64 address, int writable);
void s2_vncr_unmap(int cpu);
void s2_vncr_note(int is_mapped);
int s2_vncr_noted(void);
void s2_vncr_watch(int vcpu, const void *valid);
void s2_vncr_walk(s2_u64 va);

/* Calls into pgtable.c as seen by the oracles, and complaints. */
void s2_call(int call, s2_u64 first, s2_u64 size, s2_u64 argument, int rights);
void s2_return(int call, s2_u64 first, s2_u64 size, s2_s64 result);
s2_u64 s2_fault_granule(void);
void s2_warn(int code);
void s2_bug(void) __attribute__((noreturn));

/* What glue.c gives the runtime. */
struct s2_glue_options {
	int ipa_bits, dic, fwb, vhe, eager_split, manual, logs_begin_set, dirty_ring, alone, nested;
	int vncr, mte;
};
struct s2_glue_slot {
	s2_u64 first, size, user_address;
	int flags, backing, skewed, hugetlb, contiguous, exists;
};
extern struct s2_glue_options s2_options;
extern const int s2_shared_faults, s2_swap_waits, s2_has_dirty_ring, s2_has_nested;
extern const int s2_has_mte, s2_has_hugetlb_mte;
int s2_glue_begin(void);
void s2_glue_publish(int slot, const struct s2_glue_slot *what);
/* `kind` is what the syndrome calls it, `how` the bits of arch.INSTRUCTIONS above the rights. */
int s2_glue_fault(int thread, s2_u64 ipa, int kind, int status, int level, int how);
/* What virt/kvm asks before it publishes a slot: 0, or why not. */
int s2_glue_prepare_logging(int slot, const struct s2_glue_slot *what);
int s2_glue_prepare_creation(int slot, const struct s2_glue_slot *what);
int s2_glue_prepare_move(int slot, const struct s2_glue_slot *what);
void s2_glue_commit_logging(int slot);
void s2_glue_commit_creation(int slot);
void s2_glue_commit_deletion(int slot);
void s2_glue_commit_move(int slot);
void s2_glue_protect_masked(int slot, s2_u64 first_page, unsigned long mask);
void s2_glue_flush_all(int slot);
void s2_glue_flush_slot(int slot);
void s2_glue_unmap_vm(void);
/* A guest's vCPU on this thread: whether its caches are on and writes that switch them trap; to
 * write SCTLR_EL1 so that they are, to execute DC CISW. */
int s2_glue_uses_caches(int thread);
int s2_glue_traps_switches(int thread);
void s2_glue_switch_caches(int thread, int on);
void s2_glue_set_way(int thread);
void s2_glue_invalidate(int slot, s2_u64 first, s2_u64 size, int may_block);
int s2_glue_age(int slot, s2_u64 first, s2_u64 size);
int s2_glue_test_young(int slot, s2_u64 first);
int s2_glue_change_pte(int slot, s2_u64 first, s2_u64 address);
void s2_glue_teardown(void);
void s2_glue_forget_statistics(void);
s2_u64 s2_glue_hyp_begin(void);
int s2_glue_hyp_map(s2_u64 first, int writable);
/* Nested guests: the MMUs of `online` vCPUs, the root of one; to load a vCPU with this VTTBR (0: at
 * virtual EL2), which says which MMU it uses, to enter the guest, to put it; and a TLBI of L1. */
int s2_glue_nested_begin(int online);
s2_u64 s2_glue_shadow_root(int number);
int s2_glue_nested_load(int thread, s2_u64 vttbr);
void s2_glue_nested_enter(int thread);
void s2_glue_nested_put(int thread);
void s2_glue_note_bindings(void);
/* The page of registers of a vCPU lies here, in L1's memory; an access of it faults. */
void s2_glue_vncr_set(int thread, s2_u64 ipa);
int s2_glue_vncr_fault(int thread, int is_write, int is_permission);
void s2_glue_guest_tlbi(int thread, int operation, s2_u64 vttbr, s2_u64 operand);
void s2_glue_sequence(s2_s64 sequence, s2_s64 count);

#endif

/* Glue: struct kvm, memslots and vCPUs for the user's mmu.c, and each call into it.
 *
 * Compiled against the user's own headers, without instrumentation. What differs between API
 * generations is decided by probes (S2_HAS_*), never by a version number: users have backports.
 */
#include <asm/kvm_arm.h>
#include <asm/kvm_pgtable.h>
#include <asm/stage2_pgtable.h>
#include "assertion.h"

#define MEMSLOT_VERSIONS 24
/* A guest hypervisor's operations run on a vCPU of their own. */
#define VCPUS (S2_MAX_VCPUS + S2_MAX_HOST_THREADS)

char __hyp_idmap_text_start[1], __hyp_idmap_text_end[1], __kvm_hyp_init[1];
static struct mm_struct mm;
const int s2_shared_faults = S2_HAS_SHARED_WALK;
/* virt/kvm waits for running notifiers before it swaps memslots since it hands them gfn ranges. */
const int s2_swap_waits = S2_HAS_GFN_RANGE;
/* HAVE_KVM_DIRTY_RING_ACQ_REL came to arm64 with the release that brought shared walks, v6.2. */
const int s2_has_dirty_ring = S2_HAS_SHARED_WALK;
const int s2_has_mte = S2_HAS_MTE, s2_has_hugetlb_mte = S2_HAS_HUGETLB_MTE;
struct task_struct s2_task = { &mm };
static struct kvm kvm;
long s2_structures;
/* Threads in the teardown of the VM. */
static int vms_ending;
static struct kvm_vcpu vcpus[VCPUS];
static struct kvm_memory_slot memslots[S2_MAX_SLOTS][MEMSLOT_VERSIONS];
static struct kvm_memory_slot *current_memslot[S2_MAX_SLOTS], *last_memslot[S2_MAX_SLOTS];
/* How many versions of each there were in this run: handlers may still use an older one. */
static int memslot_versions[S2_MAX_SLOTS];
static struct vm_area_struct vmas[S2_MAX_SLOTS];

/* ---- the functions of mmu.c that no header of the tree declares here ---- */
int kvm_handle_guest_abort(struct kvm_vcpu *vcpu);
void kvm_arch_flush_shadow_memslot(struct kvm *, struct kvm_memory_slot *);
void kvm_arch_flush_shadow_all(struct kvm *);
void stage2_unmap_vm(struct kvm *);
void kvm_set_way_flush(struct kvm_vcpu *);
void kvm_toggle_cache(struct kvm_vcpu *, bool);
void kvm_arch_mmu_enable_log_dirty_pt_masked(struct kvm *, struct kvm_memory_slot *, gfn_t,
					     unsigned long);
#if S2_HAS_INIT_TYPE
int kvm_init_stage2_mmu(struct kvm *, struct kvm_s2_mmu *, unsigned long);
#else
int kvm_init_stage2_mmu(struct kvm *, struct kvm_s2_mmu *);
#endif
#if S2_HAS_COMMIT_REGION_POINTER
void kvm_arch_commit_memory_region(struct kvm *, struct kvm_memory_slot *,
				   const struct kvm_memory_slot *, enum kvm_mr_change);
int kvm_arch_prepare_memory_region(struct kvm *, const struct kvm_memory_slot *,
				   struct kvm_memory_slot *, enum kvm_mr_change);
#else
void kvm_arch_commit_memory_region(struct kvm *, const struct kvm_userspace_memory_region *,
				   struct kvm_memory_slot *, const struct kvm_memory_slot *,
				   enum kvm_mr_change);
int kvm_arch_prepare_memory_region(struct kvm *, struct kvm_memory_slot *,
				   const struct kvm_userspace_memory_region *,
				   enum kvm_mr_change);
#endif
#if S2_HAS_GFN_RANGE
bool kvm_unmap_gfn_range(struct kvm *, struct kvm_gfn_range *);
bool kvm_age_gfn(struct kvm *, struct kvm_gfn_range *);
bool kvm_test_age_gfn(struct kvm *, struct kvm_gfn_range *);
bool kvm_set_spte_gfn(struct kvm *, struct kvm_gfn_range *);
#else
int kvm_unmap_hva_range(struct kvm *, unsigned long, unsigned long, unsigned);
int kvm_age_hva(struct kvm *, unsigned long, unsigned long);
int kvm_test_age_hva(struct kvm *, unsigned long);
int kvm_set_spte_hva(struct kvm *, unsigned long, pte_t);
#endif

#include "memslots.c"
#include "alone.c"
#include "vm.c"
#include "nested.c"
#include "tlb.c"
#include "operations.c"
#include "hyp.c"
#include "calls.c"

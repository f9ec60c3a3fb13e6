/* Nested virtualisation: the tree's own code (nested_types.h), or none of it. */

#if S2_HAS_UNIT_NESTED
#include "nested_types.h"
#else
struct kvm_s2_trans { phys_addr_t output; };
#define KVM_NV_GUEST_MAP_SZ 0
#define kvm_is_nested_s2_mmu(kvm, mmu) 0
#define kvm_walk_nested_s2(v, ipa, t) ((t)->output = 0, 0)
#define kvm_s2_handle_perm_fault(v, t) ((void)(t), 0)
#define kvm_s2_trans_esr(t) ((void)(t), 0)
#define kvm_s2_trans_output(t) ((t)->output)
#define kvm_s2_trans_size(t) ((void)(t), PAGE_SIZE)
#define kvm_s2_trans_writable(t) ((void)(t), true)
#define kvm_s2_trans_readable(t) ((void)(t), true)
#define kvm_s2_trans_executable(t) ((void)(t), true)
#define kvm_s2_trans_exec_el0(kvm, t) ((void)(t), true)
#define kvm_s2_trans_exec_el1(kvm, t) ((void)(t), true)
#define kvm_encode_nested_level(t) ((void)(t), 0)
#define kvm_inject_s2_fault(v, esr) s2_inject(-S2_EFAULT)
#define kvm_nested_s2_unmap(kvm, may_block) ((void)(kvm))
#define kvm_nested_s2_wp(kvm) ((void)(kvm))
#define kvm_nested_s2_flush(kvm) ((void)(kvm))
#define kvm_init_nested_s2_mmu(mmu) ((void)(mmu))
#define vcpu_has_nv(v) 0
#define is_nested_ctxt(v) 0
#define is_hyp_ctxt(v) 0
#endif

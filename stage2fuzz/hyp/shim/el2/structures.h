/* KVM's structures, as far as EL2 reads and writes them. */
typedef u64 gpa_t, gfn_t, hpa_t, kvm_pfn_t;
typedef u16 pkvm_handle_t;
typedef struct { u64 pte; } pte_t;

/* The pages that the host hands over for tables: a list through the pages themselves. */
struct kvm_hyp_memcache { phys_addr_t head; unsigned long nr_pages; void *mapping;
			  unsigned long flags; };
#define HYP_MEMCACHE_ACCOUNT_STAGE2 BIT(1)
static inline void push_hyp_memcache(struct kvm_hyp_memcache *mc, phys_addr_t *p,
				     phys_addr_t (*to_pa)(void *))
{
	*p = mc->head;
	mc->head = to_pa(p);
	mc->nr_pages++;
}
static inline void *pop_hyp_memcache(struct kvm_hyp_memcache *mc, void *(*to_va)(phys_addr_t))
{
	phys_addr_t *p = to_va(mc->head & PAGE_MASK);

	if (!mc->nr_pages)
		return NULL;
	mc->head = *p;
	mc->nr_pages--;
	return p;
}
static inline int __topup_hyp_memcache(struct kvm_hyp_memcache *mc, unsigned long wanted,
				       void *(*alloc)(void *), phys_addr_t (*to_pa)(void *),
				       void *argument)
{
	while (mc->nr_pages < wanted) {
		void *p = alloc(argument);

		if (!p)
			return -ENOMEM;
		push_hyp_memcache(mc, p, to_pa);
	}
	return 0;
}
struct kvm_mmu_memory_cache { int nobjs; };
#define kvm_mmu_memory_cache_alloc(mc) ((void *)0)
struct ffa_mem_region { int unused; };
struct ffa_mem_region_attributes { int unused; };
struct ffa_composite_mem_region { int unused; };
struct ffa_mem_region_addr_range { u64 unused[2]; };
#define SG_MAX_SEGMENTS 16
#define SVE_SIG_REGS_SIZE(x) 0
#define sve_vq_from_vl(x) 0
#define atomic64_set(v, x) ((v)->counter = (x))

struct kvm_vmid { atomic64_t id; };
struct kvm_pgtable;
struct kvm_arch;
struct kvm_s2_mmu {
	struct kvm_mmu_memory_cache split_page_cache;
	struct kvm_vmid vmid;
	phys_addr_t pgd_phys;
	struct kvm_pgtable *pgt;
	u64 vtcr;
	struct kvm_arch *arch;
};
enum {
	KVM_ARM_VCPU_EL1_32BIT = 1, KVM_ARM_VCPU_PSCI_0_2, KVM_ARM_VCPU_PMU_V3, KVM_ARM_VCPU_SVE,
	KVM_ARM_VCPU_PTRAUTH_ADDRESS, KVM_ARM_VCPU_PTRAUTH_GENERIC, KVM_VCPU_MAX_FEATURES = 9
};
enum {
	KVM_ARCH_FLAG_MTE_ENABLED = 1, KVM_ARCH_FLAG_ID_REGS_INITIALIZED = 4,
	KVM_ARCH_FLAG_GUEST_HAS_SVE = 9, KVM_ARCH_FLAG_WRITABLE_IMP_ID_REGS = 10
};
enum {
	KVM_CAP_IRQCHIP, KVM_CAP_ARM_PSCI, KVM_CAP_ARM_PSCI_0_2, KVM_CAP_NR_VCPUS,
	KVM_CAP_MAX_VCPUS, KVM_CAP_MAX_VCPU_ID, KVM_CAP_MSI_DEVID, KVM_CAP_ARM_VM_IPA_SIZE,
	KVM_CAP_ARM_PTRAUTH_ADDRESS, KVM_CAP_ARM_PTRAUTH_GENERIC, KVM_CAP_ARM_MTE,
	KVM_CAP_ARM_EAGER_SPLIT_CHUNK_SIZE, KVM_CAP_ARM_SUPPORTED_BLOCK_SIZES,
	KVM_CAP_ARM_PMU_V3, KVM_CAP_ARM_SVE
};
struct kvm_protected_vm {
	pkvm_handle_t handle;
	struct kvm_hyp_memcache teardown_mc, stage2_teardown_mc;
	bool is_protected, enabled, is_created, is_dying;
};
struct kvm_arch {
	struct kvm_s2_mmu mmu;
	unsigned long flags;
	struct kvm_protected_vm pkvm;
	u64 ctr_el0, midr_el1, id_regs[4], vtcr;
	unsigned long vcpu_features[1];
	struct { int vgic_model; } vgic;
	struct { u64 voffset, poffset; } timer_data;
};
struct kvm { rwlock_t mmu_lock; struct kvm_arch arch; int created_vcpus; void *mm; };
struct kvm_vcpu_fault_info { u64 esr_el2, far_el2, hpfar_el2, disr_el1; };
struct user_pt_regs { u64 regs[31]; u64 sp, pc, pstate; };
struct kvm_vcpu;
struct kvm_cpu_context { struct user_pt_regs regs; struct kvm_vcpu *__hyp_running_vcpu; };
struct arch_timer_offset { u64 *vm_offset, *vcpu_offset; };
struct arch_timer_context { struct arch_timer_offset offset; };
struct kvm_vcpu_arch {
	struct kvm_s2_mmu *hw_mmu;
	struct kvm_cpu_context ctxt;
	struct kvm_hyp_memcache pkvm_memcache;
	struct kvm_vcpu_fault_info fault;
	u64 hcr_el2, hcrx_el2, mdcr_el2, vsesr_el2, cptr_el2, features, fgt[4];
	u8 cflags;
	void *sve_state;
	unsigned int sve_max_vl;
	struct { u32 mp_state; } mp_state;
	struct arch_timer_context timers[2];
};
struct kvm_vcpu { struct kvm *kvm; int vcpu_id, vcpu_idx; struct kvm_vcpu_arch arch; };
#define kvm_stage2_levels(mmu) VTCR_EL2_LVLS((mmu)->vtcr)
#define kvm_mmu_cache_min_pages(mmu) (kvm_stage2_levels(mmu) - 1)
#define kvm_phys_shift(mmu) (64 - (int)((mmu)->vtcr & 0x3f))
#define kvm_phys_size(mmu) (1ULL << kvm_phys_shift(mmu))
#define kvm_vm_is_protected(kvm) ((kvm)->arch.pkvm.is_protected)
#define vcpu_is_protected(v) kvm_vm_is_protected((v)->kvm)
#define vcpu_vtimer(v) (&(v)->arch.timers[0])
#define vcpu_ptimer(v) (&(v)->arch.timers[1])
#define KVM_MP_STATE_STOPPED 5
struct kvm_nvhe_init_params {
	u64 mair_el2, tcr_el2, tpidr_el2, stack_hyp_va, stack_pa;
	phys_addr_t pgd_pa;
	u64 hcr_el2, vttbr, vtcr, tmp;
};
DECLARE_PER_CPU(struct kvm_nvhe_init_params, kvm_init_params);
struct kvm_host_data { struct kvm_cpu_context host_ctxt; void *sve_regs, *sve_state; };
DECLARE_PER_CPU(struct kvm_host_data, kvm_host_data);
#define host_data_ptr(field) (&this_cpu_ptr(&kvm_host_data)->field)
struct cpu_sve_state { int unused; };
struct s2_vgic { int unused; };
#define kvm_vgic_global_state (*(struct s2_vgic *)(s2_image + 0x6000))
extern unsigned long hyp_nr_cpus;
extern struct memblock_region hyp_memory[];
extern unsigned int hyp_memblock_nr;
#define kvm_nvhe_sym(x) x
#if S2_HAS_CPUS_ARGUMENT
int __pkvm_init(phys_addr_t phys, unsigned long size, unsigned long nr_cpus,
		unsigned long *per_cpu_base, u32 hyp_va_bits);
#else
int __pkvm_init(phys_addr_t phys, unsigned long size, unsigned long *per_cpu_base,
		u32 hyp_va_bits);
#endif
void __noreturn __host_enter(struct kvm_cpu_context *);

/* EL2's side of the seam: its set-up, its hypercalls by name, its states as numbers. */
#include <nvhe/early_alloc.h>
#include <nvhe/gfp.h>
#include <nvhe/memory.h>
#include <nvhe/mem_protect.h>
#include <nvhe/mm.h>
#include <nvhe/pkvm.h>

/* ---- what the files that are left out would define ---- */
DEFINE_PER_CPU(struct kvm_nvhe_init_params, kvm_init_params);
DEFINE_PER_CPU(struct kvm_host_data, kvm_host_data);
DEFINE_PER_CPU(unsigned long, kvm_hyp_vector);
unsigned long el2_capabilities;
int hyp_ffa_init(void *pages) { return 0; }
int kvm_check_pvm_sysreg_table(void) { return 0; }
void kvm_init_pvm_id_regs(struct kvm_vcpu *vcpu) { }
/* The end of EL2's set-up goes back to the host. */
void __noreturn __host_enter(struct kvm_cpu_context *context) { s2_leave_boot(); }
/* The jump through the identity map, to go on with the new tables. */
void __pkvm_init_switch_pgd(phys_addr_t pgd, unsigned long sp, void (*go_on)(void)) { go_on(); }
void inject_host_exception(u64 esr) { s2_host_abort_injected(); }

#ifndef HPFAR_EL2_NS
#define HPFAR_EL2_NS BIT(63)
#endif
bool el2_host_fault(struct kvm_vcpu_fault_info *fault)
{
	fault->hpfar_el2 = HPFAR_EL2_NS | (s2_host_fault_address() >> 12 << 4);
	return true;
}

/* ---- set-up: the image, a page of per-CPU data and of stack for each CPU, then the pool ---- */
#define CPU_DATA 16
#define CPU_STACKS 32
#define POOL 64
static unsigned long per_cpu_base[S2_CPUS];

static void describe_memory(unsigned long memory)
{
	hyp_memory[0].base = S2_EL2_PHYSICAL;
	hyp_memory[0].size = memory;
	hyp_memblock_nr = 1;
}

static unsigned long pool_pages(void)
{
	return pkvm_selftest_pages() + hyp_vmemmap_pages(sizeof(struct hyp_page)) +
	       hyp_vm_table_pages() + hyp_s1_pgtable_pages() + host_s2_pgtable_pages() +
	       hyp_ffa_proxy_pages();
}

void el2_measure(unsigned long memory, struct el2_layout *to)
{
	describe_memory(memory);
	to->pool = pool_pages();
	to->vm = PAGE_ALIGN(sizeof(struct pkvm_hyp_vm) + S2_EL2_VCPUS * sizeof(void *)) >> 12;
	to->vcpu = PAGE_ALIGN(sizeof(struct pkvm_hyp_vcpu)) >> 12;
	to->state = sizeof(struct hyp_page);
	/* What follows is known once EL2 was set up. */
	if (!host_mmu.arch.mmu.vtcr)
		return;
	to->root = kvm_pgtable_stage2_pgd_size(host_mmu.arch.mmu.vtcr) >> 12;
	to->cache = kvm_mmu_cache_min_pages(&host_mmu.arch.mmu);
	to->start_level = host_mmu.pgt.start_level;
}

void el2_boot(unsigned long memory, int cpus, unsigned long capabilities)
{
	el2_capabilities = capabilities;
	hyp_physvirt_offset = S2_EL2_PHYSICAL - S2_EL2_MEMORY;
	describe_memory(memory);
	hyp_nr_cpus = cpus;
	for (int i = 0; i < cpus; i++) {
		per_cpu_base[i] = S2_EL2_MEMORY + (CPU_DATA + i) * PAGE_SIZE;
		kvm_init_params[i].stack_pa = S2_EL2_PHYSICAL + (CPU_STACKS + i) * PAGE_SIZE;
	}
#if S2_HAS_CPUS_ARGUMENT
	__pkvm_init(S2_EL2_PHYSICAL + POOL * PAGE_SIZE, pool_pages() << 12, cpus, per_cpu_base, 48);
#else
	__pkvm_init(S2_EL2_PHYSICAL + POOL * PAGE_SIZE, pool_pages() << 12, per_cpu_base, 48);
#endif
}

int el2_boot_result(void)
{
	return kvm_host_data[0].host_ctxt.regs.regs[1];
}

/* ---- states, tables and locks ---- */
struct el2_state el2_unpack(s2_u64 word)
{
	struct hyp_page page = *(struct hyp_page *)&word;

	return (struct el2_state){ get_host_state(&page), get_hyp_state(&page),
				   page.host_share_guest_count };
}

s2_u64 el2_host_root(void) { return host_mmu.arch.mmu.pgd_phys; }
s2_u64 el2_hyp_root(void) { return __hyp_pa(pkvm_pgtable.pgd); }

s2_u64 el2_guest_root(int handle)
{
	struct pkvm_hyp_vm *vm = get_vm_by_handle(handle);

	return vm ? vm->kvm.arch.mmu.pgd_phys : 0;
}

s2_s64 el2_guest_vmid(int handle)
{
	struct pkvm_hyp_vm *vm = get_vm_by_handle(handle);

	return vm ? vm->kvm.arch.mmu.vmid.id.counter : -1;
}

extern hyp_spinlock_t vm_table_lock;

int el2_lock_name(const void *lock, const unsigned long *vm)
{
	if (lock == &vm_table_lock)
		return S2_LOCK_VM_TABLE;
	if (lock == &host_mmu.lock)
		return S2_LOCK_HOST_STAGE2;
	if (lock == &pkvm_pgd_lock)
		return S2_LOCK_HYP_STAGE1;
	for (int i = 0; i < S2_EL2_VMS; i++) {
		unsigned long at = (unsigned long)lock - vm[i];

		if (at == offsetof(struct pkvm_hyp_vm, lock))
			return S2_LOCK_GUEST + i;
		if (at == offsetof(struct pkvm_hyp_vm, pool.lock))
			return S2_LOCK_GUEST_POOL + i;
	}
	return S2_LOCK_EL2_OTHER;
}

/* ---- the host's structures ---- */
void el2_host_vm(void *vm, int vcpus, int is_protected, int handle)
{
	struct kvm *kvm = vm;

	kvm->created_vcpus = vcpus;
	kvm->arch.pkvm.is_protected = is_protected;
	kvm->arch.pkvm.handle = handle;
	kvm->arch.flags = BIT(KVM_ARCH_FLAG_ID_REGS_INITIALIZED);
}

void el2_host_vcpu(void *vcpu, void *vm, int number)
{
	struct kvm_vcpu *v = vcpu;

	v->kvm = vm;
	v->vcpu_id = v->vcpu_idx = number;
}

void el2_host_topup(void *vcpu, void *page)
{
	push_hyp_memcache(&((struct kvm_vcpu *)vcpu)->arch.pkvm_memcache, page, hyp_virt_to_phys);
}

int el2_host_cached(const void *vcpu)
{
	return ((const struct kvm_vcpu *)vcpu)->arch.pkvm_memcache.nr_pages;
}

/* ---- hypercalls about the host's own pages ---- */
int el2_share_hyp(s2_u64 pfn) { return __pkvm_host_share_hyp(pfn); }
int el2_unshare_hyp(s2_u64 pfn) { return __pkvm_host_unshare_hyp(pfn); }
int el2_donate_hyp(s2_u64 pfn) { return __pkvm_host_donate_hyp(pfn, 1); }
int el2_reclaim_hyp(s2_u64 pfn) { return __pkvm_hyp_donate_host(pfn, 1); }
int el2_pin(void *at) { return hyp_pin_shared_mem(at, (char *)at + 8); }
void el2_unpin(void *at) { hyp_unpin_shared_mem(at, (char *)at + 8); }
int el2_share_ffa(s2_u64 pfn) { return __pkvm_host_share_ffa(pfn, 1); }
int el2_unshare_ffa(s2_u64 pfn) { return __pkvm_host_unshare_ffa(pfn, 1); }

int el2_host_abort(void)
{
	handle_host_mem_abort(&kvm_host_data[s2_cpu()].host_ctxt);
	return 0;
}

/* ---- hypercalls of a vCPU that is loaded ---- */
int el2_load(int handle, int vcpu)
{
	return pkvm_load_hyp_vcpu(handle, vcpu) ? 0 : -EINVAL;
}

int el2_put(void)
{
	struct pkvm_hyp_vcpu *vcpu = pkvm_get_loaded_hyp_vcpu();

	if (!vcpu)
		return -EINVAL;
	pkvm_put_hyp_vcpu(vcpu);
	return 0;
}

static int refill(struct pkvm_hyp_vcpu *vcpu)
{
	struct kvm_vcpu *host = vcpu->host_vcpu;

	return refill_memcache(&vcpu->vcpu.arch.pkvm_memcache,
			       host->arch.pkvm_memcache.nr_pages, &host->arch.pkvm_memcache);
}

static enum kvm_pgtable_prot rights(int write)
{
	return KVM_PGTABLE_PROT_R | (write ? KVM_PGTABLE_PROT_W : 0);
}

int el2_share_guest(s2_u64 pfn, s2_u64 gfn, int write)
{
	struct pkvm_hyp_vcpu *vcpu = pkvm_get_loaded_hyp_vcpu();
	int ret;

	if (!vcpu || pkvm_hyp_vcpu_is_protected(vcpu))
		return -EINVAL;
	ret = refill(vcpu);
	return ret ? ret : __pkvm_host_share_guest(pfn, gfn, 1, vcpu, rights(write));
}

int el2_donate_guest(s2_u64 pfn, s2_u64 gfn)
{
	struct pkvm_hyp_vcpu *vcpu = pkvm_get_loaded_hyp_vcpu();
	int ret;

	if (!vcpu || !pkvm_hyp_vcpu_is_protected(vcpu))
		return -EINVAL;
	ret = refill(vcpu);
	return ret ? ret : __pkvm_host_donate_guest(pfn, gfn, vcpu);
}

int el2_relax_guest(s2_u64 gfn, int write)
{
	struct pkvm_hyp_vcpu *vcpu = pkvm_get_loaded_hyp_vcpu();

	if (!vcpu || pkvm_hyp_vcpu_is_protected(vcpu))
		return -EINVAL;
	return __pkvm_host_relax_perms_guest(gfn, vcpu, rights(write));
}

int el2_mkyoung_guest(s2_u64 gfn)
{
	struct pkvm_hyp_vcpu *vcpu = pkvm_get_loaded_hyp_vcpu();

	if (!vcpu || pkvm_hyp_vcpu_is_protected(vcpu))
		return -EINVAL;
	return __pkvm_host_mkyoung_guest(gfn, vcpu);
}

/* The guest's own calls: it runs, so its vCPU is loaded; only a protected one may make them. */
int el2_guest_share(s2_u64 gfn)
{
	struct pkvm_hyp_vcpu *vcpu = pkvm_get_loaded_hyp_vcpu();

	if (!vcpu || !pkvm_hyp_vcpu_is_protected(vcpu))
		return -EINVAL;
	return __pkvm_guest_share_host(vcpu, gfn);
}

int el2_guest_unshare(s2_u64 gfn)
{
	struct pkvm_hyp_vcpu *vcpu = pkvm_get_loaded_hyp_vcpu();

	if (!vcpu || !pkvm_hyp_vcpu_is_protected(vcpu))
		return -EINVAL;
	return __pkvm_guest_unshare_host(vcpu, gfn);
}

/* ---- hypercalls about a VM ---- */
#define WITH_UNPROTECTED(handle, call) \
	({ \
		struct pkvm_hyp_vm *vm = get_np_pkvm_hyp_vm(handle); \
		int ret = -EINVAL; \
		if (vm) { \
			ret = call; \
			put_pkvm_hyp_vm(vm); \
		} \
		ret; \
	})

int el2_unshare_guest(int handle, s2_u64 gfn)
{
	return WITH_UNPROTECTED(handle, __pkvm_host_unshare_guest(gfn, 1, vm));
}

int el2_wrprotect_guest(int handle, s2_u64 gfn)
{
	return WITH_UNPROTECTED(handle, __pkvm_host_wrprotect_guest(gfn, 1, vm));
}

int el2_age_guest(int handle, s2_u64 gfn, int clear)
{
	return WITH_UNPROTECTED(handle, __pkvm_host_test_clear_young_guest(gfn, 1, clear, vm));
}

int el2_force_reclaim(s2_u64 physical) { return __pkvm_host_force_reclaim_page_guest(physical); }
int el2_reserve_vm(void) { return __pkvm_reserve_vm(); }

int el2_init_vm(void *host_vm, unsigned long vm, unsigned long root)
{
	return __pkvm_init_vm(host_vm, vm, root);
}

int el2_init_vcpu(int handle, void *host_vcpu, unsigned long vcpu)
{
	return __pkvm_init_vcpu(handle, host_vcpu, vcpu);
}

int el2_start_teardown(int handle) { return __pkvm_start_teardown_vm(handle); }
int el2_reclaim_gfn(int handle, s2_u64 gfn) { return __pkvm_reclaim_dying_guest_page(handle, gfn); }
int el2_finalize_teardown(int handle) { return __pkvm_finalize_teardown_vm(handle); }

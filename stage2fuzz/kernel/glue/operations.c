/* The host's operations, as calls into the user's mmu.c. */

/* The slot that is there now, or that is under deletion. */
static struct kvm_memory_slot *slot_numbered(int number)
{
	S2_ASSERT((unsigned)number < S2_MAX_SLOTS && last_memslot[number], number);
	return last_memslot[number];
}

static void commit(int number, enum kvm_mr_change change)
{
	struct kvm_memory_slot *slot = slot_numbered(number);
	struct kvm_memory_slot old = *slot;

#if S2_HAS_COMMIT_REGION_POINTER
	/* There is no new slot where one goes, and no old one where one comes. */
	kvm_arch_commit_memory_region(&kvm, change == KVM_MR_CREATE ? NULL : &old,
				      change == KVM_MR_DELETE ? NULL : slot, change);
#else
	struct kvm_userspace_memory_region region = { .slot = number, .flags = slot->flags };
	struct kvm_memory_slot none = { .id = slot->id }, *new = slot;

	/* User space may name any flags with a size of 0. */
	if (change == KVM_MR_DELETE)
		new = &none;
	kvm_arch_commit_memory_region(&kvm, &region, &old, new, change);
#endif
}

/* What virt/kvm asks the architecture before it publishes `what`. */
static int prepare(int number, const struct s2_glue_slot *what, enum kvm_mr_change change)
{
	struct kvm_memory_slot slot = { 0 };
#if S2_HAS_COMMIT_REGION_POINTER
	struct kvm_memory_slot old = *slot_numbered(number);

	fill_slot(&slot, number, what);
	return kvm_arch_prepare_memory_region(&kvm, change == KVM_MR_CREATE ? NULL : &old, &slot,
					      change);
#else
	struct kvm_userspace_memory_region region = { .slot = number,
						      .guest_phys_addr = what->first,
						      .memory_size = what->size,
						      .userspace_addr = what->user_address };

	/* The older trees map device memory here, and know its frames from the VMA alone, where our
	 * host moves it page by page. */
	if (what->backing == S2_BACKING_DEVICE && change != KVM_MR_FLAGS_ONLY)
		return 0;
	fill_slot(&slot, number, what);
	region.flags = slot.flags;
	return kvm_arch_prepare_memory_region(&kvm, &slot, &region, change);
#endif
}

int s2_glue_prepare_logging(int number, const struct s2_glue_slot *what)
{
	return prepare(number, what, KVM_MR_FLAGS_ONLY);
}

int s2_glue_prepare_creation(int number, const struct s2_glue_slot *what)
{
	return prepare(number, what, KVM_MR_CREATE);
}

int s2_glue_prepare_move(int number, const struct s2_glue_slot *what)
{
	return prepare(number, what, KVM_MR_MOVE);
}

/* The log was switched on or off; the slot's flags say which. */
void s2_glue_commit_logging(int number)
{
	commit(number, KVM_MR_FLAGS_ONLY);
}

void s2_glue_commit_deletion(int number)
{
	commit(number, KVM_MR_DELETE);
}

void s2_glue_commit_creation(int number)
{
	commit(number, KVM_MR_CREATE);
}

void s2_glue_commit_move(int number)
{
	commit(number, KVM_MR_MOVE);
}

void s2_glue_protect_masked(int number, s2_u64 first_page, unsigned long mask)
{
	kvm_arch_mmu_enable_log_dirty_pt_masked(&kvm, slot_numbered(number), first_page, mask);
}

#if S2_HAS_ARCH_FLUSH_REMOTE
/* virt/kvm's half: the architecture flushes, and says whether it could. */
int kvm_arch_flush_remote_tlbs(struct kvm *);
int kvm_arch_flush_remote_tlbs_range(struct kvm *, gfn_t, u64);

void kvm_flush_remote_tlbs(struct kvm *vm)
{
	kvm_arch_flush_remote_tlbs(vm);
}

void kvm_flush_remote_tlbs_memslot(struct kvm *vm, const struct kvm_memory_slot *slot)
{
	kvm_arch_flush_remote_tlbs_range(vm, slot->base_gfn, slot->npages);
}

void s2_glue_flush_all(int number)
{
	kvm_flush_remote_tlbs_memslot(&kvm, slot_numbered(number));
}
#else
void s2_glue_flush_all(int number)
{
	(void)number;
	kvm_flush_remote_tlbs(&kvm);
}
#endif

void s2_glue_unmap_vm(void)
{
	stage2_unmap_vm(&kvm);
}

/* ---- a guest that turns its caches off, as sys_regs.c hands it over ---- */

int s2_glue_uses_caches(int thread)
{
	return vcpus[thread].arch.uses_caches;
}

int s2_glue_traps_switches(int thread)
{
	return !!(vcpus[thread].arch.hcr_el2 & HCR_TVM);
}

void s2_glue_switch_caches(int thread, int on)
{
	struct kvm_vcpu *vcpu = &vcpus[thread];
	bool was_enabled = vcpu->arch.uses_caches;

	vcpu->arch.uses_caches = on;
	if (s2_glue_traps_switches(thread))
		kvm_toggle_cache(vcpu, was_enabled);
}

void s2_glue_set_way(int thread)
{
	kvm_set_way_flush(&vcpus[thread]);
}

void s2_glue_flush_slot(int number)
{
	kvm_arch_flush_shadow_memslot(&kvm, slot_numbered(number));
}

#if S2_HAS_GFN_RANGE
static struct kvm_gfn_range range_of(int number, u64 first, u64 size)
{
	struct kvm_gfn_range range = { .slot = slot_numbered(number),
				       .start = first >> PAGE_SHIFT,
				       .end = (first + size) >> PAGE_SHIFT,
				       .may_block = true };

	return range;
}
#else
static unsigned long hva_of(int number, u64 first)
{
	const struct kvm_memory_slot *slot = slot_numbered(number);

	return slot->userspace_addr + (first - (slot->base_gfn << PAGE_SHIFT));
}
#endif

void s2_glue_invalidate(int number, s2_u64 first, s2_u64 size, int may_block)
{
#if S2_HAS_GFN_RANGE
	struct kvm_gfn_range range = range_of(number, first, size);
	u64 end = range.slot->base_gfn + range.slot->npages;

	/* virt/kvm hands over what lies in the slot. */
	range.start = max(range.start, range.slot->base_gfn);
	range.end = min(range.end, end);
	range.may_block = may_block;
	if (kvm_unmap_gfn_range(&kvm, &range))
		s2_glue_flush_all(number);
#else
	if (kvm_unmap_hva_range(&kvm, hva_of(number, first), hva_of(number, first + size),
				may_block ? MMU_NOTIFIER_RANGE_BLOCKABLE : 0))
		s2_glue_flush_all(number);
#endif
}

int s2_glue_age(int number, s2_u64 first, s2_u64 size)
{
#if S2_HAS_GFN_RANGE
	struct kvm_gfn_range range = range_of(number, first, size);

	return kvm_age_gfn(&kvm, &range);
#else
	return kvm_age_hva(&kvm, hva_of(number, first), hva_of(number, first + size));
#endif
}

int s2_glue_test_young(int number, s2_u64 first)
{
#if S2_HAS_GFN_RANGE
	struct kvm_gfn_range range = range_of(number, first, PAGE_SIZE);

	return kvm_test_age_gfn(&kvm, &range);
#else
	return kvm_test_age_hva(&kvm, hva_of(number, first));
#endif
}

int s2_glue_change_pte(int number, s2_u64 first, s2_u64 address)
{
	pte_t pte = __pte(address | 3 | (1UL << 10));

#if S2_HAS_SET_SPTE_GFN
	struct kvm_gfn_range range = range_of(number, first, PAGE_SIZE);

	range.pte = pte;
	return kvm_set_spte_gfn(&kvm, &range);
#elif !S2_HAS_GFN_RANGE
	return kvm_set_spte_hva(&kvm, hva_of(number, first), pte);
#else
	(void)number, (void)first, (void)pte;
	return 0;
#endif
}

void s2_glue_teardown(void)
{
	/* A VM's end and that of its address space may meet here. */
	vms_ending++;
#if S2_HAS_FLUSH_SHADOW_ALL || S2_HAS_UNIT_NESTED
	kvm_arch_flush_shadow_all(&kvm);
#else
	kvm_free_stage2_pgd(&kvm.arch.mmu);
#endif
	/* What the VM was made of goes with it, once. The MMUs of nested guests go with vCPUs. */
	if (!--vms_ending && !s2_options.nested && s2_structures)
		s2_warn(S2_WARN_LEFT_OVER);
}

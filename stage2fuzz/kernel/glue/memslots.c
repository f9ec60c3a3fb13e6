/* Memslots, VMAs, and the VMM's own tables. */

/* What operations iterate over: a slot under deletion is in the list until it is flushed. */
struct kvm_memory_slot *s2_memslot_at(int index)
{
	return index >= 0 && index < S2_MAX_SLOTS ? last_memslot[index] : NULL;
}

struct kvm_memory_slot *s2_memslot_of(gfn_t gfn)
{
	for (int i = 0; i < S2_MAX_SLOTS; i++) {
		struct kvm_memory_slot *slot = current_memslot[i];

		if (slot && gfn >= slot->base_gfn && gfn < slot->base_gfn + slot->npages)
			return slot;
	}
	return NULL;
}

void s2_mark_dirty_slot(const struct kvm_memory_slot *slot, gfn_t gfn)
{
	if (slot && kvm_slot_dirty_track_enabled(slot) &&
	    (slot->dirty_bitmap || s2_options.dirty_ring))
		s2_mark_dirty(slot->s2_number, gfn << PAGE_SHIFT);
}

struct vm_area_struct *s2_vma_of(unsigned long hva, unsigned long end)
{
	for (int i = 0; i < S2_MAX_SLOTS; i++) {
		struct vm_area_struct *vma = &vmas[i];
		const struct kvm_memory_slot *slot = last_memslot[i];

		if (!slot || end <= vma->vm_start || hva >= vma->vm_end)
			continue;
		/* Of one page, or of a range, which may begin with a hole. */
		if (end - hva > PAGE_SIZE ? s2_slot_absent(i) :
		    hva >= vma->vm_start && s2_host_absent((slot->base_gfn << PAGE_SHIFT) +
							   (hva - slot->userspace_addr)))
			return NULL;
		return vma;
	}
	return NULL;
}

/* Tables of the VMM as get_user_mapping_size() walks them: level 0, level 1, a level 2 of blocks,
 * a level 2 of tables, a level 3 of pages. Only levels and valid bits are ever looked at. */
enum { USER_TOP, USER_PUD, USER_BLOCKS, USER_TABLES, USER_PTES };

static kvm_pte_t *user_table(int which)
{
	S2_ASSERT((unsigned)which < S2_USER_PAGES, which);
	return (kvm_pte_t *)(s2_arena + S2_ARENA_SIZE) + S2_ENTRIES * which;
}

static kvm_pte_t link_to(int which)
{
	return (S2_TABLE_BASE + S2_ARENA_SIZE + (u64)PAGE_SIZE * which) | 3;
}

static void build_user_tables(void)
{
	for (int i = 0; i < S2_ENTRIES; i++) {
		user_table(USER_BLOCKS)[i] = ((kvm_pte_t)i << PMD_SHIFT) | 1;
		user_table(USER_TABLES)[i] = link_to(USER_PTES);
		user_table(USER_PTES)[i] = ((kvm_pte_t)i << PAGE_SHIFT) | 3;
	}
	mm.pgd = (pgd_t *)user_table(CONFIG_PGTABLE_LEVELS == 4 ? USER_TOP : USER_PUD);
}

/* get_user_mapping_size() meets the page's mapping as it is when it walks, with interrupts off. One
 * page of these tables stands for many: for the one that was looked up last. A search restores no
 * page of these tables, so what they hold is read from themselves. */
void s2_user_walk_begins(void)
{
	int by_pages = s2_maps_by_pages();

	if (by_pages == (user_table(USER_BLOCKS)[0] == link_to(USER_PTES)))
		return;
	for (int i = 0; i < S2_ENTRIES; i++)
		user_table(USER_BLOCKS)[i] = by_pages ? link_to(USER_PTES) :
							((kvm_pte_t)i << PMD_SHIFT) | 1;
}

static void map_for_user(const struct s2_glue_slot *what)
{
	u64 end = what->user_address + what->size;

	user_table(USER_TOP)[what->user_address >> S2_LEVEL_SHIFT(0) & (S2_ENTRIES - 1)] =
		link_to(USER_PUD);
	for (u64 at = ALIGN_DOWN(what->user_address, PUD_SIZE); at < end; at += PUD_SIZE)
		user_table(USER_PUD)[at >> PUD_SHIFT & (S2_ENTRIES - 1)] =
			what->backing == S2_BACKING_PMD ? link_to(USER_BLOCKS) :
			what->backing == S2_BACKING_PUD ? ((at & GENMASK(47, PUD_SHIFT)) | 1) :
							  link_to(USER_TABLES);
}

static void fill_slot(struct kvm_memory_slot *slot, int number, const struct s2_glue_slot *what)
{
	slot->base_gfn = what->first >> PAGE_SHIFT;
	slot->npages = what->size >> PAGE_SHIFT;
	slot->userspace_addr = what->user_address;
	slot->flags = (what->flags & S2_SLOT_READONLY ? KVM_MEM_READONLY : 0) |
		      (what->flags & S2_SLOT_LOGGING ? KVM_MEM_LOG_DIRTY_PAGES : 0);
	/* A VM with rings alone has no bitmap (kvm_use_dirty_bitmap). */
	slot->dirty_bitmap = what->flags & S2_SLOT_LOGGING && !s2_options.dirty_ring ?
				     (unsigned long *)&mm : NULL;
	slot->id = number;
	slot->s2_number = number;
}

void s2_glue_publish(int number, const struct s2_glue_slot *what)
{
	struct kvm_memory_slot *slot;
	struct vm_area_struct *vma;

	S2_ASSERT((unsigned)number < S2_MAX_SLOTS, number);
	S2_ASSERT(memslot_versions[number] < MEMSLOT_VERSIONS, memslot_versions[number]);
	slot = &memslots[number][memslot_versions[number]++];
	vma = &vmas[number];
	fill_slot(slot, number, what);
	current_memslot[number] = what->exists ? slot : NULL;
	last_memslot[number] = slot;
	vma->vm_start = what->user_address;
	vma->vm_end = what->user_address + what->size;
	vma->vm_flags = VM_READ | VM_WRITE | VM_MTE_ALLOWED;
	vma->shift = PAGE_SHIFT;
	vma->vm_page_prot = __pgprot(PTE_ATTRINDX(MT_NORMAL));
	if (what->backing == S2_BACKING_DEVICE) {
		vma->vm_flags |= VM_PFNMAP;
		vma->vm_page_prot = __pgprot(PTE_ATTRINDX(MT_DEVICE_nGnRE));
		/* Aligned with no block, since the host moves device memory page by page. */
		vma->vm_pgoff = 2;
	}
	/* 1 GiB always comes from hugetlbfs, 2 MiB is a transparent huge page if nobody asks. */
	if (what->backing == S2_BACKING_PUD)
		vma->shift = PUD_SHIFT;
	else if (what->backing == S2_BACKING_PMD && (what->hugetlb || what->contiguous))
		vma->shift = what->contiguous ? CONT_PMD_SHIFT : PMD_SHIFT;
	else if (what->backing == S2_BACKING_PAGE && what->contiguous)
		vma->shift = CONT_PTE_SHIFT;
	if (vma->shift != PAGE_SHIFT)
		vma->vm_flags |= VM_HUGETLB;
	map_for_user(what);
}

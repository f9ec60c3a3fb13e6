/* Pages and addresses, and containers that the stage-2 paths never reach. */

struct list_head { struct list_head *next, *prev; };
struct rb_node { struct rb_node *rb_left, *rb_right; };
struct rb_root { struct rb_node *rb_node; };
struct rb_root_cached { struct rb_root rb_root; };
#define RB_ROOT ((struct rb_root){ NULL })
#define rb_link_node(node, parent, link) ((void)(node), (void)(parent), (void)(link))
#define rb_insert_color(node, root) ((void)(node), (void)(root))
#define rb_erase(node, root) ((void)(node), (void)(root))

#define GFP_KERNEL 0u
#define GFP_KERNEL_ACCOUNT 0u
#define GFP_ATOMIC 0u
#define __GFP_ZERO 1u
#define __GFP_ACCOUNT 0u
struct page {
	int count, live;
	union { unsigned long private_, flags; };
	struct rcu_head rcu_head;
};
struct folio { struct page page; };
#define S2_GUEST_PAGES 0x4000000000000UL
#define S2_GUEST_MEMORY 0x800000000000000UL
static inline int s2_is_table_page(const struct page *page)
{
	return (unsigned long)page - (unsigned long)s2_page_table <
	       (S2_PAGES + S2_USER_PAGES) * sizeof(struct s2_page);
}
static inline void *phys_to_virt(phys_addr_t address)
{
	if (address - S2_TABLE_BASE < S2_ARENA_SIZE + S2_USER_PAGES * S2_PAGE_SIZE)
		return s2_arena + (address - S2_TABLE_BASE);
	return (void *)(S2_GUEST_MEMORY + address);
}
static inline phys_addr_t virt_to_phys(const volatile void *p)
{
	if ((unsigned long)p - S2_GUEST_MEMORY < 1UL << 52)
		return (unsigned long)p - S2_GUEST_MEMORY;
	return (unsigned long)p - (unsigned long)s2_arena + S2_TABLE_BASE;
}
#define __va(x) phys_to_virt(x)
#define __pa(x) virt_to_phys((const volatile void *)(x))
#define __pa_symbol(x) 0UL
#define __phys_to_pfn(x) ((unsigned long)((x) >> PAGE_SHIFT))
#define __pfn_to_phys(x) ((phys_addr_t)(x) << PAGE_SHIFT)
#define PFN_PHYS __pfn_to_phys
#define PHYS_PFN __phys_to_pfn
static inline struct page *s2_page_of(phys_addr_t address)
{
	if (address - S2_TABLE_BASE < S2_ARENA_SIZE + S2_USER_PAGES * S2_PAGE_SIZE)
		return (struct page *)&s2_page_table[(address - S2_TABLE_BASE) >> PAGE_SHIFT];
	return (struct page *)(S2_GUEST_PAGES + (address >> PAGE_SHIFT) * sizeof(struct page));
}
static inline phys_addr_t page_to_phys(const struct page *page)
{
	if (s2_is_table_page(page))
		return S2_TABLE_BASE +
		       (phys_addr_t)((const struct s2_page *)page - s2_page_table) * PAGE_SIZE;
	return ((unsigned long)page - S2_GUEST_PAGES) / sizeof(struct page) * PAGE_SIZE;
}
#define virt_to_page(p) s2_page_of(__pa(p))
#define phys_to_page(x) s2_page_of(x)
#define pfn_to_page(pfn) s2_page_of(__pfn_to_phys(pfn))
#define page_to_pfn(page) (page_to_phys(page) >> PAGE_SHIFT)
#define page_address(page) phys_to_virt(page_to_phys(page))
#define page_to_virt(page) page_address(page)
#define pfn_to_online_page(pfn) pfn_to_page(pfn)
#define page_folio(page) ((struct folio *)(page))
#define folio_page(folio, n) ((struct page *)(folio) + (n))
#define virt_to_folio(p) page_folio(virt_to_page(p))
static inline void get_page(struct page *page)
{
	if (s2_is_table_page(page))
		s2_page_get((struct s2_page *)page);
	else
		s2_pin_again();
}
static inline void put_page(struct page *page)
{
	if (s2_is_table_page(page))
		s2_page_put((struct s2_page *)page);
	else
		s2_unpin(page_to_phys(page));
}
static inline int page_count(struct page *page)
{
	return s2_is_table_page(page) ? s2_page_count((struct s2_page *)page) : 1;
}
#define page_private(page) ((page)->private_)
#define set_page_private(page, value) ((page)->private_ = (value))
#define free_page(address) s2_page_free((struct s2_page *)virt_to_page((void *)(address)))
/* Structures, and pages of roots, that were allocated and not freed. */
extern long s2_structures;
static inline void *s2_new(unsigned long size)
{
	s2_structures++;
	return s2_scratch(size);
}
static inline void s2_delete(const void *p)
{
	s2_structures -= p != NULL;
}
static inline void *alloc_pages_exact(size_t size, gfp_t gfp)
{
	(void)gfp;
	s2_structures += (long)(size >> PAGE_SHIFT);
	return s2_page_alloc((int)(size >> PAGE_SHIFT), 1);
}
static inline void free_pages_exact(void *p, size_t size)
{
	(void)p;
	s2_structures -= (long)(size >> PAGE_SHIFT);
}
#define get_zeroed_page(gfp) ((unsigned long)s2_page_alloc(1, 1))
#define __get_free_page(gfp) get_zeroed_page(gfp)
#define kzalloc(size, gfp) s2_new(size)
#define kzalloc_obj(what, ...) ((typeof(what) *)s2_new(sizeof(what)))
#define kmalloc(size, gfp) s2_new(size)
#define kfree(p) s2_delete(p)
#define vfree(p) ((void)(p))
#define alloc_percpu(type) ((type *)s2_new(sizeof(type)))
#define free_percpu(p) s2_delete(p)
#define per_cpu_ptr(p, cpu) (p)
#define for_each_possible_cpu(cpu) for ((cpu) = 0; (cpu) < 1; (cpu)++)
#define memcpy __builtin_memcpy
#define memset __builtin_memset
static inline void clear_page(void *page)
{
	u64 *entry = page;

	for (int i = 0; i < S2_ENTRIES; i++)
		s2_entry_store(&entry[i], 0, S2_ORDER_PLAIN);
}
#define is_vmalloc_addr(p) 0
#define is_vmalloc_or_module_addr(p) 0
#define vmalloc_to_page(p) virt_to_page(p)
#define virt_addr_valid(p) 1
#define ioremap(address, size) NULL
#define iounmap(p) ((void)(p))
#define get_order(size) 0
#define high_memory NULL

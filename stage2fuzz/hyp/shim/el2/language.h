/* Kconfig, numbers, lists, trees and per-CPU data, as far as EL2's files use them. */

/* IS_ENABLED as Kconfig has it: true for what is defined as 1 here. */
#undef IS_ENABLED
#define S2_PLACE_1 0,
#define S2_SECOND_OF(first, second, ...) second
#define S2_IS_ONE(x) S2_SECOND_OF(x 1, 0)
#define S2_ENABLED(x) S2_IS_ONE(S2_PLACE_##x)
#define IS_ENABLED(x) S2_ENABLED(x)
/* The tree's own check of ownership runs when EL2 is set up. */
#define CONFIG_NVHE_EL2_DEBUG 1

#define U32_MAX 0xffffffffu
#define ULONG_MAX (~0UL)
#define USHRT_MAX 0xffff
#define SZ_16K 0x4000
#define SZ_64K 0x10000
#define ENODEV 19
#define PTRS_PER_PTE 512
#define PMD_SHIFT 21
#define PMD_SIZE (1UL << PMD_SHIFT)
#define PUD_SHIFT 30
#define PUD_SIZE (1UL << PUD_SHIFT)
#define MAX_PAGE_ORDER 10
#define NR_PAGE_ORDERS (MAX_PAGE_ORDER + 1)
#define MAX_ORDER 10
#define PTR_ALIGN_DOWN(p, a) ((typeof(p))ALIGN_DOWN((unsigned long)(p), (a)))
#define round_down(x, y) ((x) & ~((typeof(x))(y) - 1))
#define round_up(x, y) ((((x) - 1) | ((typeof(x))(y) - 1)) + 1)
#define unreachable() __builtin_unreachable()
#define swap(a, b) do { typeof(a) s2_kept = (a); (a) = (b); (b) = s2_kept; } while (0)
#define size_add(a, b) ((a) + (b))
#define size_mul(a, b) ((a) * (b))
#define array_size(a, b) ((a) * (b))
#define struct_size(p, m, n) (sizeof(*(p)) + sizeof((p)->m[0]) * (n))
#define FIELD_MODIFY(mask, reg, v) (*(reg) = (*(reg) & ~(mask)) | FIELD_PREP(mask, v))
#define __bitwise
#define __force
static inline int s2_order_of(unsigned long size)
{
	int order = 0;

	while ((PAGE_SIZE << order) < size)
		order++;
	return order;
}
#define get_order(size) s2_order_of(size)
/* EL2 writes through its own stage 1, which the runtime looks at. */
#define memset(p, c, n) s2_memset((void *)(p), (c), (n))
#define memcpy __builtin_memcpy

#define __list_add_valid(...) 1
struct list_head { struct list_head *next, *prev; };
static inline void INIT_LIST_HEAD(struct list_head *l) { l->next = l->prev = l; }
static inline int list_empty(const struct list_head *l) { return l->next == l; }
static inline void __list_del_entry(struct list_head *e)
{
	e->next->prev = e->prev;
	e->prev->next = e->next;
}
static inline void list_add_tail(struct list_head *n, struct list_head *h)
{
	h->prev->next = n;
	n->prev = h->prev;
	n->next = h;
	h->prev = n;
}
struct rb_node { struct rb_node *rb_left, *rb_right; };
struct rb_root { struct rb_node *rb_node; };
struct rb_root_cached { struct rb_root rb_root; };
#define RB_ROOT ((struct rb_root){ NULL })
#define rb_link_node(node, parent, link) ((void)(node), (void)(parent), (void)(link))
#define rb_insert_color(node, root) ((void)(node), (void)(root))
#define rb_erase(node, root) ((void)(node), (void)(root))

/* A thread of the runtime is a CPU. */
#define DECLARE_PER_CPU(type, name) extern typeof(type) name[S2_CPUS]
#define DEFINE_PER_CPU(type, name) typeof(type) name[S2_CPUS]
#undef per_cpu_ptr
#define per_cpu_ptr(p, cpu) ((typeof(&(*(p))[0]))(*(p)) + (cpu))
#define this_cpu_ptr(p) per_cpu_ptr(p, s2_cpu())
#define __this_cpu_read(x) (*this_cpu_ptr(&x))
#define __this_cpu_write(x, v) (*this_cpu_ptr(&x) = (v))

#define bitmap_zero(m, n) ((m)[0] = 0)
#define bitmap_copy(d, s, n) ((d)[0] = (s)[0])
#define bitmap_and(d, a, b, n) ((d)[0] = (a)[0] & (b)[0])
#define DECLARE_BITMAP(n, b) unsigned long n[1]
#define __assign_bit(n, p, v) ((v) ? (*(p) |= 1UL << (n)) : (*(p) &= ~(1UL << (n))))
static inline int test_and_set_bit(int n, unsigned long *p)
{
	int was = *p >> n & 1;

	*p |= 1UL << n;
	return was;
}

/* What the user's stage-2 code needs of the kernel's generic headers, written from scratch.
 *
 * Forced in front of every kernel file; the includes that the tree itself does not serve are empty.
 * Everything that another CPU could see goes through seam.h, where it becomes an event.
 */
#ifndef STAGE2FUZZ_KERNEL_H
#define STAGE2FUZZ_KERNEL_H

#include "seam.h"
#include "config.h"

/* ---- the dialect ---- */
typedef unsigned char u8;
typedef signed char s8;
typedef unsigned short u16;
typedef short s16;
typedef unsigned int u32;
typedef int s32;
typedef unsigned long long u64;
typedef long long s64;
typedef u8 __u8;
typedef u16 __u16;
typedef u32 __u32;
typedef s32 __s32;
typedef u64 __u64;
typedef s64 __s64;
typedef unsigned long size_t;
typedef long ssize_t;
typedef unsigned long uintptr_t;
typedef _Bool bool;
typedef u64 phys_addr_t;
typedef u64 dma_addr_t;
typedef unsigned int gfp_t;
typedef int pid_t;
#define true 1
#define false 0
#define NULL ((void *)0)
#define __user
#define __iomem
#define __rcu
#define __percpu
#define __init
#define __read_mostly
#define __ro_after_init
#define __maybe_unused __attribute__((unused))
#define __always_unused __attribute__((unused))
#define __must_check
#define __packed __attribute__((packed))
#define __aligned(x) __attribute__((aligned(x)))
#define __always_inline inline __attribute__((always_inline))
#define noinline __attribute__((noinline))
#define __noreturn __attribute__((noreturn))
#define asmlinkage
#define fallthrough __attribute__((fallthrough))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define offsetof(type, member) __builtin_offsetof(type, member)
#define container_of(p, type, member) ((type *)((char *)(p) - offsetof(type, member)))
#define sizeof_field(type, member) sizeof(((type *)0)->member)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define EXPORT_SYMBOL_GPL(x)
#define EXPORT_SYMBOL(x)
#define barrier() __asm__ __volatile__("" ::: "memory")
#define BUILD_BUG_ON(x) ((void)sizeof(char[1 - 2 * !!(x)]))
#define BUILD_BUG() ((void)0)
#define IS_ENABLED(x) 0
#define static_assert _Static_assert
#define __stringify_1(x...) #x
#define __stringify(x...) __stringify_1(x)
#define __is_defined(x) 0
#define FIELD_FIT(mask, value) 1

/* ---- numbers ---- */
#define PAGE_SHIFT 12
#define PAGE_SIZE (1UL << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))
#define VA_BITS 48
#define CONFIG_ARM64_4K_PAGES 1
#define CONFIG_PGTABLE_LEVELS 4
#define CONFIG_ARM64_PA_BITS 48
#define CONFIG_ARM64_VA_BITS 48
#define CONFIG_ARM64_CONT_PTE_SHIFT 4
#define CONFIG_ARM64_CONT_PMD_SHIFT 4
#define PAGE_OFFSET 0xffff000000000000UL
#define BITS_PER_LONG 64
#define _AC(x, y) x##y
#define UL(x) (x##UL)
#define ULL(x) (x##ULL)
#define _UL(x) (x##UL)
#define _BITUL(x) (1UL << (x))
#define BIT(n) (1UL << (n))
#define BIT_ULL(n) (1ULL << (n))
#define GENMASK(h, l) ((~0UL << (l)) & (~0UL >> (63 - (h))))
#define GENMASK_ULL(h, l) ((~0ULL << (l)) & (~0ULL >> (63 - (h))))
#define __bf_shf(mask) (__builtin_ffsll((long long)(mask)) - 1)
#define FIELD_PREP(mask, value) \
	(((typeof(mask))(value) << __bf_shf(mask)) & (mask))
#define FIELD_GET(mask, reg) ((typeof(mask))(((reg) & (mask)) >> __bf_shf(mask)))
#define __ALIGN_MASK(x, mask) (((x) + (mask)) & ~(mask))
#define ALIGN(x, a) __ALIGN_MASK(x, (typeof(x))(a) - 1)
#define ALIGN_DOWN(x, a) ((x) & ~((typeof(x))(a) - 1))
#define PAGE_ALIGN(x) ALIGN(x, PAGE_SIZE)
#define PAGE_ALIGN_DOWN(x) ALIGN_DOWN(x, PAGE_SIZE)
#define PAGE_ALIGNED(x) (!((unsigned long)(x) & ~PAGE_MASK))
#define IS_ALIGNED(x, a) (((x) & ((typeof(x))(a) - 1)) == 0)
#define DIV_ROUND_UP(n, d) (((n) + (d) - 1) / (d))
#define DIV_ROUND_UP_ULL DIV_ROUND_UP
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define min_t(t, a, b) min((t)(a), (t)(b))
#define max_t(t, a, b) max((t)(a), (t)(b))
#define __ffs(x) ((unsigned long)__builtin_ctzl(x))
#define __fls(x) (63UL - (unsigned long)__builtin_clzl(x))
#define offset_in_page(p) ((unsigned long)(p) & ~PAGE_MASK)
#define S8_MAX 127
#define INT_MAX 0x7fffffff
#define U64_MAX (~0ULL)
#define SZ_4K 0x1000
#define SZ_1M 0x100000
#define SZ_2M 0x200000
#define SZ_1G 0x40000000

/* ---- error codes ---- */
#define EPERM 1
#define ENOENT 2
#define EINTR 4
#define E2BIG 7
#define ENOEXEC 8
#define EAGAIN 11
#define ENOMEM 12
#define EFAULT 14
#define EBUSY 16
#define EEXIST 17
#define EINVAL 22
#define ERANGE 34
#define EOPNOTSUPP 95
#define EHWPOISON 133
#define MAX_ERRNO 4095
#define IS_ERR_VALUE(x) ((unsigned long)(x) >= (unsigned long)-MAX_ERRNO)
#define IS_ERR(p) IS_ERR_VALUE(p)
#define PTR_ERR(p) ((long)(p))
#define ERR_PTR(e) ((void *)(long)(e))
#define IS_ERR_OR_NULL(p) (!(p) || IS_ERR(p))

/* ---- complaints ---- */
#define WARN_ON(x) ({ bool s2_bad = !!(x); if (unlikely(s2_bad)) s2_warn(S2_WARN_OTHER); s2_bad; })
#define WARN_ON_ONCE(x) WARN_ON(x)
#define WARN(x, ...) WARN_ON(x)
#define WARN_ONCE(x, ...) WARN_ON(x)
#define VM_WARN_ON_ONCE(x) WARN_ON(x)
#define BUG() s2_bug()
#define BUG_ON(x) do { if (unlikely(x)) s2_bug(); } while (0)
#define VM_BUG_ON(x) BUG_ON(x)
#define kvm_err(...) ((void)0)
#define kvm_info(...) ((void)0)
#define kvm_debug(...) ((void)0)
#define pr_warn(...) ((void)0)
#define pr_warn_once(...) ((void)0)
#define pr_err(...) ((void)0)
#define pr_info(...) ((void)0)
#define pr_info_ratelimited(...) ((void)0)
#define pr_warn_ratelimited(...) ((void)0)

/* ---- shared memory: entries become events, everything else is plain memory ---- */
#define S2_IS_ENTRY(p) (sizeof(*(p)) == 8 && s2_is_entry(p))
#define READ_ONCE(x) \
	(S2_IS_ENTRY(&(x)) ? (typeof(x))s2_entry_load(&(x)) : *(const volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, value) \
	do { \
		if (S2_IS_ENTRY(&(x))) \
			s2_entry_store(&(x), (s2_u64)(value), S2_ORDER_PLAIN); \
		else \
			*(volatile typeof(x) *)&(x) = (value); \
	} while (0)
#define smp_store_release(p, value) \
	do { \
		if (S2_IS_ENTRY(p)) \
			s2_entry_store((p), (s2_u64)(value), S2_ORDER_RELEASE); \
		else \
			*(volatile typeof(*(p)) *)(p) = (value); \
	} while (0)
#define smp_load_acquire(p) READ_ONCE(*(p))
#define cmpxchg(p, old, new) \
	((typeof(*(p)))(S2_IS_ENTRY(p) ? s2_entry_cmpxchg((p), (s2_u64)(old), (s2_u64)(new)) : \
					 s2_plain_cmpxchg((p), (s2_u64)(old), (s2_u64)(new))))
#define cmpxchg_relaxed cmpxchg
#define cmpxchg64 cmpxchg
static inline s2_u64 s2_plain_cmpxchg(volatile void *p, s2_u64 old, s2_u64 new)
{
	s2_u64 seen = *(volatile s2_u64 *)p;

	if (seen == old)
		*(volatile s2_u64 *)p = new;
	return seen;
}
#define xchg(p, value) ({ typeof(*(p)) s2_old = READ_ONCE(*(p)); WRITE_ONCE(*(p), value); s2_old; })
#define S2_BARRIER_ish S2_DSB_ISH
#define S2_BARRIER_ishst S2_DSB_ISHST
#define S2_BARRIER_nsh S2_DSB_NSH
#define S2_BARRIER_nshst S2_DSB_NSHST
#define dsb(domain) s2_barrier(S2_BARRIER_##domain)
#define isb() s2_isb()
#define smp_mb() barrier()
#define smp_rmb() barrier()
#define smp_wmb() barrier()

/* ---- locks ---- */
struct s2_named_lock { int name; };
typedef struct s2_named_lock spinlock_t, rwlock_t, hyp_spinlock_t;
struct mutex { int unused; };
#define DEFINE_MUTEX(x) struct mutex x
#define mutex_lock(m) ((void)(m))
#define mutex_unlock(m) ((void)(m))
#define mutex_is_locked(m) 1
#define spin_lock(l) s2_lock((l)->name, 0)
#define spin_unlock(l) s2_unlock((l)->name, 0)
#define write_lock(l) s2_lock((l)->name, 0)
#define write_unlock(l) s2_unlock((l)->name, 0)
#define read_lock(l) s2_lock((l)->name, 1)
#define read_unlock(l) s2_unlock((l)->name, 1)
#define lockdep_assert_held(l) ((void)(l))
#define lockdep_assert_held_write(l) ((void)(l))
#define lockdep_assert_held_read(l) ((void)(l))
#define assert_spin_locked(l) ((void)(l))
#define need_resched() 0
#define spin_needbreak(l) s2_lock_contended((l)->name)
#define rwlock_needbreak(l) s2_lock_contended((l)->name)
#define cond_resched() ((void)0)
#define s2_break_lock(l) \
	({ bool s2_broken = s2_lock_contended((l)->name); \
	   if (s2_broken) { s2_unlock((l)->name, 0); s2_lock((l)->name, 0); } s2_broken; })
#define cond_resched_lock(l) s2_break_lock(l)
#define cond_resched_rwlock_write(l) s2_break_lock(l)
#define local_irq_save(flags) ((void)(flags = 0))
#define local_irq_restore(flags) ((void)(flags))
#define preempt_disable() ((void)0)
#define preempt_enable() ((void)0)
#define rcu_read_lock() s2_rcu_lock()
#define rcu_read_unlock() s2_rcu_unlock()
#define rcu_read_lock_held() 1
#define rcu_dereference_check(p, c) (p)
#define rcu_dereference_raw(p) (p)
#define rcu_dereference(p) (p)
struct rcu_head { void *next; void (*func)(struct rcu_head *); };
#define call_rcu(head, callback) s2_defer((head), (void (*)(void *))(callback))
struct srcu_struct { int unused; };
#define srcu_read_lock(s) ({ (void)(s); s2_slots_read_lock(); 0; })
#define srcu_read_unlock(s, i) do { (void)(s); (void)(i); s2_slots_read_unlock(); } while (0)
struct work_struct { int unused; };
typedef struct { long counter; } atomic_long_t, atomic64_t;
typedef struct { int counter; } atomic_t;
#define atomic_read(v) ((v)->counter)
#define atomic64_read(v) ((v)->counter)

/* ---- containers that the stage-2 paths never reach ---- */
struct list_head { struct list_head *next, *prev; };
struct rb_node { struct rb_node *rb_left, *rb_right; };
struct rb_root { struct rb_node *rb_node; };
struct rb_root_cached { struct rb_root rb_root; };
#define RB_ROOT ((struct rb_root){ NULL })
#define rb_link_node(node, parent, link) ((void)(node), (void)(parent), (void)(link))
#define rb_insert_color(node, root) ((void)(node), (void)(root))
#define rb_erase(node, root) ((void)(node), (void)(root))

/* ---- memory ---- */
#define GFP_KERNEL 0u
#define GFP_KERNEL_ACCOUNT 0u
#define GFP_ATOMIC 0u
#define __GFP_ZERO 1u
#define __GFP_ACCOUNT 0u
struct page {
	int count, live;
	unsigned long private_;
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
	if (address - S2_TABLE_BASE < S2_ARENA_SIZE + S2_USER_PAGES * 4096UL)
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
	if (address - S2_TABLE_BASE < S2_ARENA_SIZE + S2_USER_PAGES * 4096UL)
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
		s2_unpin();
}
static inline int page_count(struct page *page)
{
	return s2_page_count((struct s2_page *)page);
}
#define page_private(page) ((page)->private_)
#define set_page_private(page, value) ((page)->private_ = (value))
#define free_page(address) s2_page_free((struct s2_page *)virt_to_page((void *)(address)))
static inline void free_pages_exact(void *p, size_t size)
{
	(void)p, (void)size;
}
#define alloc_pages_exact(size, gfp) s2_page_alloc((int)((size) >> PAGE_SHIFT), 1)
#define get_zeroed_page(gfp) ((unsigned long)s2_page_alloc(1, 1))
#define __get_free_page(gfp) get_zeroed_page(gfp)
#define kzalloc(size, gfp) s2_scratch(size)
#define kmalloc(size, gfp) s2_scratch(size)
#define kfree(p) ((void)(p))
#define vfree(p) ((void)(p))
#define alloc_percpu(type) ((type *)s2_scratch(sizeof(type)))
#define free_percpu(p) ((void)(p))
#define per_cpu_ptr(p, cpu) (p)
#define for_each_possible_cpu(cpu) for ((cpu) = 0; (cpu) < 1; (cpu)++)
#define memcpy __builtin_memcpy
#define memset __builtin_memset
static inline void clear_page(void *page)
{
	u64 *entry = page;

	for (int i = 0; i < 512; i++)
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

#include <asm/brk-imm.h>
#include "kvm.h"

#endif

/* The kernel's dialect of C: types, attributes, numbers, error codes, complaints. */

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
#define PAGE_SHIFT S2_PAGE_SHIFT
#define PAGE_SIZE (1UL << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))
#define VA_BITS 48
#define CONFIG_ARM64_PA_BITS 48
#define CONFIG_ARM64_VA_BITS 48
#if S2_PAGE_SHIFT == 16
#define CONFIG_ARM64_64K_PAGES 1
#define CONFIG_PGTABLE_LEVELS 3
#define CONFIG_ARM64_CONT_PTE_SHIFT 5
#define CONFIG_ARM64_CONT_PMD_SHIFT 5
#elif S2_PAGE_SHIFT == 14
#define CONFIG_ARM64_16K_PAGES 1
#define CONFIG_PGTABLE_LEVELS 4
#define CONFIG_ARM64_CONT_PTE_SHIFT 7
#define CONFIG_ARM64_CONT_PMD_SHIFT 5
#else
#define CONFIG_ARM64_4K_PAGES 1
#define CONFIG_PGTABLE_LEVELS 4
#define CONFIG_ARM64_CONT_PTE_SHIFT 4
#define CONFIG_ARM64_CONT_PMD_SHIFT 4
#endif
#define CONFIG_ARM64_PAGE_SHIFT PAGE_SHIFT
#define CONFIG_PAGE_SHIFT PAGE_SHIFT
#define PAGE_OFFSET 0xffff000000000000UL
#define BITS_PER_LONG 64
#define _AC(x, y) x##y
#define _AT(type, x) ((type)(x))
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
#define min(a, b) \
	({ __auto_type s2_a = (a); __auto_type s2_b = (b); s2_a < s2_b ? s2_a : s2_b; })
#define max(a, b) \
	({ __auto_type s2_a = (a); __auto_type s2_b = (b); s2_a > s2_b ? s2_a : s2_b; })
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
#define EIO 5
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
#define IS_ERR_OR_NULL(p) ({ const void *s2_pointer = (p); !s2_pointer || IS_ERR(s2_pointer); })

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

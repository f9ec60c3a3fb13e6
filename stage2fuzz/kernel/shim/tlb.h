/* The tree's own TLB maintenance: asm/tlbflush.h as it lies, its instructions caught below it.
 *
 * `asm` is a macro while that header is read, so that each TLBI hands its text and its operand to
 * the runtime. An inline function of newer trees names the operand `arg`; what has no operand sees
 * the file's constant of that name. `kernel build` proves that operands arrive.
 */
#ifndef STAGE2FUZZ_TLB_SHIM_H
#define STAGE2FUZZ_TLB_SHIM_H

/* ---- what stage 1 of the host's own address spaces would need ---- */
typedef struct { u64 pmd; } pmd_t;
typedef u64 ptval_t;
typedef struct { unsigned long bits[1]; } cpumask_t;
struct arch_tlbflush_unmap_batch { int unused; };
#define pte_val(x) ((x).pte)
#define pmd_val(x) ((x).pmd)
#define ASID(mm) 0
#define PTE_SWBITS_MASK 0UL
#define PTRS_PER_PTE S2_ENTRIES
#define mm_cpumask(mm) ((void)(mm), (struct cpumask *)NULL)
#define arm64_kernel_unmapped_at_el0() 0
#define mmu_notifier_arch_invalidate_secondary_tlbs(mm, start, end) ((void)(mm))
#define in_compat_syscall() 0
#define USER_ASID_FLAG (1UL << 48)
#define SZ_16K 0x4000
#define SZ_64K 0x10000
#define __bitwise
#define __force
#define FIELD_MODIFY(mask, reg, value) (*(reg) = (*(reg) & ~(mask)) | FIELD_PREP(mask, value))
#ifndef round_down
#define round_down(x, y) ((x) & ~((typeof(x))(y) - 1))
#define round_up(x, y) ((((x) - 1) | ((typeof(x))(y) - 1)) + 1)
#endif

/* ---- instructions ---- */
#define ARM64_ASM_PREAMBLE
/* No CPU of ours has an erratum that patches instructions in. */
#define ALTERNATIVE(plain, ...) plain
static const u64 arg __maybe_unused;
#define asm(...) s2_instruction(#__VA_ARGS__, (s2_u64)(arg))
#include <asm/tlbflush.h>
#undef asm
#undef __tlbi
#define S2_OPERAND(none, value, ...) value
#define __tlbi(op, ...) s2_tlbi(#op, (s2_u64)(S2_OPERAND(0, ##__VA_ARGS__, 0)))

#endif

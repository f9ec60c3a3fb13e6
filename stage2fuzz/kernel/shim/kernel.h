/* What the user's stage-2 code needs of the kernel's generic headers, written from scratch.
 *
 * Forced in front of every kernel file; the includes that the tree itself does not serve are empty.
 * Everything that another CPU could see goes through seam.h, where it becomes an event.
 */
#ifndef STAGE2FUZZ_KERNEL_H
#define STAGE2FUZZ_KERNEL_H

#include "seam.h"
#include "config.h"

#include "dialect.h"
#include "shared.h"
#include "memory.h"
#include <asm/brk-imm.h>
#include <asm/sysreg-defs.h>
#include "host_mm.h"
#include "pkvm.h"
#include "nested.h"
#include "kvm.h"
#include "faultin.h"
#include "guest_memfd.h"
#include "cpu.h"
#include "syndrome.h"

/* ---- the tree's own numbers ---- */
#include <asm/pgtable-hwdef.h>
#include <asm/kvm_arm.h>
#include <asm/stage2_pgtable.h>
#if S2_HAS_UNIT_TLB
#include "tlb.h"
#endif
#if S2_HAS_UNIT_NESTED
#include <asm/kvm_nested.h>
#endif
#include "emulate.h"

/* ---- declarations that the tree's own headers would have made ---- */
void kvm_flush_remote_tlbs(struct kvm *kvm);
void kvm_flush_remote_tlbs_memslot(struct kvm *kvm, const struct kvm_memory_slot *slot);
void kvm_free_stage2_pgd(struct kvm_s2_mmu *mmu);

#endif

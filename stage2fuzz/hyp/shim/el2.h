/* What EL2's own files see in place of the kernel around them: forced in front of each.
 *
 * The dialect and the macros of shared memory are the other engine's; everything else of EL2 is
 * here. Entry bits, page states and TLB maintenance come from the tree's own headers.
 */
#ifndef STAGE2FUZZ_EL2_H
#define STAGE2FUZZ_EL2_H

#include "config.h"
#include "seam.h"
#include "el2_seam.h"
#define hyp_spinlock_t s2_no_lock_of_el2
#include "dialect.h"
#include "shared.h"
#undef hyp_spinlock_t
#include "el2/language.h"
#include "el2/layout.h"
#include "el2/structures.h"
#include "el2/machine.h"
#include "el2/maintenance.h"
#include "el2/guest.h"
struct kvm_vcpu;
#include <asm/kvm_pkvm.h>
#include <nvhe/spinlock.h>

#endif

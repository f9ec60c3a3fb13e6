/* What hyp/nvhe/tlb.c and hyp/vhe/tlb.c need: system registers, and who runs on this CPU.
 *
 * Each file is compiled under names of its own, so that both lie in one library: a case chooses.
 * Registers that say which guest a TLBI is for go to the runtime; the rest is kept nowhere.
 */
#include <asm/sysreg.h>

#define S2_JOINED(kind, name) s2_##kind##_##name
#define S2_NAMED(kind, name) S2_JOINED(kind, name)
#define S2_OF_UNIT(name) S2_NAMED(S2_COPY, name)
#undef __kvm_tlb_flush_vmid_ipa
#undef __kvm_tlb_flush_vmid_ipa_nsh
#undef __kvm_tlb_flush_vmid_range
#undef __kvm_tlb_flush_vmid
#define __kvm_tlb_flush_vmid_ipa S2_OF_UNIT(flush_vmid_ipa)
#define __kvm_tlb_flush_vmid_ipa_nsh S2_OF_UNIT(flush_vmid_ipa_nsh)
#define __kvm_tlb_flush_vmid_range S2_OF_UNIT(flush_vmid_range)
#define __kvm_tlb_flush_vmid S2_OF_UNIT(flush_vmid)
#define __kvm_tlb_flush_local_vmid S2_OF_UNIT(flush_local_vmid)
#define __kvm_flush_cpu_context S2_OF_UNIT(flush_cpu_context)
#define __kvm_flush_vm_context S2_OF_UNIT(flush_vm_context)
#define __kvm_tlbi_s1e2 S2_OF_UNIT(tlbi_s1e2)

/* ---- system registers ---- */
#undef read_sysreg
#undef write_sysreg
#undef write_sysreg_hcr
#define S2_READ_hcr_el2 s2_hcr()
#define S2_WRITE_hcr_el2(value) s2_write_hcr(value)
#define S2_WRITE_vttbr_el2(value) s2_write_vttbr(value)
#define S2_WRITE_vtcr_el2(value) ((void)(value))
#define read_sysreg(r) S2_READ_##r
#define write_sysreg(value, r) S2_WRITE_##r(value)
#define write_sysreg_hcr(value) s2_write_hcr(value)
#define read_sysreg_el1(r) 0
#define write_sysreg_el1(value, r) ((void)(value))
#ifndef TCR_EPD0_MASK
#define TCR_EPD0_MASK (1UL << 7)
#define TCR_EPD1_MASK (1UL << 23)
#endif

/* ---- the guest's context and the host's ---- */
#define kvm_get_vttbr(mmu) ((u64)(mmu)->vmid.vmid << 48 | (mmu)->pgd_phys)
#define __load_stage2(mmu, ...) \
	do { \
		s2_write_vttbr(kvm_get_vttbr(mmu)); \
		if (s2_cap(ARM64_WORKAROUND_SPECULATIVE_AT)) \
			isb(); \
	} while (0)
#define __load_guest_stage2(mmu) __load_stage2(mmu)
#define __load_host_stage2() s2_write_vttbr(0)
static struct { struct kvm_arch arch; } host_mmu __maybe_unused;
/* A hypercall of the host: no guest is on the CPU. */
struct kvm_cpu_context { struct kvm_vcpu *__hyp_running_vcpu; };
static struct { struct kvm_cpu_context host_ctxt; } kvm_host_data __maybe_unused;
#define this_cpu_ptr(p) (p)
#define host_data_ptr(field) (&kvm_host_data.field)
struct kvm_vcpu *s2_running_vcpu(void);
#define kvm_get_running_vcpu() s2_running_vcpu()

/* ---- instructions ---- */
#define S2_INSTRUCTION_ALTERNATIVE(plain, patched, cap) \
	s2_instruction(s2_cap(cap) ? patched : plain, 0)
#define asm(x) S2_INSTRUCTION_##x
/* The instruction cache: nothing here runs on the CPU that it would be for. */
__asm__(".macro ic operation:vararg\n.endm\n");

"""Bugs planted in TLB and cache maintenance; each docstring says what is wrong."""

from stage2fuzz.arch import GRANULES, LAST_LEVEL
from stage2fuzz.events import TLBI, TLBI_BROADCAST, TLBI_IPAS2E1, TLBI_OPERATION, TLBI_VMALLE1
from stage2fuzz.model.machine.maintenance import (
    clean_dcache_guest_page,
    invalidate_icache_guest_page,
)
from stage2fuzz.model.machine.tlb import (
    dsb_ish,
    dsb_ishst,
    kvm_tlb_flush_vmid_ipa,
    tlb_switch_to_guest,
    tlb_switch_to_host,
    tlbi,
)
from stage2fuzz.model.machine.vm import Vm
from stage2fuzz.model.planted import KernelFunction, nothing, spoil

BY_IPA = (kvm_tlb_flush_vmid_ipa,)

spoil("missing_tlbi", kvm_tlb_flush_vmid_ipa)(nothing)
spoil("missing_dsb_before_tlbi", dsb_ishst, BY_IPA)(nothing)
spoil("tlbi_without_context", tlb_switch_to_guest)(nothing)
spoil("tlbi_without_context", tlb_switch_to_host)(nothing)
spoil("no_icache_invalidate", invalidate_icache_guest_page)(nothing)
spoil("no_dcache_clean", clean_dcache_guest_page)(nothing)


@spoil("missing_dsb_after_tlbi", dsb_ish, BY_IPA)
def missing_dsb_after_tlbi(target: KernelFunction, vm: Vm) -> None:
    """Stage 1 is invalidated before the invalidation of stage 2 is complete."""
    if not _follows(vm, TLBI_IPAS2E1):
        target(vm)


@spoil("missing_final_dsb", dsb_ish, BY_IPA)
def missing_final_dsb(target: KernelFunction, vm: Vm) -> None:
    """The caller goes on before the invalidation is complete."""
    if not _follows(vm, TLBI_VMALLE1):
        target(vm)


def _follows(vm: Vm, operation: int) -> bool:
    """Whether the thread's last step was that TLBI; nobody ran between the two."""
    kind, *_, aux = vm.events[-1]
    return kind == TLBI and aux & TLBI_OPERATION == operation


@spoil("missing_stage1_tlbi", tlbi, BY_IPA)
def missing_stage1_tlbi(target: KernelFunction, vm: Vm, ipa: int, aux: int) -> None:
    """Combined entries stay."""
    if aux & TLBI_OPERATION != TLBI_VMALLE1:
        target(vm, ipa, aux)


@spoil("local_tlbi", tlbi, BY_IPA)
def local_tlbi(target: KernelFunction, vm: Vm, ipa: int, aux: int) -> None:
    """Other PEs keep what they have."""
    target(vm, ipa, aux & ~TLBI_BROADCAST)


@spoil("tlbi_of_the_wrong_page", kvm_tlb_flush_vmid_ipa)
def tlbi_of_the_wrong_page(target: KernelFunction, vm: Vm, ipa: int, level: int) -> None:
    """The next entry is flushed in place of this one."""
    target(vm, ipa + GRANULES[level], level)


@spoil("tlbi_with_the_wrong_level", kvm_tlb_flush_vmid_ipa)
def tlbi_with_the_wrong_level(target: KernelFunction, vm: Vm, ipa: int, level: int) -> None:
    """The hint names a level at which the entry is not."""
    target(vm, ipa, LAST_LEVEL - 1 if level == LAST_LEVEL else level + 1)

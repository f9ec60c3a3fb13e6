"""Faults of how an abort is read, and of what becomes of one that no memory serves."""

from typing import Final

from stage2fuzz.kernel.faults.edit import EMULATE, MMU, Edit, PlantedFault, one

_HANDLER: Final = "kvm_handle_guest_abort"

IN_ABORT: Final[tuple[PlantedFault, ...]] = (
    one(
        "table-walk-is-a-write",
        "each fault of a stage-1 walk is taken for a write",
        Edit(
            EMULATE,
            "kvm_is_write_fault",
            r"if \(kvm_vcpu_abt_iss1tw\(vcpu\)\) \{",
            r"\g<0> return true;",
        ),
    ),
    one(
        "table-walk-is-mmio",
        "a stage-1 walk outside memory is emulated",
        Edit(MMU, _HANDLER, r"if \(kvm_vcpu_abt_iss1tw\(vcpu\)\)", "if (0)"),
        Edit(MMU, _HANDLER, r"if \(kvm_vcpu_dabt_iss1tw\(vcpu\)\)", "if (0)"),
    ),
    one(
        "maintenance-is-mmio",
        "cache maintenance outside memory is not skipped",
        Edit(
            MMU, _HANDLER, r"if \((kvm_is_error_hva\(hva\) && kvm_vcpu_dabt_is_cm)", r"if (0 && \1"
        ),
    ),
    one(
        "mmio-without-offset",
        "an emulated access loses the address below its page",
        Edit(
            MMU,
            _HANDLER,
            r"ipa \|= (?:kvm_vcpu_get_hfar|FAR_TO_FIPA)[^;]*;(\s+ret = io_)",
            r"ipa |= 0;\1",
        ),
    ),
    one(
        "no-ipa-limit",
        "an access above the guest's IPA space is MMIO",
        Edit(MMU, _HANDLER, r"if \((fault_ipa >= BIT_ULL\((?:vcpu|VTCR))", r"if (0 && \1"),
    ),
    one(
        "refused-atomic-keeps-page",
        "a fault that ends early keeps its reference of the host page",
        Edit(MMU, "user_mem_abort", r"kvm_release_page_unused\([^;]*;", ";"),
    ),
)

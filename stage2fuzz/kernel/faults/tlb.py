"""Faults of TLB maintenance: `hyp/nvhe/tlb.c`, `hyp/vhe/tlb.c` and `asm/tlbflush.h`."""

from typing import Final

from stage2fuzz.kernel.faults.edit import (
    EVERYWHERE,
    NVHE_TLB,
    TLBFLUSH,
    VHE_TLB,
    Edit,
    PlantedFault,
    one,
)

_ENTER: Final = "(?:enter_vmid_context|__tlb_switch_to_guest)"
_BY_IPA: Final = "__kvm_tlb_flush_vmid_ipa"
_BY_VMID: Final = "__kvm_tlb_flush_vmid"
_WRAPPED: Final = "((__pages >> (5 * (scale) + 1)) & 31) - 1"
_WRAPPED_PAGES: Final = "(((pages) >> (5 * (scale) + 1)) & 31) - 1"


def _in_both(
    name: str, what: str, function: str, pattern: str, replacement: str
) -> list[PlantedFault]:
    """One fault for each copy of the code: as a hypercall, and called directly with VHE."""
    return [
        one(f"{host}-{name}", f"{what} ({host})", Edit(file, function, pattern, replacement))
        for host, file in (("nvhe", NVHE_TLB), ("vhe", VHE_TLB))
    ]


IN_TLB: Final[tuple[PlantedFault, ...]] = (
    *_in_both(
        "flush-without-isb",
        "no ISB between VTTBR_EL2 and the TLBI",
        _ENTER,
        r'(?<!sh\);\n)\tisb\(\);\s*$|asm\(ALTERNATIVE\("isb"[^;]*;',
        ";",
    ),
    *_in_both(
        "flush-in-host-context",
        "the guest's VMID is not loaded for the TLBI",
        _ENTER,
        r"__load_(?:guest_)?stage2\(mmu[^;]*;",
        ";",
    ),
    *_in_both(
        "stage-1-kept", "the TLBI of stage 1 is left out", _BY_IPA, r"__tlbi\(vmalle1is\);", ";"
    ),
    *_in_both(
        "stages-not-ordered",
        "no DSB between the TLBIs of the two stages",
        _BY_IPA,
        r"dsb\(ish\);(\s+__tlbi\(vmalle1is\))",
        r"\1",
    ),
    *_in_both(
        "flush-not-completed",
        "the last DSB is left out",
        _BY_IPA,
        r"__tlbi_sync_s1ish_hyp\(\);|dsb\(ish\);(?=\s+isb)",
        ";",
    ),
    *_in_both(
        "flush-is-local", "the TLBI by IPA is not broadcast", _BY_IPA, r"ipas2e1is", "ipas2e1"
    ),
    *_in_both(
        "flush-names-a-byte",
        "the operand is the address in another unit",
        _BY_IPA,
        r"ipas2e1is, ipa, level",
        "ipas2e1is, ipa << 12, level",
    ),
    *_in_both(
        "vmid-flush-of-stage-1",
        "the flush of a VMID leaves stage 2",
        _BY_VMID,
        r"vmalls12e1is",
        "vmalle1is",
    ),
    one(
        "vhe-tge-left-set",
        "HCR_EL2.TGE stays set, so that stage 1 is the host's",
        Edit(VHE_TLB, _ENTER, r"val &= ~HCR_TGE;", ";"),
    ),
    one(
        "flush-before-stores",
        "no DSB between the stores and the TLBI",
        Edit(NVHE_TLB, _ENTER, r"else\n\t\tdsb\(ish\);", "else\n\t\t;"),
        Edit(NVHE_TLB, _BY_IPA, r"dsb\(ishst\);", ";"),
    ),
    one(
        "vhe-flush-before-stores",
        "no DSB between the stores and the TLBI, called directly with VHE",
        Edit(VHE_TLB, _BY_IPA, r"dsb\(ishst\);", ";"),
    ),
    one(
        "range-too-short",
        "a range TLBI covers fewer pages than it is counted for",
        Edit(TLBFLUSH, EVERYWHERE, r"(TLBIR_NUM_MASK, )num\)", r"\1num ? num - 1 : 0)"),
        Edit(
            TLBFLUSH,
            EVERYWHERE,
            r"\(unsigned long\)\(num\) << 39",
            "((unsigned long)(num) >> 1) << 39",
        ),
    ),
    one(
        "largest-range-has-no-operand",
        "a flush of as many pages as one TLBI can name is taken for one of none",
        Edit(TLBFLUSH, EVERYWHERE, r"\(__pages >> \(5 \* \(scale\) \+ 1\)\) - 1", _WRAPPED),
        Edit(TLBFLUSH, EVERYWHERE, r"\(\(pages\) >> \(5 \* \(scale\) \+ 1\)\) - 1", _WRAPPED_PAGES),
    ),
    one(
        "range-of-other-granule",
        "a range TLBI names another granule",
        Edit(TLBFLUSH, EVERYWHERE, r"(TLBIR_TG_MASK, get_trans_granule\(\))", r"\1 ^ 1"),
        Edit(
            TLBFLUSH, EVERYWHERE, r"get_trans_granule\(\) << 46", "(get_trans_granule() ^ 1) << 46"
        ),
    ),
)

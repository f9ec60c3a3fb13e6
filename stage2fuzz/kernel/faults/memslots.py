"""Faults of what a memslot is asked before it is published."""

from typing import Final

from stage2fuzz.kernel.faults.edit import MMU, Edit, PlantedFault, one

_PREPARE: Final = "kvm_arch_prepare_memory_region"
_LOGGED_DEVICE: Final = r"(if \(\w+->flags & KVM_MEM_LOG_DIRTY_PAGES)\) \{"

IN_MEMSLOTS: Final[tuple[PlantedFault, ...]] = (
    one(
        "device-memory-logged",
        "a slot of device memory may have a dirty log",
        Edit(MMU, _PREPARE, _LOGGED_DEVICE, r"\1 && 0) {"),
    ),
    one(
        "refusal-keeps-mmap-lock",
        "who refuses to log device memory goes back with the mmap lock",
        Edit(
            MMU,
            _PREPARE,
            _LOGGED_DEVICE + r"\s+ret = -EINVAL;\s+(?:break|goto out);",
            r"\1) { return -EINVAL;",
        ),
    ),
    one(
        "slot-above-ipa-space",
        "a slot may end above the guest's IPA space",
        Edit(MMU, _PREPARE, r"if \((\(\w+->base_gfn \+ \w+->npages\))", r"if (0 && \1"),
    ),
    one(
        "slot-at-the-end-refused",
        "no slot may end where the guest's IPA space does",
        Edit(MMU, _PREPARE, r"(\(\w+->base_gfn \+ \w+->npages\)) > \(", r"\1 >= ("),
    ),
)

"""What is known of one guest fault: from the syndrome, and from the host's mapping behind it."""

from typing import Final

from stage2fuzz.arch import EXECUTE

RESUME_GUEST: Final = 1
EXIT_TO_USER: Final = 0


class FaultDesc:
    """kvm_s2_fault_desc: what the syndrome says about one guest abort."""

    __slots__ = ("execute", "how", "ipa", "kind", "level", "status", "write")

    def __init__(self, ipa: int, kind: int, status: int, level: int, how: int = 0) -> None:
        """``kind`` is READ, WRITE or EXECUTE, as the syndrome tells it; ``status`` TRANSLATION,
        PERMISSION and so on; ``how`` what else it says (the bits of ``arch.INSTRUCTIONS``)."""
        self.ipa, self.kind, self.status, self.level = ipa, kind, status, level
        self.how = how
        self.write = False
        """What ``kvm_is_write_fault`` makes of it."""
        self.execute = kind == EXECUTE


class VmaInfo:
    """kvm_s2_fault_vma_info: what user_mem_abort learns before it takes mmu_lock."""

    __slots__ = ("address", "force_pte", "ipa", "mmu_seq", "size", "writable")

    def __init__(self) -> None:
        self.size = 0
        """vma_pagesize: bytes that are mapped, as far as the host's mapping is known."""
        self.force_pte = False
        """Pages only, whatever the host's mapping is."""
        self.mmu_seq = 0
        self.ipa = 0
        """First IPA of what is mapped; marked dirty, whatever a transparent huge page adjusts."""
        self.address = 0
        """Host address of ``ipa``."""
        self.writable = False
        """map_writable: the host lets the guest write."""

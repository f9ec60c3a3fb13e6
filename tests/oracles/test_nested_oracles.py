"""N1 to N7: what shadow MMUs of nested guests, and their pages of registers, promise."""

from stage2fuzz.arch import READ, TRANSLATION, WRITE
from stage2fuzz.events import (
    ACCESS,
    ALLOC,
    BACKING,
    CALL,
    CALL_GUEST_TLBI,
    FAULT,
    GUEST_LOAD,
    GUEST_STORE,
    HOST_ABSENT,
    HOST_READ,
    HOST_WRITE,
    INVALIDATE_END,
    LOCK,
    LOCK_MMU,
    MMU_BIND,
    MMU_LOAD,
    MMU_PUT,
    PIN,
    QUIESCENT,
    RESUME,
    RETURN,
    ROOT,
    SETUP,
    SLOT_LOGGING,
    TREE_SHIFT,
    UNLOCK,
    VNCR_ACCESS,
    VNCR_VALID,
)
from stage2fuzz.oracles.judge import judge
from tests.oracles.story import HOST, HOST_THREAD, IPA, PAGES, Story, leaf

SHADOW = 1 << TREE_SHIFT
ROOT_PAGE, TABLE_2, TABLE_3 = 0x1000_8000, 0x1000_9000, 0x1000_A000
L1 = HOST_THREAD
ENTRY = leaf("rwx", IPA)
"""What L1 maps L2's page to at first: its own page of the same address."""
VMID = 7
NESTED = ("N1", "N2", "N3", "N4", "N5", "N6", "N7")


class NestedStory(Story):
    """vCPU 0 runs L2 on shadow MMU 1, bound to L1's VMID 7."""

    def __init__(self, flags: int = 0, host: int = HOST_READ | HOST_WRITE) -> None:
        super().__init__(flags, host)
        self.add(ROOT, SETUP, ROOT_PAGE, 1, 2, 36)
        self.add(MMU_BIND, 0, 1, 0, VMID)
        self.add(MMU_LOAD, 0, 1, 0, VMID)

    def walks(self, entry: int = ENTRY) -> None:
        """vCPU 0 faults, and the handler reads L1's entry and looks the page up."""
        self.add(FAULT, 0, SHADOW + IPA, WRITE, TRANSLATION, 3)
        self.add(GUEST_LOAD, 0, IPA, VMID, entry)
        self.add(PIN, 0, IPA, WRITE, HOST, HOST_READ | HOST_WRITE)

    def installs(self, value: int = 0) -> None:
        """It writes the shadow, and goes back to the guest."""
        for where, page in ((ROOT_PAGE + 8, TABLE_2), (TABLE_2, TABLE_3)):
            self.add(ALLOC, 0, page)
            self.store(0, where, page | 3)
        self.store(0, TABLE_3, value or leaf("rw"))
        self.add(RESUME, 0, SHADOW + IPA, WRITE, 1)

    def unmaps(self) -> None:
        """L1 makes the entry invalid."""
        self.add(GUEST_STORE, L1, IPA, ENTRY, 0, VMID)

    def invalidates(self, empties: bool = True) -> None:
        """L1's TLBI for the page, which takes the leaf out of the shadow, or does not."""
        self.add(CALL, L1, IPA, 0x1000, VMID, CALL_GUEST_TLBI)
        if empties and self.memory.get(TABLE_3):
            self.store(L1, TABLE_3, 0)
        self.add(RETURN, L1, IPA, 0x1000, 0, CALL_GUEST_TLBI)

    def said(self) -> dict[str, str]:
        """Oracle -> its verdict."""
        found = judge(self.events, vcpus=1, threads=HOST_THREAD + 1, oracles=NESTED)
        return {each.oracle: each.verdict for each in found}


def mapped() -> NestedStory:
    story = NestedStory()
    story.walks()
    story.installs()
    return story


def test_a_shadow_of_what_both_map_breaks_no_rule() -> None:
    story = mapped()
    story.add(ACCESS, 0, SHADOW + IPA, WRITE, HOST)
    story.unmaps()
    story.invalidates()
    story.add(MMU_PUT, 0, 1)
    story.add(QUIESCENT, SETUP)
    assert story.said() == {}


def test_a_shadow_grants_no_more_than_the_guest_hypervisor() -> None:
    story = NestedStory()
    story.walks(leaf("r", IPA))
    story.installs(leaf("rw"))
    assert "nothing that the guest hypervisor's tables ever said" in story.said()["N1"]


def test_a_shadow_grants_no_more_than_the_host() -> None:
    story = NestedStory(host=HOST_READ)
    story.walks()
    story.installs(leaf("rw"))
    assert "is writable, but the host's page is not" in story.said()["N1"]


def test_a_shadow_follows_the_host() -> None:
    for empties in (True, False):
        story = mapped()
        if empties:
            story.store(HOST_THREAD, TABLE_3, 0)
        story.add(BACKING, HOST_THREAD, IPA, PAGES * 4096, HOST + (1 << 34), 3)
        story.add(INVALIDATE_END, HOST_THREAD, IPA, 4096, 1)
        assert ("N1" in story.said()) is not empties


def test_a_tlbi_that_leaves_the_entry_is_not_complete() -> None:
    story = mapped()
    story.unmaps()
    story.invalidates(empties=False)
    assert "L1" not in story.said()
    assert "left in shadow MMU 1" in story.said()["N2"]


def test_a_fault_in_flight_does_not_bring_back_what_was_invalidated() -> None:
    story = NestedStory()
    story.walks()
    story.unmaps()
    story.invalidates()
    story.installs()
    assert "and that TLBI has returned" in story.said()["N2"]


def test_a_fault_that_read_the_entry_anew_may_map_it() -> None:
    story = NestedStory()
    story.walks()
    story.unmaps()
    story.add(GUEST_STORE, L1, IPA, 0, ENTRY, VMID)
    story.invalidates()
    story.installs()
    assert story.said() == {}


def test_a_tlbi_of_another_context_says_nothing_of_this_one() -> None:
    story = mapped()
    story.unmaps()
    story.add(CALL, L1, IPA, 0x1000, VMID + 1, CALL_GUEST_TLBI)
    story.add(RETURN, L1, IPA, 0x1000, 0, CALL_GUEST_TLBI)
    assert story.said() == {}


def test_an_mmu_is_not_recycled_under_a_vcpu() -> None:
    for put in (True, False):
        story = mapped()
        if put:
            story.add(MMU_PUT, 0, 1)
        story.add(MMU_BIND, L1, 1, VMID, VMID + 1)
        assert ("N3" in story.said()) is not put


def test_nobody_runs_on_another_context_s_mmu() -> None:
    story = mapped()
    story.add(MMU_PUT, 0, 1)
    story.add(MMU_LOAD, 0, 1, 0, VMID + 1)
    assert "which is VMID 7's" in story.said()["N3"]


def test_nobody_runs_on_a_recycled_mmu_before_it_is_emptied() -> None:
    for empties in (True, False):
        story = mapped()
        story.add(MMU_PUT, 0, 1)
        story.add(MMU_BIND, 0, 1, VMID, VMID + 1)
        story.add(MMU_LOAD, 0, 1, 0, VMID + 1)
        if empties:
            story.store(0, TABLE_3, 0)
        story.add(ACCESS, 0, SHADOW + IPA, READ, HOST)
        assert ("N4" in story.said()) is not empties


def test_what_a_nested_guest_can_write_in_a_logged_slot_is_dirty() -> None:
    story = NestedStory(flags=SLOT_LOGGING)
    story.walks()
    story.installs()
    story.add(QUIESCENT, SETUP)
    assert "the next write is lost" in story.said()["N5"]


def test_a_page_of_registers_is_the_one_that_the_host_has_there() -> None:
    for moves in (True, False):
        story = NestedStory()
        story.add(VNCR_ACCESS, 0, IPA, WRITE, HOST)
        if moves:
            story.add(BACKING, HOST_THREAD, IPA, PAGES * 4096, HOST + (1 << 34), 3)
        story.add(VNCR_ACCESS, 0, IPA, READ, HOST)
        assert ("N6" in story.said()) is moves


def test_a_page_of_registers_that_the_host_took_away_is_not_even_read() -> None:
    for flags in (HOST_READ, HOST_ABSENT):
        story = NestedStory()
        story.add(BACKING, HOST_THREAD, IPA, PAGES * 4096, HOST, flags)
        story.add(VNCR_ACCESS, 0, IPA, READ, HOST)
        assert ("N6" in story.said()) is (flags == HOST_ABSENT)


def test_registers_are_not_written_into_a_page_that_the_host_has_read_only() -> None:
    for kind in (READ, WRITE):
        story = NestedStory(host=HOST_READ)
        story.add(VNCR_ACCESS, 0, IPA, kind, HOST)
        assert ("N6" in story.said()) is (kind == WRITE)


def test_a_page_of_registers_is_logged_as_any_other() -> None:
    story = NestedStory(flags=SLOT_LOGGING)
    story.add(VNCR_ACCESS, 0, IPA, WRITE, HOST)
    story.add(QUIESCENT, SETUP)
    (found,) = judge(story.events, vcpus=1, threads=HOST_THREAD + 1, oracles=("D1",))
    assert "neither reported nor marked" in found.signature


def test_a_pseudo_tlb_becomes_invalid_under_the_lock_held_for_writing() -> None:
    for shared in (0, 1, None):
        story = NestedStory()
        if shared is not None:
            story.add(LOCK, 0, LOCK_MMU, 0, 0, shared)
        story.add(VNCR_VALID, 0, 0, 1)
        if shared is not None:
            story.add(UNLOCK, 0, LOCK_MMU, 0, 0, shared)
        assert ("N7" in story.said()) is (shared != 0)

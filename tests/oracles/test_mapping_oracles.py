"""C1 to C13: what a mapping may be, and what a fault may do to it."""

import pytest

from stage2fuzz.arch import EXECUTE, PAGE_SIZE, PERMISSION, PTE_AF, PTE_LOCKED, WRITE
from stage2fuzz.events import (
    ALLOC,
    BACKING,
    CALL,
    CALL_CHANGE_PTE,
    CALL_HYP_MAP,
    CALL_MKYOUNG,
    CALL_RELAX,
    CALL_SLOT_DELETE,
    CALL_UNMAP,
    CALL_VCPU_INIT,
    CALL_WRPROTECT,
    DCACHE_CLEAN,
    HARDWARE_AF,
    HOST_DEVICE,
    HOST_PMD,
    HOST_PUD,
    HOST_READ,
    HOST_WRITE,
    ICACHE_INVALIDATE,
    INVALIDATE_BEGIN,
    INVALIDATE_END,
    LOCK,
    LOCK_HYP,
    LOCK_MMAP,
    PIN,
    RETRY,
    SEQ_READ,
    SLOT,
    SLOT_LOGGING,
    SLOT_READONLY,
    UNLOCK,
)
from stage2fuzz.rules import Rules
from tests.oracles.story import HOST, HOST_THREAD, IPA, L2, L3, LINK1, RW, R, Story, leaf

BLOCK = 0x20_0000


def test_a_fault_never_takes_permission_away() -> None:
    story = Story()
    given = story.mapped(0, "rw")
    fault = len(story.events)
    lost = story.remapped(1, "r")
    violation = story.judge()["C6"]
    assert violation.verdict == (
        "vCPU 1's read translation fault replaced page 0x1000000000 rw- by r--: the write "
        "permission vCPU 0 was given is gone"
    )
    assert violation.events == (given, fault, lost)


def test_a_remap_that_grants_more_is_only_needless() -> None:
    story = Story()
    story.mapped(0, "r")
    story.remapped(1, "rw", WRITE)
    assert sorted(story.judge()) == ["G3"]


def test_a_fault_takes_no_permission_away_in_place() -> None:
    story = Story()
    story.mapped(0, "rw")
    story.fault(1, EXECUTE, PERMISSION)
    story.prepare(1)
    story.call(1, CALL_RELAX, R | 1)
    story.store(1, L3, leaf("rx"))
    assert "in place" in story.judge()["C6"].signature


def test_a_page_that_moved_is_another_page() -> None:
    story = Story()
    story.mapped(0, "rw")
    story.fault(1)
    story.prepare(1)
    story.call(1, prot=R, host=HOST + 0x1000)
    story.store(1, L3, 0)
    story.flush(1)
    story.store(1, L3, leaf("r", HOST + 0x1000))
    assert "C6" not in story.judge()


def test_write_protect_may_take_permission_away() -> None:
    story = Story()
    story.mapped(0, "rw")
    story.lock(HOST_THREAD)
    story.call(HOST_THREAD, CALL_WRPROTECT, 0)
    story.store(HOST_THREAD, L3, leaf("r"))
    story.returned(HOST_THREAD, CALL_WRPROTECT)
    assert story.judge() == {}


@pytest.mark.parametrize(
    ("new", "problem"),
    [
        (leaf("rw", HOST + 0x1000), "installed another address"),
        (leaf("r"), "installed fewer rights"),
        (leaf("rwx"), "installed more rights"),
    ],
)
def test_map_installs_what_it_was_told(new: int, problem: str) -> None:
    story = Story()
    story.call(0, prot=RW)
    story.tables(0)
    story.store(0, L3, new)
    assert problem in story.judge()["C1"].signature


def test_map_stays_in_its_range() -> None:
    story = Story()
    story.call(0)
    story.tables(0)
    story.store(0, L3 + 8, leaf("rw", HOST + 0x1000))
    assert "outside its range" in story.judge()["C1"].signature


def test_a_map_that_succeeds_has_mapped() -> None:
    story = Story()
    story.call(0)
    story.tables(0)
    story.returned(0)
    assert "left its range unmapped" in story.judge()["C1"].signature


def test_a_map_that_succeeds_grants_what_was_asked() -> None:
    story = Story()
    story.mapped(0, "r")
    story.lock(1)
    story.call(1, prot=RW)
    story.returned(1)
    assert story.judge()["C1"].verdict == (
        "kvm_pgtable_stage2_map(0x40000000, 0x1000) of vCPU 1 succeeded without granting w: "
        "page 0x1000000000 r-- AF at IPA 0x40000000"
    )


def test_the_initialisation_of_a_vcpu_leaves_nothing_of_before() -> None:
    story = Story(machine=0)
    story.mapped(0)
    story.add(CALL, HOST_THREAD, IPA, PAGE_SIZE, 0, CALL_VCPU_INIT)
    story.returned(HOST_THREAD, CALL_VCPU_INIT)
    assert "KVM_ARM_VCPU_INIT left a page mapped" in story.judge()["C1"].signature
    story = Story(machine=0)
    story.add(CALL, HOST_THREAD, IPA, PAGE_SIZE, 0, CALL_VCPU_INIT)
    story.mapped(0)  # while it is under way
    story.returned(HOST_THREAD, CALL_VCPU_INIT)
    assert "C1" not in story.judge()


def test_a_map_that_is_refused_may_leave_less() -> None:
    story = Story()
    story.mapped(0, "r")
    story.lock(1)
    story.call(1, prot=RW)
    story.returned(1, result=-11)
    assert "C1" not in story.judge()


@pytest.mark.parametrize("code", [CALL_UNMAP, CALL_WRPROTECT])
def test_a_range_operation_reaches_each_page(code: int) -> None:
    story = Story()
    story.mapped(0)
    story.lock(HOST_THREAD)
    story.call(HOST_THREAD, code, 0)
    story.returned(HOST_THREAD, code)
    assert "C1" in story.judge()


def test_mkyoung_sets_the_access_flag_and_nothing_else() -> None:
    for new, right in ((leaf("r") | PTE_AF, True), (leaf("rw") | PTE_AF, False)):
        story = Story()
        story.mapped(0, "r")
        story.store(HOST_THREAD, L3, leaf("r") & ~PTE_AF)
        story.call(1, CALL_MKYOUNG)
        story.store(1, L3, new)
        assert ("C1" in story.judge()) is not right


def test_a_fault_maps_the_page_that_is_there_now() -> None:
    story = Story()
    story.fault(0, level=1)
    story.prepare(0)
    story.add(BACKING, HOST_THREAD, IPA, 4096, HOST + (1 << 34), 3)
    story.call(0, prot=R)
    story.tables(0)
    story.store(0, L3, leaf("r"))
    assert "stale page installed" in story.judge()["C2"].signature


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ((SEQ_READ, PIN), "without a retry check"),
        ((PIN, SEQ_READ, RETRY), "sequence sampled after the lookup"),
    ],
)
def test_the_retry_protocol_has_an_order(steps: tuple[int, ...], problem: str) -> None:
    story = Story()
    story.fault(0, level=1)
    for kind in steps:
        story.add(kind, 0, IPA if kind == PIN else 0, 0, HOST if kind == PIN else 0, 0)
    story.call(0, prot=R)
    story.tables(0)
    story.store(0, L3, leaf("r"))
    assert problem in story.judge()["C2"].signature


def test_an_invalidation_ends_with_nothing_stale() -> None:
    story = Story()
    story.mapped(0)
    story.add(INVALIDATE_BEGIN, HOST_THREAD, IPA, 4096, 1)
    story.add(BACKING, HOST_THREAD, IPA, 4096, HOST + (1 << 34), 3)
    story.add(INVALIDATE_END, HOST_THREAD, IPA, 4096, 1)
    assert "after an invalidation" in story.judge()["C2"].signature


def test_a_leaf_lies_in_a_memslot() -> None:
    story = Story()
    story.tables(0)
    story.store(0, L3 + 4 * 8, leaf("r", HOST + 0x4000))
    assert "which no memslot holds" in story.judge()["C3"].verdict


@pytest.mark.parametrize("early", [True, False])
def test_a_call_of_the_host_may_map_while_a_deletion_waits_for_it(early: bool) -> None:
    story, other = Story(), HOST_THREAD - 1
    story.tables(0)
    if early:
        story.call(HOST_THREAD, CALL_CHANGE_PTE)
    story.call(other, CALL_SLOT_DELETE)
    story.add(SLOT, other, IPA, 0, 0, 0)
    if not early:
        story.call(HOST_THREAD, CALL_CHANGE_PTE)
    story.call(HOST_THREAD, prot=R)
    story.store(HOST_THREAD, L3, leaf("r"))
    assert ("C3" in story.judge()) is not early


def test_a_deleted_memslot_leaves_nothing_behind() -> None:
    for unmap in (False, True):
        story = Story()
        story.mapped(0)
        story.call(HOST_THREAD, CALL_SLOT_DELETE, 0)
        story.add(SLOT, HOST_THREAD, IPA, 0, 0, 0)
        if unmap:
            story.store(HOST_THREAD, L3, 0)
            story.flush(HOST_THREAD)
        story.returned(HOST_THREAD, CALL_SLOT_DELETE)
        assert ("C3" in story.judge()) is not unmap


def test_a_read_only_memslot_has_no_writable_leaf() -> None:
    for rights in ("r", "rw"):
        story = Story(SLOT_READONLY)
        story.mapped(0, rights)
        assert ("C4" in story.judge()) is (rights == "rw")


def test_a_page_the_host_maps_read_only_is_not_writable() -> None:
    for host in (HOST_READ, HOST_READ | HOST_WRITE):
        story = Story(host=host)
        story.mapped(0, "rw")
        assert ("C5" in story.judge()) is (host == HOST_READ)


def test_device_memory_is_device_and_not_executable() -> None:
    device = leaf("rw") & ~(0xF << 2) | 1 << 2
    for new, right in ((device, True), (device & ~(1 << 54), False), (leaf("rw"), False)):
        story = Story(host=HOST_READ | HOST_WRITE | HOST_DEVICE)
        story.tables(0)
        story.store(0, L3, new)
        assert ("C7" in story.judge()) is not right


def test_instructions_are_invalidated_before_they_may_run() -> None:
    for invalidate in (False, True):
        story = Story()
        story.fault(0, EXECUTE, level=1)
        story.prepare(0)
        if invalidate:
            story.add(ICACHE_INVALIDATE, 0, HOST, 4096)
        story.call(0, prot=R | 1)
        story.tables(0)
        story.store(0, L3, leaf("rx"))
        assert ("C8" in story.judge()) is not invalidate


def test_invalidated_instructions_stay_so_until_the_page_moves() -> None:
    for host in (HOST, HOST + (1 << 34)):
        story = Story()
        story.fault(0, EXECUTE, level=1)
        story.prepare(0)
        story.add(ICACHE_INVALIDATE, 0, host, 4096)
        story.add(BACKING, HOST_THREAD, IPA, 4096, host, HOST_READ)
        story.call(0, prot=R | 1, host=host)
        story.tables(0)
        story.store(0, L3, leaf("rx", host))
        assert ("C8" in story.judge()) is (host != HOST)


def test_memory_is_cleaned_before_a_guest_gets_it() -> None:
    for cleaned in ((), (HOST, 4096), (HOST, 2048), (HOST + 4096, 4096)):
        story = Story(machine=0)
        story.fault(0, level=1)
        story.prepare(0)
        if cleaned:
            story.add(DCACHE_CLEAN, 0, *cleaned)
        story.call(0)
        story.tables(0)
        story.store(0, L3, leaf("rw"))
        assert ("C14" in story.judge()) is (cleaned != (HOST, 4096))


def test_memory_that_moved_is_to_be_cleaned_again() -> None:
    for host in (HOST, HOST + (1 << 34)):
        story = Story(machine=0)
        story.add(DCACHE_CLEAN, 0, host, 4096)
        story.add(BACKING, HOST_THREAD, IPA, 4096, host, HOST_READ)
        story.call(0, host=host)
        story.tables(0)
        story.store(0, L3, leaf("r", host))
        assert ("C14" in story.judge()) is (host != HOST)


def test_memory_is_cleaned_after_a_guest_gave_it_back() -> None:
    for cleaned in (False, True):
        story = Story(machine=0)
        story.add(DCACHE_CLEAN, 0, HOST, 4096)
        story.mapped(0)
        story.lock(HOST_THREAD)
        story.call(HOST_THREAD, CALL_UNMAP, 0)
        story.store(HOST_THREAD, L3, 0)
        story.flush(HOST_THREAD)
        if cleaned:
            story.add(DCACHE_CLEAN, HOST_THREAD, HOST, 4096)
        story.returned(HOST_THREAD, CALL_UNMAP)
        assert ("C14" in story.judge()) is not cleaned


def test_caches_that_a_guest_can_not_turn_off_need_no_maintenance() -> None:
    story = Story(host=HOST_READ | HOST_WRITE | HOST_DEVICE, machine=0)
    story.tables(0)
    story.store(0, L3, leaf("rw") & ~0x3C | 1 << 2)
    assert "C14" not in story.judge()
    story = Story()
    story.mapped(0)
    assert "C14" not in story.judge()


def test_no_block_while_pages_are_logged() -> None:
    for flags in (0, SLOT_LOGGING):
        story = Story()
        story.events[1] = (SLOT, -1, IPA, BLOCK, flags, 0)
        story.events[2] = (BACKING, -1, IPA, BLOCK, HOST, 3 | HOST_PMD)
        story.fault(0, level=2)
        story.table(0, 0x1000_0008, L2)
        story.store(0, L2, leaf("r") & ~2)
        assert ("C9" in story.judge()) is bool(flags)


def test_no_block_beyond_its_memslot() -> None:
    story = Story()
    story.fault(0, level=2)
    story.table(0, 0x1000_0008, L2)
    story.store(0, L2, leaf("r") & ~2)
    assert "beyond its memslot" in story.judge()["C9"].verdict


@pytest.mark.parametrize("host", [0, HOST_PMD, HOST_PUD])
@pytest.mark.parametrize("skew", [0, PAGE_SIZE, BLOCK])
def test_a_block_stands_for_one_mapping_of_the_host(host: int, skew: int) -> None:
    story = Story()
    story.events[1] = (SLOT, -1, IPA, BLOCK, 0, 0)
    story.events[2] = (BACKING, -1, IPA, BLOCK, HOST + skew, 3 | host)
    story.fault(0, level=2)
    story.table(0, LINK1, L2)
    story.store(0, L2, leaf("r", HOST + skew) & ~2)
    assert ("C9" in story.judge()) is (not host or (host == HOST_PMD and skew == PAGE_SIZE))


def test_relax_changes_no_larger_leaf_than_the_fault_was_about() -> None:
    for level, size in ((2, BLOCK), (2, 4096), (3, BLOCK), (3, 4096)):
        story = Story()
        story.events[1] = (SLOT, -1, IPA, BLOCK, 0, 0)
        story.events[2] = (BACKING, -1, IPA, BLOCK, HOST, 3 | HOST_PMD)
        story.fault(0, level=2)
        story.table(0, LINK1, L2)
        story.store(0, L2, leaf("r") & ~2)
        story.fault(1, WRITE, PERMISSION, level)
        story.add(CALL, 1, IPA, size, 0, CALL_RELAX | RW << 8)
        story.store(1, L2, leaf("rw") & ~2)
        assert ("C9" in story.judge()) is not (level == 2 and size == BLOCK)


def test_relax_may_find_a_page_where_the_fault_saw_a_block() -> None:
    story = Story()
    story.mapped(0, "r")
    story.fault(1, WRITE, PERMISSION, 2)
    story.add(CALL, 1, IPA, BLOCK, 0, CALL_RELAX | RW << 8)
    story.store(1, L3, leaf("rw"))
    assert "C9" not in story.judge()


def test_a_block_means_what_its_table_meant() -> None:
    for host, right in ((HOST, True), (HOST + 0x1000, False)):
        story = Story()
        story.tables(0)
        story.store(0, L3, leaf("r", host))
        story.store(0, L2, 0)
        story.flush_all(0)
        story.store(0, L2, leaf("r") & ~2)
        assert ("C10" in story.judge()) is not right


def test_the_locked_marker_has_an_owner_and_goes_away() -> None:
    rules = Rules(shared_faults=True)
    story = Story()
    story.mapped(0)
    story.store(1, L3, PTE_LOCKED, 2)
    story.quiescent()
    assert story.judge(rules)["C12"].signature.endswith("left behind")
    story.store(2, L3, leaf("rw"))
    assert "C12" not in story.judge()
    story.events.pop(-2)
    assert story.judge(rules)["C12"].signature.endswith("replaced by another walker")


def test_hyp_stage_1_never_remaps() -> None:
    for new, right in ((leaf("rw"), True), (leaf("r"), False)):
        story = Story()
        story.lock(HOST_THREAD, LOCK_HYP)
        story.call(HOST_THREAD, CALL_HYP_MAP)
        story.add(ALLOC, HOST_THREAD, 0x1F00_0000)
        story.store(HOST_THREAD, 0x1F00_0000, leaf("rw"))
        story.store(HOST_THREAD, 0x1F00_0000, new)
        assert ("C13" in story.judge()) is not right


@pytest.mark.parametrize("early", [False, True])
def test_size_and_sequence_belong_together_under_the_mmap_lock(early: bool) -> None:
    story = Story()
    story.fault(0, level=1)
    story.add(LOCK, 0, LOCK_MMAP, aux=1)
    if early:
        story.add(SEQ_READ, 0)
    story.add(UNLOCK, 0, LOCK_MMAP, aux=1)
    begun = story.add(INVALIDATE_BEGIN, HOST_THREAD, IPA, 4096, 1)
    story.add(INVALIDATE_END, HOST_THREAD, IPA, 4096, 1)
    if not early:
        story.add(SEQ_READ, 0)
    story.add(PIN, 0, IPA, 0, HOST, 3)
    story.lock(0)
    story.add(RETRY, 0, new=int(early))
    if early:
        story.finish(0)
        assert "C2" not in story.judge()
        return
    story.call(0, prot=R)
    story.tables(0)
    story.store(0, L3, leaf("r"))
    assert begun
    assert story.judge()["C2"].signature.endswith(
        "with the sequence sampled after the mmap lock was dropped"
    )


@pytest.mark.parametrize("code", [CALL_UNMAP, CALL_WRPROTECT])
def test_a_range_operation_keeps_its_promise_where_faults_share_the_lock(code: int) -> None:
    for lock in (False, True):
        story = Story()
        story.mapped(0)
        if lock:
            story.lock(HOST_THREAD)
        story.call(HOST_THREAD, code, 0)
        story.returned(HOST_THREAD, code)
        assert ("C1" in story.judge(Rules(shared_faults=True))) is lock


@pytest.mark.parametrize("raced", [False, True])
def test_map_keeps_its_promise_at_some_moment_where_faults_share_the_lock(raced: bool) -> None:
    story = Story()
    story.mapped(0, "r")
    story.call(1, CALL_RELAX)
    if raced:
        story.store(1, L3, leaf("rw"))
        story.store(2, L3, leaf("r"))
    story.returned(1, CALL_RELAX)
    assert ("C1" in story.judge(Rules(shared_faults=True))) is not raced


def test_a_flag_that_the_hardware_set_before_the_break_makes_the_leaf_an_aged_one() -> None:
    story = Story()
    story.mapped(0, "rw")
    story.store(HOST_THREAD, L3, leaf("rw") & ~PTE_AF)
    story.fault(1)
    story.prepare(1)
    story.call(1, prot=R)
    story.add(HARDWARE_AF, 0, L3, leaf("rw") & ~PTE_AF, leaf("rw"), 3)
    story.memory[L3] = leaf("rw")
    story.store(1, L3, leaf("rw") & ~1)
    story.flush(1)
    story.store(1, L3, leaf("r"))
    found = story.judge()
    assert found["C6"].signature.endswith("break-before-make of an aged leaf")
    assert "G3" not in found

"""G1 to G5 and the kernel's own words: getting on, at what price, and out for the right reason."""

import pytest

from stage2fuzz.arch import EXECUTE, PERMISSION, READ, WRITE
from stage2fuzz.events import (
    BACKING,
    CALL_RELAX,
    CRASH,
    DEADLOCK,
    EAGAIN,
    EFAULT,
    ENOMEM,
    HOST_ABSENT,
    HOST_POISON,
    LOCK_MMU,
    LOCK_SLOTS,
    RESUME,
    SLOT_READONLY,
    THREAD_END,
    TLBI,
    TLBI_VMALLS12E1,
    TOPUP,
    TOPUP_SINGLE,
    WARN,
    WARN_BUG,
    WARN_HYP_REMAP,
    tlbi_aux,
)
from stage2fuzz.oracles.violation import Category
from tests.oracles.story import HOST, HOST_THREAD, IPA, L3, R, Story, leaf


def rivals(turns: int) -> Story:
    """vCPU 0 wants to execute, vCPU 1 to write, and each undoes the other."""
    story = Story()
    story.mapped(0, "rw")
    story.add(THREAD_END, 2)
    story.add(THREAD_END, HOST_THREAD)
    for _ in range(turns):
        story.remapped(0, "rx", EXECUTE)
        story.remapped(1, "rw", WRITE)
    return story


def test_a_state_that_returns_without_progress_is_a_vcpu_stuck() -> None:
    violation = rivals(3).judge()["G1"]
    assert violation.category is Category.PROGRESS
    assert violation.verdict.startswith("stuck: the same state returns after 2 faults (")
    assert violation.verdict.endswith(
        "vCPU 0 (execute translation fault), vCPU 1 (write translation fault)"
    )
    start, end = violation.events
    assert end - start == (len(rivals(3).events) - len(rivals(2).events))


def test_progress_in_between_is_no_lasso() -> None:
    story = rivals(1)
    for _ in range(3):
        story.access(1, WRITE)
        story.remapped(0, "rx", EXECUTE)
        story.remapped(1, "rw", WRITE)
    assert "G1" not in story.judge()


def test_a_thread_that_never_ran_could_have_broken_the_cycle() -> None:
    story = rivals(3)
    story.events = [e for e in story.events if e[:2] != (THREAD_END, HOST_THREAD)]
    assert "G1" not in story.judge()


def test_a_fault_in_the_window_of_a_needless_break_is_blamed_on_the_breaker() -> None:
    for needless in (True, False):
        story = Story()
        story.mapped(0, "rw")
        story.fault(1)
        story.prepare(1)
        story.call(1, prot=R, host=HOST if needless else HOST + 0x1000)
        broken = story.store(1, L3, story.memory[L3] & ~1)
        story.walk(0)
        fault = story.fault(0, WRITE)
        story.flush(1)
        host = 0 if needless else 0x1000
        made = story.store(1, L3, ((story.memory[L3] | 1) & ~(1 << 7)) + host)
        found = story.judge()
        assert ("G2" in found) is needless
        if needless:
            assert found["G2"].events == (broken, fault, made)
            assert found["G2"].verdict == (
                "vCPU 0's write of IPA 0x40000000 took a translation fault only because vCPU 1 had "
                "broken the page to change its permissions"
            )


def test_three_faults_serve_an_access() -> None:
    story = Story()
    for _ in range(3):
        story.fault(0, WRITE, PERMISSION)
        story.add(RESUME, 0, IPA, WRITE, 1)
    assert "G2" not in story.judge()
    story.fault(0, WRITE, PERMISSION)
    assert "took 4 faults although nobody else changed anything" in story.judge()["G2"].verdict


def test_map_breaks_no_page_to_change_its_permissions() -> None:
    story = Story()
    story.mapped(0, "r")
    story.remapped(1, "rw", WRITE)
    violation = story.judge()["G3"]
    assert violation.category is Category.ECONOMY
    assert violation.verdict == (
        "vCPU 1 broke page 0x1000000000 r-- AF at IPA 0x40000000 to change its permissions (now "
        "page 0x1000000000 rw- AF): nobody could use the page meanwhile"
    )


def test_map_flushes_nothing_that_it_did_not_change() -> None:
    story = Story()
    story.mapped(0, "r")
    story.call(1, prot=R)
    story.add(TLBI, 1, 0, 0, 1, tlbi_aux(TLBI_VMALLS12E1, True))
    assert story.judge()["G3"].signature.endswith("TLBI without a change")


def test_a_deadlock_names_who_waits() -> None:
    story = Story()
    story.add(DEADLOCK, 0, aux=0b1010)
    assert story.judge()["G4"].verdict == (
        "deadlock: vCPU 1 and host thread 3 wait and nobody can go on"
    )


def test_two_locks_have_one_order() -> None:
    story = Story()
    for thread, outer, inner in ((0, LOCK_SLOTS, LOCK_MMU), (1, LOCK_MMU, LOCK_SLOTS)):
        assert "G4" not in story.judge()
        story.lock(thread, outer)
        story.lock(thread, inner)
        story.unlock(thread, inner)
        story.unlock(thread, outer)
    assert story.judge()["G4"].signature.endswith("mmu_lock and slots_lock in both orders")


def test_nobody_sleeps_with_mmu_lock() -> None:
    story = Story()
    story.add(TOPUP, 0, old=2)
    assert "G4" not in story.judge()
    story.lock(0)
    story.add(TOPUP, 0, old=TOPUP_SINGLE)  # a page that a walk asks for may be had without sleep
    assert "G4" not in story.judge()
    story.add(TOPUP, 0, old=2)
    assert "which may sleep" in story.judge()["G4"].verdict


@pytest.mark.parametrize(
    ("flags", "host", "kind", "result", "right"),
    [
        (0, 3, READ, 1, True),
        (0, 3, WRITE, 0, False),
        (0, 3, READ, -EAGAIN, False),
        (0, 3, READ, -EFAULT, False),
        (0, 3, READ, -ENOMEM, False),
        (0, 1, WRITE, -EFAULT, True),
        (0, HOST_ABSENT, READ, -EFAULT, True),
        (0, HOST_POISON | 3, READ, 0, True),
        (SLOT_READONLY, 3, WRITE, 0, True),
        (SLOT_READONLY, 3, READ, 0, False),
    ],
)
def test_an_exit_to_user_space_has_a_reason(
    flags: int, host: int, kind: int, result: int, right: bool
) -> None:
    story = Story(flags, host)
    story.fault(0, kind)
    story.add(RESUME, 0, IPA, kind, result)
    assert ("G5" in story.judge()) is not right


def test_what_changed_under_way_may_exit_either_way() -> None:
    story = Story()
    story.fault(0)
    story.add(BACKING, HOST_THREAD, IPA, 4096, HOST, 3)
    story.add(RESUME, 0, IPA, READ, -EFAULT)
    assert "G5" not in story.judge()


def test_the_kernels_own_warnings_count() -> None:
    story = Story()
    story.add(WARN, 0, aux=WARN_HYP_REMAP)
    assert story.judge() == {}
    story.add(WARN, 0, aux=WARN_BUG)
    story.add(CRASH, 0, 0x10, aux=11)
    found = story.judge()
    assert found["WARN"].verdict == "vCPU 0 hit a kernel warning: BUG()"
    assert found["CRASH"].verdict == "vCPU 0 crashed with signal 11 at address 0x10"


def relaxed(flush: bool, result: int = 0, later: bool = False) -> Story:
    """vCPU 0 asks for write; the leaf that it holds is read-only."""
    story = Story()
    story.mapped(0, "r")
    story.fault(0, WRITE, PERMISSION)
    story.prepare(0, write=True)
    if not later:
        story.call(0, CALL_RELAX)
    if result or later:
        story.call(1, CALL_RELAX)
        story.store(1, L3, leaf("rw"))
    if later:
        story.returned(1, CALL_RELAX)
        story.call(0, CALL_RELAX)
    if not result and not later:
        story.store(0, L3, leaf("rw"))
    story.returned(0, CALL_RELAX, result)
    if flush:
        story.flush(0)
    story.host_dirty(0)
    story.finish(0, WRITE)
    return story


@pytest.mark.parametrize(("result", "later"), [(0, False), (-EAGAIN, False), (0, True)])
def test_relax_leaves_its_pe_nothing_narrower(result: int, later: bool) -> None:
    assert "G6" not in relaxed(True, result, later).judge()
    assert relaxed(False, result, later).judge()["G6"].verdict == (
        "vCPU 0's write permission fault of IPA 0x40000000 relaxed the leaf, now page 0x1000000000 "
        "rw- AF, and went back to the guest while the same PE may still hold page 0x1000000000 r-- "
        "AF: it faults again"
    )


def test_a_flush_at_the_wrong_level_or_of_another_page_leaves_the_narrower_one() -> None:
    for ipa, level in ((IPA + 0x1000, 3), (IPA, 2)):
        story = relaxed(False)
        end = story.events.pop()
        story.flush(0, ipa, level)
        story.events.append(end)
        assert "G6" in story.judge()


def test_what_others_widen_after_relax_is_their_affair() -> None:
    story = Story()
    story.mapped(0, "r")
    story.fault(0, WRITE, PERMISSION)
    story.prepare(0, write=True)
    story.call(0, CALL_RELAX)
    story.returned(0, CALL_RELAX, -EAGAIN)
    story.store(HOST_THREAD, L3, 0)
    story.flush(HOST_THREAD)
    story.store(1, L3, leaf("r"))
    story.store(1, L3, leaf("rw"))
    story.finish(0, WRITE)
    assert "G6" not in story.judge()


def test_a_warning_names_its_call_and_its_fault() -> None:
    story = Story()
    story.fault(1, WRITE)
    story.call(1)
    story.add(WARN, 1, aux=WARN_BUG)
    assert story.judge()["WARN"].verdict == (
        "vCPU 1 in kvm_pgtable_stage2_map(0x40000000, 0x1000), for its write translation fault at "
        "IPA 0x40000000, hit a kernel warning: BUG()"
    )

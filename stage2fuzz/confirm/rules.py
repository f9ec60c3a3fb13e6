"""A verdict is a consequence that can be observed: for each oracle, what to look for on a machine.

A rule answers with words if the run shows the consequence, with nothing if it does not. None looks
at the tables: what user space or the kernel's own log shows is what a maintainer believes.
"""

from collections.abc import Callable
from typing import Final

from stage2fuzz.arch import ACCESS_NAMES, FAULT_NAMES, PERMISSION, TRANSLATION, WRITE
from stage2fuzz.case.scenario import SLOT_STRIDE, Op, Scenario, page_of
from stage2fuzz.confirm.observe import Item, Observation, StageFault

Rule = Callable[[Scenario, Observation], str]

REVOKING: Final = frozenset(
    (Op.LOG_ENABLE, Op.LOG_GET, Op.LOG_CLEAR, Op.MOVE, Op.PROTECT, Op.SLOT_DELETE)
)
"""Host operations after which another fault is due."""
TLB_ORACLES: Final = frozenset(
    ("A1", "A2", "A3", "A4", "A5", "A6", "A8", "B1", "B2", "B4", "C8", "C10")
)
TLB_UNSEEN: Final = "is about stale TLB entries or the order of TLB maintenance"

UNSEEN: Final = {
    "C14": "QEMU has no data cache, so nothing is read from before its maintenance",
    "C2": "what changes there is the size of a hugetlb mapping, and the machine's huge pages are "
    "transparent ones",
    "C15": "the guest there uses no memory tags; a case with mte has a program of its own",
    "D8": "the host's own note shows when a file's page is written back, and the machine's memory "
    "has no file",
    "F5": "how long a lock is held under emulation says nothing of silicon",
    "C": "what a table entry holds is not shown to user space",
    "D": "an access flag is not shown to user space",
    "E": "counts of the kernel's pages are not shown to user space",
    "F": "who holds which lock is not shown to user space",
    "A": "what a table entry holds, and when, is not shown to user space",
    "B": "a freed table is the kernel's, and no harm need come of its use",
    "H": "what pKVM keeps of who owns a page is not shown to user space",
    "N": "a nested guest needs a guest hypervisor, and the guest there is none",
    "G": "a thread that stops for good cannot be told from one that is slow under emulation",
}
"""Why a machine cannot answer, by oracle, else by family; TLB_ORACLES have one reason."""


def why_unseen(oracle: str) -> str:
    """The one line for an oracle without a rule; empty where there is none to give."""
    if oracle in TLB_ORACLES:
        return f"{TLB_UNSEEN}, which QEMU's TCG cannot show"
    return UNSEEN.get(oracle) or UNSEEN.get(oracle[:1] if oracle[1:].isdecimal() else "", "")


def lost_pages(_scenario: Scenario, seen: Observation) -> str:
    """D1, D3: pages that changed while the log was on and have no bit."""
    rewrites = [each for each in seen.rewrites.get("probe", []) if each.lost]
    return "; ".join(
        f"{each.lost} of {each.changed} pages that the guest wrote in slot {each.slot} are in no "
        "dirty log"
        for each in rewrites
    )


def spurious_pages(scenario: Scenario, seen: Observation) -> str:
    """D2: a page with a bit that no write has reached."""
    ended: dict[int, int] = {}
    for item in seen.items:
        page = _page(scenario, item, WRITE)
        if page is not None and item.result == 0:
            ended[page] = min(ended.get(page, item.end), item.end)
    for (thread, index), pages in sorted(seen.bits.items()):
        op = scenario.hosts[thread - len(scenario.vcpus)][index]
        first = op.page // SLOT_STRIDE * SLOT_STRIDE
        harvest = next(i for i in seen.items if (i.thread, i.index) == (thread, index))
        for page in pages:
            if ended.get(first + page, harvest.end + 1) > harvest.end:
                return f"the log read by thread {thread} reports page {page}, not written by then"
    for slot, pages in sorted(seen.dirty.items()):
        for page in pages:
            if slot * SLOT_STRIDE + page not in ended:
                return f"page {page} of slot {slot} is in the dirty log and nobody wrote it"
    return ""


def needless_faults(scenario: Scenario, seen: Observation) -> str:
    """C6, G2, G3: a fault for what had been granted and nobody had taken back."""
    return _tell(scenario, seen, (PERMISSION, TRANSLATION))


def taken_away(scenario: Scenario, seen: Observation) -> str:
    """C6: a permission fault for what had been granted."""
    return _tell(scenario, seen, (PERMISSION,))


def relaxed_too_much(scenario: Scenario, seen: Observation) -> str:
    """C9: pages writable that no fault was about, or one more fault for the page it was about."""
    return lost_pages(scenario, seen) or needless_faults(scenario, seen)


def warned(_scenario: Scenario, seen: Observation) -> str:
    """WARN, F rules: the kernel's log has a warning."""
    return seen.warnings[0].strip() if seen.warnings else ""


def empty_cache(_scenario: Scenario, seen: Observation) -> str:
    """E5: the kernel warns that it took a page from an empty memory cache."""
    cause = "kvm_mmu_memory_cache_alloc"
    lines = [line for line in seen.warnings if cause in line or "kvm" in line]
    if not lines and seen.warnings and any(cause in line for line in seen.log):
        lines = seen.warnings
    return lines[0].strip() if lines else ""


def refused_access(_scenario: Scenario, seen: Observation) -> str:
    """G5: KVM_RUN failed."""
    for item in seen.items:
        if item.result < 0 and item.result not in (-5, -38):
            return f"item {item.index + 1} of thread {item.thread} failed with errno {-item.result}"
    return ""


def stuck(scenario: Scenario, seen: Observation) -> str:
    """G1: an access that faulted again and again, for what it had just been granted."""
    found = _needless(scenario, seen)
    worst = max((found.count(each) for each in found), default=0)
    total = len(found)
    return f"{total} faults without progress" if total >= 2 and worst else ""


RULES: Final[dict[str, Rule]] = {
    "D1": lost_pages,
    "D3": lost_pages,
    "D4": lost_pages,
    "D2": spurious_pages,
    "C6": taken_away,
    "C9": relaxed_too_much,
    "G1": stuck,
    "G2": needless_faults,
    "G3": needless_faults,
    "G5": refused_access,
    "E5": empty_cache,
    "WARN": warned,
    "CRASH": warned,
    "F2": warned,
}
LOG_FIRST: Final = frozenset(("D2",))
"""Rules for which the log is read before anything else is written."""


def _page(scenario: Scenario, item: Item, kind: int) -> int | None:
    """The page of an access of that kind; None of any other item."""
    if item.thread >= len(scenario.vcpus):
        return None
    access = scenario.vcpus[item.thread][item.index]
    return access.page if access.kind == kind else None


def _tell(scenario: Scenario, seen: Observation, statuses: tuple[int, ...]) -> str:
    found = [fault for fault in _needless(scenario, seen) if fault.status in statuses]
    if not found:
        return ""
    fault = found[0]
    often = f"; {len(found)} such faults" if len(found) > 1 else ""
    return (
        f"vCPU {fault.thread}'s {ACCESS_NAMES[fault.kind]} of page {page_of(fault.ipa):#x} took a "
        f"{FAULT_NAMES[fault.status]} fault at level {fault.level} for what had been "
        f"granted{often}"
    )


def _needless(scenario: Scenario, seen: Observation) -> list[StageFault]:
    """Faults for what an access had been granted before, with no operation that took it back.

    An access that is over was granted what it asked for. One that faults again may have been asked
    to try again, by design; it counts as far as the vCPU's faults are those of the engine's run,
    whose oracles knew what each of its faults had been granted.
    """
    vcpus = len(scenario.vcpus)
    revoked = [
        item
        for item in seen.items
        if item.thread >= vcpus and scenario.hosts[item.thread - vcpus][item.index].op in REVOKING
    ]
    granted: dict[tuple[int, int], int] = {}
    for item in seen.items:
        if item.thread < vcpus and item.result == 0:
            access = scenario.vcpus[item.thread][item.index]
            key = (access.page, access.kind)
            granted[key] = min(granted.get(key, item.end), item.end)
    earlier: dict[tuple[int, int, int], int] = {}
    so_far: dict[int, list[tuple[int, int]]] = {}
    found: list[StageFault] = []
    for fault in seen.faults:
        page = page_of(fault.ipa)
        mine = (fault.thread, page, fault.kind)
        told = so_far.setdefault(fault.thread, [])
        told.append((fault.kind, fault.status))
        since = granted.get((page, fault.kind), fault.at + 1)
        if told == seen.expected.get(fault.thread, [])[: len(told)]:
            since = min(since, earlier.get(mine, fault.at + 1))
        taken_back = any(item.begin <= fault.at and item.end >= since for item in revoked)
        if since <= fault.at and not taken_back:
            found.append(fault)
        earlier[mine] = fault.at
    return found

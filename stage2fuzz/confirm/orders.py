"""A scenario as orders to our program in the machine, and what cannot be had there."""

from typing import Final

from stage2fuzz.arch import EXECUTE, READ, WRITE
from stage2fuzz.case.lines import spell
from stage2fuzz.case.scenario import (
    SLOT_STRIDE,
    Backing,
    Host,
    Op,
    Scenario,
    Tlb,
    ipa_of,
)
from stage2fuzz.errors import InputError

KINDS: Final = {READ: "read", WRITE: "write", EXECUTE: "execute"}
OPERATIONS: Final = frozenset(
    {
        *(Op.LOG_ENABLE, Op.LOG_DISABLE, Op.LOG_GET, Op.LOG_CLEAR),
        *(Op.MOVE, Op.PROTECT, Op.UNPROTECT, Op.SLOT_DELETE, Op.AGE),
    }
)
"""What ``guest/threads.c`` does, by the names that cases have for it."""
MISSING: Final = {
    Op.TEST_YOUNG: "testing a page's age by itself cannot be asked for",
    Op.CHANGE_PTE: "change_pte is KSM's, whose moment cannot be chosen",
    Op.TEARDOWN: "a VM's end cannot be asked for while it runs",
    Op.HYP_MAP: "hyp mappings cannot be asked for from user space",
    Op.INVALIDATE: "a notifier that changes nothing cannot be asked for",
    Op.INVALIDATE_NONBLOCK: "the OOM reaper cannot be asked for",
}
"""Operations that user space cannot ask for, and why. Any other the program merely does not do."""
GRANTS: Final = {
    Host.R: "r",
    Host.ABSENT: "absent",
    Host.POISON: "poison",
}


def check_scenario(scenario: Scenario, where: str) -> None:
    """Refuse by one line what a machine without the engine's freedom cannot show."""
    options = scenario.options
    if options.tlb is not Tlb.FRESH:
        _refuse(where, "needs stale TLB entries, which QEMU's TCG never keeps")
    if options.pending_stores:
        _refuse(where, "needs weak memory, which QEMU's TCG does not show")
    if options.hardware_af or options.fwb:
        _refuse(where, "needs a processor whose features differ from QEMU's", "without the option")
    if options.nested:
        what = "needs a guest hypervisor, which the program in the machine is none"
        _refuse(where, what, "--reproducer FILE.c without an image writes a program that is one")
    if options.mte:
        _refuse(where, "needs memory tags, which the program in the machine does not use")
    if options.manual:
        _refuse(where, "needs a log that is cleared by hand from the start", "without the option")
    if options.dirty_ring:
        _refuse(where, "needs dirty rings, which the program in the machine has none of")
    failures = (options.failing_topup, options.failing_atomic, options.failing_alloc)
    if options.cache_pages or any(failures):
        _refuse(where, "needs an allocation to fail, which cannot be forced", "without the option")
    _check_slots(scenario, where)
    if any(page.host in (Host.LAZY, Host.COW) for page in scenario.host_pages):
        what = "needs a page that becomes writable without a notifier, which a file system gives"
        _refuse(where, what, "the same with a slot that is logged shows most of it")
    _check_programs(scenario, where)


def _check_slots(scenario: Scenario, where: str) -> None:
    """Refuse memory that the machine there has not."""
    if any(slot.backing is Backing.DEVICE for slot in scenario.slots):
        _refuse(where, "needs device memory, which the machine has none of")
    if any(slot.hugetlb or slot.contiguous for slot in scenario.slots):
        what = "needs memory of hugetlbfs, and the machine's huge pages are transparent"
        _refuse(where, what, "without 'hugetlb' and 'contiguous'")
    if any(slot.first for slot in scenario.slots):
        _refuse(where, "needs a slot that begins inside a block", "without 'first'")


def _check_programs(scenario: Scenario, where: str) -> None:
    """Refuse what neither the guest nor the VMM there can do."""
    if any(access.kind not in KINDS for accesses in scenario.vcpus for access in accesses):
        what = "needs an instruction that the guest there does not have"
        _refuse(where, what, "read, write and execute alone")
    for ops in scenario.hosts:
        for op in ops:
            if op.op not in OPERATIONS:
                other = f"the program in the machine does no {spell(op.op.name)}"
                _refuse(where, MISSING.get(op.op, other))
    ops_used = {op.op for ops in scenario.hosts for op in ops}
    if {Op.LOG_GET, Op.LOG_CLEAR} <= ops_used:
        _refuse(where, "reads and clears one log, and a VM has one of the two ways")


def _refuse(where: str, what: str, right: str = "") -> None:
    raise InputError(where, f"cannot be confirmed: it {what}" if what[0] == "n" else what, right)


def orders(scenario: Scenario) -> list[str]:
    """The orders that describe the scenario, up to and with the one that makes the machine."""
    lines = []
    for number, slot in enumerate(scenario.slots):
        ipa = ipa_of(number * SLOT_STRIDE)
        flags = slot.readonly | slot.logging << 1 | slot.skewed << 2
        lines.append(f"slot {ipa:x} {slot.pages} {int(slot.backing)} {flags}")
    for page in scenario.host_pages:
        if page.host is not Host.RW:
            slot_number, offset = divmod(page.page, SLOT_STRIDE)
            lines.append(f"grant {slot_number} {offset} {GRANTS[page.host]}")
    for thread, accesses in enumerate(scenario.vcpus):
        for access in accesses:
            slot_number, offset = divmod(access.page, SLOT_STRIDE)
            lines.append(f"access {thread} {KINDS[access.kind]} {slot_number} {offset}")
    for thread, ops in enumerate(scenario.hosts, len(scenario.vcpus)):
        for op in ops:
            slot_number, offset = divmod(op.page, SLOT_STRIDE)
            lines.append(f"op {thread} {spell(op.op.name)} {slot_number} {offset} {op.pages}")
    return [*lines, "make"]

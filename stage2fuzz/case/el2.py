"""The calls of EL2: what host CPUs do in a scenario where pKVM is on, in place of vCPUs and hosts.

A call is frozen data of small ranges, as all of a scenario is; ``EL2_FIELDS`` says which of its
fields an operation reads.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

MAX_CPUS: Final = 4
"""Host CPUs that call EL2."""
MAX_HYP_CALLS: Final = 8
MAX_EL2_VMS: Final = 4
"""VMs of EL2: 0 and 1 are there from the start, 2 too and protected, 3 has yet to be created."""
EL2_PROTECTED_VM: Final = 2
EL2_LATE_VM: Final = 3
EL2_TEST_PAGES: Final = 4
"""Pages of the host, and as many of each guest, that a host CPU's calls may name."""


class HypOp(IntEnum):
    """What a host CPU does where pKVM is on: its hypercalls, and accesses through stage 2.

    ``EL2_FIELDS`` says which fields of a call each of them reads.
    """

    SHARE_HYP = 0
    UNSHARE_HYP = 1
    DONATE_HYP = 2
    RECLAIM_HYP = 3
    """EL2 gives a page back that it was donated."""
    PIN = 4
    """EL2 pins a page that is shared with it."""
    UNPIN = 5
    SHARE_FFA = 6
    UNSHARE_FFA = 7
    HOST_READ = 8
    HOST_WRITE = 9
    LOAD = 10
    """Load a vCPU of a VM, the second where the flag is set."""
    PUT = 11
    SHARE_GUEST = 12
    """Map a page of the host in the loaded vCPU's guest, writable where the flag is set."""
    DONATE_GUEST = 13
    UNSHARE_GUEST = 14
    WRPROTECT_GUEST = 15
    AGE_GUEST = 16
    """Look at an access flag, and clear it where the flag is set."""
    RELAX_GUEST = 17
    MKYOUNG_GUEST = 18
    GUEST_READ = 19
    """The loaded guest reads; its fault is answered as KVM would, with the page that is named."""
    GUEST_WRITE = 20
    GUEST_SHARE = 21
    GUEST_UNSHARE = 22
    FORCE_RECLAIM = 23
    CREATE = 24
    START_TEARDOWN = 25
    RECLAIM_GFN = 26
    FINALIZE_TEARDOWN = 27
    """Take back what the guest still has (where the flag is set, nothing), then the VM itself."""


EL2_FIELDS: Final = {
    **dict.fromkeys(
        (
            *(HypOp.SHARE_HYP, HypOp.UNSHARE_HYP, HypOp.DONATE_HYP, HypOp.RECLAIM_HYP),
            *(HypOp.PIN, HypOp.UNPIN, HypOp.SHARE_FFA, HypOp.UNSHARE_FFA),
            *(HypOp.HOST_READ, HypOp.HOST_WRITE, HypOp.FORCE_RECLAIM),
        ),
        ("page",),
    ),
    HypOp.LOAD: ("vm", "flag"),
    HypOp.PUT: (),
    HypOp.SHARE_GUEST: ("page", "gfn", "flag"),
    HypOp.DONATE_GUEST: ("page", "gfn"),
    HypOp.UNSHARE_GUEST: ("vm", "gfn"),
    HypOp.WRPROTECT_GUEST: ("vm", "gfn"),
    HypOp.AGE_GUEST: ("vm", "gfn", "flag"),
    HypOp.RELAX_GUEST: ("gfn", "flag"),
    HypOp.MKYOUNG_GUEST: ("gfn",),
    HypOp.GUEST_READ: ("page", "gfn"),
    HypOp.GUEST_WRITE: ("page", "gfn"),
    HypOp.GUEST_SHARE: ("gfn",),
    HypOp.GUEST_UNSHARE: ("gfn",),
    HypOp.CREATE: ("vm",),
    HypOp.START_TEARDOWN: ("vm",),
    HypOp.RECLAIM_GFN: ("vm", "gfn"),
    HypOp.FINALIZE_TEARDOWN: ("vm", "flag"),
}
"""Which fields of a ``HypCall`` an operation reads; the others are 0."""


@dataclass(frozen=True, slots=True)
class HypCall:
    """One operation of a host CPU; a field that it does not read is 0."""

    op: HypOp
    page: int = 0
    gfn: int = 0
    vm: int = 0
    flag: int = 0


def plain_hyp_call(call: HypCall) -> HypCall:
    """The same with 0 in each field that the operation does not read."""
    kept = {name: getattr(call, name) for name in EL2_FIELDS[call.op]}
    return HypCall(call.op, **kept)

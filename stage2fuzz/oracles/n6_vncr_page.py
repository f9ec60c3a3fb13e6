"""N6: the page of registers that a nested hypervisor reaches is the one the host has there."""

from stage2fuzz.arch import WRITE
from stage2fuzz.events import HOST_ABSENT, HOST_WRITE
from stage2fuzz.oracles.base import Oracle
from stage2fuzz.oracles.facts import host_address


class VncrPage(Oracle):
    """KVM maps a page of its guest for itself (VNCR_EL2), and no stage 2 stands behind that.

    So what a notifier takes away from the guest has to go from that mapping, too, before the host
    gives the page to somebody else: hardware would write registers of a guest into it, at EL2.
    """

    oracle = "N6"
    rule = "VNCR page is current"
    why = "Through VNCR_EL2 a vCPU reaches the page that the host has there, as the host permits."

    def vncr_access(self, index: int, thread: int, ipa: int, kind: int, address: int) -> None:
        """A vCPU read or wrote a register that lies in its page."""
        world = self.world
        backing = world.backing_of(ipa)
        if backing is None:
            problem = "is no page of a memslot"
        elif backing[3] & HOST_ABSENT:
            problem = "the host has not by now"
        elif address != host_address(backing, ipa):
            problem = "is not the page that the host has there by now"
        elif kind == WRITE and not backing[3] & HOST_WRITE:
            problem = "the host has read-only by now"
        else:
            return
        self.violation(
            f"a page that {problem}",
            f"{world.name(thread)} reached {address:#x} through VNCR_EL2 for L1's {ipa:#x}, which "
            f"{problem}",
            index,
        )

"""H6: after teardown the host has each page that it handed over."""

from stage2fuzz.events import STATE_NOPAGE, STATE_OWNED
from stage2fuzz.oracles.ownership import (
    STATE_NAMES,
    OwnershipOracle,
    host_state,
    hyp_state,
    share_count,
)


class AllBack(OwnershipOracle):
    """What was shared, donated and mapped is the host's alone again."""

    oracle = "H6"
    rule = "all back"
    why = "After the teardown of all VMs each page that the host gave is its own again."

    def given_back(self, index: int, pfn: int, vm: int, state: int) -> None:
        """The teardown is over, and this page is looked at."""
        if pfn in self.orphans:
            return  # the VM was taken down with the page in it
        host, hyp, count = host_state(state), hyp_state(state), share_count(state)
        if (host, hyp, count) == (STATE_OWNED, STATE_NOPAGE, 0):
            return
        what = f"a page of VM {vm}" if vm >= 0 else f"page {pfn}"
        kind = "a VM's page" if vm >= 0 else "a page"
        self.violation(
            f"{kind} is {STATE_NAMES[host & 3]} for the host",
            f"{what} is {STATE_NAMES[host & 3]} for the host and {STATE_NAMES[hyp & 3]} for EL2, "
            f"shared with {count} guests, after everything was given back",
            index,
        )

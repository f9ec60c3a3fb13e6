"""H12: a call of EL2 that succeeds has done what it was called for."""

from typing import Final

from stage2fuzz.events import (
    HYP_DONATE_GUEST,
    HYP_DONATE_HYP,
    HYP_FORCE_RECLAIM,
    HYP_GUEST_SHARE,
    HYP_GUEST_UNSHARE,
    HYP_RECLAIM_HYP,
    HYP_RELAX_GUEST,
    HYP_SHARE_FFA,
    HYP_SHARE_GUEST,
    HYP_SHARE_HYP,
    HYP_UNSHARE_FFA,
    HYP_UNSHARE_GUEST,
    HYP_UNSHARE_HYP,
    HYP_WRPROTECT_GUEST,
    MAPPED_VALID,
    MAPPED_WRITE,
    STATE_HYP_SHIFT,
    STATE_MASK,
    STATE_NOPAGE,
    STATE_OWNED,
    STATE_SHARED_BORROWED,
    STATE_SHARED_OWNED,
    TREE_GUEST,
)
from stage2fuzz.oracles.base import Oracle
from stage2fuzz.oracles.ownership import STATE_NAMES, host_state, hyp_state

_UNASKED: Final = STATE_MASK
LEAVES: Final = {
    HYP_SHARE_HYP: STATE_SHARED_OWNED | STATE_SHARED_BORROWED << STATE_HYP_SHIFT,
    HYP_UNSHARE_HYP: STATE_OWNED | STATE_NOPAGE << STATE_HYP_SHIFT,
    HYP_DONATE_HYP: STATE_NOPAGE | STATE_OWNED << STATE_HYP_SHIFT,
    HYP_RECLAIM_HYP: STATE_OWNED | STATE_NOPAGE << STATE_HYP_SHIFT,
    HYP_SHARE_FFA: STATE_SHARED_OWNED | _UNASKED << STATE_HYP_SHIFT,
    HYP_UNSHARE_FFA: STATE_OWNED | _UNASKED << STATE_HYP_SHIFT,
    HYP_FORCE_RECLAIM: STATE_OWNED | _UNASKED << STATE_HYP_SHIFT,
}
"""Call about a page -> the state that it leaves the page in; EL2's part may be of no matter."""
NAMES: Final = {
    HYP_SHARE_HYP: "share-hyp",
    HYP_UNSHARE_HYP: "unshare-hyp",
    HYP_DONATE_HYP: "donate-hyp",
    HYP_RECLAIM_HYP: "reclaim-hyp",
    HYP_SHARE_FFA: "share-ffa",
    HYP_UNSHARE_FFA: "unshare-ffa",
    HYP_FORCE_RECLAIM: "force-reclaim",
    HYP_SHARE_GUEST: "share-guest",
    HYP_DONATE_GUEST: "donate-guest",
    HYP_UNSHARE_GUEST: "unshare-guest",
    HYP_WRPROTECT_GUEST: "wrprotect-guest",
    HYP_RELAX_GUEST: "relax-guest",
    HYP_GUEST_SHARE: "guest-share",
    HYP_GUEST_UNSHARE: "guest-unshare",
}


def entry_problem(operation: int, said: int, pfn: int, page: int, flag: int) -> str:
    """What is wrong with the entry that a successful call left; empty where nothing is."""
    valid, state = said & MAPPED_VALID, said & STATE_MASK & 3
    if operation == HYP_UNSHARE_GUEST:
        return "a valid entry" if valid else ""
    if operation == HYP_WRPROTECT_GUEST:
        return "a writable entry" if valid and said & MAPPED_WRITE else ""
    if not valid:
        return "no valid entry"
    if operation == HYP_RELAX_GUEST:
        return "a read-only entry" if flag and not said & MAPPED_WRITE else ""
    if operation == HYP_GUEST_SHARE:
        return "an entry of a page that is not shared" if state != STATE_SHARED_OWNED else ""
    if operation == HYP_GUEST_UNSHARE:
        return "an entry of a page that is still shared" if state != STATE_OWNED else ""
    return "an entry of another page" if pfn != page else ""


class SuccessIsDone(Oracle):
    """Who called goes on as if it were done: KVM lets the guest run on, or frees the page.

    What a call leaves in a guest's entry is looked at as it releases the guest's lock, so nobody
    else can have changed it; a page's state is what the call itself wrote last.
    """

    oracle = "H12"
    rule = "success is done"
    why = "A call that returns 0 leaves the page's state, or the guest's entry, as it was asked to."

    def setup(self) -> None:
        """Make the containers that hold what one run shows."""
        self.asked: dict[int, tuple[int, int, int]] = self.per_run({})
        """CPU -> its call under way: (event, page or flag, the guest's page)."""
        self.left: dict[int, tuple[int, int, int, int]] = self.per_run({})
        """CPU -> what its call left in the guest's entry: (event, what it says, page, tree)."""
        self.wrote: dict[int, tuple[int, int]] = self.per_run({})
        """CPU -> the state that its call wrote last of its page: (event, state)."""

    def hypercall(self, index: int, thread: int, pfn: int, gfn: int) -> None:
        """A call begins; of a load and a relaxation a flag stands where others name a page."""
        self.asked[thread] = (index, pfn, gfn)
        self.left.pop(thread, None)
        self.wrote.pop(thread, None)

    def entry_left(self, index: int, thread: int, pfn: int, state: int, tree: int) -> None:
        """A call is about to release the lock of the guest whose entry it is about."""
        self.left[thread] = (index, state, pfn, tree)

    def page_state(self, index: int, thread: int, pfn: int, state: int) -> None:
        """The state of a page was written."""
        asked = self.asked.get(thread)
        if asked is not None and asked[1] == pfn:
            self.wrote[thread] = (index, state)

    def hypercall_return(self, index: int, thread: int, result: int, operation: int) -> None:
        """A call is over."""
        asked = self.asked.get(thread)
        if result or asked is None or operation not in NAMES:
            return
        if operation in LEAVES:
            self._page(index, thread, operation, asked[0], asked[1])
        elif thread in self.left:
            self._entry(index, thread, operation, asked[1], asked[2])

    def _page(self, index: int, thread: int, operation: int, begun: int, page: int) -> None:
        """Hold the page's state against what the call was for."""
        wanted = LEAVES[operation]
        at, state = self.wrote.get(thread, (begun, -1))
        differs = state < 0 or host_state(state) != host_state(wanted)
        if hyp_state(wanted) != _UNASKED and state >= 0:
            differs = differs or hyp_state(state) != hyp_state(wanted)
        if differs:
            name = NAMES[operation]
            found = "no new state" if state < 0 else STATE_NAMES[host_state(state) & 3]
            self.violation(
                f"{name} left another state",
                f"{name} of page {page} on CPU {thread} returned 0, but left the page with "
                f"{found} for the host, where it should be {STATE_NAMES[host_state(wanted) & 3]}",
                at,
                index,
            )

    def _entry(self, index: int, thread: int, operation: int, page: int, gfn: int) -> None:
        """Hold the guest's entry against what the call was for."""
        at, said, pfn, tree = self.left[thread]
        problem = entry_problem(operation, said, pfn, page, page)
        if problem:
            name = NAMES[operation]
            self.violation(
                f"{name} left {problem}",
                f"{name} of page {gfn} of VM {tree - TREE_GUEST} on CPU {thread} returned 0, but "
                f"left {problem}: whoever called goes on as if it were done",
                at,
                index,
            )

"""H7: what a protected guest or EL2 wrote is gone when the page is the host's."""

from stage2fuzz.oracles.ownership import OwnershipOracle


class NoOldData(OwnershipOracle):
    """A page is cleared before the host gets it back."""

    oracle = "H7"
    rule = "zeroed"
    why = "A page of a protected guest, or of EL2's structures, is cleared before the host has it."

    def page_data(self, index: int, pfn: int, tree: int) -> None:
        """Data of a protected guest lies in a page that is the host's (tree 0 says so)."""
        if not tree:
            self.violation(
                "a guest's data",
                f"page {pfn} is the host's, and still holds what a protected guest wrote",
                self.since.get(pfn, index),
                index,
            )

    def given_back(self, index: int, vm: int, dirty: int) -> None:
        """The teardown is over, and this page is looked at."""
        if dirty and vm >= 0:
            self.violation(
                "EL2's data",
                f"a page of VM {vm} came back to the host with what EL2 had written in it",
                index,
            )

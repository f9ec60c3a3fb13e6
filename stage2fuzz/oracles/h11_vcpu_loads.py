"""H11: a vCPU is loaded on one CPU at a time, and none of a VM that is being taken down."""

from stage2fuzz.events import HYP_CREATE, HYP_LOAD, HYP_PUT, HYP_START_TEARDOWN
from stage2fuzz.oracles.base import Oracle


class VcpuLoads(Oracle):
    """Two CPUs in one vCPU's state, or a guest that runs while its pages are taken back."""

    oracle = "H11"
    rule = "vCPU loads"
    why = "A vCPU is loaded on one CPU at a time, and none of a VM whose teardown has begun."

    def setup(self) -> None:
        """Make the containers that hold what one run shows."""
        self.calls: dict[int, tuple[int, int, bool]] = self.per_run({})
        """CPU -> the VM and vCPU that its call is about, and whether that VM was dying before."""
        self.loaded: dict[int, tuple[int, int]] = self.per_run({})
        """CPU -> the VM and vCPU that are loaded."""
        self.dying: dict[int, int] = self.per_run({})
        """VM -> the event that began its teardown."""

    def hypercall(self, thread: int, pfn: int, vm: int, operation: int) -> None:
        """A call begins; of a load the vCPU stands where others name a page."""
        self.calls[thread] = (vm, pfn, vm in self.dying)
        if operation == HYP_PUT:
            self.loaded.pop(thread, None)

    def hypercall_return(self, index: int, thread: int, result: int, operation: int) -> None:
        """A call is over."""
        vm, vcpu, dying = self.calls.get(thread, (0, 0, False))
        if result:
            return
        if operation == HYP_START_TEARDOWN:
            self.dying[vm] = index
        elif operation == HYP_CREATE:
            self.dying.pop(vm, None)
        elif operation == HYP_LOAD:
            self._load(index, thread, (vm, vcpu), dying)

    def _load(self, index: int, thread: int, which: tuple[int, int], dying: bool) -> None:
        vm, vcpu = which
        if dying and vm in self.dying:
            self.violation(
                "loaded while dying",
                f"vCPU {vcpu} of VM {vm} was loaded on CPU {thread} after its VM's teardown began",
                self.dying[vm],
                index,
            )
        for other, what in self.loaded.items():
            if what == which and other != thread:
                self.violation(
                    "loaded on two CPUs",
                    f"vCPU {vcpu} of VM {vm} is loaded on CPU {other} and on CPU {thread}",
                    index,
                )
        self.loaded[thread] = which

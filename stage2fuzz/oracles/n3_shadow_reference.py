"""N3: a shadow MMU that a vCPU runs on is its context's alone."""

from stage2fuzz.oracles.base import Oracle
from stage2fuzz.oracles.facts import UNBOUND


class ShadowReference(Oracle):
    """Shadow MMUs are few and are recycled, but never under a vCPU that has one loaded."""

    oracle = "N3"
    rule = "shadow MMU in use"
    why = "A shadow MMU is given to another context only while no vCPU runs on it."

    def mmu_bind(self, index: int, tree: int, vmid: int) -> None:
        """An MMU is for another context; nobody may have it loaded."""
        for vcpu, loaded in self.world.loaded.items():
            if loaded == tree:
                self.violation(
                    "recycled while it is in use",
                    f"shadow MMU {tree} was given to VMID {vmid} of the guest hypervisor while "
                    f"{self.world.name(vcpu)} runs on it",
                    index,
                )

    def mmu_load(self, index: int, thread: int, tree: int, vmid: int) -> None:
        """A vCPU loads an MMU, which is its context's."""
        binding = self.world.bindings.get(tree, UNBOUND)
        if binding[1] != vmid:
            self.violation(
                "loaded for another context",
                f"{self.world.name(thread)} runs VMID {vmid} of the guest hypervisor on shadow MMU "
                f"{tree}, which is VMID {binding[1]}'s",
                max(binding[0], 0),
                index,
            )

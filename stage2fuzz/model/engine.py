"""The model engine's door: one scenario, one revision, one scheduler -> a trace."""

from functools import partial
from typing import Final

from stage2fuzz.case.limits import check_guests
from stage2fuzz.case.scenario import Scenario
from stage2fuzz.engine import Trace
from stage2fuzz.events import QUIESCENT
from stage2fuzz.model.link import link
from stage2fuzz.model.machine.threads import Body
from stage2fuzz.model.mmu.kvm import Kvm
from stage2fuzz.model.mmu.vcpu import first_step
from stage2fuzz.model.revision import Revision, parse_revision
from stage2fuzz.rules import Rules
from stage2fuzz.schedule.base import Schedule, Scheduler


class ModelEngine:
    """One reusable virtual machine of the model; not to be shared between OS threads."""

    build: Final = ""
    """Its revision says all: schedules of a model belong to no build."""

    def __init__(self, revision: Revision) -> None:
        self.revision = revision
        self._kernel = link(revision.era, revision.bugs)
        flags = self._kernel.flags
        self.rules = Rules(
            shared_faults=flags.shared_faults,
            ages_ranges=flags.shared_faults,
            shared_relax=flags.relaxes_under_read_lock,
            counts_any_nonzero=flags.counts_any_nonzero,
            rcu=flags.shared_faults,
            refuses_beyond=flags.refuses_beyond,
        )
        self._vm = self._new_vm()

    def run(self, scenario: Scenario, scheduler: Scheduler) -> Trace:
        """Run ``scenario`` to its end under ``scheduler``; InputError if it is one of EL2."""
        check_guests(scenario, "model")
        vm, kernel = self._vm, self._kernel
        vm.reset(scenario)
        bodies: list[Body] = [
            partial(kernel.vcpu_thread, vm, program) for program in scenario.vcpus
        ]
        bodies += [partial(kernel.host_thread, vm, operations) for operations in scenario.hosts]
        first = [first_step(vm, program) for program in scenario.vcpus]
        drains = scenario.threads if scenario.options.pending_stores else 0
        try:
            ended = vm.execute(bodies, scheduler, drains, first)
        except Exception:
            self._vm = self._new_vm()
            raise
        if ended == "finished":
            vm.record((QUIESCENT, 0, 0, 0, 0, 0))
            if scenario.options.teardown and vm.mapped:
                vm.alone(partial(kernel.kvm_free_stage2_pgd, vm))
        schedule = Schedule(tuple(vm.runs), tuple(vm.choices))
        return Trace(vm.events, schedule, vm.preemptions, ended)

    def _new_vm(self) -> Kvm:
        return Kvm(self._kernel.pgtable, self._kernel.mmu, self._kernel.flags)


def open_engine(operand: str) -> ModelEngine:
    """The engine of a revision's name; InputError if there is none of that name."""
    return ModelEngine(parse_revision(operand))

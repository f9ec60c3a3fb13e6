"""The model engine's door: one scenario, one revision, one scheduler -> a trace."""

from functools import partial
from typing import Final

from stage2fuzz.case.scenario import Scenario
from stage2fuzz.engine import Trace
from stage2fuzz.events import QUIESCENT
from stage2fuzz.model.eras import era_of
from stage2fuzz.model.machine.threads import Body
from stage2fuzz.model.machine.vm import Vm
from stage2fuzz.model.mmu.host import host_thread
from stage2fuzz.model.mmu.vcpu import first_step, vcpu_thread
from stage2fuzz.model.pgtable.unmapping import kvm_free_stage2_pgd
from stage2fuzz.model.revision import Revision, parse_revision
from stage2fuzz.rules import Rules
from stage2fuzz.schedule.base import Schedule, Scheduler


class ModelEngine:
    """One reusable virtual machine of the model; not to be shared between OS threads."""

    build: Final = ""
    """Its revision says all: schedules of a model belong to no build."""

    def __init__(self, revision: Revision) -> None:
        self.revision = revision
        shared = revision.shared_faults
        self.rules = Rules(
            shared_faults=shared,
            shared_relax=revision.shared_relax,
            counts_any_nonzero=revision.cleared_entries,
            rcu=shared,
        )
        self._era = era_of(revision)
        self._vm = Vm()

    def run(self, scenario: Scenario, scheduler: Scheduler) -> Trace:
        """Run ``scenario`` to its end under ``scheduler``."""
        vm = self._vm
        vm.reset(scenario, self.revision, self._era)
        bodies: list[Body] = [partial(vcpu_thread, vm, program) for program in scenario.vcpus]
        bodies += [partial(host_thread, vm, operations) for operations in scenario.hosts]
        first = [first_step(vm, program) for program in scenario.vcpus]
        drains = scenario.threads if scenario.options.pending_stores else 0
        try:
            ended = vm.execute(bodies, scheduler, drains, first)
        except Exception:
            self._vm = Vm()
            raise
        if ended == "finished":
            vm.record((QUIESCENT, 0, 0, 0, 0, 0))
            if scenario.options.teardown and vm.mapped:
                vm.alone(partial(kvm_free_stage2_pgd, vm))
        schedule = Schedule(tuple(vm.runs), tuple(vm.choices))
        return Trace(vm.events, schedule, vm.preemptions, ended)


def open_engine(operand: str) -> ModelEngine:
    """The engine of a revision's name; InputError if there is none of that name."""
    return ModelEngine(parse_revision(operand))

"""Prover: has a process search a kernel engine, and believes nothing that can't be."""

from collections.abc import Callable
from contextlib import closing
from typing import Final

from stage2fuzz.case.text import parse
from stage2fuzz.fuzz.outbox import parse_violation
from stage2fuzz.oracles.native.build import library as compiled_judge
from stage2fuzz.process.child import Child
from stage2fuzz.process.end import DiedError
from stage2fuzz.process.frames import Frame
from stage2fuzz.process.limits import Limits
from stage2fuzz.prove.request import Proof, ProofRequest, read_pass

SERVER: Final = "stage2fuzz.prove.search_server"
START_SECONDS: Final = 120.0
"""For a process that may have to build the engine first, and to end."""
OVERHEAD: Final = 2 << 30
"""Bytes of address space beside what a search may have twice."""


class Prover:
    """A confined process that searches; one that dies is replaced."""

    def __init__(self, memory: int) -> None:
        """``memory`` is what each request may ask for."""
        limits = Limits(memory=4 * memory + OVERHEAD)
        self._child = Child(SERVER, (str(compiled_judge() or ""),), limits)

    def close(self) -> None:
        """End the process."""
        self._child.close()

    def prove(self, request: ProofRequest, progress: Callable[[Frame], None]) -> Proof:
        """Search as the request says; ``progress`` hears how far it is."""
        proof = Proof(request)
        try:
            for answer in self._child.ask(request.to_question(), request.seconds + START_SECONDS):
                self._read(proof, answer, progress)
        except DiedError as died:
            proof.died = str(died.end)
        except (ValueError, KeyError, TypeError):
            proof.died = f"{self._child.renew()}: its answer makes no sense"
        if proof.crashed:
            self._child.renew()
        return proof

    def _read(self, proof: Proof, answer: Frame, progress: Callable[[Frame], None]) -> None:
        if "pass" in answer:
            proof.passes.append(read_pass(answer["pass"]))
        elif "found" in answer:
            violation = parse_violation(answer["found"], "prove")
            case = parse(answer["case"], "prove")
            if case.engine != proof.request.case.engine:
                raise ValueError(case.engine)
            proof.found[violation.signature] = (violation, case)
        else:
            progress(answer)


def prove(request: ProofRequest, progress: Callable[[Frame], None]) -> Proof:
    """Search in a process of its own."""
    with closing(Prover(request.memory)) as prover:
        return prover.prove(request, progress)

"""What a proof says, word for word: no more than what was searched, and under which assumptions."""

from collections.abc import Sequence
from typing import Final

from stage2fuzz.case.scenario import Options, Tlb
from stage2fuzz.oracles.catalogue import ORACLES
from stage2fuzz.prove.request import Knowledge, Proof, SearchPass

KEY_BITS: Final = 64
TLBS: Final = {
    Tlb.FRESH: "TLB fresh",
    Tlb.STICKY: "TLB always as stale as it may be",
    Tlb.SAMPLED: "every stale choice that the window models",
}


def statement(proof: Proof) -> str:
    """What was proved, or how far it went."""
    best, loops = proof.best, proof.loops
    if best is None:
        return f"{_assumed(proof)} {_unfinished(proof)}"
    figures = best.figures
    reached = (
        f"{_order(proof)}, preemption at {figures.get('kinds', 0)} kinds of "
        f"points: all interleavings{_bounds(best)} lead to {figures['configs']:,} configurations "
        f"and {figures['classes']:,} classes; one run of each was judged by {len(ORACLES)} oracles"
    )
    said = [
        f"{len(proof.found)} violations" if proof.found else "no violation",
        f"{figures['deadlocks']:,} classes of deadlock" if figures["deadlocks"] else "no deadlock",
        _loops(loops),
    ]
    return f"{_assumed(proof)} {reached}: {'; '.join(said)}."


def _assumed(proof: Proof) -> str:
    """The scenario's side of what is said."""
    options = proof.request.case.scenario.options
    return (
        f"{options.ipa_bits}-bit IPA, {TLBS[options.tlb]}, {_flags(options)}, {_memory(options)}."
    )


def _flags(options: Options) -> str:
    return "access flags set by hardware" if options.hardware_af else "access flags by faults"


def _order(proof: Proof) -> str:
    if proof.request.case.scenario.options.pending_stores:
        return "Stores to entries seen in every order that barriers allow, all else at once"
    return "Sequentially consistent"


def _memory(options: Options) -> str:
    if options.failing_topup:
        return f"top-up {options.failing_topup} of a memory cache failing"
    if options.failing_alloc:
        return f"request {options.failing_alloc} for memory failing"
    return "no failing allocation"


def limits(preemptions: int | None, faults: int | None) -> list[str]:
    """What bounds a search, in words; none where it has no bound."""
    words = []
    if preemptions is not None:
        words.append(f"at most {preemptions} preemptions")
    if faults is not None:
        words.append(f"at most {faults} faults an access")
    return words


def _bounds(searched: SearchPass) -> str:
    bounds = limits(searched.preemptions, searched.faults)
    if searched.faults is None:
        bounds.append("any number of fault retries that change nothing")
    return f", with {' and '.join(bounds)},"


def _loops(loops: SearchPass | None) -> str:
    if loops is None or not loops.whole or loops.figures.get("limits"):
        return "whether a cycle exists in which every unfinished thread moves is not known"
    if loops.figures["fair"]:
        return f"{loops.figures['fair']:,} cycles in which every unfinished thread moves"
    return "no cycle in which every unfinished thread moves"


def _unfinished(proof: Proof) -> str:
    tried = [each for each in proof.passes if not each.loops]
    if proof.died:
        return f"The process that searched {proof.died}: nothing is proved."
    if not tried:
        return "Nothing was searched: nothing is proved."
    configs = max(each.figures["configs"] for each in tried)
    return (
        f"{configs:,} configurations were seen before {tried[-1].why or 'the end'} ended the "
        "search: nothing is proved about the rest."
    )


def odds(proof: Proof) -> float:
    """The chance that two configurations of a search had one key, so that what lies behind one was
    left out: the birthday bound."""
    most = max((each.figures.get("configs", 0) for each in proof.passes), default=0)
    return most * most / 2.0 ** (KEY_BITS + 1)


def why_bounded(proof: Proof) -> list[str]:
    """What was left out, a line each; none for what is proved."""
    if proof.knowledge in (Knowledge.PROVED, Knowledge.INCONCLUSIVE):
        return []
    best, loops, lines = proof.best, proof.loops, list[str]()
    if best is not None and best.preemptions is not None:
        lines.append(f"schedules with more than {best.preemptions} preemptions")
    if best is not None and best.faults is not None:
        lines.append(f"accesses with more than {best.faults} faults")
    if best is not None and best.figures.get("limits") and best.faults is None:
        lines.append(f"{best.figures['limits']:,} runs that a limit ended")
    if best is not None and best.figures.get("forgotten"):
        lines.append(f"{best.figures['forgotten']:,} teardowns that a limit ended")
    if loops is None or not loops.complete:
        lines.append("what can go on for ever")
    elif loops.figures["fair"] and not any(each.startswith("G1") for each in proof.found):
        lines.append("cycles in which every thread moves, and no oracle objected to those tried")
    return lines


def total(found: Sequence[Knowledge]) -> Knowledge:
    """What is known of several scenarios together: the worst of them."""
    order = list(Knowledge)
    if Knowledge.REFUTED in found:
        return Knowledge.REFUTED
    return max(found, key=order.index)

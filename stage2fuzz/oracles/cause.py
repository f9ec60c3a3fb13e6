"""Cause: which step of a run a violation blames, so that findings of one cause are one.

One wrong store shows in many ways: the rules that it breaks, times the kinds of access that lose by
it. The step that a violation blames is the last table store that proves it (of a lasso the first
break in its round), and a few such steps are wrong in themselves, whatever rule speaks. They have a
name here that holds no rule, no access and no size. What blames none of them is its own cause: the
signature without access and size.
"""

import re
from typing import Final

from stage2fuzz.arch import FAULT_NAMES, PTE_AF, PTE_VALID, address_of
from stage2fuzz.events import (
    CALL,
    CALL_CODE,
    CALL_DESTROY,
    CALL_INVALIDATE_START,
    CALL_MAP,
    CALL_RELAX,
    CALL_TEARDOWN,
    CALL_UNMAP,
    DRAIN,
    EAGAIN,
    FAULT,
    FAULT_LEVEL,
    RETURN,
    ROOT_DIRTY_RING,
    STORE,
    WALK,
    WARN,
    WARN_MEMORY_CACHE,
    Event,
)

BREAKS_FOR_PERMISSIONS: Final = "a map breaks a leaf to change its permissions"
BREAKS_AN_AGED_LEAF: Final = "a map breaks an aged leaf"
RELAXES_ANOTHER_LEVEL: Final = "a relax changes a leaf of another size than the fault's"
GIVES_UP_HALFWAY: Final = "a map gives up after it made a leaf"
NO_BITMAP: Final = "a VM with dirty rings and no bitmap maps as if nothing were logged"
TABLES_GONE: Final = "an unmap goes on after its tables went while mmu_lock was offered"
EMPTY_CACHE: Final = "E5 allocation fits the context: no top-up"
"""As E5 says it; where the allocation then fails, the kernel's BUG has the same cause."""
OTHER_WARNING: Final = "WARN no kernel warning: other"
SHOWN_BY: Final = {
    BREAKS_FOR_PERMISSIONS: ("C6", "G1", "G2", "G3"),
    BREAKS_AN_AGED_LEAF: ("C6", "G1", "G2", "G3"),
    RELAXES_ANOTHER_LEVEL: ("C8", "C9", "D1", "D3"),
    GIVES_UP_HALFWAY: ("D1", "D3", "D8"),
}
"""The rules that such a store breaks; to others it is the place of a fault and not the fault."""
BY_RING: Final = ("C9", "D1", "D2", "D3", "D4")
"""What such a mapping breaks."""
_NOT_LAST: Final = 2
"""The bit of a descriptor that a block lacks and a page has."""
_ACCESS: Final = re.compile(r"\b(?:read|write|execute) (?=(?:translation|permission|access flag) )")
_SIZE: Final = re.compile(r", (?:page|block)\b")


def cause_of(signature: str, proof: tuple[int, ...], events: list[Event]) -> str:
    """The name of the cause that a violation with this signature and proof has in this run."""
    if signature.startswith("WARN ") and _cache_was_empty(proof[-1], events):
        thread = events[proof[-1]][1]
        fault = _last(FAULT, thread, proof[-1], events)
        status = FAULT_NAMES.get(events[fault][4], "?") if fault is not None else "no"
        return f"{EMPTY_CACHE}, {status} fault"
    if signature == OTHER_WARNING and _tables_went(proof[-1], events):
        return TABLES_GONE
    if events[0][5] & ROOT_DIRTY_RING and signature.partition(" ")[0] in BY_RING:
        return NO_BITMAP
    step = _blamed(signature, proof, events)
    named = _named(step, signature, events) if step is not None else ""
    if signature.partition(" ")[0] in SHOWN_BY.get(named, ()):
        return named
    return _SIZE.sub("", _ACCESS.sub("", signature))


def _cache_was_empty(bug: int, events: list[Event]) -> bool:
    """Whether a BUG follows the warning that the thread's memory cache is empty."""
    before = _last(WARN, events[bug][1], bug, events)
    return before is not None and events[before][5] == WARN_MEMORY_CACHE


def _tables_went(warning: int, events: list[Event]) -> bool:
    """Whether a VM was dying under the host call that warned: one that was dead before is not."""
    thread = events[warning][1]
    begun = _last(CALL, thread, warning, events)
    if begun is None or events[begun][5] & CALL_CODE not in (CALL_INVALIDATE_START, CALL_UNMAP):
        return False
    inside: list[int] = []  # the calls of the thread, the outermost first
    ended: dict[tuple[int, int], int] = {}  # where the others' ends of a VM are over
    for index, (kind, who, _where, _old, _new, aux) in enumerate(events[:warning]):
        if kind not in (CALL, RETURN):
            continue
        code = aux & CALL_CODE
        if who != thread and code in (CALL_TEARDOWN, CALL_DESTROY):
            ended[who, code] = index if kind == RETURN else warning
        elif who == thread and kind == CALL:
            inside.append(index)
        elif who == thread and inside:
            inside.pop()
    return any(end > (inside or [begun])[0] for end in ended.values())


def _blamed(signature: str, proof: tuple[int, ...], events: list[Event]) -> int | None:
    """The table store that the violation blames; None where it blames none."""
    if signature.startswith("G1 ") and len(proof) > 1:
        inside = range(proof[0], proof[-1])
        return next((i for i in inside if _breaks(events[i])), None)
    if signature.startswith("D1 "):
        return _let_in(proof[0], events)
    seen = next((i for i in reversed(proof) if events[i][0] in (STORE, DRAIN)), None)
    return _stored(seen, events) if seen is not None else None


def _stored(seen: int, events: list[Event]) -> int | None:
    """The store that became visible at an event: that event, or an earlier one that was pending."""
    kind, thread, where, _old, new, _aux = events[seen]
    if kind == STORE:
        return seen
    earlier = ((i, events[i]) for i in range(seen - 1, -1, -1))
    same = (i for i, e in earlier if e[:3] == (STORE, thread, where) and e[4] == new)
    return next(same, None)


def _let_in(access: int, events: list[Event]) -> int | None:
    """The store that made the entry by which a guest's access got in."""
    walk = _last(WALK, events[access][1], access, events)
    if walk is None:
        return None
    where = events[walk][2]
    return next((i for i in range(walk - 1, -1, -1) if events[i][:3:2] == (STORE, where)), None)


def _breaks(event: Event) -> bool:
    return event[0] == STORE and bool(event[3] & PTE_VALID) and not event[4] & PTE_VALID


def _named(step: int, signature: str, events: list[Event]) -> str:
    """The name of a store that is wrong in itself; empty for any other."""
    begun = _call(step, events)
    if begun is None:
        return ""
    thread, code = events[step][1], events[begun][5] & CALL_CODE
    if code == CALL_RELAX:
        fault = _last(FAULT, thread, step, events)
        at_page = fault is not None and events[fault][5] & FAULT_LEVEL == 3
        is_page = bool(events[step][4] & _NOT_LAST)
        return RELAXES_ANOTHER_LEVEL if fault is not None and at_page != is_page else ""
    if code != CALL_MAP:
        return ""
    pair = _remade(step, begun, events)
    if pair is not None:
        aged = (pair[0] ^ pair[1]) & PTE_AF or "aged leaf" in signature
        return BREAKS_AN_AGED_LEAF if aged else BREAKS_FOR_PERMISSIONS
    end = next((e for e in events[step:] if e[0] == RETURN and e[1] == thread), None)
    gave_up = end is not None and end[5] & CALL_CODE == CALL_MAP and end[4] == -EAGAIN
    return GIVES_UP_HALFWAY if gave_up and events[step][4] & PTE_VALID else ""


def _call(step: int, events: list[Event]) -> int | None:
    """The pgtable.c call of the step's thread that the step is in."""
    found = _last(CALL, events[step][1], step, events)
    ended = _last(RETURN, events[step][1], step, events)
    return found if found is not None and (ended is None or ended < found) else None


def _last(kind: int, thread: int, before: int, events: list[Event]) -> int | None:
    return next(
        (i for i in range(before - 1, -1, -1) if events[i][0] == kind and events[i][1] == thread),
        None,
    )


def _remade(step: int, begun: int, events: list[Event]) -> tuple[int, int] | None:
    """The leaf that a map broke and the one of the same page that it made instead, where the step
    is one of the two stores."""
    _, thread, where, old, new, _ = events[step]
    broken, made = (old, None) if _breaks(events[step]) else (None, new)
    if made is None:
        later = (e for e in events[step + 1 :] if e[:3] == (STORE, thread, where))
        made = next((e[4] for e in later if e[4] & PTE_VALID), None)
    else:
        earlier = (e for e in events[begun:step] if e[:3] == (STORE, thread, where))
        broken = next((e[3] for e in earlier if _breaks(e)), None)
    if broken is None or made is None:
        return None
    same = address_of(broken) == address_of(made) and not (broken ^ made) & _NOT_LAST
    return (broken, made) if same else None

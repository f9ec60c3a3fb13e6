"""The micro-programs that show what each strategy sees and what it is blind to."""

from stage2fuzz.events import LOAD, LOCK, STORE, UNLOCK
from tests.schedule.toy import Program, Thread, World

X, Y, Z, W = 8, 16, 24, 32
PRIVATE = 1 << 20


def private(thread: int, steps: int) -> Thread:
    for _ in range(steps):
        yield STORE, PRIVATE + 8 * thread


def lost_update(world: World) -> list[Thread]:
    """A: two threads add one; the bug is that only one is counted."""

    def add() -> Thread:
        yield LOAD, X
        value = world.memory.get(X, 0)
        yield STORE, X
        world.memory[X] = value + 1
        ended.append(1)
        world.bug = len(ended) == 2 and world.memory[X] == 1

    ended: list[int] = []
    return [add(), add()]


def window(noise: int) -> Program:
    """B: x and y are written in turn; the bug is to read the new x and the old y."""

    def program(world: World) -> list[Thread]:
        def writer() -> Thread:
            yield from private(0, noise)
            yield STORE, X
            world.memory[X] = 1
            yield STORE, Y
            world.memory[Y] = 1
            yield from private(0, noise)

        def reader() -> Thread:
            yield from private(1, noise)
            yield LOAD, X
            x = world.memory.get(X, 0)
            yield LOAD, Y
            world.bug = x == 1 and not world.memory.get(Y, 0)
            yield from private(1, noise)

        return [writer(), reader()]

    return program


def reorder(setters: int) -> Program:
    """C: each setter writes a = 1, then b = -1; the bug is to see one without the other."""

    def program(world: World) -> list[Thread]:
        def setter() -> Thread:
            yield STORE, X
            world.memory[X] = 1
            yield STORE, Y
            world.memory[Y] = -1

        def checker() -> Thread:
            yield LOAD, X
            a = world.memory.get(X, 0)
            yield LOAD, Y
            world.bug = (a, world.memory.get(Y, 0)) not in ((0, 0), (1, -1))

        return [*[setter() for _ in range(setters)], checker()]

    return program


def abba(noise: int) -> Program:
    """D: two locks taken in opposite orders; the bug is the deadlock."""

    def program(world: World) -> list[Thread]:
        def take(thread: int, first: int, second: int) -> Thread:
            yield from private(thread, noise)
            yield LOCK, first
            yield LOCK, second
            yield UNLOCK, second
            yield UNLOCK, first

        return [take(0, X, Y), take(1, Y, X)]

    return program


def two_windows(noise: int) -> Program:
    """E: two windows open and close in turn; the bug is to read in both."""

    def program(world: World) -> list[Thread]:
        def writer() -> Thread:
            yield from private(0, noise)
            for value in (1, 2, 3, 4):
                yield STORE, X
                world.memory[X] = value
                yield from private(0, noise if value % 2 == 0 else 0)

        def reader() -> Thread:
            seen: list[int] = []
            for _ in range(2):
                yield from private(1, noise)
                yield LOAD, X
                seen.append(world.memory.get(X, 0))
            world.bug = seen == [1, 3]
            yield from private(1, noise)

        return [writer(), reader()]

    return program


def far_read(writes: int) -> Program:
    """F: the bug is a read just before the last of many writes."""

    def program(world: World) -> list[Thread]:
        def writer() -> Thread:
            for value in range(1, writes + 1):
                yield STORE, X
                world.memory[X] = value

        def reader() -> Thread:
            yield LOAD, X
            world.bug = world.memory.get(X, 0) == writes - 1

        return [writer(), reader()]

    return program


def three_orders(world: World) -> list[Thread]:
    """G: an order of depth 3 that a rule which demotes to the very bottom cannot produce."""
    got: dict[str, int] = {}

    def read(name: str, where: int) -> None:
        got[name] = world.memory.get(where, 0)
        wanted = {"x": 1, "z": 1, "again": 1, "y": 1}
        world.bug = got == wanted

    def first() -> Thread:
        yield STORE, X
        world.memory[X] = 1
        yield STORE, X
        world.memory[X] = 2

    def second() -> Thread:
        yield LOAD, X
        read("x", X)
        yield STORE, Y
        world.memory[Y] = 1
        yield LOAD, Z
        read("z", Z)
        yield LOAD, X
        read("again", X)

    def third() -> Thread:
        yield LOAD, Y
        read("y", Y)
        yield STORE, Z
        world.memory[Z] = 1

    return [first(), second(), third()]


def straight(*lengths: int) -> Program:
    """Threads that all write one word so many times; the trace tells the interleaving."""

    def program(world: World) -> list[Thread]:
        def steps(thread: int, length: int) -> Thread:
            for _ in range(length):
                yield STORE, X
                world.trace.append(thread)

        return [steps(thread, length) for thread, length in enumerate(lengths)]

    return program

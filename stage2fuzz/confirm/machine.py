"""The machine: QEMU with EL2 and a kernel image, our program as /init, two private sockets.

Nothing listens anywhere: console and gdbstub are socket pairs that only QEMU and this process hold.
QEMU dies with this process whatever happens, and each wait has an end.
"""

import os
import select
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final

from stage2fuzz.confirm.gdbstub import Stub
from stage2fuzz.confirm.image import check_image
from stage2fuzz.confirm.initrd import build_initrd
from stage2fuzz.errors import InputError
from stage2fuzz.process.confined import ConfinedProcess
from stage2fuzz.process.limits import Limits, is_confined

QEMU: Final = "qemu-system-aarch64"
BOOT: Final = 120.0
"""Seconds from start to our program's first line; a stock kernel takes 8 to 20."""
ORDER: Final = 120.0
"""Seconds that one order may take."""
END: Final = 5.0
"""Seconds that QEMU may take to exit when it is asked to."""
UNBOUND: Final = Limits(memory=0, file=0)
"""QEMU reserves far more addresses than the machine has memory."""
KERNEL_LINE: Final = (
    "console=ttyAMA0 quiet loglevel=1 nokaslr mitigations=off panic=-1 nowatchdog "
    "rcupdate.rcu_cpu_stall_suppress=1 transparent_hugepage=madvise random.trust_cpu=on nohz=off"
)


class MachineError(Exception):
    """The machine does not boot, died, or did not answer in time; its text says which."""


class VirtualMachine:
    """A booted machine that obeys orders; use it in a ``with``."""

    def __init__(
        self,
        image: Path,
        processors: int,
        memory: int = 1024,
        options: str = "",
        programs: Mapping[str, Path] | None = None,
        tags: bool = False,
    ) -> None:
        """``memory`` in MiB; ``options`` go to the kernel's command line.

        ``programs`` are C files that can be run there by ``order("run /NAME")``; with ``tags`` the
        machine has memory tags (MTE), which cost it speed.
        """
        program = find_qemu()
        initrd = build_initrd(programs=programs)
        check_image(image)
        self.release = ""
        self.can_age = True
        """Whether the kernel has page_idle, by which pages are aged."""
        self.kernel_log: list[str] = []
        """What came over the console and is not our program's: a panic, for one."""
        self._pending = b""
        console, theirs = socket.socketpair()
        stub, stub_theirs = socket.socketpair()
        descriptors = (theirs.fileno(), stub_theirs.fileno())
        command = [
            *(program, "-M", f"virt,virtualization=on,gic-version=3{',mte=on' * tags}"),
            *("-cpu", "max,pauth-impdef=on"),
            *("-smp", str(processors), "-m", f"{memory}M", "-accel", "tcg,thread=multi"),
            *("-display", "none", "-no-reboot", "-nic", "none", "-nodefaults", "-monitor", "none"),
            *("-chardev", f"socket,id=console,fd={descriptors[0]}", "-serial", "chardev:console"),
            *("-chardev", f"socket,id=stub,fd={descriptors[1]}", "-gdb", "chardev:stub"),
            *("-kernel", str(image.resolve()), "-initrd", str(initrd.resolve())),
            # What a held processor would have to do for others goes to processor 0.
            *("-append", f"{KERNEL_LINE} isolcpus=1-{processors - 1} {options}".strip()),
        ]
        self._home = tempfile.TemporaryDirectory(prefix="stage2fuzz-confirm-")
        self._qemu = _start(command, Path(self._home.name), descriptors)
        theirs.close()
        stub_theirs.close()
        self._console = console
        self.stub = Stub(stub)
        try:
            self._boot(image)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "VirtualMachine":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End QEMU, whatever it is doing."""
        self.stub.end()
        self._qemu.close()
        self._console.close()
        self.stub.close()
        if self._qemu.process.stderr:
            self._qemu.process.stderr.close()
        self._home.cleanup()

    def order(self, *lines: str, patience: float = ORDER) -> list[str]:
        """Give orders one after another; all lines of their answers."""
        self.send(*lines)
        return [told for line in lines for told in self.answers(line.split()[0], patience)]

    def send(self, *lines: str) -> None:
        """Give orders without waiting for their answers."""
        try:
            self._console.sendall("".join(f"{line}\n" for line in lines).encode())
        except OSError:
            raise MachineError(self._last_words("the machine is gone")) from None

    def answers(self, order: str, patience: float = ORDER) -> list[str]:
        """The lines up to the ``ok`` of that order."""
        told: list[str] = []
        end = time.monotonic() + patience
        while True:
            line = self._line(end)
            if not line.startswith("S2 "):
                if line.strip():
                    self.kernel_log.append(line.rstrip())
                continue
            words = line[3:].rstrip()
            if words == f"ok {order}":
                return told
            if words.startswith("die "):
                raise MachineError(f"our program in the machine gave up: {words[4:]}")
            told.append(words)

    def symbols(self, names: Sequence[str]) -> dict[str, int]:
        """The addresses of those of the functions that the kernel has."""
        found = (line.split() for line in self.order("symbol " + " ".join(names)))
        return {words[1]: int(words[2], 16) for words in found if words[0] == "symbol"}

    def names(self, addresses: Sequence[int]) -> dict[int, str]:
        """Which functions the addresses lie in."""
        found: dict[int, str] = {}
        for start in range(0, len(addresses), 100):
            some = " ".join(f"{each:x}" for each in addresses[start : start + 100])
            for line in self.order(f"name {some}"):
                words = line.split()
                if words[0] == "name":
                    found[int(words[1], 16)] = words[2]
        return found

    def _boot(self, image: Path) -> None:
        try:
            told = self.answers("boot", BOOT)
        except MachineError as error:
            if "machine.mte'" in str(error):
                right = "version 5.1 or later; STAGE2FUZZ_QEMU names another"
                raise InputError(QEMU, "gives no machine memory tags", right) from None
            right = "a kernel that boots on QEMU's virt machine, as Debian's cloud kernels do"
            raise InputError(str(image), f"does not boot: {error}", right) from None
        for line in told:
            if line.startswith("boot "):
                self.release = line[5:]
        self.can_age = "no-age" not in told
        if "no-kvm" in told:
            raise InputError(
                str(image), "has no KVM", "a kernel built with CONFIG_KVM, such as Debian's cloud"
            )

    def _line(self, end: float) -> str:
        while b"\n" not in self._pending:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self._console], [], [], left)[0]:
                raise MachineError(self._last_words("no answer in time"))
            got = b""
            with suppress(OSError):
                got = self._console.recv(65536)
            if not got:
                raise MachineError(self._last_words("the machine ended"))
            self._pending += got
        line, _, self._pending = self._pending.partition(b"\n")
        return line.decode("utf-8", "replace")

    def _last_words(self, what: str) -> str:
        """What went wrong, with what QEMU or the kernel said of it."""
        said = ""
        process = self._qemu.process
        with suppress(subprocess.TimeoutExpired):
            process.wait(1)
        code = process.poll()
        if code is not None and process.stderr:
            said = process.stderr.read().decode("utf-8", "replace").strip()
        said = said.splitlines()[-1] if said else " / ".join(self.kernel_log[-3:])
        if not said and code is not None:  # a guest that reset itself ends it with 0
            said = f"QEMU said nothing, and its exit status is {code}"
        return f"{what} ({said})" if said else what


class _CagedProcess:
    """A program started by a process that is confined: its cage is around this one as well."""

    def __init__(self, command: Sequence[str], folder: Path, inherited: Sequence[int]) -> None:
        """No session of its own: a cage lets nobody leave."""
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=tuple(inherited),
        )

    def close(self) -> None:
        """Wait until it has ended, as it was asked to; else the cage ends it, with this process.

        A cage lets nobody signal another.
        """
        with suppress(PermissionError):
            self.process.kill()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(END)


def _start(
    command: Sequence[str], folder: Path, inherited: Sequence[int]
) -> ConfinedProcess | _CagedProcess:
    if is_confined():
        return _CagedProcess(command, folder, inherited)
    return ConfinedProcess(command, folder, UNBOUND, stderr=subprocess.PIPE, inherited=inherited)


def find_qemu() -> str:
    """The program; InputError where there is none."""
    program = shutil.which(os.environ.get("STAGE2FUZZ_QEMU", QEMU))
    if program is None:
        raise InputError(QEMU, "not found", "install qemu-system-arm (Debian's name)")
    return program

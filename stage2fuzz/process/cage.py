"""The cage: what a confined program may not do, enforced by the kernel and inherited by all.

- It gains no rights by any program that it starts, and has none of root's (capabilities).
- It can't look into a process outside (``/proc/PID/environ``, ``ptrace``), nor signal one:
  Landlock's domain, and a seccomp filter for kernels without it.
- It can't leave its process group or session, so that killing the group kills all.
- It opens no sockets: no broker, no database, no network.

Files are what the user's own rights make them. Where the kernel is no Linux, or too old for a part,
that part is missing; ``docs/service.md`` says what is trusted.
"""

import ctypes
import os
import platform
import struct
import sys
from typing import Final

PR_SET_PDEATHSIG: Final = 1
PR_SET_DUMPABLE: Final = 4
PR_SET_SECCOMP: Final = 22
PR_SET_CHILD_SUBREAPER: Final = 36
PR_SET_NO_NEW_PRIVS: Final = 38
SECCOMP_MODE_FILTER: Final = 2

CAPABILITY_VERSION_3: Final = 0x20080522
SYS_CAPSET: Final = {"x86_64": 126, "aarch64": 91}

LANDLOCK_CREATE_RULESET: Final = 444
LANDLOCK_RESTRICT_SELF: Final = 446
LANDLOCK_VERSION: Final = 1
"""Flag of ``landlock_create_ruleset`` that asks which version there is."""
NET_TCP: Final = 3
"""Bind and connect: a domain must forbid something. One that forbids anything about files would
forbid moving them between folders too."""
NET_SINCE: Final = 4
SCOPE_SOCKETS_AND_SIGNALS: Final = 3
SCOPED_SINCE: Final = 6

ARCHITECTURE: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""AUDIT_ARCH_X86_64 and AUDIT_ARCH_AARCH64 of linux/audit.h."""
DENIED: Final = {
    "setpgid": (109, 154),
    "setsid": (112, 157),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_send_signal": (424, 424),
    "pidfd_getfd": (438, 438),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "unshare": (272, 97),
    "setns": (308, 268),
    "socket": (41, 198),
    "io_uring_setup": (425, 425),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
}
"""System calls by their numbers on x86-64 and on arm64."""
TO_ITSELF: Final = {"kill": (62, 129), "tgkill": (234, 131)}
"""Allowed where the first argument is the program's own number: ``abort`` and ``raise``."""
LD, JEQ, JGE, RET = 0x20, 0x15, 0x35, 0x06
ALLOW: Final = 0x7FFF0000
REFUSE: Final = 0x00050000 | 1
"""SECCOMP_RET_ERRNO with EPERM."""
NUMBER_AT, ARCHITECTURE_AT, ARGUMENT_AT = 0, 4, 16
X32: Final = 0x40000000
"""System calls of the x32 ABI begin here: the same calls by other numbers."""


def close_cage() -> None:
    """Close the cage around this process and all that it will start."""
    machine = platform.machine()
    if sys.platform != "linux" or machine not in ARCHITECTURE:
        return
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    _drop_capabilities(SYS_CAPSET[machine])
    _enter_domain()
    _filter_calls(machine)


def prctl(number: int, value: int, more: int = 0) -> int:
    """Set one property of this process, where the system knows it."""
    if sys.platform != "linux":
        return 0
    result: int = ctypes.CDLL(None, use_errno=True).prctl(
        number, value, ctypes.c_void_p(more), 0, 0
    )
    return result


def hide() -> None:
    """Let no other process of this user read our environment or memory; root's can't either
    without root's rights, which a confined one has not."""
    prctl(PR_SET_DUMPABLE, 0)


def _drop_capabilities(capset: int) -> None:
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    ctypes.CDLL(None).syscall(capset, header, (ctypes.c_uint32 * 6)())


def _enter_domain() -> None:
    """Enter a Landlock domain, from which no process outside can be traced or signalled."""
    call = ctypes.CDLL(None).syscall
    version = call(LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), LANDLOCK_VERSION)
    if version < NET_SINCE:
        return
    scoped = SCOPE_SOCKETS_AND_SIGNALS if version >= SCOPED_SINCE else 0
    attributes = struct.pack("QQQ", 0, NET_TCP, scoped)
    size = len(attributes) if scoped else 16
    ruleset = call(LANDLOCK_CREATE_RULESET, attributes, ctypes.c_size_t(size), 0)
    if ruleset >= 0:
        call(LANDLOCK_RESTRICT_SELF, ruleset, 0)
        os.close(ruleset)


def _filter_calls(machine: str) -> None:
    """Refuse the calls of ``DENIED``, and signals to any process but this one."""
    column = 0 if machine == "x86_64" else 1
    denied = [numbers[column] for numbers in DENIED.values()]
    aimed = [numbers[column] for numbers in TO_ITSELF.values()]
    rules = [
        (LD, 0, 0, ARCHITECTURE_AT),
        (JEQ, 1, 0, ARCHITECTURE[machine]),
        (RET, 0, 0, REFUSE),
        (LD, 0, 0, NUMBER_AT),
        (JGE, 0, 1, X32),
        (RET, 0, 0, REFUSE),
    ]
    for number in denied:
        rules += [(JEQ, 0, 1, number), (RET, 0, 0, REFUSE)]
    for number in aimed:
        rules += [
            (JEQ, 0, 4, number),
            (LD, 0, 0, ARGUMENT_AT),
            (JEQ, 0, 1, os.getpid()),
            (RET, 0, 0, ALLOW),
            (RET, 0, 0, REFUSE),
        ]
    rules.append((RET, 0, 0, ALLOW))
    packed = b"".join(struct.pack("HBBI", *rule) for rule in rules)
    code = ctypes.create_string_buffer(packed, len(packed))
    program = struct.pack("HxxxxxxQ", len(rules), ctypes.addressof(code))
    held = ctypes.create_string_buffer(program, len(program))
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(held))

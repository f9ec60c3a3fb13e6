"""Calls of the compiler's instrumentation that can announce nothing, taken out of its assembly.

Clang announces each load and store, those of the stack and of other widths than an entry's, too;
in a walk that is most of them, and a quarter of all time. On x86-64 their calls are left out of the
assembly, where they are single lines; no instruction of the user's code is touched. Elsewhere, and
for gcc, everything is announced.
"""

import re
from typing import Final

from stage2fuzz.kernel.toolchain import Toolchain

_CALL: Final = r"\tcallq?\t__sanitizer_cov_(?:load|store)"
_OTHER_WIDTH: Final = re.compile(rf"^{_CALL}(?:2|4|16)(?:@PLT)?\n", re.MULTILINE)
_OF_THE_STACK: Final = re.compile(
    rf"^(\tleaq\t-?\d*\(%rsp\), %rdi\n(?:\t\.loc\t[^\n]*\n|\.Ltmp\d+:\n)*){_CALL}8(?:@PLT)?\n",
    re.MULTILINE,
)


def can_be_read(tools: Toolchain) -> bool:
    """Whether this compiler's assembly is the one that ``without_idle_calls`` knows."""
    return "clang" in tools.version and tools.machine.startswith("x86_64")


def without_idle_calls(assembly: str) -> str:
    """The same code, without what announces a place that nobody looks at."""
    return _OF_THE_STACK.sub(r"\1", _OTHER_WIDTH.sub("", assembly))

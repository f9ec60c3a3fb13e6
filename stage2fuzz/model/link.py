"""Linking: a kernel with planted bugs, made of copies of its functions, as ``ld --wrap`` makes one.

A copy of a function has the same code and its own names: where the kernel's code names a function
that a bug spoils, the copy finds the bug's in its place. So a bug costs the kernel's code not one
line, and a kernel without bugs not one instruction.
"""

from dataclasses import dataclass, replace
from functools import lru_cache, partial
from types import CodeType, FunctionType, SimpleNamespace
from typing import Any, cast

from stage2fuzz.model.eras import Era
from stage2fuzz.model.flags import Flags
from stage2fuzz.model.kvm_pgtable import Pgtable
from stage2fuzz.model.machine import planted as _machine_bugs  # noqa: F401  (registers them)
from stage2fuzz.model.mmu import planted as _mmu_bugs  # noqa: F401  (the same)
from stage2fuzz.model.mmu.host import host_thread, kvm_free_stage2_pgd
from stage2fuzz.model.mmu.kvm import Mmu
from stage2fuzz.model.mmu.vcpu import vcpu_thread
from stage2fuzz.model.pgtable import planted as _pgtable_bugs  # noqa: F401  (the same)
from stage2fuzz.model.pgtable_shared import planted as _pgtable_shared_bugs  # noqa: F401  (too)
from stage2fuzz.model.planted import FLAG_SPOILS, NAMES, SPOILS, KernelFunction, Spoil

MODEL = __name__.rpartition(".")[0]
"""Functions of this package are copied; what comes from elsewhere is shared."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """The functions that one engine runs, and its flags."""

    pgtable: Pgtable
    mmu: Mmu
    flags: Flags
    vcpu_thread: KernelFunction
    host_thread: KernelFunction
    kvm_free_stage2_pgd: KernelFunction


def link(era: Era, bugs: tuple[str, ...]) -> Kernel:
    """The kernel of ``era`` with the planted ``bugs``."""
    flags = era.flags
    for each in FLAG_SPOILS:
        if each.bug in bugs:
            flags = replace(flags, **each.flags)
    linker = Linker([each for each in SPOILS if each.bug in bugs])
    if not linker.spoils:
        return Kernel(era.pgtable, era.mmu, flags, vcpu_thread, host_thread, kvm_free_stage2_pgd)
    return Kernel(
        cast(Pgtable, linker.members(Pgtable, era.pgtable)),
        cast(Mmu, linker.members(Mmu, era.mmu)),
        flags,
        linker.copy(vcpu_thread),
        linker.copy(host_thread),
        linker.copy(kvm_free_stage2_pgd),
    )


@lru_cache
def bugs_of(era: Era) -> tuple[str, ...]:
    """The planted bugs that fit a kernel: those that spoil a function that it calls."""
    linker = Linker([])
    linker.members(Pgtable, era.pgtable)
    linker.members(Mmu, era.mmu)
    for root in (vcpu_thread, host_thread, kvm_free_stage2_pgd):
        linker.copy(root)
    called = linker.copies
    fit = {each.bug for each in FLAG_SPOILS if each.target in called}
    for spoil in SPOILS:
        if spoil.target in called and (not spoil.within or called.keys() & set(spoil.within)):
            fit.add(spoil.bug)
    return tuple(name for name in NAMES if name in fit)


class Linker:
    """Copies functions, each once, with what they name."""

    def __init__(self, spoils: list[Spoil]) -> None:
        self.spoils = spoils
        self.copies: dict[KernelFunction, KernelFunction] = {}
        """The kernel's function -> its copy, for all that were reached."""

    def members(self, protocol: type, module: object) -> SimpleNamespace:
        """Copies of the functions of ``module`` that ``protocol`` asks for."""
        names = [name for name in vars(protocol) if not name.startswith("_")]
        return SimpleNamespace(
            **{name: self._resolved(getattr(module, name), None) for name in names}
        )

    def copy(self, function: KernelFunction) -> KernelFunction:
        """The function with the names that it has in this kernel."""
        made = self.copies.get(function)
        if made is None:
            made = self.copies[function] = self._copy(function, function)
        return made

    def _copy(self, function: KernelFunction, caller: KernelFunction) -> KernelFunction:
        """A copy that counts as ``caller`` where a spoil is for the calls of some functions."""
        assert isinstance(function, FunctionType)
        known = function.__globals__
        names: dict[str, Any] = {
            "__builtins__": known["__builtins__"],
            "__name__": known["__name__"],
        }
        made = FunctionType(
            function.__code__, names, function.__name__, function.__defaults__, function.__closure__
        )
        made.__kwdefaults__ = function.__kwdefaults__
        self.copies.setdefault(function, made)
        for name in _names(function.__code__):
            if name in known:
                names[name] = self._resolved(known[name], caller)
        return made

    def _resolved(self, value: Any, caller: KernelFunction | None) -> Any:
        """What a name stands for in this kernel, where ``caller`` uses it."""
        if isinstance(value, tuple):
            return tuple(self._resolved(each, caller) for each in value)
        if isinstance(value, dict):
            return {key: self._resolved(each, caller) for key, each in value.items()}
        if not isinstance(value, FunctionType) or not value.__module__.startswith(MODEL):
            return value
        resolved = self.copy(value)
        for spoil in self.spoils:
            if spoil.target is value and (not spoil.within or caller in spoil.within):
                resolved = partial(self._copy(spoil.wrapper, value), resolved)
        return resolved


def _names(code: CodeType) -> set[str]:
    """The names that a function and those inside it look up."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _names(constant)
    return names

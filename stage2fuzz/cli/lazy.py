"""Commands that are imported when they are used: ``--help`` costs no database and no engine.

A group knows of each command its name and one line of help. What the command needs is imported when
its arguments are read, or when a shell asks what may follow it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from stage2fuzz.cli.program import examples


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """Where a command is defined, and what the list of commands says of it."""

    module: str
    attribute: str
    """A function, or a ``typer.Typer`` for a group of commands."""
    help: str
    """The first sentence of its documentation."""
    examples: tuple[str, ...] = ()
    """Arguments as a person would type them, shown at the end of its help."""
    passes_on: bool = False
    """Arguments that it does not know belong to the program that it starts."""

    def load(self, name: str) -> Any:
        """Import it and build the command that reads its arguments."""
        found: typer.Typer | Callable[..., None]
        found = getattr(import_module(self.module), self.attribute)
        if not isinstance(found, typer.Typer):
            alone = typer.Typer(add_completion=False, rich_markup_mode=None)
            settings = {"ignore_unknown_options": True, "allow_extra_args": True}
            alone.command(
                name,
                epilog=examples(*self.examples),
                context_settings=settings if self.passes_on else None,
            )(found)
            found = alone
        command: Any = get_command(found)
        command.name = name
        return command


class LazyCommand(TyperCommand):
    """Stands in the list of commands for one that nobody has asked for yet."""

    def __init__(self, name: str, entry: CommandEntry) -> None:
        """Known by ``name`` and by ``entry.help``."""
        super().__init__(name, help=entry.help)
        self._entry: Final = entry

    def make_context(self, info_name: str | None, args: list[str], *more: Any, **extra: Any) -> Any:
        """The context of the command itself, which is invoked and completed from then on."""
        return self._entry.load(self.name or "").make_context(info_name, args, *more, **extra)


def lazy_group(entries: dict[str, CommandEntry]) -> type[TyperGroup]:
    """The class of a group whose commands are ``entries``, in their order."""

    class LazyGroup(TyperGroup):
        """One group of lazy commands."""

        def list_commands(self, ctx: Any) -> list[str]:
            """The names, in the order of the table."""
            return list(entries)

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            """The command of that name; None where there is none, and Click says so."""
            entry = entries.get(cmd_name)
            return None if entry is None else LazyCommand(cmd_name, entry)

    return LazyGroup

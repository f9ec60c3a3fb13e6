"""The two exceptions of the house; the third kind of bad news, a violation, is a value.

An expected code (``-EAGAIN``, ``-ENOMEM`` ...) is returned, a violation is a ``Violation``, and
only what is nobody's plan is raised: our own bug, or an order or file that cannot be used.
"""


class ModelError(Exception):
    """Our own bug: the engine, a scheduler or an oracle broke a rule of its own."""


class InputError(Exception):
    """A file, name or limit from outside that cannot be used; its text is one line for a person."""

    def __init__(self, where: str, what: str, right: str = "") -> None:
        """``where`` names the file or option, ``what`` the fault, ``right`` what would be right."""
        self.where, self.what, self.right = where, what, right
        super().__init__(f"{where}: {what}" + (f"; {right}" if right else ""))

    def __reduce__(self) -> tuple[type["InputError"], tuple[str, str, str]]:
        """Its three parts, so that it gets through to another process."""
        return type(self), (self.where, self.what, self.right)

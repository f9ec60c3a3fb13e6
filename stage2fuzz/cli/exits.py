"""Exit codes: what a command says to the program that ran it."""

from typing import Final

FOUND: Final = 1
"""Violations were found."""
BAD_INPUT: Final = 2
INCONCLUSIVE: Final = 3
"""Nothing was found, and nothing or too little ran to mean something by that."""
OWN_BUG: Final = 70
INTERRUPTED: Final = 130

"""Oracles: what is right, judged from events alone; no engine is imported here."""

from stage2fuzz.oracles.catalogue import CATALOGUE
from stage2fuzz.oracles.judge import judge
from stage2fuzz.oracles.violation import Category, Rules, Violation

__all__ = ["CATALOGUE", "Category", "Rules", "Violation", "judge"]

"""Findings: every fault ever found, once, with its reproducer and what people said about it."""

from stage2fuzz.findings.models import Finding, State
from stage2fuzz.findings.seen import Receipt
from stage2fuzz.findings.store import Store

__all__ = ["Finding", "Receipt", "State", "Store"]

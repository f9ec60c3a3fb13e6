"""Rules: which era's behaviour an engine has; read by the oracles, stated by the engine."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rules:
    """What is right depends on the kernel's era; the engine says which era it models."""

    shared_faults: bool = False
    """From v6.2 faults walk under the read lock and change entries by cmpxchg only."""
    shared_relax: bool = False
    """v5.18 to v6.1: while logging, a permission fault of a page relaxes under the read lock."""
    counts_any_nonzero: bool = False
    """From v5.13 any non-zero entry is counted; before, valid ones."""
    rcu: bool = False
    ages_ranges: bool = False
    """From v6.5 aging clears every leaf of the range that it is given; before, the first one."""
    refuses_beyond: bool = False
    """From v5.19 an access above the guest's IPA space gets an abort; before, it was MMIO."""
    strict_table_hints: bool = False
    """From v6.8 a TLBI that removes a table must not carry its level as a TTL hint; before, the
    kernel always did, which only matters on a CPU that uses hints."""
    ownership: bool = False
    """The engine is EL2 of pKVM: pages have owners, and no virtual machine of KVM is there."""

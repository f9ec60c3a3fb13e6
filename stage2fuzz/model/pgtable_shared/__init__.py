"""hyp/pgtable.c from v6.2: faults walk with the lock shared."""

"""mmu.c: faults, notifiers, memory slots."""

"""The engine of pKVM's EL2: a tree's own hypervisor, compiled in user space, under schedules."""

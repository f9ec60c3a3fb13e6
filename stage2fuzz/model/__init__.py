"""The model: a readable engine of KVM/arm64 stage 2 since December 2020, and its hardware.

``engine.ModelEngine`` is the door. Read ``pgtable`` (hyp/pgtable.c of v5.10 to v6.1),
``pgtable_shared`` (the same from v6.2 on) and ``mmu`` (mmu.c and who calls it) beside the kernel;
``machine`` is what they run on: threads, memory, TLBs, the hardware's walk. ``revision`` reads a
name, ``eras`` says what that kernel consists of, ``flags`` in what it behaves otherwise, ``link``
and ``planted`` how a bug comes into it.
"""

"""The model: a readable engine of KVM/arm64 stage 2 as of December 2020, and its hardware.

``model.ModelEngine`` is the door. ``threads`` and ``memory`` are the machine, ``vm`` is struct
kvm, ``walk``, ``leaf``, ``mapping``, ``attributes`` and ``unmapping`` are pgtable.c, ``abort`` and
``host`` are mmu.c and its callers, ``tlb`` is the hardware walker and the invalidations,
``revision`` and ``planted`` say which kernel it is.
"""

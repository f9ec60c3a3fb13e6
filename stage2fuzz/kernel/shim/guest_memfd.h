/* guest_memfd, which backs no memslot here. */

#define kvm_slot_has_gmem(slot) 0
#define kvm_memslot_is_gmem_only(slot) 0
#define kvm_gmem_get_pfn(kvm, slot, gfn, pfn, page, order) (*(pfn) = 0, *(page) = NULL, -EFAULT)
#define kvm_prepare_memory_fault_exit(v, gpa, size, write, exec, private) ((void)(v))

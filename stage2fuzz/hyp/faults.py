"""Faults to plant in EL2 of a copy of a tree: each a step that the real code must not leave out."""

from typing import Final

from stage2fuzz.kernel.faults import Edit, PlantedFault

_PROTECT: Final = "hyp/nvhe/mem_protect.c"
_PKVM: Final = "hyp/nvhe/pkvm.c"
_TLB: Final = "hyp/nvhe/tlb.c"
_PGTABLE: Final = "hyp/pgtable.c"
_HOST_CHECK: Final = r"ret = __host_check_page_state_range\([^;]*;"
_PIN: Final = "hyp_pin_shared_mem"
_UNSHARE: Final = "__pkvm_host_unshare_hyp"
_HYP_CHECK: Final = r"ret = __hyp_check_page_state_range\([^;]*;"
_NOTE_OWNER: Final = r"WARN_ON\(host_stage2_set_owner_metadata_locked\([^;]*;"
_GUEST_LOCK: Final = r"guest_(un)?lock_component\(vm\);"
_CACHE: Final = r"__guest_check_pgtable_memcache\(vcpu\)"


def _el2(
    name: str, what: str, function: str, pattern: str, replacement: str, file: str = _PROTECT
) -> PlantedFault:
    """One edit of one function; every match of a pattern that is about a lock."""
    count = 0 if "lock" in pattern else 1
    return PlantedFault(name, what, ((Edit(file, function, pattern, replacement, count),),))


def _in(function: str, pattern: str) -> Edit:
    """A check of one function that succeeds always."""
    return Edit(_PROTECT, function, pattern, "ret = 0;")


EL2_FAULTS: Final = (
    _el2("share-any", "a page is shared that is not the host's", "__pkvm_host_share_hyp",
         _HOST_CHECK, "ret = 0;"),
    PlantedFault("unshare-any", "unshare looks at no state",
                 ((_in(_UNSHARE, _HOST_CHECK), _in(_UNSHARE, _HYP_CHECK)),)),
    _el2("unshare-pinned", "a pinned page is unshared", "__pkvm_host_unshare_hyp",
         r"__hyp_check_page_count_range\(phys, size\)", "0"),
    _el2("donate-any", "a page is donated that is not the host's", "__pkvm_host_donate_hyp",
         _HOST_CHECK, "ret = 0;"),
    _el2("donate-mapped", "a donated page stays in the host's stage 2", "__pkvm_host_donate_hyp",
         r"WARN_ON\(host_stage2_set_owner_locked\([^;]*;",
         "__host_update_page_state(phys, size, PKVM_NOPAGE);"),
    _el2("donate-unmapped", "a donated page is not mapped at EL2", "__pkvm_host_donate_hyp",
         r"WARN_ON\(pkvm_create_mappings_locked\([^;]*;", "(void)virt;"),
    _el2("reclaim-mapped", "EL2 keeps the mapping of what it gives back", "__pkvm_hyp_donate_host",
         r"WARN_ON\(kvm_pgtable_hyp_unmap\([^;]*;", "(void)virt;"),
    _el2("pin-once", "a second pin is not counted", "hyp_pin_shared_mem",
         r"hyp_page_ref_inc\(p\);", "if (!p->refcount) hyp_page_ref_inc(p);"),
    PlantedFault("pin-any", "a page is pinned that is not shared",
                 ((_in(_PIN, _HOST_CHECK), _in(_PIN, _HYP_CHECK)),)),
    _el2("unpin-not", "an unpin is not counted", "hyp_unpin_shared_mem",
         r"hyp_page_ref_dec\(p\);", ";"),
    _el2("unpin-keeps", "an unpinned page stays mapped", "hyp_unpin_shared_mem",
         r"if \(p->refcount == 1\)", "if (0)"),
    _el2("ffa-unlocked", "a page is shared for FF-A without the host's lock",
         "__pkvm_host_share_ffa", r"host_(un)?lock_component\(\);", ";"),
    _el2("share-order", "EL2's lock is taken before the host's", "__pkvm_host_share_hyp",
         r"host_lock_component\(\);\s*hyp_lock_component\(\);",
         "hyp_lock_component(); host_lock_component();"),
    _el2("share-guest-count", "a guest that shares a page is not counted",
         "__pkvm_host_share_guest", r"page->host_share_guest_count\+\+;", ";"),
    _el2("share-guest-hyp", "a page that EL2 shares is shared with a guest",
         "__pkvm_host_share_guest", r"if \(page->host_share_guest_count\)", "if (1)"),
    _el2("share-guest-cache", "the memory cache is not looked at", "__pkvm_host_share_guest",
         _CACHE, "0"),
    _el2("share-guest-over", "a mapped page of the guest is mapped again",
         "__pkvm_host_share_guest", r"ret = __guest_check_page_state_range\([^;]*;", "ret = 0;"),
    _el2("unshare-guest-count", "a guest that has it no more is still counted",
         "__pkvm_host_unshare_guest", r"page->host_share_guest_count--;", ";"),
    _el2("unshare-guest-owned", "the first guest to give it back makes it the host's alone",
         "__pkvm_host_unshare_guest", r"if \(!page->host_share_guest_count\)", "if (1)"),
    _el2("unshare-guest-mapped", "the guest keeps the mapping", "__pkvm_host_unshare_guest",
         r"ret = kvm_pgtable_stage2_unmap\([^;]*;", "ret = 0;"),
    _el2("wrprotect-unlocked", "write protection without the guest's lock",
         "__pkvm_host_wrprotect_guest", _GUEST_LOCK, ";"),
    _el2("relax-unlocked", "permissions are relaxed without the guest's lock",
         "__pkvm_host_relax_perms_guest", _GUEST_LOCK, ";"),
    _el2("young-unlocked", "aging without the guest's lock",
         "__pkvm_host_test_clear_young_guest", _GUEST_LOCK, ";"),
    _el2("donate-guest-any", "a page is donated to a guest that is not the host's",
         "__pkvm_host_donate_guest", _HOST_CHECK, "ret = 0;"),
    _el2("donate-guest-mapped", "the host keeps the page that it donated to a guest",
         "__pkvm_host_donate_guest", _NOTE_OWNER, "(void)meta;"),
    _el2("donate-guest-cache", "the memory cache is not looked at", "__pkvm_host_donate_guest",
         _CACHE, "0"),
    _el2("guest-share-state", "the guest's entry does not say that the page is shared",
         "__pkvm_guest_share_host", r"PKVM_PAGE_SHARED_OWNED\),", "PKVM_PAGE_OWNED),"),
    _el2("guest-share-host", "the host's state does not say that the page is shared",
         "__pkvm_guest_share_host", r"WARN_ON\(__host_set_page_state_range\([^;]*;", ";"),
    _el2("guest-unshare-mapped", "the host keeps the page that the guest took back",
         "__pkvm_guest_unshare_host", _NOTE_OWNER, "(void)meta;"),
    _el2("force-reclaim-data", "a page is not cleared when it is taken from a guest",
         "__pkvm_host_force_reclaim_page_guest", r"hyp_poison_page\(phys\);", ";"),
    _el2("force-reclaim-mapped", "the guest keeps the page that is taken from it",
         "__pkvm_host_force_reclaim_page_guest", r"ret = kvm_pgtable_stage2_annotate\([^;]*;",
         "ret = 0;"),
    _el2("reclaim-data", "a dying guest's page is not cleared", "__pkvm_host_reclaim_page_guest",
         r"hyp_poison_page\(phys\);", ";"),
    _el2("reclaim-guest-mapped", "a dying guest keeps its page", "__pkvm_host_reclaim_page_guest",
         r"WARN_ON\(kvm_pgtable_stage2_unmap\([^;]*;", ";"),
    _el2("load-dying", "a vCPU of a dying VM is loaded", "pkvm_load_hyp_vcpu",
         r"\|\| hyp_vm->kvm\.arch\.pkvm\.is_dying", "", _PKVM),
    _el2("load-twice", "a vCPU is loaded on two CPUs", "pkvm_load_hyp_vcpu",
         r"if \(unlikely\(hyp_vcpu->loaded_hyp_vcpu\)\)", "if (0)", _PKVM),
    _el2("load-reference", "a loaded vCPU does not hold its VM", "pkvm_load_hyp_vcpu",
         r"hyp_page_ref_inc\([^;]*;", ";", _PKVM),
    _el2("put-reference", "a put vCPU still holds its VM", "pkvm_put_hyp_vcpu",
         r"hyp_page_ref_dec\([^;]*;", ";", _PKVM),
    _el2("teardown-busy", "a VM is taken down while a vCPU is loaded",
         "get_pkvm_unref_hyp_vm_locked", r"\|\| hyp_page_count\(hyp_vm\)", "", _PKVM),
    _el2("teardown-tlb", "a VM's translations stay in the TLBs", "__pkvm_finalize_teardown_vm",
         r"__kvm_tlb_flush_vmid\([^;]*;", ";", _PKVM),
    _el2("teardown-data", "EL2's data comes back to the host", "teardown_donated_memory",
         r"memset\(addr, 0, size\);", ";", _PKVM),
    _el2("lost-race-succeeds", "a walk that lost a race says that it was done",
         "kvm_pgtable_walk_continue", r"return walker->flags & KVM_PGTABLE_WALK_\w+;",
         "return true;", _PGTABLE),
    _el2("nopage-is-hosts", "a page that the host's stage 2 has not is taken for the host's",
         "__host_check_page_state_range", r"(?<=if \()(?=get_host_state\(page\) != state)",
         "(state || get_host_state(page) != PKVM_NOPAGE) && "),
    _el2("flush-by-ipa", "the TLBI of one address is left out", "__kvm_tlb_flush_vmid_ipa",
         r"__tlbi_level\([^;]*;", ";", _TLB),
)  # fmt: skip
"""By the file that they are planted in."""

/* What EL1 calls of the tree's own TLB code; glue/tlb.c hands it to one of the two copies. */
struct kvm_s2_mmu;
void s2_flush_vmid_ipa(struct kvm_s2_mmu *mmu, phys_addr_t ipa, int level);
void s2_flush_vmid_ipa_nsh(struct kvm_s2_mmu *mmu, phys_addr_t ipa, int level);
void s2_flush_vmid_range(struct kvm_s2_mmu *mmu, phys_addr_t start, unsigned long pages);
void s2_flush_vmid(struct kvm_s2_mmu *mmu);
void s2_nvhe_flush_vmid_ipa(struct kvm_s2_mmu *mmu, phys_addr_t ipa, int level);
void s2_nvhe_flush_vmid_ipa_nsh(struct kvm_s2_mmu *mmu, phys_addr_t ipa, int level);
void s2_nvhe_flush_vmid_range(struct kvm_s2_mmu *mmu, phys_addr_t start, unsigned long pages);
void s2_nvhe_flush_vmid(struct kvm_s2_mmu *mmu);
void s2_vhe_flush_vmid_ipa(struct kvm_s2_mmu *mmu, phys_addr_t ipa, int level);
void s2_vhe_flush_vmid_ipa_nsh(struct kvm_s2_mmu *mmu, phys_addr_t ipa, int level);
void s2_vhe_flush_vmid_range(struct kvm_s2_mmu *mmu, phys_addr_t start, unsigned long pages);
void s2_vhe_flush_vmid(struct kvm_s2_mmu *mmu);
#define __kvm_tlb_flush_vmid_ipa s2_flush_vmid_ipa
#define __kvm_tlb_flush_vmid_ipa_nsh s2_flush_vmid_ipa_nsh
#define __kvm_tlb_flush_vmid_range s2_flush_vmid_range
#define __kvm_tlb_flush_vmid s2_flush_vmid

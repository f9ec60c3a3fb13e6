/* Where EL2's image and memory lie. Their addresses are part of how EL2 lays its own address space
 * out, so they are the same in every build. */
extern s64 hyp_physvirt_offset;
void __pkvm_init_switch_pgd(phys_addr_t pgd, unsigned long sp, void (*fn)(void));
/* The switch to the new tables names a function, which has no physical address here. */
#define __hyp_pa(v) _Generic((v), \
	void (*)(phys_addr_t, unsigned long, void (*)(void)): (phys_addr_t)(unsigned long)(v), \
	default: (phys_addr_t)((unsigned long)(v) + hyp_physvirt_offset))
#define kern_hyp_va(x) (x)
#define s2_image ((char *)S2_EL2_MEMORY)
#define __hyp_idmap_text_start (s2_image)
#define __hyp_idmap_text_end (s2_image + 0x1000)
#define __hyp_text_start (s2_image + 0x1000)
#define __hyp_text_end (s2_image + 0x2000)
#define __hyp_rodata_start (s2_image + 0x2000)
#define __hyp_rodata_end (s2_image + 0x3000)
#define __hyp_data_start (s2_image + 0x3000)
#define __hyp_data_end (s2_image + 0x4000)
#define __hyp_bss_start (s2_image + 0x4000)
#define __hyp_bss_end (s2_image + 0x5000)
#define __per_cpu_start (s2_image + 0x5000)
#define __per_cpu_end (s2_image + 0x6000)
#define __bp_harden_hyp_vecs (s2_image + 0x1000)
#define __kvm_hyp_vector (s2_image + 0x1000)
#define __BP_HARDEN_HYP_VECS_SZ 0x1000
enum arm64_hyp_spectre_vector {
	HYP_VECTOR_DIRECT, HYP_VECTOR_SPECTRE_DIRECT, HYP_VECTOR_INDIRECT,
	HYP_VECTOR_SPECTRE_INDIRECT
};
#define __kvm_vector_slot2addr(v, s) (v)
#define kvm_system_needs_idmapped_vectors() 0
DECLARE_PER_CPU(unsigned long, kvm_hyp_vector);
#define NVHE_STACK_SIZE PAGE_SIZE
enum { MEMBLOCK_NOMAP = 4 };
struct memblock_region { phys_addr_t base, size; int flags; };

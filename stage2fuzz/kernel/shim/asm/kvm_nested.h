/* The tree's own header where its nested.c is compiled too; else nested.h has all there is. */
#if S2_HAS_UNIT_NESTED
#include_next <asm/kvm_nested.h>
#endif

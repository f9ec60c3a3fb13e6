/* Stacks by the compiler's unwind tables: nothing is paid for them until one is asked for. */
#include <string.h>
#include <unwind.h>
#include "sites.h"

struct s2_sites s2_sites;

/* The library's first byte, which the linker names. */
extern const char __ehdr_start[] __attribute__((visibility("hidden")));

struct walk_up {
	uint32_t *stack;
	int depth;
};

static _Unwind_Reason_Code note_frame(struct _Unwind_Context *context, void *argument)
{
	struct walk_up *up = argument;
	int exact = 0;
	uintptr_t at = _Unwind_GetIPInfo(context, &exact) - (uintptr_t)__ehdr_start;

	/* A return address belongs to the call before it; where a signal struck is exact. */
	if (at < UINT32_MAX)
		up->stack[up->depth++] = (uint32_t)(exact ? at : at - 1);
	return up->depth < S2_DEPTH ? _URC_NO_REASON : _URC_END_OF_STACK;
}

S2_OWN void note_stack(uint32_t *stack)
{
	struct walk_up up = { stack, 0 };

	memset(stack, 0, S2_DEPTH * sizeof(*stack));
	s2_sites.on = 0; /* a stack that wild code has damaged may crash who walks it */
	_Unwind_Backtrace(note_frame, &up);
	s2_sites.on = 1;
}

/* From now on note, or do not, where each event comes from. */
S2_PUBLIC void s2_note_sites(int32_t on)
{
	s2_sites.on = on;
}

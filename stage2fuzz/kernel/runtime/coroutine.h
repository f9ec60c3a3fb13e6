/* Coroutines: one stack a thread, guard pages around each, and a switch of a few instructions.
 *
 * swapcontext() makes a system call each time and halves the rate, so x86-64 and aarch64 switch in
 * assembly; ucontext is for every other machine.
 */
#ifndef STAGE2FUZZ_COROUTINE_H
#define STAGE2FUZZ_COROUTINE_H

#if !defined(__x86_64__) && !defined(__aarch64__)
#define S2_UCONTEXT
#endif
#ifdef S2_UCONTEXT
#include <ucontext.h>
#endif

#define S2_STACK (64 * 1024UL)
/* Below and above each stack; more than a frame of kernel code, which may not step over it. */
#define S2_GUARD (64 * 1024UL)

struct s2_coroutine {
	void *stack_pointer;
	char *stack;
	void (*body)(void);
#ifdef S2_UCONTEXT
	ucontext_t context;
#endif
};

/* Reserve the stack of one coroutine; 0, or -1 where memory is short. */
int s2_coroutine_allocate(struct s2_coroutine *one);
/* Make `one` start at `body` when it is next switched to; `body` never returns. */
void s2_coroutine_prepare(struct s2_coroutine *one, void (*body)(void));
/* Leave `from` and go on in `to`. */
void s2_coroutine_switch(struct s2_coroutine *from, struct s2_coroutine *to);

#endif

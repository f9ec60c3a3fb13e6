#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "coroutine.h"

int s2_coroutine_allocate(struct s2_coroutine *one)
{
	char *memory = mmap(NULL, S2_GUARD + S2_STACK + S2_GUARD, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		return -1;
	one->stack = memory + S2_GUARD;
	return mprotect(one->stack, S2_STACK, PROT_READ | PROT_WRITE);
}

#ifdef S2_UCONTEXT

void s2_coroutine_prepare(struct s2_coroutine *one, void (*body)(void))
{
	getcontext(&one->context);
	one->context.uc_stack.ss_sp = one->stack;
	one->context.uc_stack.ss_size = S2_STACK;
	one->context.uc_link = NULL;
	makecontext(&one->context, body, 0);
}

void s2_coroutine_switch(struct s2_coroutine *from, struct s2_coroutine *to)
{
	swapcontext(&from->context, &to->context);
}

#elif defined(__x86_64__)

/* Callee-saved registers only: the compiler keeps the others over a call. A body
 * starts as if it had been called: its stack is 8 bytes off a multiple of 16. */
void s2_switch(void **save, void *load);
__asm__(".text\n.globl s2_switch\n.hidden s2_switch\n.type s2_switch,@function\ns2_switch:\n"
	"	pushq %rbp\n	pushq %rbx\n	pushq %r12\n	pushq %r13\n"
	"	pushq %r14\n	pushq %r15\n"
	"	movq %rsp, (%rdi)\n	movq %rsi, %rsp\n"
	"	popq %r15\n	popq %r14\n	popq %r13\n	popq %r12\n"
	"	popq %rbx\n	popq %rbp\n	ret\n"
	".size s2_switch, .-s2_switch\n");

void s2_coroutine_prepare(struct s2_coroutine *one, void (*body)(void))
{
	void **top = (void **)(one->stack + S2_STACK);

	one->body = body;
	*--top = NULL;
	*--top = (void *)body;
	for (int i = 0; i < 6; i++)
		*--top = NULL;
	one->stack_pointer = top;
}

#elif defined(__aarch64__)

void s2_switch(void **save, void *load);
__asm__(".text\n.globl s2_switch\n.hidden s2_switch\n.type s2_switch,%function\ns2_switch:\n"
	"	sub sp, sp, #160\n"
	"	stp x19, x20, [sp]\n	stp x21, x22, [sp, #16]\n	stp x23, x24, [sp, #32]\n"
	"	stp x25, x26, [sp, #48]\n	stp x27, x28, [sp, #64]\n"
	"	stp x29, x30, [sp, #80]\n	stp d8, d9, [sp, #96]\n"
	"	stp d10, d11, [sp, #112]\n	stp d12, d13, [sp, #128]\n"
	"	stp d14, d15, [sp, #144]\n"
	"	mov x9, sp\n	str x9, [x0]\n	mov sp, x1\n"
	"	ldp x19, x20, [sp]\n	ldp x21, x22, [sp, #16]\n	ldp x23, x24, [sp, #32]\n"
	"	ldp x25, x26, [sp, #48]\n	ldp x27, x28, [sp, #64]\n"
	"	ldp x29, x30, [sp, #80]\n	ldp d8, d9, [sp, #96]\n"
	"	ldp d10, d11, [sp, #112]\n	ldp d12, d13, [sp, #128]\n"
	"	ldp d14, d15, [sp, #144]\n"
	"	add sp, sp, #160\n	ret\n"
	".size s2_switch, .-s2_switch\n");

void s2_coroutine_prepare(struct s2_coroutine *one, void (*body)(void))
{
	char *top = one->stack + S2_STACK - 160;

	one->body = body;
	memset(top, 0, 160);
	((void **)top)[11] = (void *)body;
	one->stack_pointer = top;
}

#endif

#ifndef S2_UCONTEXT
void s2_coroutine_switch(struct s2_coroutine *from, struct s2_coroutine *to)
{
	s2_switch(&from->stack_pointer, to->stack_pointer);
}
#endif

/* Switch between coroutines and a hub; whatever the calling convention keeps must be kept.
 *
 * Compiled together with the runtime's coroutine.c, by tests/kernel/test_kernel_coroutine.py.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "coroutine.c"

#define THREADS 4
#define ROUNDS 1000

static struct s2_coroutine hub, thread[THREADS];
static int me, left = THREADS;

static void fail(const char *what)
{
	printf("%s\n", what);
	exit(1);
}

/* Values in every register that a callee must keep; the compiler takes it that they are. */
#if defined(__x86_64__)
#define KEPT(integer, real)                                                                        \
	integer(0, "rbx") integer(1, "r12") integer(2, "r13") integer(3, "r14") integer(4, "r15")
#elif defined(__aarch64__)
#define KEPT(integer, real)                                                                        \
	integer(0, "x19") integer(1, "x20") integer(2, "x21") integer(3, "x22") integer(4, "x23")  \
	integer(5, "x24") integer(6, "x25") integer(7, "x26") integer(8, "x27") integer(9, "x28")  \
	real(10, "d8") real(11, "d9") real(12, "d10") real(13, "d11") real(14, "d12")              \
	real(15, "d13") real(16, "d14") real(17, "d15")
#else
#define KEPT(integer, real)
#endif
#define SET_INTEGER(n, name)                                                                       \
	register uint64_t i##n __asm__(name) = seed * 31 + n;                                      \
	__asm__ volatile("" : "+r"(i##n));
#define SET_REAL(n, name)                                                                          \
	register double r##n __asm__(name) = (double)(seed * 31 + n);                              \
	__asm__ volatile("" : "+w"(r##n));
#define CHECK_INTEGER(n, name)                                                                     \
	__asm__ volatile("" : "+r"(i##n));                                                         \
	bad |= i##n != seed * 31 + n;
#define CHECK_REAL(n, name)                                                                        \
	__asm__ volatile("" : "+w"(r##n));                                                         \
	bad |= r##n != (double)(seed * 31 + n);

static __attribute__((noinline)) int switch_with(uint64_t seed, struct s2_coroutine *from,
						 struct s2_coroutine *to)
{
	int bad = 0;

	KEPT(SET_INTEGER, SET_REAL)
	s2_coroutine_switch(from, to);
	KEPT(CHECK_INTEGER, CHECK_REAL)
	return bad;
}

static void body(void)
{
	int mine = me;
	volatile char local[128];

	if ((uintptr_t)__builtin_frame_address(0) % 16)
		fail("a body starts on a stack that is not aligned");
	if ((char *)local < thread[mine].stack || (char *)local > thread[mine].stack + S2_STACK)
		fail("a body runs on another stack than its own");
	for (int round = 0; round < ROUNDS; round++) {
		struct s2_coroutine *next = &hub;

		if (round % 3) {
			me = (mine + 1) % THREADS;
			next = &thread[me];
		}
		if (switch_with((uint64_t)(mine * ROUNDS + round), &thread[mine], next))
			fail("a coroutine lost a register");
	}
	left--;
	for (;;)
		s2_coroutine_switch(&thread[mine], &hub);
}

/* The signal that a write there ends the process with; 0 where it does not. */
static int written(char *place)
{
	pid_t child = fork();
	int status = 0;

	if (!child) {
		*(volatile char *)place = 1;
		_exit(0);
	}
	waitpid(child, &status, 0);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

int main(void)
{
	for (int i = 0; i < THREADS; i++) {
		if (s2_coroutine_allocate(&thread[i]))
			fail("no stack");
		s2_coroutine_prepare(&thread[i], body);
	}
	for (uint64_t turn = 0; left; turn++) {
		me = (int)(turn % THREADS);
		if (switch_with(turn, &hub, &thread[me]))
			fail("the hub lost a register");
	}
	if (written(thread[0].stack) || written(thread[0].stack + S2_STACK - 1))
		fail("a stack that cannot be written");
	if (written(thread[0].stack - 1) != SIGSEGV || written(thread[0].stack - S2_GUARD) != SIGSEGV)
		fail("no guard below the stack");
	if (written(thread[0].stack + S2_STACK) != SIGSEGV)
		fail("no guard above the stack");
	printf("kept\n");
	return 0;
}

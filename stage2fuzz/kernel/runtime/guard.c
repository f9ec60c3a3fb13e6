/* The guard against wild code: a signal or a loop without end becomes a CRASH event. */
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include "machine.h"

/* Microseconds of CPU time; a run that records nothing from one tick to the next is in a loop
 * without end, since whole runs take a thousandth of that. */
#define TICK 250000

static const int guarded[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGVTALRM };
#define GUARDED (int)(sizeof(guarded) / sizeof(guarded[0]))
static struct sigaction saved[GUARDED];
static stack_t saved_stack;
static char signal_stack[64 * 1024];
static struct itimerval saved_timer;
static unsigned long last_seen, progress;
static int in_run;

/* Where a wild access went, without what address randomisation adds. */
static int64_t plain_address(const void *address)
{
	uintptr_t at = (uintptr_t)address;

	if (s2_is_entry(address))
		return (int64_t)s2_pa(address);
	for (int i = 0; i < s2.threads; i++) {
		uintptr_t stack = (uintptr_t)s2.thread[i].coroutine.stack;

		if (at - (stack - S2_GUARD) < S2_GUARD || at - (stack + S2_STACK) < S2_GUARD)
			return -1;
	}
	return at < 65536 ? (int64_t)at : 0;
}

/* No kernel code runs: a tick while whoever drives us thinks, or a fault that is not ours. */
static void pass_on(int number)
{
	if (number == SIGVTALRM)
		return;
	s2_guard_end();
	raise(number);
}

static void on_signal(int number, siginfo_t *info, void *context)
{
	int64_t where = 0;

	(void)context;
	if (!s2.inside) {
		pass_on(number);
		return;
	}
	if (number == SIGVTALRM) {
		unsigned long seen = progress + (unsigned long)s2.events_count;

		if (seen != last_seen) {
			last_seen = seen;
			return;
		}
	} else if (number != SIGABRT) {
		where = plain_address(info->si_addr);
	}
	s2.plain_entry = NULL;
	close_run();
	s2.silent = 0;
	s2_record(S2_CRASH, where, 0, 0, number);
	s2.ended = S2_END_CRASH;
	s2.crashed = 1;
	s2_coroutine_switch(&s2.thread[s2.current].coroutine, &s2.hub);
}

/* Catch what a wild pointer or an endless loop does, until s2_guard_end(). */
void s2_guard_begin(void)
{
	struct sigaction action;
	stack_t stack = { .ss_sp = signal_stack, .ss_size = sizeof(signal_stack) };
	struct itimerval timer = { { 0, TICK }, { 0, TICK } };

	memset(&action, 0, sizeof(action));
	action.sa_sigaction = on_signal;
	action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
	sigaltstack(&stack, &saved_stack);
	for (int i = 0; i < GUARDED; i++)
		sigaction(guarded[i], &action, &saved[i]);
	last_seen = ~0UL;
	in_run = 1;
	setitimer(ITIMER_VIRTUAL, &timer, &saved_timer);
}

void s2_guard_progress(void)
{
	progress += S2_EVENTS;
}

void s2_guard_end(void)
{
	if (!in_run)
		return;
	setitimer(ITIMER_VIRTUAL, &saved_timer, NULL);
	in_run = 0;
	for (int i = 0; i < GUARDED; i++)
		sigaction(guarded[i], &saved[i], NULL);
	sigaltstack(&saved_stack, NULL);
}

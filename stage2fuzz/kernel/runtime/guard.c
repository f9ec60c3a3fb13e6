/* The guard against wild code: a signal or a loop without end becomes a CRASH event. */
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include "guard.h"
#include "record.h"
#include "scheduler.h"
#include "tables.h"

struct s2_guard s2_guard;

/* Microseconds of CPU time; a run that records nothing from one tick to the next is in a loop
 * without end, since whole runs take a thousandth of that. */
#define TICK 250000

static const int guarded[] = { SIGSEGV, SIGBUS, SIGILL, SIGTRAP,
			       SIGFPE, SIGABRT, SIGVTALRM };
#define GUARDED (int)(sizeof(guarded) / sizeof(guarded[0]))
static struct sigaction before[GUARDED];
static char signal_stack[64 * 1024];
static unsigned long last_seen, progress;

/* A signal that is none of ours goes to whoever had it before; two engines that were each before
 * the other would hand it to and fro, so the second time it ends the process. */
static void pass_on(int number)
{
	static int passed;

	for (int i = 0; i < GUARDED; i++)
		if (guarded[i] == number)
			sigaction(number, &before[i], NULL);
	if (passed++)
		signal(number, SIG_DFL);
	raise(number);
}

/* Where a wild access went, without what address randomisation adds. */
static int64_t plain_address(const void *address)
{
	uintptr_t at = (uintptr_t)address;

	if (s2_is_entry(address))
		return (int64_t)s2_pa(address);
	for (int i = 0; i < s2_sched.threads; i++) {
		uintptr_t stack = (uintptr_t)s2_sched.thread[i].coroutine.stack;

		if (at - (stack - S2_GUARD) < S2_GUARD || at - (stack + S2_STACK) < S2_GUARD)
			return -1;
	}
	return at < 65536 ? (int64_t)at : 0;
}

static void on_signal(int number, siginfo_t *info, void *context)
{
	int64_t where = 0;

	(void)context;
	if (!s2_guard.inside) {
		/* A tick while whoever drives us thinks, or a fault that is not ours. */
		if (number != SIGVTALRM)
			pass_on(number);
		return;
	}
	if (number == SIGVTALRM) {
		unsigned long seen = progress + (unsigned long)s2_log.events_count;

		if (seen != last_seen) {
			last_seen = seen;
			return;
		}
	} else if (number != SIGABRT) {
		where = plain_address(info->si_addr);
	}
	s2_log.plain_entry = NULL;
	close_run();
	record_last(S2_CRASH, where, number);
	s2_sched.ended = S2_END_CRASH;
	s2_guard.crashed = 1;
	s2_coroutine_switch(&s2_sched.thread[s2_sched.current].coroutine, &s2_sched.hub);
}

static void install(void)
{
	struct sigaction action;
	stack_t stack = { .ss_sp = signal_stack, .ss_size = sizeof(signal_stack) };
	struct itimerval timer = { { 0, TICK }, { 0, TICK } };

	memset(&action, 0, sizeof(action));
	action.sa_sigaction = on_signal;
	action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART;
	sigaltstack(&stack, NULL);
	for (int i = 0; i < GUARDED; i++)
		sigaction(guarded[i], &action, &before[i]);
	setitimer(ITIMER_VIRTUAL, &timer, NULL);
}

/* Catch what a wild pointer or an endless loop does. The handlers stay from then on, as the system
 * calls that set them would cost more than a run; where libFuzzer or another engine has set its
 * own meanwhile, they are set again. */
S2_OWN void begin_guard(void)
{
	struct sigaction now;

	sigaction(SIGSEGV, NULL, &now);
	if (!(now.sa_flags & SA_SIGINFO) || now.sa_sigaction != on_signal)
		install();
	last_seen = ~0UL;
}

S2_OWN void guard_progress(void)
{
	progress += S2_EVENTS;
}

/* Assertions: a rule of the runtime's own was broken, which is our bug and never the user's.
 *
 * A run that ends so is no crash of the kernel code: whatever stack it happens on, control goes
 * back to the public function that was called (door.h), and native.py raises a ModelError with the
 * text. The next run starts from a machine that is set up anew. Glue uses it, too.
 */
#ifndef STAGE2FUZZ_ASSERTION_H
#define STAGE2FUZZ_ASSERTION_H

/* The condition, and a number that helps to understand why it does not hold. */
#define S2_ASSERT(condition, number) \
	do { \
		if (__builtin_expect(!(condition), 0)) \
			s2_fail(__FILE__, __LINE__, __func__, #condition, (long long)(number)); \
	} while (0)

void s2_fail(const char *file, int line, const char *function, const char *condition,
	     long long number) __attribute__((noreturn, cold));

#endif

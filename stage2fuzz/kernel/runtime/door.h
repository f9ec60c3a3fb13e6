/* Where a failed assertion goes on: the public function that was called answers S2_END_BUG. */
#ifndef STAGE2FUZZ_DOOR_H
#define STAGE2FUZZ_DOOR_H

#include <setjmp.h>
#include "abi.h"

extern jmp_buf s2_door;

/* The first statement of a public function below which an assertion may fail. */
#define S2_DOOR(answer) \
	do { \
		if (_setjmp(s2_door)) \
			return answer; \
	} while (0)

#endif

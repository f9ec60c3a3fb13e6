/* The breaker: the strategy that lets others in while an entry is broken. */
#ifndef STAGE2FUZZ_BREAKER_H
#define STAGE2FUZZ_BREAKER_H

#include "linkage.h"

S2_OWN void begin_breaker(void);
S2_OWN void choose_breaker(void);

#endif

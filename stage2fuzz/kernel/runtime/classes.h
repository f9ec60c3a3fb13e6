/* Which classes of runs were seen. */
#ifndef STAGE2FUZZ_CLASSES_H
#define STAGE2FUZZ_CLASSES_H

#include <stdint.h>
#include "linkage.h"

/* Whether the class is new. */
S2_OWN int remember(uint64_t class);
/* How often there were too many, and all were forgotten, since this was last asked. */
S2_OWN int64_t take_restarts(void);

#endif

/* Whether a run may hold a lasso: the same state twice, without progress in between. */
#ifndef STAGE2FUZZ_LASSO_H
#define STAGE2FUZZ_LASSO_H

#include "linkage.h"

S2_OWN int may_be_lasso(void);

#endif

/* A configuration of the machine: kept, taken up again, and told from others.
 *
 * All writable memory of the library is state unless kernel/memory.py says why it is none, so that
 * what a module adds later is kept without being named. Arrays that are mostly unused are kept as
 * far as they are in use.
 */
#ifndef STAGE2FUZZ_SNAPSHOT_H
#define STAGE2FUZZ_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>
#include "linkage.h"

/* How much of a thread's stack below its top may hold what it left there. */
#define S2_LEFTOVER 8192

/* Writable memory, as pairs of an offset from s2_interface() and a size. 0: too many. */
S2_OWN int set_memory(const int64_t *pairs, int count);
/* Forget all snapshots; afterwards snapshots come and go as on a stack. */
S2_OWN void reset_snapshots(void);
/* Keep the machine as it is: where, which is never 0; 0 where memory is short. */
S2_OWN size_t take_snapshot(void);
S2_OWN void restore_snapshot(size_t at);
/* Forget the snapshot at `at`, and all that were taken after it. */
S2_OWN void drop_snapshot(size_t at);
/* Bytes that snapshots take now. */
S2_OWN size_t snapshot_bytes(void);
/* What tells the machine from others that behave differently; statistics are none of it. With
 * `faults`, how many faults each access took is. */
S2_OWN uint64_t machine_key(int faults);
/* The running thread stopped: nothing below its stack pointer counts. */
S2_OWN void clean_stack(int thread);

#endif

/* EL2's ticket locks: each blocks in the scheduler, known by its address. */
#ifndef STAGE2FUZZ_EL2_SPINLOCK_H
#define STAGE2FUZZ_EL2_SPINLOCK_H
typedef union hyp_spinlock { u32 __val; } hyp_spinlock_t;
#define __HYP_SPIN_LOCK_UNLOCKED ((hyp_spinlock_t){ 0 })
#define DEFINE_HYP_SPINLOCK(x) hyp_spinlock_t x = { 0 }
#define hyp_spin_lock_init(l) ((l)->__val = 0)
#define hyp_spin_lock(l) s2_lock_at(l)
#define hyp_spin_unlock(l) s2_unlock_at(l)
#define hyp_spin_is_locked(l) s2_is_locked_at(l)
#define hyp_assert_lock_held(l) do { if (!s2_is_locked_at(l)) s2_bug(); } while (0)
#endif

/* Shared memory and locks: entries become events, everything else is plain memory. */

#define S2_IS_ENTRY(p) (sizeof(*(p)) == 8 && s2_is_entry(p))
/* As in the kernel, each of these evaluates its arguments once. */
#define READ_ONCE(x) \
	({ \
		const volatile typeof(x) *s2_at = &(x); \
		S2_IS_ENTRY(s2_at) ? (typeof(x))s2_entry_load(s2_at) : *s2_at; \
	})
#define S2_STORE_ONCE(p, value, order) \
	do { \
		volatile typeof(*(p)) *s2_at = (p); \
		typeof(*(p)) s2_value = (value); \
		if (S2_IS_ENTRY(s2_at)) \
			s2_entry_store(s2_at, (s2_u64)s2_value, order); \
		else \
			*s2_at = s2_value; \
	} while (0)
#define WRITE_ONCE(x, value) S2_STORE_ONCE(&(x), value, S2_ORDER_PLAIN)
#define smp_store_release(p, value) S2_STORE_ONCE(p, value, S2_ORDER_RELEASE)
#define smp_load_acquire(p) READ_ONCE(*(p))
/* What reads and writes an entry in one instruction is one step. */
#define cmpxchg(p, old, new) \
	({ \
		volatile typeof(*(p)) *s2_at = (p); \
		typeof(*(p)) s2_old = (old), s2_new = (new), s2_seen; \
		if (S2_IS_ENTRY(s2_at)) { \
			s2_seen = (typeof(*(p)))s2_entry_cmpxchg(s2_at, (s2_u64)s2_old, \
								 (s2_u64)s2_new); \
		} else { \
			s2_seen = *s2_at; \
			if (s2_seen == s2_old) \
				*s2_at = s2_new; \
		} \
		s2_seen; \
	})
#define cmpxchg_relaxed cmpxchg
#define cmpxchg64 cmpxchg
#define xchg(p, value) \
	({ \
		volatile typeof(*(p)) *s2_at = (p); \
		typeof(*(p)) s2_new = (value), s2_seen; \
		if (S2_IS_ENTRY(s2_at)) { \
			s2_seen = (typeof(*(p)))s2_entry_xchg(s2_at, (s2_u64)s2_new); \
		} else { \
			s2_seen = *s2_at; \
			*s2_at = s2_new; \
		} \
		s2_seen; \
	})
#define S2_BARRIER_ish S2_DSB_ISH
#define S2_BARRIER_ishst S2_DSB_ISHST
#define S2_BARRIER_nsh S2_DSB_NSH
#define S2_BARRIER_nshst S2_DSB_NSHST
#define dsb(domain) s2_barrier(S2_BARRIER_##domain)
#define isb() s2_isb()
#define smp_mb() s2_barrier(S2_DMB_ISH)
#define smp_wmb() s2_barrier(S2_DMB_ISHST)
#define smp_rmb() barrier()

struct s2_named_lock { int name; };
typedef struct s2_named_lock spinlock_t, rwlock_t, hyp_spinlock_t;
struct mutex { int unused; };
#define DEFINE_MUTEX(x) struct mutex x
#define mutex_lock(m) ((void)(m))
#define mutex_unlock(m) ((void)(m))
#define mutex_is_locked(m) 1
#define spin_lock(l) s2_lock((l)->name, 0)
#define spin_unlock(l) s2_unlock((l)->name, 0)
#define write_lock(l) s2_lock((l)->name, 0)
#define write_unlock(l) s2_unlock((l)->name, 0)
#define read_lock(l) s2_lock((l)->name, 1)
#define read_unlock(l) s2_unlock((l)->name, 1)
#define lockdep_assert_held(l) ((void)(l))
#define lockdep_assert_held_write(l) ((void)(l))
#define lockdep_assert_held_read(l) ((void)(l))
#define assert_spin_locked(l) ((void)(l))
#define need_resched() 0
#define spin_needbreak(l) s2_lock_contended((l)->name)
#define rwlock_needbreak(l) s2_lock_contended((l)->name)
#define cond_resched() ((void)0)
static inline bool s2_break_lock(const struct s2_named_lock *lock)
{
	if (!s2_lock_contended(lock->name))
		return false;
	s2_unlock(lock->name, 0);
	s2_lock(lock->name, 0);
	return true;
}
#define cond_resched_lock(l) s2_break_lock(l)
#define cond_resched_rwlock_write(l) s2_break_lock(l)
#define lockdep_assert_irqs_enabled() ((void)0)
void s2_user_walk_begins(void);
#define local_irq_save(flags) ((void)(flags = 0), s2_user_walk_begins())
#define local_irq_restore(flags) ((void)(flags))
#define preempt_disable() ((void)0)
#define preempt_enable() ((void)0)
#define rcu_read_lock() s2_rcu_lock()
#define rcu_read_unlock() s2_rcu_unlock()
#define rcu_read_lock_held() 1
#define rcu_dereference_check(p, c) (p)
#define rcu_dereference_raw(p) (p)
#define rcu_dereference(p) (p)
struct rcu_head { void *next; void (*func)(struct rcu_head *); };
#define call_rcu(head, callback) s2_defer((head), (void (*)(void *))(callback))
struct srcu_struct { int unused; };
#define srcu_read_lock(s) ({ (void)(s); s2_slots_read_lock(); 0; })
#define srcu_read_unlock(s, i) do { (void)(s); (void)(i); s2_slots_read_unlock(); } while (0)
struct work_struct { int unused; };
typedef struct { long counter; } atomic_long_t, atomic64_t;
typedef struct { int counter; } atomic_t;
#define test_bit(bit, word) (*(word) >> (bit) & 1)
#define set_bit(bit, word) ((void)(*(word) |= 1UL << (bit)))
#define atomic_read(v) ((v)->counter)
#define atomic64_read(v) ((v)->counter)

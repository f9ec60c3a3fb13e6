/*
 * The program that confirm boots as /init: it makes one virtual machine a case, drives KVM's own
 * ioctls, and says what it saw. Orders come and answers go line by line over the console; an answer
 * starts with "S2 ", so that what the kernel prints beside it can be told apart.
 */
#ifndef GUEST_H
#define GUEST_H

#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <sys/types.h>

#define PAGE 4096ul
#define BLOCK (2ul << 20)
#define BASE_IPA 0x40000000ul
#define CODE_IPA 0x10000000ul
#define DOOR_IPA 0x0a000000ul /* where the guest asks for work and reports it: an MMIO exit */
#define MAX_SLOTS 2
#define MAX_VCPUS 8
#define MAX_HOSTS 2
#define MAX_ITEMS 4
#define MAX_GRANTS 4
#define MAX_THREADS (MAX_VCPUS + MAX_HOSTS)

enum backing { BACKED_BY_PAGES, BACKED_BY_PMD, BACKED_BY_PUD };
enum slot_flag { SLOT_READONLY = 1, SLOT_LOGGING = 2, SLOT_SKEWED = 4 };
enum access { READ, WRITE, EXECUTE };

struct slot {
	uint64_t ipa, pages;
	int backing, flags;
	int logging, deleted;
	char *memory;  /* where the host keeps the slot */
	char *mapping; /* what was mapped for it, and how much */
	size_t mapped;
	uint64_t *bits; /* the dirty log, as the last harvest gave it */
};

struct item {
	char name[16]; /* an access's "read", "write", "execute", or a host operation */
	int slot;
	uint64_t page, pages;
	long result;	   /* 0, or a negative errno */
	uint64_t value;	   /* what an access read or wrote */
	uint64_t begin, end; /* nanoseconds of CLOCK_MONOTONIC; end 0: not over */
	uint64_t *bits;	     /* what a harvest of its own reported; 0 of anything else */
};

struct thread {
	int number, is_vcpu, items;
	struct item item[MAX_ITEMS];
	int fd; /* of a vCPU */
	struct kvm_run *run;
	pthread_t self;
	sem_t go, parked;
	int from, to; /* items to run when told to go */
	int quit;
};

struct machine {
	int kvm, vm, slots, threads, made, grants;
	struct slot slot[MAX_SLOTS];
	struct thread thread[MAX_THREADS];
	struct grant { int slot; uint64_t page; char what[12]; } grant[MAX_GRANTS];
	int sparse; /* the pages that a case names are touched, and no others */
	int clears; /* the log is cleared by KVM_CLEAR_DIRTY_LOG */
};

extern struct machine machine;

/* console.c */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void die(const char *what) __attribute__((noreturn));
int next_line(char *line, int size);
uint64_t now(void);
int put(const char *path, const char *text);

/* memory.c */
void make_slot(struct slot *slot);
void drop_slot(struct slot *slot);
void settle(struct slot *slot, uint64_t page);
void populate(void);
void tell_backing(void);
void give(const struct grant *grant);
int can_age(void);
long age(const struct slot *slot, uint64_t first, uint64_t pages);

/* vm.c */
void make_machine(void);
void drop_machine(void);
int set_slot(int number, int logging, int present);
long harvest(int number, uint64_t *bits);
void to_the_door(struct thread *vcpu);
long guest_access(struct thread *thread, int kind, uint64_t ipa, uint64_t *value);

/* threads.c */
void start_threads(void);
void stop_threads(void);
void run_together(void);
void run_alone(int thread);
long host_operation(struct item *item);

/* probe.c */
void probe(int log_first);
void tell_logs(void);

/* watch.c */
void watch_start(void);
void watch_clear(void);
void tell_faults(const char *phase);
void tell_kernel_log(const char *phase);
void tell_symbol(const char *name);
void tell_name(uint64_t address);

#endif

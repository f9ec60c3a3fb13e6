/* Reading a scenario, in the order in which native.encode() writes it. */
#include "scenario.h"

struct s2_scenario s2_scenario;

/* What is left to read, and how many numbers were read past the end or are out of their range. */
struct reader {
	const int64_t *at, *end;
	int wrong;
};

static int64_t next_number(struct reader *from)
{
	if (from->at < from->end)
		return *from->at++;
	from->wrong++;
	return 0;
}

/* A count, from 0 to `most`: it becomes the bound of a loop and of an array. */
static int next_count(struct reader *from, int most)
{
	int64_t count = next_number(from);

	if (count >= 0 && count <= most)
		return (int)count;
	from->wrong++;
	return 0;
}

static int next_int(struct reader *from)
{
	return (int)next_number(from);
}

static void read_slots(struct reader *from, struct s2_scenario *to)
{
	to->slots = next_count(from, S2_MAX_SLOTS);
	for (int i = 0; i < to->slots; i++) {
		to->slot[i].pages = next_int(from);
		to->slot[i].first = next_int(from);
		to->slot[i].backing = next_int(from);
		to->slot[i].readonly = next_int(from);
		to->slot[i].logging = next_int(from);
		to->slot[i].skewed = next_int(from);
		to->slot[i].hugetlb = next_int(from);
		to->slot[i].contiguous = next_int(from);
	}
}

static void read_threads(struct reader *from, struct s2_scenario *to)
{
	to->vcpus = next_count(from, S2_MAX_VCPUS);
	for (int i = 0; i < to->vcpus; i++) {
		to->vcpu[i].accesses = next_count(from, S2_MAX_ACCESSES);
		for (int j = 0; j < to->vcpu[i].accesses; j++) {
			to->vcpu[i].access[j].kind = next_int(from);
			to->vcpu[i].access[j].page = next_number(from);
		}
	}
	to->hosts = next_count(from, S2_MAX_HOST_THREADS);
	for (int i = 0; i < to->hosts; i++) {
		to->host[i].ops = next_count(from, S2_MAX_HOST_OPS);
		for (int j = 0; j < to->host[i].ops; j++) {
			to->host[i].op[j].op = next_int(from);
			to->host[i].op[j].page = next_number(from);
			to->host[i].op[j].pages = next_number(from);
		}
	}
}

S2_OWN int64_t read_scenario(const int64_t *numbers, int64_t length)
{
	struct reader from = { numbers, numbers + length, 0 };
	struct s2_scenario *to = &s2_scenario;

	to->ipa_bits = next_int(&from);
	to->tlb = next_int(&from);
	to->hardware_af = next_int(&from);
	to->dic = next_int(&from);
	to->fwb = next_int(&from);
	to->cache_pages = next_int(&from);
	to->failing_topup = next_int(&from);
	to->teardown = next_int(&from);
	to->failing_atomic = next_int(&from);
	to->vhe = next_int(&from);
	to->manual = next_int(&from);
	to->logs_begin_set = next_int(&from);
	to->failing_alloc = next_int(&from);
	to->nested = next_count(&from, S2_MAX_NESTED);
	if (!s2_has_nested)
		to->nested = 0;
	to->dirty_ring = next_int(&from);
	to->pending_stores = next_int(&from);
	to->vncr = next_int(&from) && to->nested;
	read_slots(&from, to);
	read_threads(&from, to);
	to->host_pages = next_count(&from, S2_MAX_HOST_PAGES);
	for (int i = 0; i < to->host_pages; i++) {
		to->host_page[i].page = next_number(&from);
		to->host_page[i].host = next_int(&from);
	}
	return from.wrong ? -from.wrong : from.at - numbers;
}

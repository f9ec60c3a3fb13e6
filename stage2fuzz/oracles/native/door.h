/* Who asks the judge, and what is remembered between two runs; after what was translated. */


#define MOST_SETS 1024

/* What became of a run: judge.py has the same numbers. */
enum verdict { SILENT, KNOWN, NEW, LEFT, SAMPLE };

/* Of the last run; `number` is its set's, in the order in which they were new, -1 for none. */
struct verdict_told {
	int64_t verdict, number;
	uint64_t set, spoke[2];
};

/* Which sets of keys Python has worded, and how many runs had each. */
static struct {
	uint64_t set;
	int64_t runs;
} known[MOST_SETS];
static int64_t known_count, silent, sample_every;
static int32_t vcpus, threads;
static struct verdict_told last;

static uint64_t set_of_keys(void)
{
	uint64_t set = (uint64_t)keys_count;

	for (word i = 0; i < keys_count; i++)
		set += keys[i] * (keys[i] | 1);
	return set ? set : 1;
}

/* From now on the runs are of so many vCPUs and threads; `rules_` has a bit for each, in the order
 * of their dataclass. Whether there is memory for it. */
PUBLIC int32_t judge_scenario(int32_t vcpus_, int32_t threads_, uint64_t rules_)
{
	if (!arena)
		arena = malloc(ARENA_BYTES);
	vcpus = vcpus_;
	threads = threads_;
	if (arena)
		set_rules(rules_);
	return arena != NULL;
}

/* Forget which sets were seen; of `every` runs that nobody objects to Python sees one, 0: none. */
PUBLIC void judge_begin(int64_t every)
{
	sample_every = every;
	known_count = 0;
}

static int judged(const struct s2_event *events, int32_t count, int32_t lasso)
{
	if (!arena || setjmp(left_to_python))
		return 0;
	arena_top = arena;
	keys_count = depth = 0;
	spoke[0] = spoke[1] = 0;
	follow(events, count, vcpus, threads, lasso);
	return 1;
}

static enum verdict verdict_of(const struct s2_event *events, int32_t count, int32_t lasso)
{
	last.number = -1;
	if (!judged(events, count, lasso))
		return LEFT;
	if (!keys_count)
		return sample_every && ++silent % sample_every == 0 ? SAMPLE : SILENT;
	last.set = set_of_keys();
	last.spoke[0] = spoke[0];
	last.spoke[1] = spoke[1];
	for (int64_t i = 0; i < known_count; i++)
		if (known[i].set == last.set) {
			known[i].runs++;
			last.number = i;
			return KNOWN;
		}
	if (known_count < MOST_SETS) {
		known[known_count].set = last.set;
		known[known_count].runs = 1;
		last.number = known_count++;
	}
	return NEW;
}

/* Judge a run: 0 where Python need not look at it, else why (enum verdict). */
PUBLIC int32_t judge_run(const struct s2_event *events, int32_t count, int32_t lasso)
{
	last.verdict = verdict_of(events, count, lasso);
	return last.verdict > KNOWN ? (int32_t)last.verdict : 0;
}

PUBLIC void judge_last(struct verdict_told *told)
{
	*told = last;
}

/* Runs that had the set of a number, the first included. */
PUBLIC int64_t judge_runs(int64_t number)
{
	return number < known_count ? known[number].runs : 0;
}

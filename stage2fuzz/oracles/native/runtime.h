/* What the translated oracles are made of: one word a value, an arena a run.
 *
 * Whatever Python would answer otherwise than 64 bits can (an overflow, a missing key, a deep
 * recursion), and an arena that is full, leaves the run to Python. So does what would be a bug
 * there: it says so in its own words.
 */
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef int64_t word;
typedef uint64_t bits;

#define PUBLIC __attribute__((visibility("default")))
#define OWN static inline __attribute__((unused))
#define RARE(test) __builtin_expect(!!(test), 0)
/* None. A run with this number among its fields is left to Python. */
#define NONE INT64_MIN
#define ARENA_BYTES (4UL << 20)
#define MOST_DEPTH 100
#define MOST_KEYS 64

struct s2_event {
	int16_t kind, thread;
	int32_t aux;
	int64_t where, old, new_;
};

struct list {
	word *at, n, room;
};

struct entry {
	word key, value, live;
};

struct dict {
	struct entry *entry;
	/* Open addressing, from the ninth entry on. */
	int32_t *index;
	/* Words of a key that is a tuple; 0: the key is a word. */
	word width, n, room, live, mask;
};

static char *arena, *arena_top;
static jmp_buf left_to_python;
static word depth;
static bits keys[MOST_KEYS];
static word keys_count;
static bits spoke[2];

#define LIST(value) ((struct list *)(value))
#define DICT(value) ((struct dict *)(value))
#define TUPLE(value) ((word *)(value))
#define EVENT(value) ((const struct s2_event *)(value))

OWN void leave(void)
{
	longjmp(left_to_python, 1);
}

OWN void *take(word bytes)
{
	char *at = arena_top;

	arena_top += bytes;
	if (RARE(arena_top > arena + ARENA_BYTES))
		leave();
	return at;
}

OWN word add(word a, word b)
{
	word sum;

	if (RARE(__builtin_add_overflow(a, b, &sum)))
		leave();
	return sum;
}

OWN word subtract(word a, word b)
{
	word rest;

	if (RARE(__builtin_sub_overflow(a, b, &rest)))
		leave();
	return rest;
}

OWN word multiply(word a, word b)
{
	word product;

	if (RARE(__builtin_mul_overflow(a, b, &product)))
		leave();
	return product;
}

OWN word divide(word a, word b)
{
	if (RARE(b == 0 || (b == -1 && a == INT64_MIN)))
		leave();
	return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

OWN word modulo(word a, word b)
{
	return subtract(a, multiply(divide(a, b), b));
}

OWN word shift_left(word a, word by)
{
	if (RARE(by < 0 || (by > 62 && a)))
		leave();
	if (!a)
		return 0;
	if (RARE((word)((bits)a << by) >> by != a))
		leave();
	return (word)((bits)a << by);
}

OWN word shift_right(word a, word by)
{
	if (RARE(by < 0))
		leave();
	return a >> (by > 63 ? 63 : by);
}

OWN word smaller(word a, word b)
{
	return a < b ? a : b;
}

OWN word larger(word a, word b)
{
	return a > b ? a : b;
}

OWN word blend(word a, word b)
{
	bits hash = ((bits)a ^ (bits)b * 0x9E3779B97F4A7C15ULL) * 0xD6E8FEB86659FD93ULL;

	return (word)(hash ^ hash >> 32);
}

/* Lists, which stand for Python's tuples of any length too. */

OWN word list_new(void)
{
	struct list *list = take(sizeof(*list));

	list->at = NULL;
	list->n = list->room = 0;
	return (word)list;
}

OWN void list_append(word of, word value)
{
	struct list *list = LIST(of);

	if (list->n == list->room) {
		word room = list->room ? 2 * list->room : 4;
		word *at = take(room * (word)sizeof(*at));

		if (list->n)
			memcpy(at, list->at, (size_t)list->n * sizeof(*at));
		list->at = at;
		list->room = room;
	}
	list->at[list->n++] = value;
}

OWN word list_place(word of, word at)
{
	if (at < 0)
		at += LIST(of)->n;
	if (RARE(at < 0 || at >= LIST(of)->n))
		leave();
	return at;
}

OWN word list_get(word of, word at)
{
	return LIST(of)->at[list_place(of, at)];
}

OWN void list_set(word of, word at, word value)
{
	LIST(of)->at[list_place(of, at)] = value;
}

OWN word list_pop(word of, word at)
{
	struct list *list = LIST(of);
	word value;

	at = list_place(of, at);
	value = list->at[at];
	memmove(list->at + at, list->at + at + 1, (size_t)(list->n - at - 1) * sizeof(value));
	list->n--;
	return value;
}

OWN int same_key(word a, word b, word width)
{
	if (!width)
		return a == b;
	for (word i = 0; i < width; i++)
		if (TUPLE(a)[i] != TUPLE(b)[i])
			return 0;
	return 1;
}

/* Where `value` is, whose elements are tuples of `width` words (0: are words); -1 if nowhere. */
OWN word list_find(word of, word value, word width)
{
	for (word i = 0; i < LIST(of)->n; i++)
		if (same_key(LIST(of)->at[i], value, width))
			return i;
	return -1;
}

OWN word list_index(word of, word value, word width)
{
	word at = list_find(of, value, width);

	if (RARE(at < 0))
		leave();
	return at;
}

OWN word list_cut(word of, word from, word to)
{
	struct list *list = LIST(of);
	word cut = list_new();

	from = from < 0 ? larger(0, from + list->n) : from;
	to = to < 0 ? to + list->n : smaller(to, list->n);
	for (word i = from; i < to; i++)
		list_append(cut, list->at[i]);
	return cut;
}

OWN word list_times(word value, word times)
{
	word list = list_new();

	for (word i = 0; i < times; i++)
		list_append(list, value);
	return list;
}

OWN word list_equal(word a, word b, word width)
{
	if (LIST(a)->n != LIST(b)->n)
		return 0;
	for (word i = 0; i < LIST(a)->n; i++)
		if (!same_key(LIST(a)->at[i], LIST(b)->at[i], width))
			return 0;
	return 1;
}

OWN word list_smallest(word of)
{
	word least = list_get(of, 0);

	for (word i = 1; i < LIST(of)->n; i++)
		least = smaller(least, LIST(of)->at[i]);
	return least;
}

OWN word list_largest(word of)
{
	word most = list_get(of, 0);

	for (word i = 1; i < LIST(of)->n; i++)
		most = larger(most, LIST(of)->at[i]);
	return most;
}

OWN word list_sum(word of)
{
	word sum = 0;

	for (word i = 0; i < LIST(of)->n; i++)
		sum = add(sum, LIST(of)->at[i]);
	return sum;
}

OWN word list_once_each(word of)
{
	word list = list_new();

	for (word i = 0; i < LIST(of)->n; i++)
		if (list_find(list, LIST(of)->at[i], 0) < 0)
			list_append(list, LIST(of)->at[i]);
	return list;
}

OWN int before(word a, word b, word width)
{
	if (!width)
		return a < b;
	for (word i = 0; i < width; i++)
		if (TUPLE(a)[i] != TUPLE(b)[i])
			return TUPLE(a)[i] < TUPLE(b)[i];
	return 0;
}

/* By insertion: nothing here is long, and what comes from a dictionary is nearly sorted. */
OWN word list_sorted(word of, word width)
{
	word list = list_cut(of, 0, LIST(of)->n);

	for (word i = 1; i < LIST(list)->n; i++) {
		word value = LIST(list)->at[i], at = i;

		for (; at > 0 && before(value, LIST(list)->at[at - 1], width); at--)
			LIST(list)->at[at] = LIST(list)->at[at - 1];
		LIST(list)->at[at] = value;
	}
	return list;
}

/* Dictionaries, in the order of insertion. */

OWN word dict_new(word width)
{
	struct dict *dict = take(sizeof(*dict));

	memset(dict, 0, sizeof(*dict));
	dict->width = width;
	return (word)dict;
}

OWN bits hash_of(word key, word width)
{
	bits hash = width ? 0 : (bits)key;

	for (word i = 0; i < width; i++)
		hash = hash * 31 + (bits)TUPLE(key)[i];
	return ((hash >> 3 ^ hash >> 12) + hash) * 0x9E3779B97F4A7C15ULL >> 20;
}

OWN word dict_find(word of, word key)
{
	struct dict *dict = DICT(of);

	if (!dict->live)
		return -1;
	if (!dict->index) {
		for (word i = 0; i < dict->n; i++)
			if (dict->entry[i].live && same_key(dict->entry[i].key, key, dict->width))
				return i;
		return -1;
	}
	for (word at = (word)hash_of(key, dict->width) & dict->mask;; at = (at + 1) & dict->mask) {
		word i = dict->index[at];

		if (i < 0)
			return -1;
		if (dict->entry[i].live && same_key(dict->entry[i].key, key, dict->width))
			return i;
	}
}

OWN void dict_place(struct dict *dict, word i)
{
	word at = (word)hash_of(dict->entry[i].key, dict->width) & dict->mask;

	while (dict->index[at] >= 0)
		at = (at + 1) & dict->mask;
	dict->index[at] = (int32_t)i;
}

/* More room, without the entries that are gone. */
OWN void dict_grow(struct dict *dict)
{
	word room = larger(4, 2 * dict->live), n = 0;
	struct entry *entry = take(room * (word)sizeof(*entry));

	for (word i = 0; i < dict->n; i++)
		if (dict->entry[i].live)
			entry[n++] = dict->entry[i];
	dict->entry = entry;
	dict->n = n;
	dict->room = room;
	dict->index = NULL;
	if (room <= 8)
		return;
	for (dict->mask = 16; dict->mask < 2 * room; dict->mask *= 2)
		;
	dict->index = take(dict->mask * (word)sizeof(*dict->index));
	memset(dict->index, 0xff, (size_t)dict->mask * sizeof(*dict->index));
	dict->mask--;
	for (word i = 0; i < n; i++)
		dict_place(dict, i);
}

OWN void dict_add(word of, word key, word value)
{
	struct dict *dict = DICT(of);

	if (dict->n == dict->room)
		dict_grow(dict);
	dict->entry[dict->n] = (struct entry){ key, value, 1 };
	if (dict->index)
		dict_place(dict, dict->n);
	dict->n++;
	dict->live++;
}

OWN word dict_get(word of, word key, word otherwise)
{
	word i = dict_find(of, key);

	return i < 0 ? otherwise : DICT(of)->entry[i].value;
}

OWN word dict_must(word of, word key)
{
	word i = dict_find(of, key);

	if (RARE(i < 0))
		leave();
	return DICT(of)->entry[i].value;
}

OWN void dict_set(word of, word key, word value)
{
	word i = dict_find(of, key);

	if (i < 0)
		dict_add(of, key, value);
	else
		DICT(of)->entry[i].value = value;
}

OWN word dict_setdefault(word of, word key, word value)
{
	word i = dict_find(of, key);

	if (i >= 0)
		return DICT(of)->entry[i].value;
	dict_add(of, key, value);
	return value;
}

OWN word dict_pop(word of, word key, word otherwise)
{
	word i = dict_find(of, key);

	if (i < 0)
		return otherwise;
	DICT(of)->entry[i].live = 0;
	DICT(of)->live--;
	return DICT(of)->entry[i].value;
}

OWN word dict_take(word of, word key)
{
	word value = dict_must(of, key);

	dict_pop(of, key, 0);
	return value;
}

OWN void dict_clear(word of)
{
	struct dict *dict = DICT(of);

	dict->n = dict->room = dict->live = 0;
	dict->entry = NULL;
	dict->index = NULL;
}

/* Who speaks. */

OWN word heard(word key)
{
	for (word i = 0; i < keys_count; i++)
		if (keys[i] == (bits)key)
			return 1;
	return 0;
}

OWN word say(int oracle, word key)
{
	spoke[oracle >> 6] |= 1ULL << (oracle & 63);
	if (heard(key))
		return 0;
	if (RARE(keys_count == MOST_KEYS))
		leave();
	keys[keys_count++] = (bits)key;
	return 0;
}

/* The words of table memory that ever changed while a search went on. */
#include <stdint.h>
#include <string.h>
#include "words.h"

struct s2_words s2_words;

static uint64_t noted[S2_ARENA_SIZE / 8 / 64];

S2_OWN void begin_words(void)
{
	memset(noted, 0, sizeof(noted));
	s2_words.count = s2_words.full = 0;
	s2_words.noting = 1;
}

S2_OWN void end_words(void)
{
	s2_words.noting = 0;
}

S2_OWN void note_new_word(volatile s2_u64 *at, s2_u64 old)
{
	unsigned long word = (unsigned long)((volatile char *)at - s2_arena) / 8;

	if (word >= S2_ARENA_SIZE / 8 || noted[word / 64] >> (word & 63) & 1)
		return;
	noted[word / 64] |= 1ULL << (word & 63);
	if (s2_words.count == S2_MOST_WORDS) {
		s2_words.full = 1;
		return;
	}
	s2_words.word[s2_words.count].at = at;
	s2_words.word[s2_words.count++].first = old;
}

/* The words of table memory that ever changed while a search went on: all that it has to keep. */
#ifndef STAGE2FUZZ_WORDS_H
#define STAGE2FUZZ_WORDS_H

#include "linkage.h"
#include "seam.h"

#define S2_MOST_WORDS 16384

struct s2_word {
	volatile s2_u64 *at;
	/* What it was when the search began. */
	s2_u64 first;
};

struct s2_words {
	/* Somebody wants to know, and there are more than there is room for. */
	int noting, full, count;
	struct s2_word word[S2_MOST_WORDS];
};

extern struct s2_words s2_words;

/* Begin to note them, of memory that is all zero but for what set-up left; or stop. */
S2_OWN void begin_words(void);
S2_OWN void end_words(void);
S2_OWN void note_new_word(volatile s2_u64 *at, s2_u64 old);

/* A word is about to change, or just did, from `old`. */
static inline void note_word(volatile s2_u64 *at, s2_u64 old)
{
	if (__builtin_expect(s2_words.noting, 0))
		note_new_word(at, old);
}

#endif

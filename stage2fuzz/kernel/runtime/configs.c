/* The configurations that a search has been to: a table that grows with them. */
#include <stdlib.h>
#include <string.h>
#include "configs.h"

#define FEWEST (1UL << 14)

static struct {
	struct config *at;
	size_t room, used;
} configs;

S2_OWN void reset_configs(void)
{
	free(configs.at);
	memset(&configs, 0, sizeof(configs));
}

S2_OWN size_t config_bytes(void)
{
	return configs.room * sizeof(*configs.at);
}

static struct config *find(struct config *at, size_t room, uint64_t key)
{
	size_t i = (size_t)(key ^ key >> 32) & (room - 1);

	while (at[i].key && at[i].key != key)
		i = (i + 1) & (room - 1);
	return &at[i];
}

/* Whether there is room for one more. */
static int make_room(size_t bytes)
{
	size_t room = configs.room ? 2 * configs.room : FEWEST;
	struct config *more;

	if (configs.used < configs.room / 4 * 3)
		return 1;
	/* The old table and the new one are there together. */
	if (configs.room && (room + configs.room) * sizeof(*more) > bytes)
		return 0;
	more = calloc(room, sizeof(*more));
	if (!more)
		return 0;
	for (size_t i = 0; i < configs.room; i++)
		if (configs.at[i].key)
			*find(more, room, configs.at[i].key) = configs.at[i];
	free(configs.at);
	configs.at = more;
	configs.room = room;
	return 1;
}

S2_OWN struct config *config_of(uint64_t key, size_t bytes, int *fresh)
{
	struct config *found;

	if (!make_room(bytes))
		return NULL;
	found = find(configs.at, configs.room, key ? key : 1);
	*fresh = !found->key;
	if (*fresh) {
		found->key = key ? key : 1;
		configs.used++;
	}
	return found;
}

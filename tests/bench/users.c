/* SPDX-License-Identifier: BSD-2-Clause */
/* The ring of idle users. */
#include "bench/users.h"

#include <errno.h>
#include <stdlib.h>

int users_init(struct users *users, uint32_t count)
{
	users->all = calloc(count, sizeof(*users->all));
	users->ring = calloc(count, sizeof(*users->ring));
	users->count = count;
	users->first = 0;
	users->idle = 0;
	if (!users->all || !users->ring)
		return ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		users_give_back(users, &users->all[i]);
	return 0;
}

void users_free(struct users *users)
{
	free(users->all);
	free(users->ring);
}

struct user *users_take(struct users *users)
{
	uint32_t index;

	if (!users->idle)
		return NULL;
	index = users->ring[users->first];
	users->first = (users->first + 1) % users->count;
	users->idle--;
	return &users->all[index];
}

void users_give_back(struct users *users, struct user *user)
{
	uint32_t last = (users->first + users->idle++) % users->count;

	user->state = USER_IDLE;
	users->ring[last] = (uint32_t)(user - users->all);
}

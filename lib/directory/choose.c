/* SPDX-License-Identifier: BSD-2-Clause */
/* Which next hop of several: priority, weight, and whether it answers. */
#include "directory/directory.h"

#define HOPS_MAX 32

struct candidates {
	uint32_t hops; /* bits */
	uint64_t weight;
};

/* Those of the lowest priority not tried yet, all down or all not. */
static struct candidates find(const struct directory_hops *hops, uint32_t tried,
			      uint32_t down)
{
	struct candidates found = { 0 };
	unsigned priority = 0;

	for (size_t i = 0; i < hops->count && i < HOPS_MAX; i++) {
		const struct directory_server *server = &hops->servers[i];

		if ((tried | down) >> i & 1)
			continue;
		if (found.hops && server->priority != priority)
			break;
		priority = server->priority;
		found.hops |= UINT32_C(1) << i;
		found.weight += server->weight;
	}
	return found;
}

static int draw(const struct directory_hops *hops,
		const struct candidates *candidates, uint32_t key)
{
	uint64_t pick = candidates->weight ? key % candidates->weight : 0;
	int last = -1;

	for (int i = 0; i < HOPS_MAX; i++) {
		if (!(candidates->hops >> i & 1))
			continue;
		last = i;
		/* Without any weight the first is as good as all. */
		if (!candidates->weight || pick < hops->servers[i].weight)
			return i;
		pick -= hops->servers[i].weight;
	}
	return last;
}

int directory_choose(const struct directory_hops *hops, uint32_t key,
		     uint32_t tried, directory_is_down_h *is_down, void *arg)
{
	struct candidates candidates;
	uint32_t down = 0;

	for (size_t i = 0; i < hops->count && i < HOPS_MAX; i++) {
		if (is_down(arg, hops->servers[i].uri))
			down |= UINT32_C(1) << i;
	}
	candidates = find(hops, tried, down);
	if (!candidates.hops)
		candidates = find(hops, tried, 0);
	return draw(hops, &candidates, key);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Token buckets in a hash table, the one used last at its end. */
#include "base/quota.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/keyed_hash.h"

#define MS 1000u

struct bucket {
	UT_hash_handle hh;
	uint64_t filled_ms; /* up to here */
	uint64_t content;   /* thousandths of a request */
	char key[];
};

struct quota {
	uint32_t rate; /* requests a second: thousandths a millisecond */
	uint64_t burst;
	size_t keys_max;
	struct bucket *buckets; /* in the order of their last use */
};

int quota_create(struct quota **quotap, uint32_t rate, uint32_t burst,
		 size_t keys_max)
{
	struct quota *quota = calloc(1, sizeof(*quota));

	if (!quota)
		return ENOMEM;
	quota->keys_max = keys_max ? keys_max : 1;
	quota_set(quota, rate, burst);
	*quotap = quota;
	return 0;
}

static void forget(struct quota *quota, struct bucket *bucket)
{
	HASH_DEL(quota->buckets, bucket);
	free(bucket);
}

void quota_destroy(struct quota *quota)
{
	if (!quota)
		return;
	while (quota->buckets)
		forget(quota, quota->buckets);
	free(quota);
}

void quota_set(struct quota *quota, uint32_t rate, uint32_t burst)
{
	quota->rate = rate;
	quota->burst = (burst ? burst : 1) * (uint64_t)MS;
}

/* A full bucket of this key; NULL: out of memory. */
static struct bucket *create(struct quota *quota, const char *key)
{
	struct bucket *bucket = calloc(1, sizeof(*bucket) + strlen(key) + 1);

	if (!bucket)
		return NULL;
	if (HASH_COUNT(quota->buckets) >= quota->keys_max)
		forget(quota, quota->buckets);
	strcpy(bucket->key, key);
	bucket->filled_ms = clock_monotonic_ms();
	bucket->content = quota->burst;
	return bucket;
}

static void fill(const struct quota *quota, struct bucket *bucket)
{
	uint64_t now_ms = clock_monotonic_ms();
	uint64_t away_ms = now_ms - bucket->filled_ms;

	/* Before it is multiplied: after months it may not have a place. */
	if (away_ms > quota->burst / quota->rate)
		bucket->content = quota->burst;
	else
		bucket->content += away_ms * quota->rate;
	if (bucket->content > quota->burst)
		bucket->content = quota->burst;
	bucket->filled_ms = now_ms;
}

/* False: out of memory, and it is gone. */
static bool put_last(struct quota *quota, struct bucket *bucket)
{
	HASH_ADD_KEYPTR(hh, quota->buckets, bucket->key, strlen(bucket->key),
			bucket);
	if (bucket->hh.tbl)
		return true;
	free(bucket);
	return false;
}

/* The bucket of this key, now the one used last; NULL: out of memory. */
static struct bucket *use(struct quota *quota, const char *key)
{
	struct bucket *bucket;

	HASH_FIND_STR(quota->buckets, key, bucket);
	if (bucket) {
		fill(quota, bucket);
		if (!bucket->hh.next)
			return bucket;
		HASH_DEL(quota->buckets, bucket);
	} else {
		bucket = create(quota, key);
	}
	return bucket && put_last(quota, bucket) ? bucket : NULL;
}

bool quota_take(struct quota *quota, const char *key)
{
	struct bucket *bucket;

	if (!quota->rate)
		return true;
	bucket = use(quota, key);
	if (bucket && bucket->content < MS)
		return false;
	if (bucket)
		bucket->content -= MS;
	return true;
}

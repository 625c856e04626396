/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records in memory: those under way, and the last used ones. What is cached
 * may be outdated by another node; the version guard of the write notices.
 */
#include "store/engine.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

static size_t make_key(char *key, enum mc_service service,
		       const char *primary_id)
{
	size_t bytes = strlen(primary_id);

	key[0] = (char)service;
	memcpy(key + 1, primary_id, bytes);
	return bytes + 1;
}

struct entry *cache_get(struct cache *cache, enum mc_service service,
			enum procedure_role role, const char *primary_id)
{
	char key[MCID_SIZE + 1];
	size_t bytes = make_key(key, service, primary_id);
	struct entry *entry;

	HASH_FIND(hh, cache->entries, key, bytes, entry);
	if (entry)
		return entry;
	entry = calloc(1, sizeof(*entry) + bytes);
	if (!entry)
		return NULL;
	memcpy(entry->key, key, bytes);
	entry->key_bytes = bytes;
	record_init(&entry->record, service, role, primary_id);
	HASH_ADD(hh, cache->entries, key[0], bytes, entry);
	if (!entry->hh.tbl) { /* out of memory */
		free(entry);
		return NULL;
	}
	DL_APPEND(cache->idle, entry);
	cache->idle_count++;
	return entry;
}

static void entry_free(struct cache *cache, struct entry *entry)
{
	HASH_DEL(cache->entries, entry);
	record_clear(&entry->record);
	free(entry);
}

static void drop_idle(struct cache *cache, struct entry *entry)
{
	DL_DELETE(cache->idle, entry);
	cache->idle_count--;
	entry_free(cache, entry);
}

void cache_use(struct cache *cache, struct entry *entry)
{
	DL_DELETE(cache->idle, entry);
	cache->idle_count--;
}

void cache_release(struct cache *cache, struct entry *entry)
{
	if (!entry->loaded || entry->outdated) {
		entry_free(cache, entry);
		return;
	}
	DL_APPEND(cache->idle, entry);
	cache->idle_count++;
	if (cache->idle_count > cache->idle_max)
		drop_idle(cache, cache->idle);
}

void cache_outdate(struct cache *cache)
{
	struct entry *entry, *next;

	while (cache->idle)
		drop_idle(cache, cache->idle);
	HASH_ITER(hh, cache->entries, entry, next)
	entry->outdated = true;
}

void cache_destroy(struct cache *cache)
{
	struct entry *entry, *next;

	HASH_ITER(hh, cache->entries, entry, next)
	entry_free(cache, entry);
	cache->idle = NULL;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which MC service server of ours serves a user (TS 23.280 10.6.3.3.1 step 5):
 * one hash table for whole MC service IDs, prefixes and domains, asked for the
 * most specific first. A hundred thousand users are read in well under a second.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) ((element)->lost = true)
#include <uthash.h>

#include "gateway/gateway.h"

struct route_entry {
	UT_hash_handle hh;
	size_t server;
	bool lost;  /* uthash could not take it */
	char key[]; /* see the *_key() functions */
};

#define KEY_SIZE (MCID_SIZE + 2)

struct route_table {
	struct route_entry *entries;
	bool has_length[MCID_SIZE]; /* of a prefix */
	bool has_rest;
	size_t rest;
};

int route_table_create(struct route_table **tablep)
{
	*tablep = calloc(1, sizeof(**tablep));
	return *tablep ? 0 : ENOMEM;
}

void route_table_destroy(struct route_table *table)
{
	struct route_entry *entry, *next;

	if (!table)
		return;
	HASH_ITER(hh, table->entries, entry, next)
	{
		HASH_DEL(table->entries, entry);
		free(entry);
	}
	free(table);
}

static struct route_entry *find(const struct route_table *table,
				const char *key)
{
	struct route_entry *entry;

	HASH_FIND_STR(table->entries, key, entry);
	return entry;
}

static int add(struct route_table *table, const char *key, size_t *server)
{
	struct route_entry *entry = find(table, key);
	size_t bytes = strlen(key) + 1;

	if (entry && entry->server == *server)
		return 0;
	if (entry) {
		*server = entry->server;
		return EEXIST;
	}
	entry = calloc(1, sizeof(*entry) + bytes);
	if (!entry)
		return ENOMEM;
	entry->server = *server;
	memcpy(entry->key, key, bytes);
	HASH_ADD_STR(table->entries, key, entry);
	if (!entry->lost)
		return 0;
	free(entry);
	return ENOMEM;
}

/*
 * Keys: "u" + canonical ID; "p" + user part's beginning + "@" + domain or
 * nothing; "d" + domain.
 */
static void prefix_key(char key[KEY_SIZE], const char *user, size_t length,
		       const char *domain)
{
	snprintf(key, KEY_SIZE, "p%.*s@%s", (int)length, user, domain);
}

int route_add_user(struct route_table *table, const char *user, size_t *server)
{
	char key[KEY_SIZE] = "u";

	return mcid_canonical(user, key + 1) ? EINVAL : add(table, key, server);
}

int route_add_prefix(struct route_table *table, const char *prefix,
		     size_t *server)
{
	const char *at = strchr(prefix, '@');
	char id[MCID_SIZE + 8], canonical[MCID_SIZE], key[KEY_SIZE];
	const char *user = canonical + strlen("sip:");
	size_t length;
	int err;

	if ((size_t)snprintf(id, sizeof(id), "sip:%s%s", prefix,
			     at ? "" : "@a") >= sizeof(id) ||
	    mcid_canonical(id, canonical))
		return EINVAL;
	length = strcspn(user, "@");
	prefix_key(key, user, length, at ? user + length + 1 : "");
	err = add(table, key, server);
	if (!err)
		table->has_length[length] = true;
	return err;
}

int route_add_domain(struct route_table *table, const char *domain,
		     size_t *server)
{
	char id[MCID_SIZE + 8], canonical[MCID_SIZE], key[KEY_SIZE];

	if ((size_t)snprintf(id, sizeof(id), "sip:a@%s", domain) >=
		sizeof(id) ||
	    mcid_canonical(id, canonical))
		return EINVAL;
	snprintf(key, sizeof(key), "d%s", mcid_domain(canonical));
	return add(table, key, server);
}

int route_add_rest(struct route_table *table, size_t *server)
{
	if (table->has_rest) {
		*server = table->rest;
		return EEXIST;
	}
	table->has_rest = true;
	table->rest = *server;
	return 0;
}

static const struct route_entry *find_prefix(const struct route_table *table,
					     const char *canonical)
{
	const char *user = canonical + strlen("sip:");
	const char *domain = mcid_domain(canonical);
	const struct route_entry *entry = NULL;
	char key[KEY_SIZE];

	for (size_t length = strcspn(user, "@"); length && !entry; length--) {
		if (!table->has_length[length])
			continue;
		prefix_key(key, user, length, domain);
		entry = find(table, key);
		if (entry)
			break;
		prefix_key(key, user, length, "");
		entry = find(table, key);
	}
	return entry;
}

bool route_find(const struct route_table *table, const char *canonical,
		struct route *route)
{
	const struct route_entry *entry;
	char key[KEY_SIZE];

	snprintf(key, sizeof(key), "u%s", canonical);
	entry = find(table, key);
	route->reason = ROUTE_USER;
	if (!entry) {
		entry = find_prefix(table, canonical);
		route->reason = ROUTE_PREFIX;
	}
	if (!entry) {
		snprintf(key, sizeof(key), "d%s", mcid_domain(canonical));
		entry = find(table, key);
		route->reason = ROUTE_DOMAIN;
	}
	if (!entry)
		route->reason = ROUTE_REST;
	route->server = entry ? entry->server : table->rest;
	return entry || table->has_rest;
}

const char *route_reason_name(enum route_reason reason)
{
	static const char *const names[] = {
		[ROUTE_USER] = "user",
		[ROUTE_PREFIX] = "prefix",
		[ROUTE_DOMAIN] = "domain",
		[ROUTE_REST] = "rest",
	};

	return names[reason];
}

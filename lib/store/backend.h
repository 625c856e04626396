/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a store module implements: batches of loads and guarded writes. Rules
 * are not its business (procedure/transition.h), and nothing else knows SQL.
 *
 * At most one load batch and one write batch are under way at a time; each ends
 * with exactly one call of store_loaded() or store_written(), on the loop
 * thread, never inside the call that began it. Until then the items and their
 * records belong to the backend. At most one item of a batch, and of both
 * batches together, is of one user.
 */
#ifndef MCMIG_STORE_BACKEND_H
#define MCMIG_STORE_BACKEND_H

#include <jansson.h>

#include "base/export.h"
#include "procedure/record.h"

struct store;
struct directory;

enum store_item_status {
	STORE_ITEM_DONE,
	/* A guard failed: somebody else was first. Nothing of it is written. */
	STORE_ITEM_CONFLICT,
	/* Not written, for a reason of its own (`error` in the log). */
	STORE_ITEM_FAILED,
};

struct store_item {
	struct user_record *record;
	/*
	 * Load: fill in everything of the record that struct user_record lists,
	 * with the rows of this procedure ID and partner ID (partner role).
	 * A user that is not stored has version 0.
	 */
	struct uuid procedure_id;
	const char *partner_id; /* canonical */
	/* Partner role: the primary MC system, for the admission list. */
	const char *peer_system;
	enum store_item_status status; /* out */
};

/*
 * Write of an item, in one atomic step:
 *   guards: the user's row has record->version (0: has none); each changed
 *	mapping's row has mapping->version (0: none); each new procedure has no
 *	row; this node's lease is held. One fails: STORE_ITEM_CONFLICT (lease:
 *	the whole batch fails with EPERM).
 *   writes: the user's row with record_next_version(); each changed procedure,
 *	mapping (version + 1) and migration.
 * The batch is durable when store_written() is called without an error.
 * The records are only read: record_settle() raises the versions. A changed
 * procedure that is not new and has no row any more (purged) is inserted. A
 * counter above INT64_MAX: STORE_ITEM_FAILED.
 */

/*
 * Queries for people and tools. A row is an object with exactly these keys, in
 * this order; at most STORE_QUERY_ROWS_MAX rows. Enums are the names of
 * procedure/record.h and mcinfo/mcinfo.h, `service` is "mcptt" and so on, IDs
 * are canonical, times are "2026-01-31T23:59:59.123456Z" or null for 0.
 *
 * procedures	procedure_id, service, role, verb, state, outcome, cause, telling
 *		(boolean), primary_id, partner_id, peer_system, profile_index,
 *		sequence, order, epoch, created, deadline, finished, node,
 *		incarnation. By created, newest first, then procedure_id,
 *		sequence.
 * migrations	service, role, status ("active", "reserved", "ended": of
 *		mapping_status_name(); "migrating": below), current (boolean:
 *		partner: active; primary: active and of the confirmed epoch),
 *		primary_id, partner_id, peer_system, profile_index,
 *		procedure_id, sequence, epoch (partner: 0), started, ended.
 *		The argument fits primary_id or partner_id. By service,
 *		primary_id, role, started, partner_id.
 *		Rows of the primary role are those once confirmed, and one
 *		"migrating" for each authorization that it accepted and still
 *		answers, which the partner has not confirmed yet: started is
 *		its created, ended null (TS 23.280 10.6.3.3.1 step 7).
 * redirection	service, mc_service_id, target_mc_service_id, direction, since:
 *		the view. By the service's name, direction, since,
 *		target_mc_service_id.
 * systems	name, enabled (boolean), path ("direct", "gateway"), domains
 *		(texts, sorted), servers (URIs, by priority, then URI), sources
 *		(texts, sorted; of our own system: our gateways'). By name.
 * gateways	uri, priority, weight: our own. By priority, then URI.
 * nodes	name, incarnation, lease_until, alive (boolean: by the database's
 *		clock). By name.
 *
 * Texts are sorted by their bytes.
 */
enum store_query_kind {
	STORE_QUERY_PROCEDURES,	 /* newest first; argument: ID; "": live ones */
	STORE_QUERY_MIGRATIONS,	 /* argument: MC service ID; "": all
				  * active and migrating */
	STORE_QUERY_REDIRECTION, /* argument: MC service ID */
	STORE_QUERY_SYSTEMS,
	STORE_QUERY_GATEWAYS,
	STORE_QUERY_NODES,
};

#define STORE_QUERY_ROWS_MAX 1000

struct store_backend;

struct store_backend_ops {
	const char *name;
	/* Begins to connect; reports with store_up() and store_down(). */
	int (*start)(struct store_backend *backend, struct store *store);
	void (*stop)(struct store_backend *backend);
	/* Each returns 0, or an errno and then nothing follows. */
	int (*load)(struct store_backend *backend, struct store_item **items,
		    size_t count);
	int (*write)(struct store_backend *backend, struct store_item **items,
		     size_t count);
	/* A batch is overdue: give it up (outcome unknown) and reconnect. */
	void (*abandon)(struct store_backend *backend);
	/*
	 * Up to `limit` users with a live procedure that this node has to look
	 * after, by (service, primary ID) above the last one of the previous
	 * call, in that order; the first call passes service 0 and "". Ends
	 * with store_live_found().
	 */
	int (*find_live)(struct store_backend *backend, unsigned after_service,
			 const char *after_primary_id, size_t limit);
	/* Ends with store_directory_loaded(). */
	int (*load_directory)(struct store_backend *backend);
	/* Ends with store_query_done(). Any number at a time, bounded by store. */
	int (*query)(struct store_backend *backend, uint64_t query,
		     enum store_query_kind kind, const char *argument);
	/*
	 * Deletes up to `limit` procedures finished before, and users with
	 * nothing left: last written before, no live procedure, no mapping of
	 * any status, no migration. One call looks at a part of the users, the
	 * next at the following part. Fire and forget; EBUSY while one runs.
	 */
	int (*purge)(struct store_backend *backend, uint64_t finished_before_us,
		     size_t limit);
};

struct store_backend { /* first member of an implementation */
	const struct store_backend_ops *ops;
};

struct store_live_user {
	enum mc_service service;
	enum procedure_role role;
	char primary_id[MCID_SIZE];
};

/* --- What a backend calls, on the loop thread --------------------------- */

/* Connected, schema checked, lease held. `derivation_key`: for procedure IDs,
 * the same for all nodes of the system and for ever. */
MCMIG_API void store_up(struct store *store, const struct uuid *derivation_key);
/* Not usable until the next store_up(); `reason` for status and log. */
MCMIG_API void store_down(struct store *store, const char *reason);
/* error: 0, EIO (connection lost: outcome unknown), EPERM (lease lost) */
MCMIG_API void store_loaded(struct store *store, int error);
MCMIG_API void store_written(struct store *store, int error);
MCMIG_API void store_live_found(struct store *store,
				const struct store_live_user *users,
				size_t count, int error);
/* Takes the directory over; NULL with an error. */
MCMIG_API void store_directory_loaded(struct store *store,
				      struct directory *directory, int error);
/* Takes `rows` over (an array of objects); NULL with an error. */
MCMIG_API void store_query_done(struct store *store, uint64_t query,
				json_t *rows, int error);
/* Provisioning has changed (NOTIFY, data_version). */
MCMIG_API void store_provisioning_changed(struct store *store);

#endif

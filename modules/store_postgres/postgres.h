/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PostgreSQL store: three connections that come and go together. The writer
 * carries write batches only, so that nothing delays a commit; the reader loads
 * and queries; the watcher holds the lease and listens for provisioning.
 */
#ifndef MCMIG_STORE_POSTGRES_POSTGRES_H
#define MCMIG_STORE_POSTGRES_POSTGRES_H

#include "directory/directory.h"
#include "store/backend.h"
#include "store_postgres/batch.h"
#include "store_postgres/connection.h"
#include "store_postgres/target.h"

enum connection_role {
	WRITER,
	READER,
	WATCHER,
	CONNECTIONS,
};

enum session_state {
	SESSION_STOPPED,
	SESSION_RESOLVING,  /* names of hosts */
	SESSION_CONNECTING, /* all three to one server, until all are ready */
	SESSION_UP,
	SESSION_FAILED,	 /* to be torn down in the next turn of the loop */
	SESSION_WAITING, /* for the next attempt */
};

/* Statements of one transaction, in this order. */
enum purge {
	PURGE_PROCEDURES,
	PURGE_USERS, /* with nothing left */
	PURGES,
};

struct postgres_config {
	const char *conninfo;
	const char *system; /* our own */
	uint32_t connect_timeout_ms;
	uint32_t lease_ms;
};

/* Of the batch that is being built: mappings that items want to change. */
struct claim {
	struct store_item *item;
	const struct mapping *mapping;
};

struct claims {
	struct claim *list;
	size_t count, size;
};

struct postgres {
	struct store_backend backend;
	struct loop *loop;
	struct timers *timers;
	struct store *store; /* NULL until start() */
	char system[SYSTEM_NAME_SIZE];
	char node[64];
	uint32_t connect_timeout_ms, lease_ms;

	enum session_state state;
	struct targets *targets;
	size_t target;	   /* the one in use, or tried next */
	unsigned attempts; /* that failed since it was up */
	bool told_down;
	char reason[320]; /* of the last failure */
	char told[320];	  /* to the store */
	uint64_t up_since_ms;
	uint64_t lookup_until_ms;
	struct connection connections[CONNECTIONS];
	struct request setups[CONNECTIONS];
	unsigned ready;	    /* connections */
	struct timer timer; /* of the state: a deadline or the next step */

	struct uuid derivation_key;
	uint64_t schema_version;
	uint64_t incarnation; /* 0: never had the lease */
	bool lease_held;
	struct request renewal;
	bool renewing;
	struct timer renewal_timer;

	struct batch loading, writing;
	struct array_set parameters; /* one statement at a time is built */
	struct claims claims;

	struct request live_search;
	bool live_searching;
	struct store_live_user *live_users;
	size_t live_count;
	struct request purge;
	bool purging;
	uint64_t purge_pages[PURGES]; /* where each goes on */
	uint64_t purge_limit;	      /* rows */
	struct request directory_load;
	bool directory_loading;
	struct directory *directory;
};

/*
 * 0; ENOMEM; EINVAL: a conninfo that cannot work, `why` says why. Texts are
 * copied.
 */
int postgres_create(struct store_backend **backendp, struct loop *loop,
		    struct timers *timers, const char *node,
		    const struct postgres_config *config, char *why,
		    size_t why_bytes);
/* After ops->stop(). NULL is fine. */
void postgres_destroy(struct store_backend *backend);

/* --- session.c ---------------------------------------------------------- */

int session_start(struct postgres *postgres);
void session_stop(struct postgres *postgres);
/* Gives all connections up, in the next turn of the loop, and tries again. */
void session_fail(struct postgres *postgres, const char *reason);
static inline bool session_is_up(const struct postgres *postgres)
{
	return postgres->state == SESSION_UP;
}
/* One more connection is ready; up when all are. */
void session_ready(struct postgres *postgres);
/* Ends a request that was refused; true: a fault of the server or session,
 * not of the statement's input: the session is given up. */
bool session_check(struct postgres *postgres, const struct request *request);

/* --- node.c ------------------------------------------------------------- */

extern const struct statement *const node_statements[];
/* Listens and takes the lease, then session_ready(). */
void node_open(struct postgres *postgres);
void node_close(struct postgres *postgres);
void node_lease_lost(struct postgres *postgres);
int node_purge(struct store_backend *backend, uint64_t finished_before_us,
	       size_t limit);

/* --- load.c, write.c ---------------------------------------------------- */

extern const struct statement *const load_statements[];
extern const struct batch_kind load_kind;
extern const struct statement *const write_statements[];
extern const struct batch_kind write_kind;

/* --- query.c, directory.c, live.c --------------------------------------- */

extern const struct statement *const query_statements[];
int query_start(struct store_backend *backend, uint64_t query,
		enum store_query_kind kind, const char *argument);
extern const struct statement *const directory_statements[];
int directory_load(struct store_backend *backend);
extern const struct statement *const live_statements[];
int live_find(struct store_backend *backend, unsigned after_service,
	      const char *after_primary_id, size_t limit);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the contract suite of store backends stands on: a struct store that
 * notes what a backend reports, calls that wait for the report, random records
 * and their comparison.
 */
#ifndef MCMIG_TESTS_STORE_FIXTURE_H
#define MCMIG_TESTS_STORE_FIXTURE_H

#include "store_contract.h"

/* Longer than any operation takes: a wait that ends here is a failure. */
#define FIXTURE_WAIT_MS 20000

#define PRIMARY_ID "sip:alice@a.example"
#define OTHER_PRIMARY_ID "sip:bob@a.example"
#define PARTNER_ID "sip:visitor1@b.example"
#define SYSTEM_A "a.example"
#define SYSTEM_B "b.example" /* our own */

struct store {
	struct store_backend *backend;
	bool up;
	unsigned ups, downs, provisioning_changes;
	char reason[512];
	struct uuid derivation_key;
	bool in_call; /* an operation is being begun: no report may come */
	unsigned under_way;	/* operations that have yet to report */
	bool ended;		/* none is under way any more */
	int error;		/* the first that one of them reported */
	bool exit_when_written; /* of a child process: _exit(0) at once */
	struct store_live_user *live;
	size_t live_count;
	struct directory *directory;
	json_t *rows;
	uint64_t query;
};

/* Resets the database; a failure ends the test. */
void fixture_reset(void);
/* A started backend; waits until it is up, or down when `up` is false. */
struct store *fixture_open(const char *node, bool up);
void fixture_close(struct store *store);
/* Pumps until `*flag`; false after FIXTURE_WAIT_MS. */
bool fixture_wait(struct store *store, const bool *flag);
/* Pumps until `*counter` exceeds `seen`. */
bool fixture_wait_count(struct store *store, const unsigned *counter,
			unsigned seen);

/* Each waits for the report and returns its error, or that of the call. */
int fixture_load(struct store *store, struct store_item **items, size_t count);
int fixture_write(struct store *store, struct store_item **items, size_t count);
int fixture_find_live(struct store *store, unsigned after_service,
		      const char *after_primary_id, size_t limit);
int fixture_load_directory(struct store *store);
int fixture_query(struct store *store, enum store_query_kind kind,
		  const char *argument);

/* For several at a time: fixture_begin(), the operation itself, ... for each,
 * then one fixture_end(). */
void fixture_begin(struct store *store);
int fixture_end(struct store *store, int call_error);

/* One item alone; `procedure_id` NULL: none. */
int fixture_load_one(struct store *store, struct user_record *record,
		     const struct uuid *procedure_id, const char *partner_id,
		     const char *peer_system);
enum store_item_status fixture_write_one(struct store *store,
					 struct user_record *record);

/* Loads the user of `expected` into an empty record and compares. */
bool fixture_loads_as(struct store *store, const struct user_record *expected,
		      const struct uuid *procedure_id, const char *partner_id);
/* What the store's rows are after a write that was done. */
void fixture_settle(struct user_record *record);

/* The number that a SELECT count(*) gives; -1: it failed. */
long fixture_count(const char *select);
void fixture_execute(const char *sql);

/* Random, from a seed that is printed once. */
uint64_t random_below(uint64_t bound);
uint64_t random_counter(void); /* 0 to INT64_MAX, the ends often */
/* Any bytes of UTF-8 without control characters; `size` with the NUL. */
void random_text(char *text, size_t size);
void random_procedure(struct procedure *procedure, const char *primary_id,
		      bool live);
void random_mapping(struct mapping *mapping, const char *primary_id);
void random_migration(struct migration *migration);
/* A new user with two live procedures; partner: with one mapping that is not
 * ended, primary: with two migrations. */
void random_record(struct user_record *record, enum procedure_role role,
		   const char *primary_id);

/* Says on stderr what differs. What is provisioned is not looked at. */
bool records_equal(const struct user_record *expected,
		   const struct user_record *found);
/* Deep; `copy` to be given to record_clear(). */
void record_copy(const struct user_record *record, struct user_record *copy);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* A commit: copies of what it writes, and the moment when it is durable. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "connection.h"
#include "describe.h"

static void *copy_list(const void *list, size_t count, size_t size)
{
	void *copy = malloc(count * size + 1);

	if (!copy)
		abort();
	if (count)
		memcpy(copy, list, count * size);
	return copy;
}

struct commit *commit_create(struct database *database)
{
	struct commit *commit = calloc(1, sizeof(*commit));
	size_t count = database->writing_count;

	if (!commit)
		abort();
	commit->next = database->commits;
	database->commits = commit;
	commit->database = database;
	commit->count = count;
	commit->records = calloc(count, sizeof(*commit->records));
	commit->statuses = calloc(count, sizeof(*commit->statuses));
	if (!commit->records || !commit->statuses)
		abort();
	for (size_t i = 0; i < count; i++) {
		const struct user_record *from = database->writing[i]->record;
		struct user_record *to = &commit->records[i];

		*to = *from;
		to->procedures =
		    copy_list(from->procedures, from->procedure_count,
			      sizeof(*from->procedures));
		to->mappings = copy_list(from->mappings, from->mapping_count,
					 sizeof(*from->mappings));
		to->migrations =
		    copy_list(from->migrations, from->migration_count,
			      sizeof(*from->migrations));
		to->admissions = NULL;
		to->profiles = NULL;
		to->permissions = NULL;
	}
	return commit;
}

void commit_destroy(struct commit *commit)
{
	for (size_t i = 0; i < commit->count; i++)
		record_clear(&commit->records[i]);
	free(commit->records);
	free(commit->statuses);
	free(commit);
}

static void commit_apply(struct commit *commit)
{
	struct database *database = commit->database;
	struct sim *sim = database->sim;

	for (size_t i = 0; i < commit->count; i++) {
		const struct user_record *record = &commit->records[i];

		if (tables_guards_hold(database->tables, record)) {
			check_write(sim->check, database->system, record);
			tables_write(database->tables, record);
			commit->statuses[i] = STORE_ITEM_DONE;
		} else {
			sim_tell(sim, "%s     guard lost: %s",
				 describe_party(database->system),
				 record->primary_id);
			commit->statuses[i] = STORE_ITEM_CONFLICT;
		}
	}
	check_instant(sim->check);
}

void commit_decide(struct commit *commit)
{
	commit->decided = true;
	if (!commit->forgotten ||
	    random_chance(&commit->database->sim->random, 500))
		commit_apply(commit);
}

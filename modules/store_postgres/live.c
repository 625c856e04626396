/* SPDX-License-Identifier: BSD-2-Clause */
/* Users with live procedures of this node, page by page. */
#include <errno.h>
#include <stdlib.h>

#include "store_postgres/postgres.h"
#include "store_postgres/row.h"

static const struct statement find_live = {
	"find_live",
	"SELECT service, primary_id, max(role) FROM procedure "
	"WHERE is_live AND node = $1::text "
	"AND (service, primary_id) > ($2::bigint, $3::text) "
	"GROUP BY service, primary_id ORDER BY service, primary_id "
	"LIMIT $4::bigint",
};

const struct statement *const live_statements[] = { &find_live, NULL };

static void live_result(struct request *request, unsigned statement,
			const PGresult *result)
{
	struct postgres *postgres = request->arg;
	int rows = PQntuples(result);

	(void)statement;
	postgres->live_users =
	    calloc((size_t)rows + 1, sizeof(*postgres->live_users));
	if (!postgres->live_users)
		return;
	postgres->live_count = (size_t)rows;
	for (int i = 0; i < rows; i++) {
		struct store_live_user *user = &postgres->live_users[i];

		user->service = (enum mc_service)row_integer(result, i, 0);
		row_text(result, i, 1, user->primary_id,
			 sizeof(user->primary_id));
		user->role = (enum procedure_role)row_integer(result, i, 2);
	}
}

static void live_done(struct request *request, enum request_outcome outcome)
{
	struct postgres *postgres = request->arg;
	struct store_live_user *users = postgres->live_users;
	size_t count = postgres->live_count;
	int err = 0;

	postgres->live_searching = false;
	postgres->live_users = NULL;
	postgres->live_count = 0;
	if (outcome == REQUEST_REFUSED)
		session_check(postgres, request);
	if (outcome != REQUEST_DONE)
		err = EIO;
	else if (!users)
		err = ENOMEM;
	if (postgres->store)
		store_live_found(postgres->store, err ? NULL : users,
				 err ? 0 : count, err);
	free(users);
}

int live_find(struct store_backend *backend, unsigned after_service,
	      const char *after_primary_id, size_t limit)
{
	struct postgres *postgres = (struct postgres *)backend;
	struct connection *reader = &postgres->connections[READER];
	struct array_set *parameters = &postgres->parameters;

	if (!session_is_up(postgres))
		return EAGAIN;
	if (postgres->live_searching)
		return EBUSY;
	postgres->live_searching = true;
	postgres->live_search = (struct request){ .result = live_result,
						  .done = live_done,
						  .arg = postgres };
	array_set_start(parameters);
	array_set_add_text(parameters, postgres->node);
	array_set_add_int8(parameters, after_service);
	array_set_add_text(parameters, after_primary_id);
	array_set_add_int8(parameters, limit);
	connection_execute(reader, &find_live, parameters);
	connection_finish(reader, &postgres->live_search);
	return 0;
}

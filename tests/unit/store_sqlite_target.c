/* SPDX-License-Identifier: BSD-2-Clause */
/* The contract's target: a SQLite file in a folder of its own. */
#include "store_sqlite_target.h"

#include <errno.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "store_fixture.h"
#include "store_sqlite/store_sqlite.h"

static char folder[200];
char sqlite_target_file[256];

void sqlite_target_remove(void)
{
	char name[300];

	unlink(sqlite_target_file);
	snprintf(name, sizeof(name), "%s-wal", sqlite_target_file);
	unlink(name);
	snprintf(name, sizeof(name), "%s-shm", sqlite_target_file);
	unlink(name);
}

static int with_database(int flags, int (*work)(sqlite3 *, void *), void *arg)
{
	sqlite3 *db = NULL;
	int rc = sqlite3_open_v2(sqlite_target_file, &db,
				 SQLITE_OPEN_READWRITE | flags, NULL);

	if (!rc)
		sqlite3_busy_timeout(db, FIXTURE_WAIT_MS);
	if (!rc)
		rc = work(db, arg);
	if (rc)
		fprintf(stderr, "%s: %s\n", sqlite_target_file,
			sqlite3_errmsg(db));
	sqlite3_close(db);
	return rc ? EIO : 0;
}

static int run_script(sqlite3 *db, void *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static int target_execute(const char *sql)
{
	return with_database(0, run_script, (void *)(uintptr_t)sql);
}

static int target_reset(void)
{
	static char schema[65536];
	FILE *in = fopen(SCHEMA_FILE, "r");
	size_t bytes;

	if (!in) {
		fprintf(stderr, "%s: %s\n", SCHEMA_FILE, strerror(errno));
		return errno;
	}
	bytes = fread(schema, 1, sizeof(schema) - 1, in);
	fclose(in);
	schema[bytes] = '\0';
	sqlite_target_remove();
	return with_database(SQLITE_OPEN_CREATE, run_script, schema);
}

struct selection {
	const char *sql;
	json_t *rows;
};

static int add_row(void *arg, int count, char **values, char **names)
{
	json_t *row = json_array();

	(void)names;
	for (int i = 0; i < count; i++)
		json_array_append_new(row, values[i] ? json_string(values[i])
						     : json_null());
	return json_array_append_new(arg, row);
}

static int run_select(sqlite3 *db, void *arg)
{
	struct selection *selection = arg;

	return sqlite3_exec(db, selection->sql, add_row, selection->rows, NULL);
}

static json_t *target_select(const char *sql)
{
	struct selection selection = { sql, json_array() };

	if (!with_database(0, run_select, &selection))
		return selection.rows;
	json_decref(selection.rows);
	return NULL;
}

static int target_create(const char *node, struct store_backend **backendp)
{
	struct store_sqlite_config config = {
		.file = sqlite_target_file,
		.system = SYSTEM_B,
		.node = node,
		.busy_timeout_ms = 700,
	};

	return store_sqlite_create(backendp, &config);
}

static void target_pump(struct store_backend *backend, int timeout_ms)
{
	struct pollfd ready = { .fd = store_sqlite_fd(backend),
				.events = POLLIN };

	if (poll(&ready, 1, timeout_ms) > 0)
		store_sqlite_dispatch(backend);
}

const struct store_contract_target store_contract_target = {
	.reset = target_reset,
	.create = target_create,
	.destroy = store_sqlite_destroy,
	.pump = target_pump,
	.execute = target_execute,
	.select = target_select,
};

int sqlite_target_init(void)
{
	const char *base = getenv("TMPDIR");

	log_set_level(LOG_ERROR);
	if (snprintf(folder, sizeof(folder), "%s/mcmig-store-XXXXXX",
		     base ? base : "/tmp") >= (int)sizeof(folder))
		return ENAMETOOLONG;
	if (!mkdtemp(folder))
		return errno;
	snprintf(sqlite_target_file, sizeof(sqlite_target_file), "%s/mcmig.db",
		 folder);
	return 0;
}

int sqlite_target_clean(void)
{
	sqlite_target_remove();
	return rmdir(folder);
}

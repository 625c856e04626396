/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The backend's thread: requests in, through a queue; what was done and whether
 * the file can be used out, through an eventfd. Only the thread touches the
 * connection; a batch's records are its own until the batch is reported.
 */
#include "store_sqlite.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/log.h"
#include "batch.h"

#define TICK_MS 1000
#define RETRY_MIN_MS 100
#define RETRY_MAX_MS 5000
#define REQUESTS_MAX 64

enum request_kind {
	REQUEST_LOAD,
	REQUEST_WRITE,
	REQUEST_FIND_LIVE,
	REQUEST_DIRECTORY,
	REQUEST_QUERY,
	REQUEST_PURGE,
};

struct request {
	struct request *prev, *next;
	enum request_kind kind;
	struct store_item **items; /* load, write */
	size_t count;		   /* of items, users; limit of rows */
	unsigned after_service;
	enum store_query_kind query_kind;
	uint64_t number; /* query; purge: finished before */
	char text[MCID_SIZE];
	int error;
	struct store_live_user *users;
	struct directory *directory;
	json_t *rows;
};

struct store_sqlite {
	struct store_backend backend;
	struct store *store;
	struct connection connection; /* the thread's */
	pthread_t thread;
	bool running;
	int event_fd;
	bool up_told; /* the caller's side: between store_up and store_down */

	pthread_mutex_t mutex; /* for all below */
	pthread_cond_t wake;
	struct request *requests, *done;
	unsigned request_count;
	bool stopping, abandoned;
	atomic_bool hurry; /* either of them */
	sqlite3 *db; /* to be interrupted; NULL while it is none's business */
	/* What was last told, and what is to be. */
	bool up, state_changed, provisioning_changed;
	struct uuid derivation_key;
	char reason[REASON_SIZE];
};

static struct store_sqlite *sqlite_of(struct store_backend *backend)
{
	return (struct store_sqlite *)backend;
}

/* ------------------------------------------------------ the thread reports */

static void signal_loop(struct store_sqlite *sqlite)
{
	uint64_t one = 1;

	/* It fails only when it is signalled already. */
	if (write(sqlite->event_fd, &one, sizeof(one)) < 0)
		return;
}

static void report_done(struct store_sqlite *sqlite, struct request *request)
{
	pthread_mutex_lock(&sqlite->mutex);
	DL_APPEND(sqlite->done, request);
	pthread_mutex_unlock(&sqlite->mutex);
	signal_loop(sqlite);
}

static void report_up(struct store_sqlite *sqlite)
{
	pthread_mutex_lock(&sqlite->mutex);
	sqlite->up = true;
	sqlite->state_changed = true;
	sqlite->derivation_key = sqlite->connection.derivation_key;
	sqlite->db = sqlite->connection.db;
	pthread_mutex_unlock(&sqlite->mutex);
	signal_loop(sqlite);
}

/* Caller holds the mutex. A reason that is known already is not told again. */
static void set_down(struct store_sqlite *sqlite, const char *reason)
{
	if (!sqlite->up && !strcmp(sqlite->reason, reason))
		return;
	sqlite->up = false;
	sqlite->state_changed = true;
	snprintf(sqlite->reason, REASON_SIZE, "%s", reason);
}

static void report_down(struct store_sqlite *sqlite)
{
	pthread_mutex_lock(&sqlite->mutex);
	sqlite->db = NULL;
	set_down(sqlite, sqlite->connection.reason);
	pthread_mutex_unlock(&sqlite->mutex);
	signal_loop(sqlite);
}

static void report_provisioning(struct store_sqlite *sqlite)
{
	pthread_mutex_lock(&sqlite->mutex);
	sqlite->provisioning_changed = true;
	pthread_mutex_unlock(&sqlite->mutex);
	signal_loop(sqlite);
}

/* -------------------------------------------------------- the thread works */

static int serve(struct connection *connection, struct request *request)
{
	switch (request->kind) {
	case REQUEST_LOAD:
		return batch_load(connection, request->items, request->count);
	case REQUEST_WRITE:
		return batch_write(connection, request->items, request->count);
	case REQUEST_FIND_LIVE:
		return find_live(connection, request->after_service,
				 request->text, request->count, &request->users,
				 &request->count);
	case REQUEST_DIRECTORY:
		return load_directory(connection, &request->directory);
	case REQUEST_QUERY:
		return query_rows(connection, request->query_kind,
				  request->text, &request->rows);
	case REQUEST_PURGE:
		return purge(connection, request->number, request->count);
	}
	return EINVAL;
}

/*
 * The next request, or NULL when `until_ms` has come. Whoever gives up a batch
 * or stops is seen at once.
 */
static struct request *next_request(struct store_sqlite *sqlite,
				    uint64_t until_ms)
{
	struct timespec until = { .tv_sec = (time_t)(until_ms / 1000),
				  .tv_nsec =
				      (long)(until_ms % 1000) * 1000000 };
	struct request *request;
	int err = 0;

	pthread_mutex_lock(&sqlite->mutex);
	while (!sqlite->requests && !sqlite->stopping && !sqlite->abandoned &&
	       err != ETIMEDOUT)
		err = pthread_cond_timedwait(&sqlite->wake, &sqlite->mutex,
					     &until);
	request =
	    sqlite->stopping || sqlite->abandoned ? NULL : sqlite->requests;
	if (request) {
		DL_DELETE(sqlite->requests, request);
		sqlite->request_count--;
	}
	pthread_mutex_unlock(&sqlite->mutex);
	return request;
}

static bool is_stopping(struct store_sqlite *sqlite)
{
	bool stopping;

	pthread_mutex_lock(&sqlite->mutex);
	stopping = sqlite->stopping;
	pthread_mutex_unlock(&sqlite->mutex);
	return stopping;
}

/* True: somebody has given up what was under way; the flag is taken back. */
static bool take_abandoned(struct store_sqlite *sqlite)
{
	bool abandoned;

	pthread_mutex_lock(&sqlite->mutex);
	abandoned = sqlite->abandoned;
	sqlite->abandoned = false;
	sqlite->hurry = sqlite->stopping;
	pthread_mutex_unlock(&sqlite->mutex);
	return abandoned;
}

/* Serves while the connection is good; the reason says why it is not. */
static void serve_connected(struct store_sqlite *sqlite)
{
	struct connection *connection = &sqlite->connection;
	uint64_t tick_ms = clock_monotonic_ms() + TICK_MS;
	struct request *request;
	bool changed, broken = false;

	while (!broken) {
		request = next_request(sqlite, tick_ms);
		if (request) {
			request->error = serve(connection, request);
			broken =
			    request->error == EIO || request->error == EPERM;
		}
		if (is_stopping(sqlite))
			broken = true;
		if (take_abandoned(sqlite)) {
			broken = true;
			snprintf(connection->reason, REASON_SIZE,
				 "the disk of %.90s took too long: given up",
				 connection->file);
			if (request)
				request->error = EIO;
		}
		if (broken) {
			pthread_mutex_lock(&sqlite->mutex);
			sqlite->db = NULL;
			pthread_mutex_unlock(&sqlite->mutex);
		}
		if (request)
			report_done(sqlite, request);
		if (!broken && clock_monotonic_ms() >= tick_ms) {
			broken = connection_tick(connection, &changed);
			if (changed)
				report_provisioning(sqlite);
			tick_ms = clock_monotonic_ms() + TICK_MS;
		}
	}
}

/* Between two attempts to connect all that is asked ends with EIO. */
static void refuse_until(struct store_sqlite *sqlite, uint64_t until_ms)
{
	struct request *request;

	while (clock_monotonic_ms() < until_ms && !is_stopping(sqlite)) {
		take_abandoned(sqlite);
		request = next_request(sqlite, until_ms);
		if (!request)
			continue;
		request->error = EIO;
		report_done(sqlite, request);
	}
}

static void *run(void *arg)
{
	struct store_sqlite *sqlite = arg;
	struct connection *connection = &sqlite->connection;
	uint64_t retry_ms = RETRY_MIN_MS;

	while (!is_stopping(sqlite)) {
		if (!connection_open(connection)) {
			retry_ms = RETRY_MIN_MS;
			report_up(sqlite);
			serve_connected(sqlite);
			if (is_stopping(sqlite))
				break;
			connection_close(connection, false);
		}
		report_down(sqlite);
		refuse_until(sqlite, clock_monotonic_ms() + retry_ms);
		retry_ms =
		    retry_ms * 2 < RETRY_MAX_MS ? retry_ms * 2 : RETRY_MAX_MS;
	}
	connection_close(connection, true);
	return NULL;
}

/* ------------------------------------------------- the loop's side: reports */

static void request_free(struct request *request)
{
	free(request->users);
	directory_destroy(request->directory);
	json_decref(request->rows);
	free(request);
}

static void tell_done(struct store_sqlite *sqlite, struct request *request)
{
	struct store *store = sqlite->store;

	switch (request->kind) {
	case REQUEST_LOAD:
		store_loaded(store, request->error);
		break;
	case REQUEST_WRITE:
		store_written(store, request->error);
		break;
	case REQUEST_FIND_LIVE:
		store_live_found(store, request->users,
				 request->users ? request->count : 0,
				 request->error);
		break;
	case REQUEST_DIRECTORY:
		store_directory_loaded(store, request->directory,
				       request->error);
		request->directory = NULL;
		break;
	case REQUEST_QUERY:
		store_query_done(store, request->number, request->rows,
				 request->error);
		request->rows = NULL;
		break;
	case REQUEST_PURGE:
		break;
	}
	request_free(request);
}

/* A state that has come and gone again since the last time is told too: what
 * was under way has failed with it. */
static void tell_state(struct store_sqlite *sqlite, bool up,
		       const struct uuid *key, const char *reason)
{
	if (sqlite->up_told || !up) {
		sqlite->up_told = false;
		store_down(sqlite->store, reason);
	}
	if (up) {
		sqlite->up_told = true;
		store_up(sqlite->store, key);
	}
}

void store_sqlite_dispatch(struct store_backend *backend)
{
	struct store_sqlite *sqlite = sqlite_of(backend);
	struct request *done, *request, *next;
	bool up, state_changed, provisioning_changed;
	char reason[REASON_SIZE];
	struct uuid key;
	uint64_t count;

	if (read(sqlite->event_fd, &count, sizeof(count)) < 0)
		return;
	pthread_mutex_lock(&sqlite->mutex);
	done = sqlite->done;
	sqlite->done = NULL;
	up = sqlite->up;
	key = sqlite->derivation_key;
	memcpy(reason, sqlite->reason, sizeof(reason));
	state_changed = sqlite->state_changed;
	provisioning_changed = sqlite->provisioning_changed;
	sqlite->state_changed = sqlite->provisioning_changed = false;
	pthread_mutex_unlock(&sqlite->mutex);

	DL_FOREACH_SAFE(done, request, next)
	tell_done(sqlite, request);
	if (state_changed)
		tell_state(sqlite, up, &key, reason);
	if (provisioning_changed)
		store_provisioning_changed(sqlite->store);
}

int store_sqlite_fd(const struct store_backend *backend)
{
	return ((const struct store_sqlite *)backend)->event_fd;
}

/* ------------------------------------------------- the loop's side: requests */

static struct request *request_create(enum request_kind kind)
{
	struct request *request = calloc(1, sizeof(*request));

	if (request)
		request->kind = kind;
	return request;
}

static int submit(struct store_sqlite *sqlite, struct request *request)
{
	int err = 0;

	if (!request)
		return ENOMEM;
	pthread_mutex_lock(&sqlite->mutex);
	if (!sqlite->up)
		err = ENOTCONN;
	else if (sqlite->request_count >= REQUESTS_MAX)
		err = EBUSY;
	else {
		DL_APPEND(sqlite->requests, request);
		sqlite->request_count++;
		pthread_cond_signal(&sqlite->wake);
	}
	pthread_mutex_unlock(&sqlite->mutex);
	if (err)
		request_free(request);
	return err;
}

static int submit_batch(struct store_backend *backend, enum request_kind kind,
			struct store_item **items, size_t count)
{
	struct request *request = request_create(kind);

	if (request) {
		request->items = items;
		request->count = count;
	}
	return submit(sqlite_of(backend), request);
}

static int backend_load(struct store_backend *backend,
			struct store_item **items, size_t count)
{
	return submit_batch(backend, REQUEST_LOAD, items, count);
}

static int backend_write(struct store_backend *backend,
			 struct store_item **items, size_t count)
{
	return submit_batch(backend, REQUEST_WRITE, items, count);
}

static void backend_abandon(struct store_backend *backend)
{
	struct store_sqlite *sqlite = sqlite_of(backend);
	char reason[REASON_SIZE];

	snprintf(reason, sizeof(reason),
		 "the disk of %.90s took too long: given up",
		 sqlite->connection.file);
	pthread_mutex_lock(&sqlite->mutex);
	sqlite->abandoned = true;
	sqlite->hurry = true;
	if (sqlite->db)
		sqlite3_interrupt(sqlite->db);
	set_down(sqlite, reason);
	pthread_cond_signal(&sqlite->wake);
	pthread_mutex_unlock(&sqlite->mutex);
	signal_loop(sqlite);
}

static int backend_find_live(struct store_backend *backend,
			     unsigned after_service,
			     const char *after_primary_id, size_t limit)
{
	struct request *request = request_create(REQUEST_FIND_LIVE);

	if (request) {
		request->after_service = after_service;
		snprintf(request->text, sizeof(request->text), "%s",
			 after_primary_id);
		request->count = limit;
	}
	return submit(sqlite_of(backend), request);
}

static int backend_load_directory(struct store_backend *backend)
{
	return submit(sqlite_of(backend), request_create(REQUEST_DIRECTORY));
}

static int backend_query(struct store_backend *backend, uint64_t query,
			 enum store_query_kind kind, const char *argument)
{
	struct request *request;

	/* What is longer than an ID can be is none. */
	if (strlen(argument) >= MCID_SIZE)
		return EINVAL;
	request = request_create(REQUEST_QUERY);
	if (request) {
		request->number = query;
		request->query_kind = kind;
		strcpy(request->text, argument);
	}
	return submit(sqlite_of(backend), request);
}

static int backend_purge(struct store_backend *backend,
			 uint64_t finished_before_us, size_t limit)
{
	struct request *request = request_create(REQUEST_PURGE);

	if (request) {
		request->number = finished_before_us;
		request->count = limit;
	}
	return submit(sqlite_of(backend), request);
}

/* -------------------------------------------------------------------- life */

static int backend_start(struct store_backend *backend, struct store *store)
{
	struct store_sqlite *sqlite = sqlite_of(backend);
	sigset_t all, before;
	int err;

	sqlite->store = store;
	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&sqlite->thread, NULL, run, sqlite);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	sqlite->running = !err;
	return err;
}

static void backend_stop(struct store_backend *backend)
{
	struct store_sqlite *sqlite = sqlite_of(backend);
	struct request *request, *next;

	if (!sqlite->running)
		return;
	pthread_mutex_lock(&sqlite->mutex);
	sqlite->stopping = true;
	sqlite->hurry = true;
	if (sqlite->db)
		sqlite3_interrupt(sqlite->db);
	pthread_cond_signal(&sqlite->wake);
	pthread_mutex_unlock(&sqlite->mutex);
	pthread_join(sqlite->thread, NULL);
	sqlite->running = false;
	DL_CONCAT(sqlite->done, sqlite->requests);
	sqlite->requests = NULL;
	DL_FOREACH_SAFE(sqlite->done, request, next)
	request_free(request);
	sqlite->done = NULL;
}

static const struct store_backend_ops sqlite_ops = {
	.name = "store_sqlite",
	.start = backend_start,
	.stop = backend_stop,
	.load = backend_load,
	.write = backend_write,
	.abandon = backend_abandon,
	.find_live = backend_find_live,
	.load_directory = backend_load_directory,
	.query = backend_query,
	.purge = backend_purge,
};

/* The condition waits on the monotonic clock. */
static int init_condition(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;
	int err = pthread_condattr_init(&attributes);

	if (err)
		return err;
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	err = pthread_cond_init(condition, &attributes);
	pthread_condattr_destroy(&attributes);
	return err;
}

int store_sqlite_create(struct store_backend **backendp,
			const struct store_sqlite_config *config)
{
	struct store_sqlite *sqlite = calloc(1, sizeof(*sqlite));
	struct connection *connection;
	int err = ENOMEM;

	if (!sqlite)
		return ENOMEM;
	pthread_mutex_init(&sqlite->mutex, NULL);
	sqlite->backend.ops = &sqlite_ops;
	connection = &sqlite->connection;
	connection->file = strdup(config->file);
	connection->system = strdup(config->system);
	connection->node = strdup(config->node);
	connection->busy_timeout_ms = config->busy_timeout_ms;
	connection->hurry = &sqlite->hurry;
	sqlite->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (sqlite->event_fd < 0)
		err = errno;
	else if (connection->file && connection->system && connection->node)
		err = init_condition(&sqlite->wake);
	if (err) {
		store_sqlite_destroy(&sqlite->backend);
		return err;
	}
	*backendp = &sqlite->backend;
	return 0;
}

void store_sqlite_destroy(struct store_backend *backend)
{
	struct store_sqlite *sqlite = sqlite_of(backend);

	if (!sqlite)
		return;
	if (sqlite->event_fd >= 0)
		close(sqlite->event_fd);
	pthread_cond_destroy(&sqlite->wake);
	pthread_mutex_destroy(&sqlite->mutex);
	free(sqlite->connection.file);
	free(sqlite->connection.system);
	free(sqlite->connection.node);
	free(sqlite);
}

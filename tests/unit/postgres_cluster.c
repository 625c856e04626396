/* SPDX-License-Identifier: BSD-2-Clause */
/* See postgres_cluster.h. */
#define _GNU_SOURCE /* pipe2() */
#include "postgres_cluster.h"

#include <errno.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop/loop.h"

static char directory[] = "/tmp/mcmig-test-XXXXXX";
static pid_t guard;
static int guard_pipe;
static char conninfo[256], conninfo_tcp[256];

static bool read_line(const char *name, char *line, size_t size)
{
	char path[300];
	FILE *file;
	bool read;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "r");
	if (!file)
		return false;
	read = fgets(line, (int)size, file);
	fclose(file);
	if (read)
		line[strcspn(line, "\n")] = '\0';
	return read;
}

bool cluster_run(const char *arguments)
{
	const char *options = arguments + strcspn(arguments, " ");
	char command[512];

	snprintf(command, sizeof(command),
		 "'" TOP_SRCDIR "/scripts/pg-cluster' %.*s %s%s >/dev/null",
		 (int)(options - arguments), arguments, directory, options);
	return system(command) == 0;
}

/*
 * Removes the cluster when this program has ended, however: the guard's read
 * returns when the last writing end of the pipe is closed.
 */
static int start_guard(void)
{
	int ends[2];
	char byte;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return errno;
	guard = fork();
	if (guard < 0)
		return errno;
	if (guard) {
		close(ends[0]);
		guard_pipe = ends[1];
		return 0;
	}
	setsid();
	close(ends[1]);
	while (read(ends[0], &byte, 1) > 0)
		;
	cluster_run("stop --immediate");
	execl("/bin/rm", "rm", "-rf", directory, (char *)NULL);
	_exit(1);
}

int cluster_start(void)
{
	int err;

	if (system("ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || "
		   "command -v initdb >/dev/null")) {
		fprintf(stderr, "no PostgreSQL server here: skipped\n");
		exit(77);
	}
	if (!mkdtemp(directory))
		return errno;
	err = start_guard();
	if (err)
		return err;
	if (!cluster_run("start --tcp --fast") ||
	    !read_line("conninfo", conninfo, sizeof(conninfo)) ||
	    !read_line("conninfo.tcp", conninfo_tcp, sizeof(conninfo_tcp)))
		return EIO;
	return 0;
}

int cluster_remove(void)
{
	int status = 0;

	if (guard <= 0)
		return 0;
	close(guard_pipe);
	return waitpid(guard, &status, 0) == guard ? status : errno;
}

const char *cluster_conninfo(void)
{
	return conninfo;
}

const char *cluster_conninfo_tcp(void)
{
	return conninfo_tcp;
}

unsigned cluster_port(void)
{
	char line[32] = "";

	read_line("port", line, sizeof(line));
	return (unsigned)strtoul(line, NULL, 10);
}

pid_t cluster_postmaster(void)
{
	char line[32] = "";

	read_line("data/postmaster.pid", line, sizeof(line));
	return (pid_t)strtol(line, NULL, 10);
}

static PGresult *run(const char *sql)
{
	PGconn *pg = PQconnectdb(conninfo);
	PGresult *result = NULL;

	PQclear(PQexec(pg, "SET client_min_messages = warning; "
			   "SET search_path = mcmig"));
	if (PQstatus(pg) == CONNECTION_OK)
		result = PQexec(pg, sql);
	if (PQresultStatus(result) != PGRES_COMMAND_OK &&
	    PQresultStatus(result) != PGRES_TUPLES_OK) {
		fprintf(stderr, "%s\n", PQerrorMessage(pg));
		PQclear(result);
		result = NULL;
	}
	PQfinish(pg);
	return result;
}

int cluster_execute(const char *sql)
{
	PGresult *result = run(sql);

	PQclear(result);
	return result ? 0 : EIO;
}

static json_t *row_texts(const PGresult *result, int row)
{
	json_t *texts = json_array();

	for (int i = 0; i < PQnfields(result); i++)
		json_array_append_new(
		    texts, PQgetisnull(result, row, i)
			       ? json_null()
			       : json_string(PQgetvalue(result, row, i)));
	return texts;
}

json_t *cluster_select(const char *sql)
{
	PGresult *result = run(sql);
	json_t *rows = result ? json_array() : NULL;

	for (int i = 0; i < PQntuples(result); i++)
		json_array_append_new(rows, row_texts(result, i));
	PQclear(result);
	return rows;
}

long cluster_number(const char *sql)
{
	PGresult *result = run(sql);
	long number = -1;

	if (PQntuples(result))
		number = strtol(PQgetvalue(result, 0, 0), NULL, 10);
	PQclear(result);
	return number;
}

int cluster_run_file(const char *path)
{
	static char sql[65536];
	char full[512];
	size_t length;
	FILE *file;

	snprintf(full, sizeof(full), TOP_SRCDIR "/%s", path);
	file = fopen(full, "r");
	if (!file)
		return errno;
	length = fread(sql, 1, sizeof(sql) - 1, file);
	sql[length] = '\0';
	fclose(file);
	return cluster_execute(sql);
}

int cluster_reset_schema(void)
{
	if (cluster_execute("DROP SCHEMA IF EXISTS mcmig CASCADE"))
		return EIO;
	return cluster_run_file("db/postgresql/schema.sql");
}

/* ------------------------------------------------------------------- loop */

#define WATCHES_MAX 64

struct loop_watch {
	int fd;
	uint32_t events;
	loop_watch_h *handler;
	void *arg;
};

struct timers *test_timers;
static struct loop_watch *watches[WATCHES_MAX];

int loop_watch(struct loop *loop, int fd, uint32_t events,
	       loop_watch_h *watch_handler, void *arg,
	       struct loop_watch **watchp)
{
	struct loop_watch *watch = calloc(1, sizeof(*watch));
	size_t i = 0;

	(void)loop;
	while (watches[i])
		i++;
	*watch = (struct loop_watch){ fd, events, watch_handler, arg };
	watches[i] = watch;
	*watchp = watch;
	return 0;
}

int loop_watch_events(struct loop_watch *watch, uint32_t events)
{
	watch->events = events;
	return 0;
}

void loop_unwatch(struct loop_watch *watch)
{
	for (size_t i = 0; watch && i < WATCHES_MAX; i++)
		if (watches[i] == watch)
			watches[i] = NULL;
	free(watch);
}

/* EPOLLIN and its kin have the values of POLLIN and its kin. */
void test_loop_turn(int timeout_ms)
{
	struct pollfd fds[WATCHES_MAX] = { 0 };
	struct loop_watch *polled[WATCHES_MAX];
	int timer_ms = timers_next_ms(test_timers);

	for (size_t i = 0; i < WATCHES_MAX; i++) {
		polled[i] = watches[i];
		fds[i].fd = watches[i] ? watches[i]->fd : -1;
		if (watches[i])
			fds[i].events = (short)watches[i]->events;
	}
	if (timer_ms >= 0 && timer_ms < timeout_ms)
		timeout_ms = timer_ms;
	poll(fds, WATCHES_MAX, timeout_ms);
	for (size_t i = 0; i < WATCHES_MAX; i++)
		if (fds[i].revents && watches[i] == polled[i])
			watches[i]->handler(watches[i]->arg,
					    (uint32_t)fds[i].revents);
	timers_run(test_timers);
}

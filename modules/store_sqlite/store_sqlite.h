/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The SQLite backend: for a single node or an isolated vehicle. One thread of
 * its own has the one connection; requests go to it through a queue, what it
 * has done comes back through a descriptor that the loop watches.
 */
#ifndef MCMIG_STORE_SQLITE_H
#define MCMIG_STORE_SQLITE_H

#include "store/backend.h"

struct store_sqlite_config {
	const char *file;   /* copied, as the next two */
	const char *system; /* our own */
	const char *node;
	uint32_t
	    busy_timeout_ms; /* how long another's write lock is waited for */
};

/* 0 or an errno. The thread runs from ops->start() to ops->stop(). */
int store_sqlite_create(struct store_backend **backendp,
			const struct store_sqlite_config *config);
/* After ops->stop(). NULL is fine. */
void store_sqlite_destroy(struct store_backend *backend);

/* Readable when store_sqlite_dispatch() has something to report. */
int store_sqlite_fd(const struct store_backend *backend);
/* Calls store_up(), store_written() and so on, on the caller's thread. */
void store_sqlite_dispatch(struct store_backend *backend);

#endif

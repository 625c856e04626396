/* SPDX-License-Identifier: BSD-2-Clause */
/* What the thread does for a request; each on an open connection. */
#ifndef MCMIG_STORE_SQLITE_BATCH_H
#define MCMIG_STORE_SQLITE_BATCH_H

#include "connection.h"
#include "store/backend.h"

/*
 * Each returns 0; EIO when the connection is to be closed (the reason is set);
 * EPERM when the lease is lost; ENOMEM.
 */
int batch_load(struct connection *connection, struct store_item **items,
	       size_t count);
int batch_write(struct connection *connection, struct store_item **items,
		size_t count);

int find_live(struct connection *connection, unsigned after_service,
	      const char *after_primary_id, size_t limit,
	      struct store_live_user **usersp, size_t *countp);
int load_directory(struct connection *connection,
		   struct directory **directoryp);
int purge(struct connection *connection, uint64_t finished_before_us,
	  size_t limit);
int query_rows(struct connection *connection, enum store_query_kind kind,
	       const char *argument, json_t **rowsp);

/* Closes what failed: EIO, with the reason of `rc`. */
int batch_failed(struct connection *connection, int rc);

#endif

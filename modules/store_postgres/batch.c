/* SPDX-License-Identifier: BSD-2-Clause */
/* How a batch goes out, falls apart when refused, and ends. */
#include "store_postgres/batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "store_postgres/postgres.h"

#define TRIES_MAX 5 /* of one item, against deadlocks */

static void part_done(struct request *request, enum request_outcome outcome);

static void part_send(struct part *part)
{
	struct batch *batch = part->batch;
	struct postgres *postgres = batch->postgres;
	struct connection *connection =
	    &postgres->connections[batch->kind->connection];

	part->request = (struct request){ .result = batch->kind->result,
					  .done = part_done };
	part->tries++;
	part->statement_count = 0;
	part->lease_seen = false;
	batch->pending++;
	batch->kind->send(postgres, part);
	connection_finish(connection, &part->request);
}

static void finish(struct batch *batch)
{
	free(batch->singles);
	batch->singles = NULL;
	batch->is_running = false;
	if (batch->postgres->store)
		batch->kind->finished(batch->postgres->store, batch->error);
}

static int split(struct batch *batch)
{
	batch->singles = calloc(batch->count, sizeof(*batch->singles));
	if (!batch->singles)
		return ENOMEM;
	for (size_t i = 0; i < batch->count; i++) {
		batch->singles[i] = (struct part){ .batch = batch,
						   .items = &batch->items[i],
						   .count = 1 };
		part_send(&batch->singles[i]);
	}
	return 0;
}

/* Class 40: deadlock, serialization. Whoever lost only has to try again. */
static bool may_try_again(const struct part *part)
{
	return !strncmp(part->request.sqlstate, "40", 2) &&
	       part->tries < TRIES_MAX;
}

static void refused(struct part *part)
{
	static struct log_rate rate;
	struct batch *batch = part->batch;

	if (session_check(batch->postgres, &part->request)) {
		batch->error = EIO;
	} else if (part == &batch->whole && batch->count > 1) {
		if (split(batch))
			batch->error = EIO;
	} else if (may_try_again(part)) {
		part_send(part);
	} else {
		part->items[0]->status = STORE_ITEM_FAILED;
		log_write_limited(&rate, LOG_ERROR, "store_postgres",
				  "msg=\"a %s was refused\" error=\"%s\" "
				  "sqlstate=%s user=%s",
				  batch->kind->name, part->request.error,
				  part->request.sqlstate,
				  part->items[0]->record->primary_id);
	}
}

static void part_done(struct request *request, enum request_outcome outcome)
{
	struct part *part = (struct part *)request;
	struct batch *batch = part->batch;
	int err = 0;

	batch->pending--;
	if (outcome == REQUEST_LOST)
		err = EIO;
	else if (outcome == REQUEST_REFUSED)
		refused(part);
	else
		err = batch->kind->settle(part);
	if (err && !batch->error)
		batch->error = err;
	if (!batch->pending)
		finish(batch);
}

int batch_start(struct batch *batch, struct postgres *postgres,
		const struct batch_kind *kind, struct store_item **items,
		size_t count)
{
	if (!session_is_up(postgres))
		return EAGAIN;
	if (batch->is_running)
		return EBUSY;
	if (count > batch->size) {
		struct store_item **grown =
		    realloc(batch->items, count * sizeof(*grown));

		if (!grown)
			return ENOMEM;
		batch->items = grown;
		batch->size = count;
	}
	memcpy(batch->items, items, count * sizeof(*items));
	batch->postgres = postgres;
	batch->kind = kind;
	batch->count = count;
	batch->pending = 0;
	batch->error = 0;
	batch->is_running = true;
	batch->whole = (struct part){ .batch = batch,
				      .items = batch->items,
				      .count = count };
	connection_count(&postgres->connections[kind->connection], count);
	part_send(&batch->whole);
	return 0;
}

void batch_free(struct batch *batch)
{
	free(batch->items);
	free(batch->singles);
	*batch = (struct batch){ 0 };
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A load or write batch: sent whole as one transaction; if that is refused
 * (an input that no statement takes, a deadlock), its items one by one.
 */
#ifndef MCMIG_STORE_POSTGRES_BATCH_H
#define MCMIG_STORE_POSTGRES_BATCH_H

#include "store/backend.h"
#include "store_postgres/connection.h"

struct postgres;
struct batch;

/* What is one transaction. */
struct part {
	struct request request;
	struct batch *batch;
	struct store_item **items; /* of the batch */
	size_t count;
	unsigned tries;
	unsigned statement_count;
	/* Load: which of its kinds each statement is. */
	unsigned kinds[8];
	/* Write: */
	size_t known, chosen; /* items in front with a row; that are sent */
	bool gives_users[8]; /* whether a statement's rows are numbers of the */
	size_t offsets[8];   /* items written, from this one on */
	bool lease_seen;
};

struct batch_kind {
	const char *name;
	unsigned connection; /* enum connection_role */
	/* Forgets what an earlier try has left and sends the statements. */
	void (*send)(struct postgres *postgres, struct part *part);
	void (*result)(struct request *request, unsigned statement,
		       const PGresult *result);
	/* The part is done: its items' status. 0, or EPERM for the batch. */
	int (*settle)(struct part *part);
	void (*finished)(struct store *store, int error);
};

struct batch {
	struct postgres *postgres;
	const struct batch_kind *kind;
	struct store_item **items; /* a copy: it may be sorted */
	size_t count, size;
	struct part whole;
	struct part *singles; /* NULL until the whole one was refused */
	size_t pending;	      /* parts under way */
	int error;
	bool is_running;
};

/* 0; ENOMEM; EBUSY: one is under way; EAGAIN: not connected. */
int batch_start(struct batch *batch, struct postgres *postgres,
		const struct batch_kind *kind, struct store_item **items,
		size_t count);
/* It is not finished and never will be: the store is gone. */
void batch_free(struct batch *batch);

#endif

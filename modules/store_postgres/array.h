/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Array parameters in PostgreSQL's binary format: a batch travels as one array
 * a column. Buffers are kept from batch to batch. Running out of memory is
 * remembered and told once, by array_set_failed().
 */
#ifndef MCMIG_STORE_POSTGRES_ARRAY_H
#define MCMIG_STORE_POSTGRES_ARRAY_H

#include "base/uuid.h"

#define ARRAY_PARAMETERS_MAX 50

enum array_type { /* object IDs of pg_type.dat, fixed for ever */
		  ARRAY_BOOL = 16,
		  ARRAY_INT8 = 20,
		  ARRAY_INT2 = 21,
		  ARRAY_TEXT = 25,
		  ARRAY_UUID = 2950,
};

struct array {
	char *bytes;
	size_t length, size;
	uint32_t count;
};

/* The parameters of one statement, in the order of $1, $2, ... */
struct array_set {
	struct array columns[ARRAY_PARAMETERS_MAX];
	unsigned count;
	bool failed;
	/* As PQsendQueryPrepared() wants them; array_set_finish() fills. */
	const char *values[ARRAY_PARAMETERS_MAX];
	int lengths[ARRAY_PARAMETERS_MAX];
	int formats[ARRAY_PARAMETERS_MAX];
};

/* Forgets the parameters, keeps the buffers. */
void array_set_start(struct array_set *set);
void array_set_free(struct array_set *set);
/* 0, or ENOMEM if anything of this set has failed. */
int array_set_finish(struct array_set *set);

/* Adds a parameter: an array to be filled, or one plain value. */
struct array *array_set_add(struct array_set *set, enum array_type type);
void array_set_add_int8(struct array_set *set, uint64_t value);
void array_set_add_text(struct array_set *set, const char *text);
void array_set_add_uuid(struct array_set *set, const struct uuid *uuid);

void array_add_bool(struct array_set *set, struct array *array, bool value);
void array_add_int2(struct array_set *set, struct array *array, unsigned value);
void array_add_int8(struct array_set *set, struct array *array, uint64_t value);
void array_add_uuid(struct array_set *set, struct array *array,
		    const struct uuid *uuid);
/* NULL adds an SQL NULL. */
void array_add_text(struct array_set *set, struct array *array,
		    const char *text);

#endif

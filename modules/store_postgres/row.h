/* SPDX-License-Identifier: BSD-2-Clause */
/* Values of results in PostgreSQL's binary format. */
#ifndef MCMIG_STORE_POSTGRES_ROW_H
#define MCMIG_STORE_POSTGRES_ROW_H

#include <libpq-fe.h>

#include "base/uuid.h"

/* Any integer type, by its length; NULL is 0. */
uint64_t row_integer(const PGresult *result, int row, int column);
bool row_bool(const PGresult *result, int row, int column);
/* Cut to `size` with the closing NUL. */
void row_text(const PGresult *result, int row, int column, char *text,
	      size_t size);
void row_uuid(const PGresult *result, int row, int column, struct uuid *uuid);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads values of binary results: network order, texts without a NUL. */
#include "store_postgres/row.h"

#include <stdio.h>
#include <string.h>

uint64_t row_integer(const PGresult *result, int row, int column)
{
	const unsigned char *bytes =
	    (const unsigned char *)PQgetvalue(result, row, column);
	int length = PQgetlength(result, row, column);
	uint64_t value = length && bytes[0] & 0x80 ? UINT64_MAX : 0;

	for (int i = 0; i < length; i++)
		value = value << 8 | bytes[i];
	return value;
}

bool row_bool(const PGresult *result, int row, int column)
{
	return PQgetlength(result, row, column) == 1 &&
	       *PQgetvalue(result, row, column);
}

void row_text(const PGresult *result, int row, int column, char *text,
	      size_t size)
{
	snprintf(text, size, "%s", PQgetvalue(result, row, column));
}

void row_uuid(const PGresult *result, int row, int column, struct uuid *uuid)
{
	memset(uuid, 0, sizeof(*uuid));
	if (PQgetlength(result, row, column) == sizeof(uuid->bytes))
		memcpy(uuid->bytes, PQgetvalue(result, row, column),
		       sizeof(uuid->bytes));
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Procedure IDs: UUIDs (RFC 4122), 16 bytes here, lower case as text. */
#ifndef MCMIG_BASE_UUID_H
#define MCMIG_BASE_UUID_H

#include "base/export.h"

#define UUID_TEXT_SIZE 37 /* with the closing NUL */

struct uuid {
	uint8_t bytes[16];
};

MCMIG_API bool uuid_equal(const struct uuid *a, const struct uuid *b);
/* 0, or EINVAL: only the form 8-4-4-4-12 of hex digits is taken. */
MCMIG_API int uuid_from_text(const char *text, struct uuid *uuid);
MCMIG_API const char *uuid_to_text(const struct uuid *uuid,
				   char text[UUID_TEXT_SIZE]);
MCMIG_API void uuid_random(struct uuid *uuid); /* version 4 */
/* Version 5 (SHA-1) over `name`, in the namespace `key`. */
MCMIG_API void uuid_derive(const struct uuid *key, const void *name,
			   size_t bytes, struct uuid *uuid);

#endif

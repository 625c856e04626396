/* SPDX-License-Identifier: BSD-2-Clause */
/* Procedure IDs, over libuuid. */
#include "base/uuid.h"

#include <errno.h>
#include <string.h>
#include <uuid/uuid.h>

bool uuid_equal(const struct uuid *a, const struct uuid *b)
{
	return !memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

int uuid_from_text(const char *text, struct uuid *uuid)
{
	/* libuuid reads with sscanf, which takes signs and blanks as well. */
	if (strspn(text, "0123456789abcdefABCDEF-") != UUID_TEXT_SIZE - 1 ||
	    text[UUID_TEXT_SIZE - 1])
		return EINVAL;
	return uuid_parse(text, uuid->bytes) ? EINVAL : 0;
}

const char *uuid_to_text(const struct uuid *uuid, char text[UUID_TEXT_SIZE])
{
	uuid_unparse_lower(uuid->bytes, text);
	return text;
}

void uuid_random(struct uuid *uuid)
{
	uuid_generate_random(uuid->bytes);
}

void uuid_derive(const struct uuid *key, const void *name, size_t bytes,
		 struct uuid *uuid)
{
	uuid_generate_sha1(uuid->bytes, key->bytes, name, bytes);
}

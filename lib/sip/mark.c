/* SPDX-License-Identifier: BSD-2-Clause */
/* 8 bytes, then their SipHash, in hexadecimal. */
#include "sip/mark.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void mark_make(const struct siphash_key *key, uint64_t unique,
	       char tag[MARK_SIZE])
{
	struct siphash hash;

	siphash_start(&hash, key);
	siphash_add(&hash, &unique, sizeof(unique));
	snprintf(tag, MARK_SIZE, "%016" PRIx64 "%016" PRIx64, unique,
		 siphash_end(&hash));
}

bool mark_is_ours(const struct siphash_key *key, const char *tag)
{
	char ours[MARK_SIZE];
	uint64_t unique;

	if (strlen(tag) != MARK_SIZE - 1 ||
	    sscanf(tag, "%16" SCNx64, &unique) != 1)
		return false;
	mark_make(key, unique, ours);
	return !strcmp(tag, ours);
}

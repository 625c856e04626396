/* SPDX-License-Identifier: BSD-2-Clause */
/* Strict base64url. */
#include "token/base64url.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

/* -1: none of the alphabet. */
static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '-')
		return 62;
	return c == '_' ? 63 : -1;
}

static int decode(const char *text, size_t chars, unsigned char *bytes,
		  size_t *countp)
{
	uint32_t bits = 0;
	unsigned held = 0;
	size_t count = 0;

	for (size_t i = 0; i < chars; i++) {
		int value = value_of(text[i]);

		if (value < 0)
			return EINVAL;
		bits = bits << 6 | (uint32_t)value;
		held += 6;
		if (held >= 8) {
			held -= 8;
			bytes[count++] = (unsigned char)(bits >> held);
			bits &= (1u << held) - 1;
		}
	}
	*countp = count;
	return bits ? EINVAL : 0;
}

int base64url_decode(const char *text, size_t chars, unsigned char **bytesp,
		     size_t *countp)
{
	unsigned char *bytes;
	int err;

	if (chars % 4 == 1)
		return EINVAL;
	bytes = malloc(chars / 4 * 3 + 3);
	if (!bytes)
		return ENOMEM;
	err = decode(text, chars, bytes, countp);
	if (err) {
		free(bytes);
		return err;
	}
	bytes[*countp] = '\0';
	*bytesp = bytes;
	return 0;
}

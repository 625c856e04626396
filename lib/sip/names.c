/* SPDX-License-Identifier: BSD-2-Clause */
/* Whom a next hop on TLS has to prove to be. */
#include "sip/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct names *names_copy(const char *const *items, size_t count)
{
	size_t bytes = sizeof(struct names) + count * sizeof(*items);
	struct names *names;
	char *text;

	for (size_t i = 0; i < count; i++)
		bytes += strlen(items[i]) + 1;
	names = malloc(bytes);
	if (!names)
		return NULL;
	names->count = count;
	text = (char *)&names->items[count];
	for (size_t i = 0; i < count; i++) {
		names->items[i] = strcpy(text, items[i]);
		text += strlen(text) + 1;
	}
	return names;
}

bool names_have_one(const struct names *names, const char *const *items,
		    size_t count)
{
	for (size_t i = 0; i < names->count; i++)
		for (size_t j = 0; j < count; j++)
			if (!strcasecmp(names->items[i], items[j]))
				return true;
	return false;
}

void names_list(const char *const *items, size_t count, char *text, size_t size)
{
	size_t used = 0;

	*text = '\0';
	for (size_t i = 0; i < count && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%s%s",
					 i ? ", " : "", items[i]);
	for (char *quote = text; (quote = strchr(quote, '"'));)
		*quote = '\'';
}

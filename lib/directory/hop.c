/* SPDX-License-Identifier: BSD-2-Clause */
/* A next hop as text. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "directory/directory.h"

#define PRIORITY_MAX 65535

/* "NUMBER" and blanks; false: something else, or too great. */
static bool take_number(const char **text, unsigned *number)
{
	size_t digits = strspn(*text, "0123456789");

	if (!digits || digits > 5 ||
	    ((*text)[digits] && (*text)[digits] != ' '))
		return false;
	*number = (unsigned)strtoul(*text, NULL, 10);
	*text += digits;
	*text += strspn(*text, " ");
	return *number <= PRIORITY_MAX;
}

int directory_parse_hop(const char *text, struct directory_server *hop)
{
	size_t length = strcspn(text, " ");

	hop->priority = hop->weight = 1;
	if (length >= sizeof(hop->uri))
		return EINVAL;
	memcpy(hop->uri, text, length);
	hop->uri[length] = '\0';
	text += length;
	text += strspn(text, " ");
	if (*text && !take_number(&text, &hop->priority))
		return EINVAL;
	if (*text && !take_number(&text, &hop->weight))
		return EINVAL;
	return *text ? EINVAL : 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of certificates, "dns:NAME" and "uri:URI", in one piece of memory. */
#ifndef MCMIG_SIP_NAMES_H
#define MCMIG_SIP_NAMES_H

#include "base/export.h"

struct names {
	size_t count;
	const char *items[];
};

/* To be freed by free(); NULL: out of memory. */
struct names *names_copy(const char *const *items, size_t count);
/* RFC 5922 7.2: whether one is in the other list, without regard to case. */
bool names_have_one(const struct names *names, const char *const *items,
		    size_t count);
/* "a, b" for the log: without quotes, cut where it does not fit. */
void names_list(const char *const *items, size_t count, char *text,
		size_t size);

#endif

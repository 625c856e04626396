/* SPDX-License-Identifier: BSD-2-Clause */
/* The value of a Content-Type header field (RFC 3261 20.15, RFC 2045 5.1). */
#ifndef MCMIG_MCINFO_MEDIA_TYPE_H
#define MCMIG_MCINFO_MEDIA_TYPE_H

#include "base/export.h"

#define MEDIA_TYPE_SIZE 128
#define MEDIA_CHARSET_SIZE 32
#define MEDIA_BOUNDARY_SIZE 71 /* RFC 2046 5.1.1: 1 to 70 characters */

struct media_type {
	char name[MEDIA_TYPE_SIZE];	    /* "type/subtype", lower case */
	char charset[MEDIA_CHARSET_SIZE];   /* lower case; "": none */
	char boundary[MEDIA_BOUNDARY_SIZE]; /* "": none */
};

/* 0, or EINVAL: malformed, a parameter doubled, or too long. */
MCMIG_API int media_type_parse(const char *text, size_t bytes,
			       struct media_type *type);

#endif

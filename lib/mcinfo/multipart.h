/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds the information document in a SIP body. */
#ifndef MCMIG_MCINFO_MULTIPART_H
#define MCMIG_MCINFO_MULTIPART_H

#include "mcinfo/mcinfo.h"

struct document_span { /* inside the caller's body */
	enum mc_service service;
	const char *text;
	size_t bytes;
};

/* The document of a body with this Content-Type. 0, or EBADMSG and `*error`. */
int document_find(const char *content_type, const char *body, size_t body_bytes,
		  struct document_span *document, struct mcinfo_error *error);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds the information document in a SIP body. */
#ifndef MCMIG_MCINFO_MULTIPART_H
#define MCMIG_MCINFO_MULTIPART_H

#include "mcinfo/mcinfo.h"
#include "mcinfo/media_type.h"

struct document_span { /* inside the caller's body */
	enum mc_service service;
	const char *text;
	size_t bytes;
};

/* The document of a body with this Content-Type. 0, or EBADMSG and `*error`. */
int document_find(const char *content_type, const char *body, size_t body_bytes,
		  struct document_span *document, struct mcinfo_error *error);

struct body_part {
	struct media_type type; /* name "": none given */
	bool has_type;
	bool has_encoding;
	const char *text; /* inside the caller's body */
	size_t bytes;
};

/* 0, or EBADMSG and `*error`, which ends it. */
typedef int body_part_h(void *arg, const struct body_part *part,
			struct mcinfo_error *error);

/*
 * Calls `visit` for each part of a multipart body, which are few and none of
 * them multipart again. 0, or EBADMSG and `*error`.
 */
MCMIG_API int multipart_visit(const char *boundary, const char *body,
			      size_t body_bytes, body_part_h *visit, void *arg,
			      struct mcinfo_error *error);

#endif

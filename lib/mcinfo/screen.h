/* SPDX-License-Identifier: BSD-2-Clause */
/* What is looked at before libxml2 sees a byte of a document. */
#ifndef MCMIG_MCINFO_SCREEN_H
#define MCMIG_MCINFO_SCREEN_H

#include "mcinfo/mcinfo.h"

/*
 * The document must be UTF-8, say nothing else of itself, have no control
 * characters, and not more attributes than libxml2 can compare in good time.
 * 0, or EBADMSG and `*error`.
 */
int screen_document(const char *text, size_t bytes, struct mcinfo_error *error);

/* Bytes of the UTF-8 character at `text` (RFC 3629), 0 if it is none. */
size_t screen_utf8(const char *text, size_t bytes);

/* Whether UTF-8 without control characters (C0, DEL, C1). */
bool screen_is_plain_text(const char *text);

#endif

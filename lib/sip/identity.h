/* SPDX-License-Identifier: BSD-2-Clause */
/* P-Asserted-Identity (RFC 3325 9.1), which Sofia's parser does not know. */
#ifndef MCMIG_SIP_IDENTITY_H
#define MCMIG_SIP_IDENTITY_H

#include "sip/internal.h"

struct identities {
	const char *uris[SIP_IDENTITIES_MAX]; /* of the message's memory */
	size_t count;
};

/* 0; EINVAL: malformed, or too many of them; ENOMEM. */
int identities_read(msg_t *msg, const sip_t *sip,
		    struct identities *identities);

/* --- What header fields of this kind are made of -------------------------- */

/* RFC 3261 25.1: the characters of a token. */
#define IDENTITY_TOKEN                                                   \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789" \
	"-.!%*_+`'~"

const char *identity_skip_lws(const char *at);
/* Behind the closing quote; NULL: there is none, or a control character. */
const char *identity_skip_quoted(const char *at);
/*
 * name-addr or addr-spec without parameters of the header: behind it and the
 * blanks after it; its URI is in *urip. NULL: it is malformed.
 */
const char *identity_read_value(const char *at, const char **urip,
				size_t *bytesp);

#endif

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

#endif

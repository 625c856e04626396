/* SPDX-License-Identifier: BSD-2-Clause */
/* What a trusted network says of a request, as read: sip_network_headers. */
#ifndef MCMIG_SIP_NETWORK_H
#define MCMIG_SIP_NETWORK_H

#include "sip/internal.h"

/*
 * Fills `network` from the message, in whose memory the texts are. 0; EINVAL:
 * the header *badp is malformed, too long or given twice; ENOMEM.
 */
int network_read(msg_t *msg, const sip_t *sip,
		 struct sip_network_headers *network, const char **badp);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Final answers, interned: what was answered is remembered for every
 * retransmission (RFC 3261 17.2.2), and most answers are the same few.
 */
#ifndef MCMIG_SIP_ANSWER_H
#define MCMIG_SIP_ANSWER_H

#include "sip/sip.h"

struct answers;

struct answer {
	int status;
	unsigned retry_after_s; /* 0: none */
	const char *phrase;	/* NULL: the status's own */
	const char *warning;	/* whole header value; NULL: none */
	const char *accept;	/* NULL: none */
};

int answers_create(struct answers **answersp);
/* All references must have been given back. NULL is fine. */
void answers_destroy(struct answers *answers);

/*
 * The answer that equals `reply`, with a reference; `domain` is the warning
 * agent. NULL: out of memory.
 */
const struct answer *answer_get(struct answers *answers, const char *domain,
				const struct sip_reply *reply);
void answer_put(struct answers *answers, const struct answer *answer);
size_t answers_count(const struct answers *answers);

#endif

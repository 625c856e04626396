/* SPDX-License-Identifier: BSD-2-Clause */
/* What is wrong with a request before its body is looked at. */
#ifndef MCMIG_SIP_CHECK_H
#define MCMIG_SIP_CHECK_H

#include "sip/internal.h"

/* The Allow line; `registers`: REGISTER is taken too. */
const char *check_allow(bool registers);

struct check_result {
	struct answer answer;
	const char *extra; /* header lines; NULL: none */
	char phrase[96], warning[256], lines[512];
};

/* True: answer it with `result`; false: nothing is wrong. */
bool check_request(const sip_t *sip, const char *domain, bool registers,
		   struct check_result *result);

#endif

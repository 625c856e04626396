/* SPDX-License-Identifier: BSD-2-Clause */
/* What mcmigctl token inspect is asked. */
#ifndef MCMIG_SRC_CTL_TOKEN_OPTIONS_H
#define MCMIG_SRC_CTL_TOKEN_OPTIONS_H

#include "mcinfo/mcid.h"
#include "token/token.h"

#define NAMES_MAX 16

struct names {
	const char *values[NAMES_MAX];
	size_t count;
};

struct ctl_token_options {
	const char *file; /* NULL: standard input */
	const char *jwks; /* NULL: none */
	const char *issuer;
	struct names audiences, clients, scopes;
	unsigned algorithms;
	uint32_t clock_skew_s;
	const char *primary_id_claim;
	enum mc_service service;
	char partner_id[MCID_SIZE], primary_id[MCID_SIZE]; /* "": not asked */
	bool json;
};

/* 0; EINVAL with the reason on stderr; EAGAIN when help was printed. */
int ctl_token_options(struct ctl_token_options *options, int argc, char **argv);

#endif

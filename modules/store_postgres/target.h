/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where to connect: a conninfo taken apart into single servers with addresses,
 * since libpq would look names up on the loop's thread, and its asynchronous
 * connect never leaves a first host that does not answer.
 */
#ifndef MCMIG_STORE_POSTGRES_TARGET_H
#define MCMIG_STORE_POSTGRES_TARGET_H

#include "base/export.h"

#define TARGET_PARAMETERS_MAX 64

struct targets;

/*
 * `node` is for application_name. 0; ENOMEM; EINVAL: no conninfo, or one that
 * cannot work here, with the reason in `why` (never a part of the conninfo).
 */
int targets_create(struct targets **targetsp, const char *conninfo,
		   const char *node, char *why, size_t why_bytes);
void targets_destroy(struct targets *targets);

/* Begins to look up the names again. 0; EINPROGRESS: ask targets_poll(). */
int targets_resolve(struct targets *targets);
/* 0 when done, else EINPROGRESS. */
int targets_poll(struct targets *targets);

/* Addresses found; 0: not one of the names is known, `why` says which. */
size_t targets_count(const struct targets *targets);
const char *targets_why(const struct targets *targets);
/* Parameters for PQconnectStartParams(), valid until targets_resolve(). */
void targets_parameters(struct targets *targets, size_t i,
			const char *keywords[TARGET_PARAMETERS_MAX],
			const char *values[TARGET_PARAMETERS_MAX]);

#endif

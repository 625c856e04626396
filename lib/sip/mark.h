/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Our own mark: From tags that only this process can make, so that it knows a
 * request that has come back to it.
 */
#ifndef MCMIG_SIP_MARK_H
#define MCMIG_SIP_MARK_H

#include "base/siphash.h"

#define MARK_SIZE 33

/* `unique` has not been used before, and nobody can guess it. */
void mark_make(const struct siphash_key *key, uint64_t unique,
	       char tag[MARK_SIZE]);
bool mark_is_ours(const struct siphash_key *key, const char *tag);

#endif

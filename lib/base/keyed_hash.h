/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uthash, for tables whose keys others choose: its own hash can be computed by
 * anybody, so that chosen keys share one chain (10,000 of them made a table 45
 * times slower). Include it in place of <uthash.h>.
 */
#ifndef MCMIG_BASE_KEYED_HASH_H
#define MCMIG_BASE_KEYED_HASH_H

#include "base/export.h"

#define HASH_NONFATAL_OOM 1
#define HASH_FUNCTION(key, bytes, hash) ((hash) = keyed_hash(key, bytes))
#include <uthash.h>

/* SipHash with a key that this process has drawn. */
MCMIG_API unsigned keyed_hash(const void *key, size_t bytes);

#endif

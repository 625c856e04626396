/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Quotas: how often each of many may come. A token bucket a key; the table is
 * bounded, and whoever has been away longest is forgotten first.
 */
#ifndef MCMIG_BASE_QUOTA_H
#define MCMIG_BASE_QUOTA_H

#include "base/export.h"

struct quota;

/*
 * `rate` a second on average, `burst` at once (at least 1), for at most
 * `keys_max` keys. A rate of 0: everything is allowed. 0 or ENOMEM.
 */
MCMIG_API int quota_create(struct quota **quotap, uint32_t rate, uint32_t burst,
			   size_t keys_max);
MCMIG_API void quota_destroy(struct quota *quota);
/* For a reload: from now on. */
MCMIG_API void quota_set(struct quota *quota, uint32_t rate, uint32_t burst);

/* True: taken from the key's quota; false: it has none left. Out of memory
 * allows. */
MCMIG_API bool quota_take(struct quota *quota, const char *key);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether jansson has run out of memory: it does not say so, and drops
 * characters of a string that it cannot lengthen, so that what it has read then
 * is another token.
 */
#ifndef MCMIG_TOKEN_MEMORY_H
#define MCMIG_TOKEN_MEMORY_H

#include <stdbool.h>

/* From here on, on this thread. The first one hooks jansson's allocations. */
void token_memory_begin(void);
bool token_memory_failed(void);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether jansson or cjose has run out of memory. jansson does not say so, and
 * drops characters of a string that it cannot lengthen, so that what it has
 * read then is another token. cjose 0.6.2 writes through the NULL that it got:
 * it gets a reserve instead, and what it says then counts for nothing.
 */
#ifndef MCMIG_TOKEN_MEMORY_H
#define MCMIG_TOKEN_MEMORY_H

#include <stdbool.h>

/*
 * From here on, on this thread. The first one hooks the allocations of both.
 * After a failure whatever cjose has made is to be released: the reserve is
 * enough for one token at a time.
 */
void token_memory_begin(void);
bool token_memory_failed(void);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Which columns of wide rows people need. */
#ifndef MCMIG_SRC_COLUMNS_H
#define MCMIG_SRC_COLUMNS_H

#include <jansson.h>

/*
 * The result of `command` with only the columns that people need, in the order
 * in which they read them; of most commands all. A new reference; NULL: out of
 * memory.
 */
json_t *columns_choose(const char *command, json_t *result);

#endif

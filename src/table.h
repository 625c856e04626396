/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON as people read it: lines of an object, columns of an array. */
#ifndef MCMIG_SRC_TABLE_H
#define MCMIG_SRC_TABLE_H

#include <stdio.h>

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

/*
 * An object: "key  value" lines, nested keys joined by a dot. An array of
 * objects: a header of the first one's keys, then aligned columns; where they
 * are wider than `width` (0: any), an object each. Times lose their
 * microseconds, control characters become '?'.
 */
void table_print(const json_t *value, size_t width, FILE *out);

#endif

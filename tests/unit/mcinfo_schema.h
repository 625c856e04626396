/* SPDX-License-Identifier: BSD-2-Clause */
/* Validation of documents against the schemas in doc/. */
#ifndef MCMIG_TESTS_MCINFO_SCHEMA_H
#define MCMIG_TESTS_MCINFO_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

/* CUnit's suite functions: load and free the schema. 0, or not. */
int schema_load(void);
int schema_free(void);

bool schema_takes(const char *document, size_t bytes);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Generation-checked handles: what crosses an asynchronous call is a number;
 * when the object is gone, the number finds nothing.
 */
#ifndef MCMIG_BASE_HANDLE_H
#define MCMIG_BASE_HANDLE_H

#include "base/export.h"

struct handle_table;
typedef uint64_t handle_t; /* 0 is never a valid handle */

/* `max` bounds the objects alive at once. 0, EINVAL or ENOMEM. */
MCMIG_API int handle_table_create(struct handle_table **tablep, uint32_t max);
MCMIG_API void handle_table_destroy(struct handle_table *table);

/* 0, ENOMEM, or EBUSY when `max` objects are alive. */
MCMIG_API int handle_add(struct handle_table *table, void *object,
			 handle_t *handlep);
MCMIG_API void *handle_get(const struct handle_table *table, handle_t handle);
/* Returns the object, or NULL if the handle was no longer valid. */
MCMIG_API void *handle_remove(struct handle_table *table, handle_t handle);
/* Removes all objects and gives each to `release`. */
MCMIG_API void handle_drain(struct handle_table *table,
			    void (*release)(void *object));
MCMIG_API uint32_t handle_count(const struct handle_table *table);

#endif

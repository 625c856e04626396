/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The database of one system: a store backend on tables in memory that outlive
 * the server. A commit takes time, and whether one that the server did not live
 * to see, or that the connection broke under, has happened is a matter of
 * chance; it may even happen later.
 */
#ifndef MCMIG_SIMULATION_DATABASE_H
#define MCMIG_SIMULATION_DATABASE_H

#include "tables.h"

struct sim;
struct database;

struct database *database_create(struct sim *sim, unsigned system);
void database_destroy(struct database *database);
/* No rows, nothing under way. */
void database_reset(struct database *database);

struct tables *database_tables(struct database *database);
struct store_backend *database_backend(struct database *database);
/* A commit whose server has not heard of it may still happen. */
bool database_is_busy(const struct database *database);

/* Away until database_return(); on a crash of the server: nothing to do. */
void database_leave(struct database *database);
void database_return(struct database *database);
void database_provisioning_changed(struct database *database);

#endif

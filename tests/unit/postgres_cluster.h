/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A private PostgreSQL cluster for a test program, and a small loop in place of
 * lib/loop's, that a test turns by hand.
 */
#ifndef MCMIG_TESTS_POSTGRES_CLUSTER_H
#define MCMIG_TESTS_POSTGRES_CLUSTER_H

#include <jansson.h>
#include <sys/types.h>

#include "base/timer.h"

/* Starts it, once; ends the program with 77 (skipped) without PostgreSQL. */
int cluster_start(void);
/* Stops and removes it. */
int cluster_remove(void);

const char *cluster_conninfo(void);
const char *cluster_conninfo_tcp(void); /* with a password */
/* Where conninfo.tcp says: 127.0.0.1. */
unsigned cluster_port(void);

/* Runs scripts/pg-cluster with these arguments: true, or it failed. */
bool cluster_run(const char *arguments);
pid_t cluster_postmaster(void);

/* On a connection of their own. 0 or EIO, said on stderr. */
int cluster_execute(const char *sql);
json_t *cluster_select(const char *sql);
/* The first value of the first row as a number; -1: none. */
long cluster_number(const char *sql);
/* A file of the source tree. */
int cluster_run_file(const char *path);
int cluster_reset_schema(void);

extern struct timers *test_timers;
/* One turn: waits at most `timeout_ms` for a descriptor or a timer. */
void test_loop_turn(int timeout_ms);

#endif

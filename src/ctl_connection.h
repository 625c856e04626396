/* SPDX-License-Identifier: BSD-2-Clause */
/* mcmigctl's side of the ctl socket: one request, one answer. */
#ifndef MCMIG_SRC_CTL_CONNECTION_H
#define MCMIG_SRC_CTL_CONNECTION_H

#include <stddef.h>

#include <jansson.h>

/*
 * Sends `request` and waits for the answer. 0: *answerp is an object that has
 * "result" or "error", json_decref() it; else an errno with the remedy in
 * `why`.
 */
int ctl_ask(const char *path, const json_t *request, json_t **answerp,
	    char *why, size_t why_bytes);

#endif

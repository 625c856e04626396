/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Control over a unix socket: a line of JSON each way.
 *   {"command": "procedures", "args": ["..."]}
 *   {"result": ...} or {"error": "..."}
 */
#ifndef MCMIG_CTL_H
#define MCMIG_CTL_H

#include "base/timer.h"
#include "ctl/socket.h"
#include "module/core.h"
#include "stats/stats.h"

struct ctl_client;
struct loop_watch;

struct ctl_settings {
	char *socket;
	uint32_t clients_max;
	uint32_t idle_timeout_ms;
	uint32_t command_timeout_ms;
	uint32_t answer_timeout_ms;
};

struct ctl {
	struct core *core;
	const struct ctl_settings *settings;
	struct ctl_socket socket;
	struct loop_watch *watch;
	struct timer accept_again; /* when we ran out of descriptors */
	struct ctl_client *clients;
	size_t client_count;
	struct statistic commands, failures, refused, dropped;
};

/* --- client.c --- */
/* Takes `fd` over, whatever it returns. 0 or an errno. */
int ctl_client_create(struct ctl *ctl, int fd);
/* Also of those whose command is under way: it must not end any more. */
void ctl_clients_destroy(struct ctl *ctl);
/* Commands under way and answers not yet read; not the one that asks. */
size_t ctl_clients_busy(const struct ctl *ctl);

/* --- request.c --- */
/* Runs the request in a line without its newline; `call` ends now or later. */
void ctl_request_run(struct ctl *ctl, const char *line, size_t length,
		     struct command_call *call);

/* --- commands.c --- */
extern const struct command ctl_commands[];

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mcmig-ue: an MC service client for people and tests. Asks a partner MC system
 * for migration service authorization or de-authorization.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "loop/loop.h"
#include "sip/stack.h"
#include "stats/stats.h"
#include "ue_login.h"
#include "ue_options.h"
#include "ue_procedure.h"
#include "ue_server.h"

#define LISTEN_ATTEMPTS 8
#define TRANSACTIONS_MAX 64

static int print_body(const struct ue_options *options)
{
	size_t bytes;
	char *body;
	int err;

	err = mcinfo_build(&options->request, &body, &bytes);
	if (err) {
		fprintf(stderr, "mcmig-ue: no document: %s\n", strerror(err));
		return UE_USAGE;
	}
	fwrite(body, 1, bytes, stdout);
	if (bytes && body[bytes - 1] != '\n')
		putchar('\n');
	free(body);
	return UE_SUCCESS;
}

static int create_stack(struct sip_stack **stackp, struct loop *loop,
			struct stats *stats, const struct ue_server *server,
			uint16_t port)
{
	char udp[SIP_HOST_SIZE + 16], tcp[SIP_HOST_SIZE + 16];
	const char *const listen[] = { udp, tcp };
	const struct sip_stack_config config = {
		.listen = listen,
		.listen_count = 2,
		.domain = "mcmig-ue.invalid",
		.t1_ms = 500,
		.server_transactions_max = TRANSACTIONS_MAX,
		.client_transactions_max = TRANSACTIONS_MAX,
		.peer_outstanding_max = TRANSACTIONS_MAX,
	};

	snprintf(udp, sizeof(udp), "udp:%s:%u", server->local_host, port);
	snprintf(tcp, sizeof(tcp), "tcp:%s:%u", server->local_host, port);
	return sip_stack_create(stackp, loop, stats, &config);
}

/* The server sends the response flow to the port of our Via, on either. */
static int listen_on_both(struct sip_stack **stackp, struct loop *loop,
			  struct stats *stats, const struct ue_server *server)
{
	int err = EADDRINUSE;

	for (int i = 0; err == EADDRINUSE && i < LISTEN_ATTEMPTS; i++) {
		uint16_t port = ue_server_free_port(server);

		if (port)
			err = create_stack(stackp, loop, stats, server, port);
	}
	return err;
}

static int run(const struct ue_options *options)
{
	struct ue_procedure *procedure = NULL;
	struct sip_stack *stack = NULL;
	struct stats *stats = NULL;
	struct loop *loop = NULL;
	int result = UE_INTERNAL;
	int err;

	err = loop_create(&loop);
	if (err)
		goto out;
	err = stats_create(&stats);
	if (err)
		goto out;
	err = listen_on_both(&stack, loop, stats, &options->server);
	if (err)
		goto out;
	err = ue_procedure_create(&procedure, loop, sip_stack_sip(stack),
				  options);
	if (err)
		goto out;
	err = ue_procedure_start(procedure);
	if (err)
		goto out;
	loop_run(loop);
	result = ue_procedure_result(procedure);
out:
	if (err)
		fprintf(stderr, "mcmig-ue: %s\n", strerror(err));
	ue_procedure_destroy(procedure);
	sip_stack_destroy(stack);
	stats_destroy(stats);
	loop_destroy(loop);
	return result;
}

static int log_in(struct ue_options *options)
{
	return ue_login(options->login, options->user, options->request.service,
			&options->request.access_token);
}

int main(int argc, char **argv)
{
	struct ue_options options;
	int result = UE_USAGE;
	int err;

	clearenv(); /* Sofia's behaviour depends on it */
	err = ue_options_parse(&options, argc, argv);
	if (err == EAGAIN)
		result = UE_SUCCESS;
	if (err)
		goto out;
	log_set_level(options.verbose ? LOG_DEBUG : LOG_ERROR);
	if (options.login && log_in(&options)) {
		result = UE_NO_TOKEN;
		goto out;
	}
	result = options.print_body ? print_body(&options) : run(&options);
out:
	ue_options_clear(&options);
	return result;
}

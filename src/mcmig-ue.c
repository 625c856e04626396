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
			const struct sip_tls *tls, uint16_t port)
{
	char entries[2][SIP_HOST_SIZE + 16];
	const char *const listen[] = { entries[0], entries[1] };
	const struct sip_stack_config config = {
		.listen = listen,
		.listen_count = tls->context ? 1 : 2,
		.domain = "mcmig-ue.invalid",
		.t1_ms = 500,
		.server_transactions_max = TRANSACTIONS_MAX,
		.client_transactions_max = TRANSACTIONS_MAX,
		.peer_outstanding_max = TRANSACTIONS_MAX,
		.tls = *tls,
	};

	snprintf(entries[0], sizeof(entries[0]), "%s:%s:%u",
		 tls->context ? "tls" : "udp", server->local_host, port);
	snprintf(entries[1], sizeof(entries[1]), "tcp:%s:%u",
		 server->local_host, port);
	return sip_stack_create(stackp, loop, stats, &config);
}

/* The server sends the response flow to the port of our Via: on UDP or TCP, or
 * on TLS. */
static int listen_on(struct sip_stack **stackp, struct loop *loop,
		     struct stats *stats, const struct ue_server *server,
		     const struct sip_tls *tls)
{
	int err = EADDRINUSE;

	for (int i = 0; err == EADDRINUSE && i < LISTEN_ATTEMPTS; i++) {
		uint16_t port = ue_server_free_port(server);

		if (port)
			err = create_stack(stackp, loop, stats, server, tls,
					   port);
	}
	return err;
}

static int create_sip(struct sip_stack **stackp, struct loop *loop,
		      struct stats *stats, const struct ue_options *options)
{
	struct tls_context *context = NULL;
	struct tls_settings settings;
	struct sip_tls tls = { 0 };
	int err = 0;

	if (options->server.transport == SIP_TLS) {
		err = ue_tls_create(&context, &settings, &options->tls);
		tls = (struct sip_tls){ context, &settings };
	}
	if (!err)
		err = listen_on(stackp, loop, stats, &options->server, &tls);
	tls_context_release(context);
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
	err = create_sip(&stack, loop, stats, options);
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
	/* Why nothing comes over TLS is a warning. */
	log_set_level(options.verbose ? LOG_DEBUG : LOG_WARNING);
	if (options.login && log_in(&options)) {
		result = UE_NO_TOKEN;
		goto out;
	}
	result = options.print_body ? print_body(&options) : run(&options);
out:
	ue_options_clear(&options);
	return result;
}

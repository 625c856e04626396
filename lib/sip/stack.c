/* SPDX-License-Identifier: BSD-2-Clause */
/* The SIP stack: one agent, used statelessly, its listeners and both sides. */
#include "sip/stack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <sofia-sip/nta_tag.h>
#include <sofia-sip/su_tag.h>

#include "base/log.h"
#include "loop/loop.h"
#include "sip/breaker.h"
#include "sip/channel.h"
#include "sip/tls_transport.h"

#define PROBE_INTERVAL_MS_MIN 100

/* Requests, and the answers that belong to no transaction of Sofia's: all. */
static int receive(nta_agent_magic_t *magic, nta_agent_t *agent, msg_t *msg,
		   sip_t *sip)
{
	struct sip_stack *stack = (struct sip_stack *)magic;
	struct channel channel;

	if (sip->sip_request) {
		channel = channel_of_tport(
		    stack, tport_delivered_by(nta_agent_tports(agent), msg));
		server_receive(stack, msg, sip, &channel);
	} else {
		client_receive(stack, msg, sip);
	}
	return 0;
}

static void set_message_handler(struct sip *sip, sip_message_h *handler,
				void *arg)
{
	struct sip_stack *stack = (struct sip_stack *)sip;

	stack->message_handler = handler;
	stack->message_arg = arg;
}

static void set_source_handler(struct sip *sip, sip_source_h *handler,
			       void *arg)
{
	struct sip_stack *stack = (struct sip_stack *)sip;

	stack->source_handler = handler;
	stack->source_arg = arg;
}

static void set_register_handler(struct sip *sip, sip_register_h *handler,
				 void *arg)
{
	struct sip_stack *stack = (struct sip_stack *)sip;

	stack->register_handler = handler;
	stack->register_arg = arg;
}

static bool listens_on(struct sip *sip, const char *host, uint16_t port)
{
	const struct sip_stack *stack = (const struct sip_stack *)sip;
	char address[ADDRESS_SIZE];

	snprintf(address, sizeof(address), "%s:%u", host, port);
	for (size_t i = 0; i < stack->listener_count; i++) {
		const struct listener *each = &stack->listeners[i];

		if (!strcasecmp(each->address, address) ||
		    !strcasecmp(each->sent_by, address))
			return true;
	}
	return false;
}

static const struct sip_ops stack_ops = {
	.set_register_handler = set_register_handler,
	.listens_on = listens_on,
	.set_source_handler = set_source_handler,
	.is_down = breaker_is_down,
	.set_message_handler = set_message_handler,
	.reply = server_reply,
	.send = client_send,
};

/* --- Life ---------------------------------------------------------------- */

static int create_agent(struct sip_stack *stack)
{
	const msg_mclass_t *class = parser_class();

	if (!class)
		return ENOMEM;
	stack->agent =
	    nta_agent_create(loop_su_root(stack->loop), (url_string_t *)-1,
			     receive, (nta_agent_magic_t *)stack,
			     NTATAG_MCLASS(class),
			     NTATAG_MAXSIZE(AGENT_BYTES_MAX), NTATAG_UA(0),
			     NTATAG_SERVER_RPORT(1), NTATAG_BAD_REQ_MASK(0),
			     NTATAG_USE_NAPTR(0), NTATAG_USE_SRV(0), TAG_END());
	return stack->agent ? 0 : ENOMEM;
}

static int listen_on(struct sip_stack *stack, enum sip_side side,
		     const char *const *entries, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct listener *listener =
		    &stack->listeners[stack->listener_count];
		int err;

		listener->side = side;
		err = transport_listen(stack, entries[i], listener);
		if (err)
			return err;
		stack->listener_count++;
	}
	return 0;
}

static int listen_all(struct sip_stack *stack,
		      const struct sip_stack_config *config)
{
	int err;

	stack->has_sides = config->listen_outside_count > 0;
	stack->listeners =
	    calloc(config->listen_count + config->listen_outside_count,
		   sizeof(*stack->listeners));
	if (!stack->listeners)
		return ENOMEM;
	err =
	    listen_on(stack, SIP_INSIDE, config->listen, config->listen_count);
	if (!err)
		err = listen_on(stack, SIP_OUTSIDE, config->listen_outside,
				config->listen_outside_count);
	return err;
}

static int check_config(const struct sip_stack_config *config)
{
	if (config->listen_count && config->domain && *config->domain &&
	    config->t1_ms && config->server_transactions_max &&
	    config->client_transactions_max && config->peer_outstanding_max &&
	    (!config->breaker_failures ||
	     config->probe_interval_ms >= PROBE_INTERVAL_MS_MIN))
		return 0;
	log_error("sip", "msg=\"nothing to listen on, or a limit of 0: set "
			 "listen, system and the sip limits\"");
	return EINVAL;
}

static int fill(struct sip_stack *stack, const struct sip_stack_config *config)
{
	int err;

	stack->domain = strdup(config->domain);
	if (!stack->domain)
		return ENOMEM;
	err = server_create(stack);
	if (!err)
		err = client_create(stack, config);
	if (!err)
		err = create_agent(stack);
	if (!err)
		err = tls_transport_create(stack, config);
	if (!err)
		err = listen_all(stack, config);
	if (!err)
		err = silent_start(stack);
	return err;
}

int sip_stack_create(struct sip_stack **stackp, struct loop *loop,
		     struct stats *stats, const struct sip_stack_config *config)
{
	struct sip_stack *stack;
	int err = check_config(config);

	if (err)
		return err;
	stack = calloc(1, sizeof(*stack));
	if (!stack)
		return ENOMEM;
	stack->sip.ops = &stack_ops;
	stack->loop = loop;
	stack->timers = loop_timers(loop);
	stack->t1_ms = config->t1_ms;
	stack->server_transactions_max = config->server_transactions_max;
	err = sip_counters_create(&stack->counters, stats);
	if (!err)
		err = fill(stack, config);
	if (err) {
		sip_stack_destroy(stack);
		return err;
	}
	*stackp = stack;
	return 0;
}

/* Transactions hold references to the agent's transports: they go first. */
void sip_stack_destroy(struct sip_stack *stack)
{
	if (!stack)
		return;
	timer_stop(stack->timers, &stack->silent);
	server_destroy(stack);
	client_destroy(stack);
	tls_transport_destroy(stack);
	if (stack->agent)
		nta_agent_destroy(stack->agent);
	sip_counters_destroy(stack->counters);
	free(stack->listeners);
	free(stack->domain);
	free(stack);
}

struct sip *sip_stack_sip(struct sip_stack *stack)
{
	return &stack->sip;
}

const char *sip_stack_address(const struct sip_stack *stack, size_t i)
{
	return i < stack->listener_count ? stack->listeners[i].address : NULL;
}

bool sip_stack_admits(const struct sip_stack *stack, int connection)
{
	struct sip_reply refusal = { 0 };
	struct sip_source source;

	if (!stack->source_handler)
		return true;
	if (transport_connection(stack, connection, &source))
		return false;
	/* Who it is comes out later; until then other bounds hold. */
	return source.transport == SIP_TLS ||
	       stack->source_handler(stack->source_arg, &source, &refusal);
}

void sip_stack_drain(struct sip_stack *stack)
{
	stack->draining = true;
}

size_t sip_stack_pending(const struct sip_stack *stack)
{
	return server_transactions_waiting(stack->server_transactions);
}

size_t sip_stack_outstanding(const struct sip_stack *stack)
{
	return client_outstanding(stack);
}

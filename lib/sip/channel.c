/* SPDX-License-Identifier: BSD-2-Clause */
/* Ways back to whoever has sent a request. */
#include "sip/channel.h"

#include "sip/tls_connection.h"

struct channel channel_of_tport(const struct sip_stack *stack, tport_t *tport)
{
	return (struct channel){
		.transport = tport_is_udp(tport) ? SIP_UDP : SIP_TCP,
		.side = transport_side(stack, tport),
		.tport = tport,
	};
}

struct channel channel_hold(const struct channel *channel)
{
	struct channel held = *channel;

	if (held.tport)
		held.tport = tport_ref(channel->tport);
	return held;
}

void channel_release(struct channel *channel)
{
	if (channel->tport)
		tport_unref(channel->tport);
	channel->tport = NULL;
}

static struct tls_connection *open_connection(const struct sip_stack *stack,
					      const struct channel *channel)
{
	struct tls_connection *connection =
	    tls_connection_get(stack, channel->connection);

	return connection && connection->state == CONNECTION_OPEN ? connection
								  : NULL;
}

bool channel_is_open(const struct sip_stack *stack,
		     const struct channel *channel)
{
	if (channel->transport == SIP_TLS)
		return open_connection(stack, channel) != NULL;
	return tport_is_clear_to_send(channel->tport);
}

void channel_names(const struct sip_stack *stack, const struct channel *channel,
		   struct sip_source *source)
{
	const struct tls_connection *connection = NULL;

	if (channel->transport == SIP_TLS)
		connection = open_connection(stack, channel);
	if (connection)
		source->certificate_names = tls_session_names(
		    connection->session, &source->certificate_name_count);
}

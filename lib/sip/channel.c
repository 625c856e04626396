/* SPDX-License-Identifier: BSD-2-Clause */
/* Ways back to whoever has sent a request. */
#include "sip/channel.h"

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

	held.tport = tport_ref(channel->tport);
	return held;
}

void channel_release(struct channel *channel)
{
	tport_unref(channel->tport);
	channel->tport = NULL;
}

bool channel_is_open(const struct channel *channel)
{
	return tport_is_clear_to_send(channel->tport);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* What certificates are in use, ours and our peers': for ctl, and their end. */
#include "daemon.h"

#include <errno.h>

#include "base/timer.h"
#include "daemon_expiry.h"

#define LOOK_MS 10000

static const char *const side_names[] = {
	[SIP_INSIDE] = "inside",
	[SIP_OUTSIDE] = "outside",
};

/* One that both sides show counts once, for the inside. */
static struct tls_context *context_of(const struct daemon *daemon,
				      unsigned side)
{
	struct tls_context *context = daemon->tls.contexts[side];

	return side && context == daemon->tls.contexts[SIP_INSIDE] ? NULL
								   : context;
}

/* --- What ends ---------------------------------------------------------- */

static void see_own(const struct daemon *daemon)
{
	for (unsigned side = 0; side < DAEMON_SIDES; side++) {
		const struct tls_context *context = context_of(daemon, side);

		if (!context)
			continue;
		expiry_see(daemon->expiry, EXPIRY_OWN, side_names[side],
			   tls_context_expires(context));
		expiry_see(daemon->expiry, EXPIRY_CRL, side_names[side],
			   tls_context_crl_expires(context));
	}
}

static void see_peer(void *arg, const struct sip_tls_peer *peer)
{
	struct daemon *daemon = arg;

	if (peer->name_count)
		expiry_see(daemon->expiry, EXPIRY_PEER, peer->names[0],
			   peer->expires);
}

void daemon_tls_look(void *arg)
{
	struct daemon *daemon = arg;

	see_own(daemon);
	sip_stack_visit_tls(daemon->sip, see_peer, daemon);
	expiry_show(daemon->expiry);
	timer_start(daemon->core.timers, &daemon->expiry_timer, LOOK_MS,
		    daemon_tls_look, daemon);
}

/* --- For ctl ------------------------------------------------------------ */

static json_t *names_of(const char *const *names, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_string(names[i]));
	return list;
}

static json_t *row(const char *kind, unsigned side, const char *address,
		   json_t *names, const char *cipher, int64_t expires)
{
	return json_pack("{s:s, s:s, s:s?, s:o, s:s?, s:s}", "certificate",
			 kind, "side", side_names[side], "address", address,
			 "names", names, "cipher", cipher, "expires",
			 expiry_time_of(expires).text);
}

static void add_own(const struct daemon *daemon, unsigned side, json_t *rows)
{
	const struct tls_context *context = context_of(daemon, side);
	const char *const *names;
	size_t count;

	if (!context)
		return;
	names = tls_context_names(context, &count);
	json_array_append_new(rows,
			      row("own", side, NULL, names_of(names, count),
				  NULL, tls_context_expires(context)));
	if (tls_context_crl_expires(context) != INT64_MAX)
		json_array_append_new(rows,
				      row("crl", side, NULL, json_array(), NULL,
					  tls_context_crl_expires(context)));
}

static void add_peer(void *arg, const struct sip_tls_peer *peer)
{
	json_array_append_new(arg, row(peer->accepted ? "from" : "to",
				       peer->side, peer->address,
				       names_of(peer->names, peer->name_count),
				       peer->cipher, peer->expires));
}

json_t *daemon_tls_status(const struct daemon *daemon)
{
	json_t *rows = json_array();

	for (unsigned side = 0; side < DAEMON_SIDES; side++)
		add_own(daemon, side, rows);
	sip_stack_visit_tls(daemon->sip, add_peer, rows);
	return rows;
}

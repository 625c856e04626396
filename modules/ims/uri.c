/* SPDX-License-Identifier: BSD-2-Clause */
/* The host, port and transport of a SIP URI (RFC 3261 19.1.1). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ims/ims.h"

#define SIP_PORT 5060
#define SIPS_PORT 5061

/* Up to the port, the parameters or the headers. */
static int read_host(const char **text, struct place *place)
{
	const char *at = *text;
	size_t bytes = strcspn(at, *at == '[' ? "]" : ":;?");

	if (*at == '[')
		bytes += at[bytes] == ']';
	if (!bytes || bytes >= sizeof(place->host) ||
	    strcspn(at, " \t\r\n\"<>@") < bytes)
		return EINVAL;
	memcpy(place->host, at, bytes);
	place->host[bytes] = '\0';
	*text = at + bytes;
	return 0;
}

static int read_port(const char **text, struct place *place)
{
	size_t digits;

	if (**text != ':')
		return 0;
	(*text)++;
	digits = strspn(*text, "0123456789");
	if (!digits || digits > 5)
		return EINVAL;
	place->port = (unsigned)strtoul(*text, NULL, 10);
	*text += digits;
	return place->port && place->port <= 65535 ? 0 : EINVAL;
}

/* Of the parameters only the transport counts; maddr would make another place of
 * it (RFC 3261 19.1.1). */
static int read_transport(const char *text, struct place *place)
{
	static const char *const names[] = {
		[SIP_UDP] = "udp", [SIP_TCP] = "tcp", [SIP_TLS] = "tls"
	};
	static const char transport[] = "transport=", maddr[] = "maddr=";
	size_t bytes;

	while (*text == ';') {
		text++;
		bytes = strcspn(text, ";?");
		if (!strncasecmp(text, maddr, sizeof(maddr) - 1))
			return EINVAL;
		if (!strncasecmp(text, transport, sizeof(transport) - 1)) {
			const char *name = text + sizeof(transport) - 1;
			unsigned i = SIP_UDP;

			while (i <= SIP_TLS &&
			       (strncasecmp(name, names[i], 3) ||
				bytes != sizeof(transport) - 1 + 3))
				i++;
			if (i > SIP_TLS || place->has_transport)
				return EINVAL;
			place->transport = (enum sip_transport)i;
			place->has_transport = true;
		}
		text += bytes;
	}
	return *text && *text != '?' ? EINVAL : 0;
}

int place_read(const char *uri, struct place *place)
{
	const char *at = strchr(uri, '@');
	bool secure = !strncasecmp(uri, "sips:", 5);
	int err;

	*place = (struct place){ .transport = secure ? SIP_TLS : SIP_UDP,
				 .has_transport = secure };
	if (!secure && strncasecmp(uri, "sip:", 4))
		return EINVAL;
	uri = at ? at + 1 : strchr(uri, ':') + 1;
	err = read_host(&uri, place);
	if (!err)
		err = read_port(&uri, place);
	/* sips says TLS, whatever its transport is. */
	return err || secure ? err : read_transport(uri, place);
}

unsigned place_port(const struct place *place)
{
	if (place->port)
		return place->port;
	return place->transport == SIP_TLS ? SIPS_PORT : SIP_PORT;
}

bool place_is_literal(const struct place *place)
{
	struct address address;

	return !address_parse(place->host, strlen(place->host), &address);
}

bool place_is_of_peer(const struct ims_network *network,
		      const struct place *place)
{
	struct sip_source source = { .transport = SIP_UDP };
	size_t bytes = strlen(place->host);
	bool bracketed = *place->host == '[';

	if (!place_is_literal(place))
		return false;
	if (place->transport == SIP_TLS)
		return network->peers.name_count > 0;
	if (bytes - 2 * bracketed >= sizeof(source.host))
		return false;
	memcpy(source.host, place->host + bracketed, bytes - 2 * bracketed);
	return sources_have(&network->peers, &source);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Networks and certificate names, and whether a source is one of them. */
#include "directory/source.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define V4_BITS 32
#define V6_BITS 128

static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

int address_parse(const char *text, size_t length, struct address *address)
{
	char literal[INET6_ADDRSTRLEN];
	bool bracketed =
	    length > 2 && text[0] == '[' && text[length - 1] == ']';

	if (bracketed) {
		text++;
		length -= 2;
	}
	if (!length || length >= sizeof(literal))
		return EINVAL;
	memcpy(literal, text, length);
	literal[length] = '\0';
	if (inet_pton(AF_INET6, literal, &address->in6) == 1)
		return 0;
	memcpy(address->in6.s6_addr, mapped, sizeof(mapped));
	return !bracketed &&
		       inet_pton(AF_INET, literal,
				 address->in6.s6_addr + sizeof(mapped)) == 1
		   ? 0
		   : EINVAL;
}

/* Whoever opens "::/0" has IPv6 in mind: no IPv4 address is in it. */
static bool network_has(const struct network *network,
			const struct address *address)
{
	const unsigned char *a = network->address.in6.s6_addr;
	const unsigned char *b = address->in6.s6_addr;
	unsigned bytes = network->bits / 8, rest = network->bits % 8;

	if (bytes < sizeof(mapped) && !memcmp(b, mapped, sizeof(mapped)))
		return false;
	return !memcmp(a, b, bytes) &&
	       (!rest || (a[bytes] ^ b[bytes]) >> (8 - rest) == 0);
}

static int add_network(struct sources *sources, const struct network *network)
{
	struct network *grown = realloc(
	    sources->networks, (sources->network_count + 1) * sizeof(*grown));

	if (!grown)
		return ENOMEM;
	sources->networks = grown;
	grown[sources->network_count++] = *network;
	return 0;
}

int sources_add_address(struct sources *sources, const struct address *address)
{
	const struct network network = { *address, V6_BITS };

	return add_network(sources, &network);
}

static int add_name(struct sources *sources, const char *text)
{
	char **grown =
	    realloc(sources->names, (sources->name_count + 1) * sizeof(*grown));

	if (!grown)
		return ENOMEM;
	sources->names = grown;
	grown[sources->name_count] = strdup(text);
	if (!grown[sources->name_count])
		return ENOMEM;
	sources->name_count++;
	return 0;
}

/* "/28" after an address of so many bits; without it all of them count. */
static int parse_bits(const char *text, unsigned most, unsigned *bits)
{
	size_t digits = *text ? strspn(text + 1, "0123456789") : 0;

	*bits = most;
	if (!*text)
		return 0;
	if (!digits || digits > 3 || text[1 + digits])
		return EINVAL;
	*bits = (unsigned)strtoul(text + 1, NULL, 10);
	return *bits <= most ? 0 : EINVAL;
}

/* A network with bits set behind its length is a slip of the pen. */
static bool rest_is_zero(const struct network *network)
{
	for (unsigned bit = network->bits; bit < V6_BITS; bit++) {
		if (network->address.in6.s6_addr[bit / 8] & 0x80 >> bit % 8)
			return false;
	}
	return true;
}

static int parse_network(const char *text, struct network *network)
{
	size_t length = strcspn(text, "/");
	bool v6 = memchr(text, ':', length) != NULL;
	unsigned most = v6 ? V6_BITS : V4_BITS;

	if (address_parse(text, length, &network->address) ||
	    parse_bits(text + length, most, &network->bits))
		return EINVAL;
	network->bits += V6_BITS - most;
	return rest_is_zero(network) ? 0 : EINVAL;
}

/* What no certificate has would be a rule that silently never holds. */
static bool name_is_valid(const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < length; i++) {
		if (name[i] <= ' ' || name[i] >= 0x7f)
			return false;
	}
	return length && !strchr(name, '*');
}

int sources_add(struct sources *sources, const char *text)
{
	struct network network;

	if (!strncmp(text, "dns:", 4) || !strncmp(text, "uri:", 4))
		return name_is_valid(text + 4) ? add_name(sources, text)
					       : EINVAL;
	if (parse_network(text, &network))
		return EINVAL;
	return add_network(sources, &network);
}

void sources_clear(struct sources *sources)
{
	for (size_t i = 0; i < sources->name_count; i++)
		free(sources->names[i]);
	free(sources->names);
	free(sources->networks);
}

/* RFC 5922 7.2: names compare without regard to case. */
static bool has_name(const struct sources *sources,
		     const struct sip_source *source)
{
	for (size_t i = 0; i < source->certificate_name_count; i++) {
		for (size_t j = 0; j < sources->name_count; j++) {
			if (!strcasecmp(sources->names[j],
					source->certificate_names[i]))
				return true;
		}
	}
	return false;
}

bool sources_have(const struct sources *sources,
		  const struct sip_source *source)
{
	struct address address;

	if (source->transport == SIP_TLS)
		return has_name(sources, source);
	if (address_parse(source->host, strlen(source->host), &address))
		return false;
	for (size_t i = 0; i < sources->network_count; i++) {
		if (network_has(&sources->networks[i], &address))
			return true;
	}
	return false;
}

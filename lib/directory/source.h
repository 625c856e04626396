/* SPDX-License-Identifier: BSD-2-Clause */
/* From where a peer sends: networks, and names of its certificate. */
#ifndef MCMIG_DIRECTORY_SOURCE_H
#define MCMIG_DIRECTORY_SOURCE_H

#include <netinet/in.h>

#include "base/export.h"
#include "sip/sip.h"

/* An IPv4 address is kept as the IPv6 address that maps it (RFC 4291 2.5.5.2),
 * so that in either form it is the same. */
struct address {
	struct in6_addr in6;
};

struct network {
	struct address address;
	unsigned bits; /* that count */
};

struct sources {
	struct network *networks;
	size_t network_count;
	char **names; /* "dns:NAME", "uri:URI" */
	size_t name_count;
};

/* An IP literal; "[...]" is IPv6. 0 or EINVAL. */
MCMIG_API int address_parse(const char *text, size_t length,
			    struct address *address);

/*
 * "192.0.2.1", "192.0.2.0/28", "dns:NAME", "uri:URI"; no wildcards (RFC 5922
 * 7.2). 0, EINVAL, ENOMEM.
 */
MCMIG_API int sources_add(struct sources *sources, const char *text);
MCMIG_API int sources_add_address(struct sources *sources,
				  const struct address *address);
MCMIG_API void sources_clear(struct sources *sources);

/* On TLS by the names, else by the address: an address that is trusted without
 * TLS proves nothing on it, and the other way round. */
MCMIG_API bool sources_have(const struct sources *sources,
			    const struct sip_source *source);

#endif

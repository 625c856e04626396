/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The directory of MC systems: which domains they own and how their servers
 * are reached. Built whole from the store, then read-only; swapped whole.
 */
#ifndef MCMIG_DIRECTORY_DIRECTORY_H
#define MCMIG_DIRECTORY_DIRECTORY_H

#include "base/export.h"

#define SYSTEM_NAME_SIZE 64
#define DIRECTORY_URI_SIZE 128

struct directory_server {
	char uri[DIRECTORY_URI_SIZE]; /* sip:IP:PORT;transport=udp|tcp|tls */
	unsigned priority;	      /* lower first */
	unsigned weight;	      /* share among equal priority */
};

/* Next hops: by priority, then URI. */
struct directory_hops {
	struct directory_server *servers;
	size_t count;
};

struct directory_system {
	char name[SYSTEM_NAME_SIZE];
	bool enabled;
	bool by_gateway; /* reached through our own MC gateway servers */
	struct directory_hops hops; /* its servers or its gateways */
};

struct directory;

MCMIG_API int directory_create(struct directory **directoryp);
MCMIG_API void directory_destroy(struct directory *directory);

/* Each: 0, ENOMEM, EEXIST doubled, ENOENT unknown system, EINVAL bad value. */
MCMIG_API int directory_add_system(struct directory *directory,
				   const char *name, bool enabled,
				   bool by_gateway);
MCMIG_API int directory_add_domain(struct directory *directory,
				   const char *system, const char *domain);
MCMIG_API int directory_add_server(struct directory *directory,
				   const char *system, const char *uri,
				   unsigned priority, unsigned weight);
/*
 * A next hop as configurations write it: "URI [PRIORITY [WEIGHT]]", both 1
 * where nothing is said. 0 or EINVAL; whether the URI is one shows in adding it.
 */
MCMIG_API int directory_parse_hop(const char *text,
				  struct directory_server *hop);
/* One of our own system's MC gateway servers. */
MCMIG_API int directory_add_gateway(struct directory *directory,
				    const char *uri, unsigned priority,
				    unsigned weight);
/*
 * From where a peer sends, besides the hosts of its URIs: an address, a network
 * ("192.0.2.0/28", "2001:db8::/32"), or a name of its certificate ("dns:NAME",
 * "uri:URI"). `system` NULL: our own gateways.
 */
MCMIG_API int directory_add_source(struct directory *directory,
				   const char *system, const char *source);

MCMIG_API size_t directory_system_count(const struct directory *directory);
MCMIG_API const struct directory_system *
directory_system_at(const struct directory *directory, size_t i);
/* NULL if unknown. Domains compare case-insensitively; no subdomains. */
MCMIG_API const struct directory_system *
directory_find_system(const struct directory *directory, const char *name);
MCMIG_API const struct directory_system *
directory_find_domain(const struct directory *directory, const char *domain);

/* Whose domain the host of this SIP URI is: "sip:HOST", "sip:USER@HOST". NULL:
 * nobody's, or no such URI. */
MCMIG_API const struct directory_system *
directory_owner_of(const struct directory *directory, const char *uri);

/* Where a message to this system goes next: its hops, or our gateways'. */
MCMIG_API const struct directory_hops *
directory_next_hops(const struct directory *directory,
		    const struct directory_system *system);

/*
 * Which of `hops` to try next: of those not tried yet (bit i of `tried`), those
 * that are not down before the others, then the lowest priority, then by
 * weight, where `key` draws. -1: each has been tried. Hops beyond the 32nd are
 * never taken.
 */
typedef bool directory_is_down_h(void *arg, const char *uri);
MCMIG_API int directory_choose(const struct directory_hops *hops, uint32_t key,
			       uint32_t tried, directory_is_down_h *is_down,
			       void *arg);

struct sip_source;
/*
 * Whether the source is one that may speak for this system: one of its own, or
 * of our gateways where it is reached by them. By address or certificate alone.
 */
MCMIG_API bool directory_speaks_for(const struct directory *directory,
				    const struct directory_system *system,
				    const struct sip_source *source);
/*
 * Names that a TLS next hop towards this system has to prove one of: its own, or
 * our gateways' where it is reached by them; as sip_outbound wants them.
 */
MCMIG_API const char *const *
directory_certificate_names(const struct directory *directory,
			    const struct directory_system *system,
			    size_t *count);
/*
 * Who it is, for quotas and logs: the name of a system, or "gateway" for one of
 * ours; NULL: nobody that we know. A source of several systems is the first.
 */
MCMIG_API const char *directory_peer_name(const struct directory *directory,
					  const struct sip_source *source);

/*
 * Whether these are identities that this system may assert (RFC 3325): SIP URIs
 * of its domains, or tel URIs, which belong to nobody here.
 */
MCMIG_API bool directory_may_assert(const struct directory *directory,
				    const struct directory_system *system,
				    const char *const *uris, size_t count);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The MC gateway server: exit and entry point of TS 23.280 10.6.3.3.1 steps 4,
 * 5, 9 and 10. A back-to-back user agent for MESSAGE: nothing is copied, all is
 * built. It keeps no database: the ends try again.
 *
 *   topology.c  settings -> who is who, built whole and swapped whole
 *   party.c     what sections of servers and of systems have in common
 *   directory.c sections -> directories of the inside and of the outside
 *   routes.c    sections -> which of our servers serves whom
 *   route.c     the table of that
 *   policy.c    which procedures pass
 *   peer.c      who sends, and whether it may say this
 *   inbound.c   a MESSAGE is checked and becomes a relay, or is refused
 *   relay.c     one relay: attempts, failover, deadlines
 *   message.c   the outgoing MESSAGE
 *   answer.c    our answer for that of a next hop
 *   command.c   mcmigctl gateway
 *   settings.c  the tables of settings
 *   module.c    life, counters
 */
#ifndef MCMIG_GATEWAY_GATEWAY_H
#define MCMIG_GATEWAY_GATEWAY_H

#include "base/quota.h"
#include "directory/directory.h"
#include "mcinfo/mcinfo.h"
#include "module/core.h"
#include "sip/sip.h"
#include "stats/stats.h"

/* ---------------------------------------------------------------- settings */

struct gateway_server_settings {       /* server "TITLE" { }: one of ours */
	struct setting_list next_hops; /* "URI [PRIORITY [WEIGHT]]" */
	char *identity; /* public service identity; "": default */
	struct setting_list sources;
	struct setting_list domains;
	struct setting_list prefixes;
	struct setting_list users;
	char *users_file; /* "": none */
};

struct gateway_system_settings { /* system "TITLE" { }: another one */
	bool enabled;
	struct setting_list domains;
	char *identity; /* "": default */
	struct setting_list next_hops;
	struct setting_list sources;
	struct setting_list requests_to;
	struct setting_list requests_from;
};

struct gateway_settings {
	char *identity; /* "": sip:mcgateway@SYSTEM */
	struct setting_list domains;
	uint32_t attempt_deadline_ms;
	uint32_t attempts_max;
	uint32_t entry_deadline_ms, exit_deadline_ms;
	uint32_t peer_rate, user_rate; /* a second; 0: any number */
	uint32_t relays_max, party_relays_max;
	struct setting_sections servers; /* struct gateway_server_settings */
	struct setting_sections systems; /* struct gateway_system_settings */
};

#define GATEWAY_RELAYS_MAX 1000000
extern const struct setting gateway_setting_table[]; /* settings.c */

/* The module's export; the simulation links it. */
extern const struct module mcmig_module;

/* ---------------------------------------------------------------- policy.c */

/* Bit service * 2 + verb, of enum mc_service and enum mcinfo_verb. */
typedef uint32_t policy_t;

/* 0, or EINVAL and the value that names no procedure. */
int policy_parse(const struct setting_list *list, policy_t *policyp,
		 const char **badp);
bool policy_allows(policy_t policy, enum mc_service service,
		   enum mcinfo_verb verb);

/* ----------------------------------------------------------------- route.c */

struct route_table;

enum route_reason { ROUTE_USER, ROUTE_PREFIX, ROUTE_DOMAIN, ROUTE_REST };

struct route {
	size_t server; /* index into topology->servers */
	enum route_reason reason;
};

int route_table_create(struct route_table **tablep);
void route_table_destroy(struct route_table *table);
/*
 * 0; ENOMEM; EINVAL bad value; EEXIST: another server, `*server`, has it.
 * `user` is an MC service ID; `prefix` one without its end, domain or not.
 */
int route_add_user(struct route_table *table, const char *user, size_t *server);
int route_add_prefix(struct route_table *table, const char *prefix,
		     size_t *server);
int route_add_domain(struct route_table *table, const char *domain,
		     size_t *server);
int route_add_rest(struct route_table *table, size_t *server);
/* False: none of ours serves this canonical MC service ID. */
bool route_find(const struct route_table *table, const char *canonical,
		struct route *route);
const char *route_reason_name(enum route_reason reason);

/* -------------------------------------------------------------- topology.c */

struct party { /* a server of ours, or another MC system */
	const struct directory_system *entry; /* name, hops, enabled */
	char *identity;			      /* public service identity */
	policy_t requests_to, requests_from;  /* of systems */
	uint32_t *under_way;		      /* relays to it; its own */
};

/* Read-only once built; whoever works with it holds it. */
struct topology {
	unsigned holders;
	char *identity;		  /* of the gateway */
	struct directory *own;	  /* our MC system and its domains */
	struct directory *inside; /* our servers, each a "system" */
	struct directory *outside;
	struct party *servers, *systems; /* in the directories' order */
	size_t server_count, system_count;
	struct route_table *routes;
};

/* 0; EINVAL, each fault logged with its section and remedy; ENOMEM. */
int topology_create(struct topology **topologyp,
		    const struct gateway_settings *settings,
		    const char *own_system);
struct topology *topology_hold(struct topology *topology);
void topology_release(struct topology *topology); /* NULL is fine */

bool topology_is_ours(const struct topology *topology, const char *domain);
/* NULL: of no system that we know. */
const struct party *topology_system_of(const struct topology *topology,
				       const char *domain);
/* The server of ours that serves this canonical ID; NULL: none. */
const struct party *topology_server_of(const struct topology *topology,
				       const char *canonical,
				       struct route *route);

/* ----------------------------------------------------------------- party.c */

/* A fault of the settings, logged: where it stands, what is wrong. EINVAL. */
int settings_fault(const char *kind, const struct setting_section *section,
		   const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Puts the section's name, next hops and sources into the directory. */
int party_add(struct directory *directory, const char *kind,
	      const struct setting_section *section, bool enabled,
	      const struct setting_list *next_hops,
	      const struct setting_list *sources);
/* `identity`, or sip:DEFAULT_HOST where it is empty. */
int party_init(struct party *party, const char *kind,
	       const struct setting_section *section, const char *identity,
	       const char *default_host);
/* What may stand between "<" and ">" in our header fields. */
bool is_sip_uri(const char *text);

/* ------------------------------------------------------------- directory.c */

int directory_build_own(struct topology *topology,
			const struct gateway_settings *settings,
			const char *own_system);
int directory_build_inside(struct topology *topology,
			   const struct gateway_settings *settings,
			   const char *own_system);
int directory_build_outside(struct topology *topology,
			    const struct gateway_settings *settings);

/* ---------------------------------------------------------------- routes.c */

int routes_build(struct topology *topology,
		 const struct setting_sections *servers);

/* ------------------------------------------------------------------ peer.c */

enum crossing { CROSSING_EXIT, CROSSING_ENTRY };

struct gateway_module;

struct refusal {
	int status; /* 0: none */
	const char *warning;
	unsigned counter; /* enum gateway_counter */
};

/* One message on its way, during its callback. */
struct passage {
	const struct sip_inbound *message;
	const struct mcinfo *info;
	enum crossing crossing;
	const struct party *from_system; /* of an entry; NULL of an exit */
	const char *from;		 /* name of the peer, for the log */
	const struct party *to;
};

/* A sip_source_h: unknown peers and those over their quota go no further. */
bool peer_may_send(void *arg, const struct sip_source *source,
		   struct sip_reply *refusal);
/* Crossing, from and to of `passage`; whether this peer may say this. */
struct refusal peer_check(struct gateway_module *module,
			  struct passage *passage);

/* --------------------------------------------------------------- inbound.c */

void inbound_message(void *arg, const struct sip_inbound *message);

/* --------------------------------------------------------------- message.c */

struct relay;
struct outgoing { /* what is the same in each attempt */
	enum mc_service service;
	unsigned max_forwards;
	char *body;
	size_t body_bytes;
};

/* 0 or ENOMEM. */
int message_build(const struct mcinfo *info, unsigned max_forwards_received,
		  struct outgoing *outgoing);
void message_clear(struct outgoing *outgoing);
/* As sip_send(). */
int message_send(struct gateway_module *module, const struct topology *topology,
		 const struct party *to, enum crossing crossing,
		 const struct outgoing *outgoing, const char *next_hop,
		 uint32_t deadline_ms, sip_answer_h *answered, handle_t handle);

/* ----------------------------------------------------------------- relay.c */

/* Takes the message over: it is answered later. 0; EBUSY: too many; ENOMEM. */
int relay_begin(struct gateway_module *module, const struct passage *passage);
void relay_discard(void *relay);
/* Under way to the party of this name. */
size_t relay_count(const struct gateway_module *module, enum crossing crossing,
		   const char *to);

/* ---------------------------------------------------------------- answer.c */

/* What the peer is answered when this is the last of the next hops. */
void answer_from(const struct sip_answer *last, struct sip_reply *reply);

/* --------------------------------------------------------------- command.c */

extern const struct command gateway_commands[];

/* ---------------------------------------------------------------- module.c */

enum gateway_counter {
	RECEIVED,
	RELAYED_OUT,
	RELAYED_IN,
	UNKNOWN_PEERS,
	OVER_PEER_RATE,
	OVER_USER_RATE,
	REFUSED_DOCUMENT,
	REFUSED_CLIENT,
	REFUSED_PEER,
	REFUSED_IDENTITY,
	REFUSED_UNKNOWN,
	REFUSED_POLICY,
	ATTEMPTS,
	FAILED_OVER,
	TIMED_OUT,
	LOOPED,
	LATE_ANSWERS,
	UNAVAILABLE,
	RELAYS,
	COUNTERS_END
};

struct gateway_module {
	struct core *core;
	const struct gateway_settings *settings;
	struct topology *topology;
	struct mcinfo_parser *parser;
	struct handle_table *relays;
	struct relay *under_way; /* utlist */
	struct quota *peer_quota, *user_quota;
	bool draining;
	struct statistic stats[COUNTERS_END];
};

#endif

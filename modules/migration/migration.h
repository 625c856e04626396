/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The migration module: partner and primary MC service server of TS 23.280
 * 10.6.3. Which role a message means follows from the domains of its IDs.
 *
 *   access.c    who may speak: sources, identities, credentials, quotas
 *   network.c   clients behind the IMS: what it says of them, the way back
 *   home.c      users who are registered at home again
 *   inbound.c   a MESSAGE becomes an event; the store's result its answer
 *   delivery.c  what a procedure owes is sent until it is taken
 *   message.c   procedure -> SIP MESSAGE
 *   module.c    settings, life, counters
 */
#ifndef MCMIG_MIGRATION_MIGRATION_H
#define MCMIG_MIGRATION_MIGRATION_H

#include "module/core.h"
#include "procedure/transition.h"
#include "sip/sip.h"
#include "stats/stats.h"
#include "store/store.h"

struct migration_settings {
	uint32_t authorization_deadline_ms;
	uint32_t deauthorization_deadline_ms;
	uint32_t attempt_deadline_ms;  /* one request to another server */
	uint32_t failover_deadline_ms; /* ... while another one is untried */
	uint32_t response_expiry_ms;   /* to a client; responses that expire */
	uint32_t retry_min_ms, retry_max_ms;
	uint32_t order_window_ms;
	uint32_t
	    deliveries_max; /* kept in memory; the rest waits in the store */
	bool notify_primary;
	bool returned_home;
	char *pinning;		       /* "required" or "lab" */
	char *tokens;		       /* "required" or "lab" */
	uint32_t peer_rate, user_rate; /* requests a second; 0: any number */
	struct setting_list clients;   /* networks; empty: from anywhere */
};

/* The module's export; the simulation links it. */
extern const struct module mcmig_module;

struct migration_module;

struct delivery_list; /* delivery.c */

struct migration_module {
	struct core *core;
	const struct migration_settings *settings;
	struct mcinfo_parser *parser;
	struct handle_table *inbound; /* struct inbound: waits for the store */
	struct handle_table *homecomings; /* REGISTERs that wait for it */
	struct delivery_list *deliveries;
	bool draining; /* nothing is sent again: it waits for the restart */
	struct access *access;
	struct statistic requests, refused, unavailable, returned_home;
};

/* Why a request is not taken; status 0: it is. */
struct refusal {
	int status;
	const char *warning; /* constant text */
};

/* access.c */

/* Checks settings and authorizer; 0, EINVAL (logged with the remedy), ENOMEM. */
int access_create(struct migration_module *module);
void access_destroy(struct migration_module *module);
int access_reload(struct migration_module *module,
		  const struct migration_settings *settings);
/* A sip_source_h. */
bool access_source(void *arg, const struct sip_source *source,
		   struct sip_reply *refusal);
/*
 * Whether the source may say this: of an event whose kind and peer are known. A
 * client's credentials set event->pair_pinned.
 */
struct refusal access_check(struct migration_module *module,
			    const struct mcinfo *info,
			    const struct sip_inbound *message,
			    struct event *event);

/* For sip_outbound: what the certificate of a client's own node may say. */
const char *const *access_client_names(const struct migration_module *module,
				       size_t *count);

/* network.c */

struct ims_hop;
bool network_is_ims(const struct migration_module *module,
		    const struct sip_source *source);
/* Of a request from the IMS: sets event->client_identity of a client's. */
struct refusal network_check(const struct migration_module *module,
			     const struct mcinfo *info,
			     const struct sip_inbound *message,
			     struct event *event);
/* Whether it has header fields that only an IMS may set. */
bool network_is_claimed(const struct sip_inbound *message);
/* False: there is no way; else `tried` is brought up to date, as by
 * message_send(). */
bool network_next_hop(struct migration_module *module,
		      const struct procedure *procedure, uint32_t *tried,
		      struct ims_hop *hop, bool *is_last);

/* home.c */

/* Whether registrations are listened to. 0; EINVAL (logged): by nobody. */
int home_watch(struct migration_module *module, bool wanted);
/* An ims_registered_h. */
bool home_registered(void *arg, const char *identity, handle_t transaction);

/* inbound.c */
void inbound_message(void *arg, const struct sip_inbound *message);
void inbound_free(void *inbound);

/* What every event carries, filled from settings and directory. */
void event_init(const struct migration_module *module, struct event *event,
		enum event_kind kind, enum mc_service service,
		enum procedure_role role);

/* delivery.c */
int delivery_list_create(struct migration_module *module);
void delivery_list_destroy(struct migration_module *module);
/* After each transition and for each live user: send what is owed now. */
void delivery_update(struct migration_module *module,
		     const struct user_record *record);
/* Whoever asks again is there now: a response that waits goes out at once. */
void delivery_hurry(struct migration_module *module,
		    const struct user_record *record,
		    const struct procedure *procedure);
/* First messages that wait for their answer, and answers for the store. */
size_t delivery_in_flight(const struct migration_module *module);

/* message.c: what of a procedure is owed to whom. */
enum message_kind {
	MESSAGE_REQUEST,	     /* partner -> primary */
	MESSAGE_RESPONSE_TO_PARTNER, /* primary -> partner */
	MESSAGE_RESPONSE_TO_CLIENT,  /* partner -> client */
};

struct message {
	enum message_kind kind;
	enum mc_service service;
	const struct procedure *procedure; /* borrowed for the call */
	enum mcinfo_cause cause; /* of a response; CAUSE_NONE: success */
};

/*
 * Sends it, with the module as the handler's `arg`; `tried` says which next
 * hops have been, as for directory_choose(), and is brought up to date. Returns
 * as sip_send(), or ENXIO: the other MC system is not in the directory any
 * more; ENOENT: it has no server, or is disabled.
 */
int message_send(struct migration_module *module, const struct message *message,
		 uint32_t *tried, sip_answer_h *answered, handle_t handle);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The IMS in front (TS 24.229 5.7): whom to believe, where users are, how a
 * client is reached; offered to other modules as core.ims.
 *
 *   network.c        settings -> peers, next hops, names; swapped whole
 *   uri.c            what Routes, Contacts and next hops say of a place
 *   register.c       a third-party REGISTER is checked and taken
 *   body.c           ... and what it carries of the user's own
 *   registrations.c  who is where, and until when
 *   hop.c            the ways to a client
 *   command.c        mcmigctl ims
 *   module.c         settings, life, counters
 */
#ifndef MCMIG_IMS_IMS_H
#define MCMIG_IMS_IMS_H

#include "base/timer.h"
#include "directory/directory.h"
#include "directory/source.h"
#include "mcinfo/mcid.h"
#include "module/core.h"
#include "module/ims.h"
#include "stats/stats.h"

struct ims_settings {
	struct setting_list peers, next_hops, names;
	uint32_t registrations_max;
};

/* The module's export; a test links it. */
extern const struct module mcmig_module;

enum ims_stat {
	STAT_REGISTRATIONS,
	STAT_TAKEN,
	STAT_UNTRUSTED,
	STAT_REFUSED,
	STAT_LYING,
	STAT_OLD,
	STAT_EXPIRED,
	STAT_PUSHED_OUT,
	STAT_END
};

struct ims_network;
struct registrations;

#define ROUTE_SIZE (DIRECTORY_URI_SIZE + sizeof("<;lr>"))

struct ims_module {
	struct ims ims; /* first: what others hold */
	struct core *core;
	const struct ims_settings *settings;
	struct ims_network *network;
	struct registrations *registrations;
	ims_registered_h *registered; /* NULL: nobody asks */
	void *registered_arg;
	char route[ROUTE_SIZE]; /* of the last hop asked for */
	struct statistic stats[STAT_END];
};

/* --------------------------------------------------------------- network.c */

struct ims_network {
	struct sources peers;
	struct directory *directory; /* of the next hops */
	const struct directory_hops *hops;
	const struct setting_list *names; /* the settings' */
};

/* 0; EINVAL, logged with the remedy; ENOMEM. */
int network_create(struct ims_network **networkp,
		   const struct ims_settings *settings);
void network_destroy(struct ims_network *network); /* NULL is fine */

/* ------------------------------------------------------------------- uri.c */

struct place {
	char host[SIP_HOST_SIZE * 6]; /* brackets around IPv6 */
	unsigned port;		      /* 0: not said */
	enum sip_transport transport;
	bool has_transport;
};

/* Of a SIP URI; what its user part is does not matter. 0 or EINVAL. */
int place_read(const char *uri, struct place *place);
/* 5060, or 5061 for TLS, where nothing is said. */
unsigned place_port(const struct place *place);
/* Whether a peer is there: by address, or on TLS by what it will have to
 * prove. */
bool place_is_of_peer(const struct ims_network *network,
		      const struct place *place);
/* sip_source's host of a literal; false: it is a name. */
bool place_is_literal(const struct place *place);

/* -------------------------------------------------------------- register.c */

void register_take(void *arg, const struct sip_registration *request);

/* ------------------------------------------------------------------ body.c */

/*
 * Whether the messages in this body are about `identity` (canonical). 0, or
 * EBADMSG and why.
 */
int body_check(const struct sip_registration *request, const char *identity,
	       const char **whyp);

/* --------------------------------------------------------- registrations.c */

struct registration {
	const char *identity; /* canonical */
	const char *registrar;
	const char *hop; /* sip:IP:PORT;transport=... of the S-CSCF */
	const char *call_id;
	uint32_t cseq;
	uint64_t expires_ms; /* on clock_monotonic_ms() */
};

/* 0 or ENOMEM. */
int registrations_create(struct ims_module *module);
void registrations_destroy(struct ims_module *module);
/* NULL: not registered. Gone with the next turn of the loop. */
const struct registration *
registrations_find(const struct registrations *registrations,
		   const char *identity);
/* In place of what there is of this identity; the oldest makes room. 0, ENOMEM.
 */
int registrations_put(struct ims_module *module,
		      const struct registration *registration);
void registrations_remove(struct ims_module *module, const char *identity);
/* From the oldest on, until `visit` returns false. */
typedef bool registration_h(void *arg, const struct registration *registration);
void registrations_visit(const struct registrations *registrations,
			 registration_h *visit, void *arg);
size_t registrations_count(const struct registrations *registrations);

/* ------------------------------------------------------------------- hop.c */

bool ims_next_hop(struct ims *ims, const char *identity, const char *asked_by,
		  unsigned attempt, struct ims_hop *hop);

/* --------------------------------------------------------------- command.c */

extern const struct command ims_commands[];

#endif

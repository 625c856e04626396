/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One run of the simulation: three MC systems a, b and c, each a server with
 * the real roles and the real store engine, and up to two real gateways; and
 * the users' clients, on a virtual clock, network and database. All chance
 * comes from the seed.
 */
#ifndef MCMIG_SIMULATION_H
#define MCMIG_SIMULATION_H

#include "client.h"
#include "gateway_node.h"
#include "node.h"
#include "random.h"
#include "schedule.h"
#include "scscf.h"

#define SECOND_US 1000000u

/* Kinds of faults, as bits: what shrinking takes away. */
enum sim_fault {
	FAULT_LOSS = 1u << 0,	/* messages get lost */
	FAULT_DOUBLE = 1u << 1, /* or arrive twice */
	FAULT_DELAY = 1u << 2,	/* or much later than others */
	FAULT_CRASH = 1u << 3,	/* a server dies and starts again */
	FAULT_OUTAGE = 1u << 4, /* a database is away */
	FAULT_COMMIT = 1u << 5, /* the outcome of a commit is unknown */
	FAULT_BETWEEN =
	    1u << 6, /* somebody between answers in place of the peer */
	FAULT_PROVISION = 1u << 7, /* permissions come and go */
	FAULT_CUT = 1u << 8,	   /* two systems do not reach each other */
	FAULT_ROGUE = 1u << 9,	   /* gateways that misbehave */
	FAULT_TOKEN = 1u << 10,	   /* tokens that expire */
	FAULT_INTRUDE = 1u << 11,  /* somebody says what he may not say */
	/*
	 * A commit happens after its connection was given up and the next one
	 * is up. Backends must not let it come to that.
	 */
	FAULT_LATE_COMMIT = 1u << 12,
	FAULT_ALL = (1u << 12) - 1, /* that may happen */
};

struct sim_options {
	uint64_t seed;
	unsigned actions; /* of the users; 0: the seed decides */
	unsigned faults;  /* allowed ones */
	bool ladder;
};

/* What the seed has drawn for this run; per mille unless named otherwise. */
struct sim_plan {
	unsigned users;
	unsigned actions;
	unsigned disputes; /* users that ask for another one's partner ID */
	unsigned partners; /* systems that are gone to */
	unsigned loss;
	unsigned twice;
	unsigned late; /* messages that take up to max_delay_us */
	uint64_t max_delay_us;
	bool reliable;	  /* TCP: nothing is sent again by the transport */
	unsigned crashes; /* in all */
	unsigned outages; /* in all */
	unsigned cuts;	  /* in all */
	unsigned commit_unknown;
	unsigned commit_slow;
	unsigned between;
	unsigned provision;  /* changes, in all */
	unsigned moves;	     /* to another path between two systems, in all */
	unsigned denials;    /* gateways whose policy denies much */
	unsigned intrusions; /* in all */
	unsigned doubts;     /* next hops taken for down */
	bool probes;	     /* who is silent is taken for down */
	bool refuses;	     /* TCP to who is down fails at once */
	unsigned busy;	     /* sends refused: too much is outstanding */
	uint32_t peer_rate, user_rate;
	unsigned gateways[SIM_SYSTEMS];
	/* Whether that system puts its gateways between itself and another. */
	bool via[SIM_SYSTEMS][SIM_SYSTEMS];
	/* One of two that does not come back when the run heals. */
	bool gone[GATEWAYS];
	unsigned rogue[GATEWAYS];
	bool lies; /* of rogues */
	/* Requests to that system's server that come through its IMS; 0: it has
	 * none. */
	unsigned ims[SIM_SYSTEMS];
	/* One of its two nodes that does not come back when the run heals. */
	bool scscf_gone[SIM_SYSTEMS];
	unsigned scscf_crashes; /* in all */
	unsigned returns;	/* registrations at home, in all */
	uint64_t token_life_us; /* 0: none are asked for */
	unsigned token_later;	/* the authorizer cannot say yet */
	bool tokens_pin;	/* the primary ID */
	uint64_t span_us;	/* faults and actions happen within it */
	uint64_t retention_us;
};

struct sim {
	struct sim_options options;
	struct sim_plan plan;
	uint64_t now_us; /* since the start of the run */
	struct sim_random random;
	struct schedule *schedule;
	struct node nodes[SIM_SYSTEMS];
	struct gateway_node *gateways[GATEWAYS];
	struct net *net;
	struct clients *clients;
	struct scscfs *scscfs;
	struct check *check;
	bool healed; /* no more faults */
	char violation[512];
	uint64_t steps;
	uint64_t longest_rest_us; /* of all runs: from healed to quiet */
	bool is_cut[SIM_SYSTEMS]; /* the link opposite of system i */
};

struct sim *sim_create(void);
void sim_destroy(struct sim *sim);

/* One run. true: nothing violated; else sim->violation says what was. */
bool sim_run(struct sim *sim, const struct sim_options *options);

/* `delay_us` from now. */
void sim_after(struct sim *sim, uint64_t delay_us, schedule_h *handler,
	       void *arg, uint64_t value);

/* The first violation of a run ends it. */
void sim_violation(struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A line of the ladder; costs nothing when none is wanted. */
#define sim_tell(sim, ...)                              \
	do {                                            \
		if ((sim)->options.ladder)              \
			sim_ladder((sim), __VA_ARGS__); \
	} while (0)
void sim_ladder(const struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif

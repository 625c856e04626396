/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is stored of one user in one MC service: sequences, procedures,
 * migrations. A user of our own system has a record of the primary role, a user
 * of another system one of the partner role. One transition reads and changes
 * one record.
 *
 * All values are plain: a struct assignment copies. Times are UTC microseconds.
 */
#ifndef MCMIG_PROCEDURE_RECORD_H
#define MCMIG_PROCEDURE_RECORD_H

#include "base/export.h"
#include "base/uuid.h"
#include "directory/directory.h"
#include "mcinfo/mcinfo.h"

#define CLIENT_URI_SIZE 128
#define CLIENT_IDENTITY_SIZE 256

enum procedure_role { /* the values of the enums of this file are stored */
		      ROLE_PARTNER = 1,
		      ROLE_PRIMARY = 2,
};

enum procedure_state {
	PROCEDURE_FORWARDING = 1, /* partner: the primary is owed the request */
	PROCEDURE_AWAITING_RESPONSE = 2, /* partner: the primary has it */
	PROCEDURE_ANSWERING = 3, /* a response is owed: partner to the client,
				  * primary to the partner */
	PROCEDURE_DONE = 4,
};

enum procedure_outcome {
	OUTCOME_NONE = 0,
	OUTCOME_SUCCESS = 1,
	OUTCOME_FAILURE = 2, /* with a cause */
};

struct procedure {
	struct uuid id;
	uint64_t
	    sequence;	/* the partner's; 0: refused before one was stamped */
	uint64_t order; /* the client's, ms; 0: none */
	uint64_t epoch; /* primary: of an accepted authorization; else 0 */
	enum mcinfo_verb verb;
	enum procedure_state state;
	enum procedure_outcome outcome;
	enum mcinfo_cause cause;
	unsigned profile_index; /* authorizations */
	bool telling; /* partner: the de-authorization was finished locally,
			 * the primary is still owed it */
	char partner_id[MCID_SIZE];	  /* canonical */
	char partner_id_given[MCID_SIZE]; /* as the client wrote them */
	char primary_id_given[MCID_SIZE];
	char peer_system[SYSTEM_NAME_SIZE]; /* partner: the primary MC system;
					     * primary: the partner MC system */
	char client_uri[CLIENT_URI_SIZE];   /* partner: where the response goes;
					   * "": nobody waits for one */
	/* partner: the public user identity that asked, by which the IMS finds
	 * the client; "": it came without an IMS */
	char client_identity[CLIENT_IDENTITY_SIZE];
	uint64_t created_us;
	uint64_t deadline_us; /* undecided: when to decide; answering: when to
			       * give up (0: never) */
	uint64_t finished_us; /* 0 until done */

	/* Of the transition under way, not stored: */
	bool changed; /* to be written */
	bool is_new;  /* to be inserted: must not exist yet */
};

enum mapping_status {
	MAPPING_ACTIVE = 1,
	MAPPING_RESERVED = 2, /* ended; the primary does not know yet */
	MAPPING_ENDED = 3,    /* calls to the partner ID go to the primary ID */
};

/* Partner role: one row a partner MC service ID, kept until assigned again. */
struct mapping {
	char partner_id[MCID_SIZE]; /* canonical */
	char primary_id[MCID_SIZE]; /* canonical: whose it is or was last */
	char primary_system[SYSTEM_NAME_SIZE];
	uint64_t version; /* of the stored row; 0: no row yet */
	enum mapping_status status;
	struct uuid procedure_id; /* that stored it */
	uint64_t sequence;
	unsigned profile_index;
	uint64_t started_us;
	uint64_t ended_us; /* 0: active */
	bool changed;
};

/* Primary role: one row a partner MC system. */
struct migration {
	char partner_system[SYSTEM_NAME_SIZE];
	char partner_id[MCID_SIZE]; /* canonical; "": never confirmed */
	bool active;
	struct uuid procedure_id; /* that confirmed it */
	uint64_t sequence;	  /* of that procedure; 0: never confirmed */
	uint64_t deauthorized_sequence; /* highest de-authorization; 0: none */
	uint64_t epoch;
	unsigned profile_index;
	uint64_t started_us;
	uint64_t ended_us;
	bool changed;
};

/* Partner role: a row of the admission list that fits the pair of the event. */
struct admission {
	bool names_partner_id;	 /* else: any */
	bool names_primary_id;	 /* else: every user of the primary system */
	uint64_t valid_from_us;	 /* 0: always */
	uint64_t valid_until_us; /* 0: for ever; exclusive */
};

/* Primary role: a profile of the user may migrate to this partner system. */
struct permission {
	unsigned profile_index;
	char partner_system[SYSTEM_NAME_SIZE]; /* "*": any */
};

struct user_record {
	enum mc_service service;
	enum procedure_role role;
	char primary_id[MCID_SIZE]; /* canonical */
	uint64_t version;	    /* of the stored row; 0: no row yet */
	uint64_t first_version;	    /* of a row that is to be made; 0: as 1 */
	uint64_t last_sequence;	    /* partner: the last one stamped */
	uint64_t last_order;	  /* ms; partner: of the last request looked at,
				 * primary: of the last one accepted */
	uint64_t last_epoch;	  /* primary: the last one given */
	uint64_t confirmed_epoch; /* primary: the highest confirmed */

	struct procedure *procedures; /* not done or telling, and the one of the
				       * event's procedure ID */
	size_t procedure_count;
	struct mapping *mappings; /* partner: all of this user that are active
				   * or reserved, and that of the event's
				   * partner ID, whoever owns it */
	size_t mapping_count;
	struct migration *migrations; /* primary: all */
	size_t migration_count;

	/* Provisioned; read, never written. */
	struct admission *admissions; /* partner */
	size_t admission_count;
	bool user_known, user_enabled; /* primary */
	unsigned *profiles;	       /* primary: the user's, this service */
	size_t profile_count;
	struct permission *permissions; /* primary */
	size_t permission_count;
};

/* Of the stored row after the next write. */
static inline uint64_t record_next_version(const struct user_record *record)
{
	if (!record->version && record->first_version)
		return record->first_version;
	return record->version + 1;
}

MCMIG_API void record_init(struct user_record *record, enum mc_service service,
			   enum procedure_role role, const char *primary_id);
/* Frees the lists and forgets what was loaded; the key stays. */
MCMIG_API void record_clear(struct user_record *record);

/* Appends a zeroed entry. NULL: out of memory. */
MCMIG_API struct procedure *record_add_procedure(struct user_record *record);
MCMIG_API struct mapping *record_add_mapping(struct user_record *record);
MCMIG_API struct migration *record_add_migration(struct user_record *record);
MCMIG_API struct admission *record_add_admission(struct user_record *record);
MCMIG_API unsigned *record_add_profile(struct user_record *record);
MCMIG_API struct permission *record_add_permission(struct user_record *record);

/* Of these IDs; primary: exactly this sequence, partner: any. NULL: none. */
MCMIG_API struct procedure *
record_find_procedure(const struct user_record *record, const struct uuid *id,
		      const char *partner_id, uint64_t sequence);
MCMIG_API struct mapping *record_find_mapping(const struct user_record *record,
					      const char *partner_id);
MCMIG_API struct migration *
record_find_migration(const struct user_record *record,
		      const char *partner_system);
/* Whether the procedure still owes a message to anybody. */
MCMIG_API bool procedure_is_live(const struct procedure *procedure);

/* For tables and logs; "?": a value that is none of its enum. */
MCMIG_API const char *procedure_state_name(enum procedure_state state);
MCMIG_API const char *procedure_role_name(enum procedure_role role);
MCMIG_API const char *procedure_outcome_name(enum procedure_outcome outcome);
MCMIG_API const char *mapping_status_name(enum mapping_status status);
MCMIG_API const char *mcinfo_verb_name(enum mcinfo_verb verb);

#endif

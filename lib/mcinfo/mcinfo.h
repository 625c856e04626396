/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The information document that carries the flows of TS 23.280 10.6.3.2:
 * mcptt-info, mcvideo-info or mcdata-info with our <migration> element in the
 * standard <anyExt> (doc/protocol.md, doc/mcmig-migration.xsd).
 */
#ifndef MCMIG_MCINFO_MCINFO_H
#define MCMIG_MCINFO_MCINFO_H

#include "base/export.h"
#include "base/uuid.h"
#include "mcinfo/mcid.h"
#include "mcinfo/service.h"

#define MCINFO_MIGRATION_NAMESPACE \
	"urn:uuid:5fec72a9-f7d2-40d2-a6ec-5e5a7fd7607b"
#define MCINFO_BODY_MAX 65536 /* bytes of a body that we take */
#define MCINFO_TEXT_SIZE 256  /* <text>, with the closing NUL */
#define MCINFO_PROFILE_INDEX_MAX 255
#define MCINFO_TOKEN_MAX 16384 /* bytes of an access token */

enum mcinfo_verb { /* the values are stored */
		   MCINFO_AUTHORIZATION = 1,
		   MCINFO_DEAUTHORIZATION = 2,
};

enum mcinfo_result {
	MCINFO_SUCCESS = 1,
	MCINFO_FAILURE = 2,
};

/* Why a response says failure: the fixed list of <cause>. Values are stored. */
enum mcinfo_cause {
	CAUSE_NONE = 0,
	CAUSE_SUPERSEDED = 1,	   /* a newer procedure of this user counts */
	CAUSE_ENDED = 2,	   /* the migration that it made has ended */
	CAUSE_NOT_ADMITTED = 3,	   /* not on the partner's admission list */
	CAUSE_SYSTEM_DISABLED = 4, /* the other MC system is known, but off */
	CAUSE_PARTNER_ID_IN_USE =
	    5,			    /* held by, or reserved for, another user */
	CAUSE_OTHER_PARTNER_ID = 6, /* user is here under another partner ID */
	CAUSE_NOT_MIGRATED = 7,	    /* de-authorization of no migration */
	CAUSE_USER_UNKNOWN = 8,
	CAUSE_USER_DISABLED = 9,
	CAUSE_PROFILE_UNKNOWN = 10,
	CAUSE_NOT_PERMITTED = 11,   /* user, profile, service, partner system */
	CAUSE_PRIMARY_REFUSED = 12, /* a 4xx or 6xx of the primary MC system */
	CAUSE_PRIMARY_UNREACHABLE = 13, /* no answer within the deadline */
	CAUSE_OTHER = 14, /* a cause that this version does not know */
};
#define CAUSE_END 15

/* "superseded", "ended", ...: as on the wire, in tables and tools. */
MCMIG_API const char *mcinfo_cause_name(enum mcinfo_cause cause);
/* The fixed text of a cause: one sentence for people. */
MCMIG_API const char *mcinfo_cause_text(enum mcinfo_cause cause);
/* An unknown name gives CAUSE_OTHER. */
MCMIG_API enum mcinfo_cause mcinfo_cause_from_name(const char *name);

/* The flow's name, as its element is called: "authorization-request", ... */
MCMIG_API const char *mcinfo_flow_name(enum mcinfo_verb verb, bool is_response);

/* The value of Accept in a 415: what mcinfo_parse() takes. */
#define MCINFO_ACCEPTED_TYPES                     \
	"application/vnd.3gpp.mcptt-info+xml, "   \
	"application/vnd.3gpp.mcvideo-info+xml, " \
	"application/vnd.3gpp.mcdata-info+xml, multipart/mixed"

/* One document, parsed or to be built. */
struct mcinfo {
	enum mc_service service;
	enum mcinfo_verb verb;
	bool is_response;
	bool has_procedure_id;	/* a client's request may have none */
	bool has_profile_index; /* authorization requests: always */
	struct uuid procedure_id;
	uint64_t sequence; /* 0: none (between client and partner) */
	uint64_t order;	   /* 0: none */
	unsigned profile_index;
	char partner_id[MCID_SIZE]; /* as given */
	char primary_id[MCID_SIZE];
	char partner_id_canonical[MCID_SIZE];
	char primary_id_canonical[MCID_SIZE];
	enum mcinfo_result result;   /* responses */
	enum mcinfo_cause cause;     /* failure responses; else CAUSE_NONE */
	char text[MCINFO_TEXT_SIZE]; /* "": none */
	char *access_token;	     /* NULL: none. Owned by the document */
};

/* Why a document was refused, ready for a SIP answer. */
struct mcinfo_error {
	int status;	/* 400, 413, 415, ... */
	int warn_code;	/* 399, 145, ... */
	char text[128]; /* Warning text: what is wrong and where */
};

struct mcinfo_parser;
/* A parser keeps its libxml2 context for reuse; one a thread. 0 or ENOMEM. */
MCMIG_API int mcinfo_parser_create(struct mcinfo_parser **parserp);
MCMIG_API void mcinfo_parser_destroy(struct mcinfo_parser *parser);

/*
 * Parses a body with its Content-Type header value (one of the services' types,
 * or multipart/mixed with exactly one such part). 0 and `*info`, to be given to
 * mcinfo_clear(); or EBADMSG and `*error`; or ENOMEM.
 */
MCMIG_API int mcinfo_parse(struct mcinfo_parser *parser,
			   const char *content_type, const char *body,
			   size_t body_bytes, struct mcinfo *info,
			   struct mcinfo_error *error);
MCMIG_API void mcinfo_clear(struct mcinfo *info); /* wipes the token */

/*
 * Builds the document (UTF-8, no multipart) into a malloc'ed, NUL-terminated
 * buffer. 0, ENOMEM, or EINVAL for an incomplete `info`.
 */
MCMIG_API int mcinfo_build(const struct mcinfo *info, char **bodyp,
			   size_t *bytesp);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Every SQL statement of the backend, prepared once a connection. */
#ifndef MCMIG_STORE_SQLITE_STATEMENTS_H
#define MCMIG_STORE_SQLITE_STATEMENTS_H

enum statement {
	STATEMENT_BEGIN,
	STATEMENT_BEGIN_WRITE,
	STATEMENT_COMMIT,
	STATEMENT_DATA_VERSION,
	STATEMENT_LEASE,       /* node -> incarnation, alive */
	STATEMENT_LEASE_TAKE,  /* node, incarnation */
	STATEMENT_LEASE_RENEW, /* node, incarnation, seconds */
	STATEMENT_LEASE_HELD,  /* node, incarnation */
	STATEMENT_SECRET,

	/* service, primary_id */
	STATEMENT_USER_STATE,
	STATEMENT_PROCEDURES_LIVE,
	STATEMENT_PROCEDURES_ASKED, /* procedure_id */
	STATEMENT_MAPPINGS_OWN,
	STATEMENT_MAPPING_ASKED, /* partner_id */
	STATEMENT_MIGRATIONS,
	STATEMENT_ADMISSIONS, /* primary_system, primary_id, partner_id */
	STATEMENT_USER,	      /* primary_id */
	STATEMENT_PROFILES,
	STATEMENT_PERMISSIONS,

	STATEMENT_VERSION,	    /* service, primary_id */
	STATEMENT_MAPPING_VERSION,  /* service, partner_id */
	STATEMENT_PROCEDURE_EXISTS, /* primary key */
	STATEMENT_PUT_USER_STATE,
	STATEMENT_PUT_PROCEDURE,
	STATEMENT_PUT_MAPPING,
	STATEMENT_PUT_MIGRATION,

	STATEMENT_FIND_LIVE,   /* service, primary_id, limit */
	STATEMENT_PURGE,       /* finished before, limit */
	STATEMENT_PURGE_END,   /* service, primary_id, limit */
	STATEMENT_PURGE_USERS, /* touched before, then from and to: service,
				* primary_id */
	STATEMENT_SYSTEMS,
	STATEMENT_DOMAINS,
	STATEMENT_SERVERS,
	STATEMENT_GATEWAYS,
	STATEMENT_SOURCES,

	STATEMENT_QUERY_LIVE,
	STATEMENT_QUERY_PROCEDURE, /* procedure_id */
	STATEMENT_QUERY_ACTIVE,
	STATEMENT_QUERY_MIGRATIONS,  /* MC service ID */
	STATEMENT_QUERY_REDIRECTION, /* MC service ID */
	STATEMENT_QUERY_SYSTEMS,
	STATEMENT_QUERY_GATEWAYS,
	STATEMENT_QUERY_NODES,
	STATEMENT_END,
};

extern const char *const statement_sql[STATEMENT_END];

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* The SQL, beside the schema in db/sqlite/schema.sql the only of this store. */
#include "statements.h"

/* SQL, laid out by hand. */
/* clang-format off */

/* Milliseconds are what SQLite's own arithmetic keeps. */
#define MICROSECONDS(timestamp) \
	"(CAST(round((julianday(" timestamp ") - 2440587.5) * 86400000.0) " \
	"AS INTEGER) * 1000)"
#define NOW "strftime('%Y-%m-%dT%H:%M:%fZ', 'now'"
#define ROWS_MAX "LIMIT 1000" /* STORE_QUERY_ROWS_MAX */
#define OF_USER "WHERE service = ?1 AND primary_id = ?2 "
#define HAS_USER "WHERE service = u.service AND primary_id = u.primary_id "
#define SERVICE_NAME "(SELECT name FROM mc_service WHERE service = ?1) "

#define PROCEDURE_COLUMNS \
	"procedure_id, partner_id, sequence, verb, state, outcome, cause, " \
	"telling, profile_index, \"order\", epoch, " \
	"ifnull(partner_id_given, partner_id), " \
	"ifnull(primary_id_given, primary_id), peer_system, client_uri, " \
	"created_us, deadline_us, finished_us, client_identity "
#define MAPPING_COLUMNS \
	"partner_id, primary_id, primary_system, version, status, " \
	"procedure_id, sequence, profile_index, started_us, ended_us "
#define ADMISSION_COLUMNS(names_primary_id) \
	"partner_id IS NOT NULL, " names_primary_id ", " \
	MICROSECONDS("valid_from") ", " MICROSECONDS("valid_until") " "

#define QUERY_PROCEDURES \
	"SELECT procedure_id, service, role, verb, state, outcome, cause, " \
	"telling, primary_id, partner_id, peer_system, profile_index, " \
	"sequence, \"order\", epoch, created_us, deadline_us, finished_us, " \
	"node, incarnation FROM procedure "
#define QUERY_PROCEDURES_ORDER \
	"ORDER BY created_us DESC, procedure_id, sequence " ROWS_MAX
#define QUERY_MIGRATIONS(index) \
	"SELECT m.service, 2 AS role, iif(m.active, 1, 3), " \
	"m.active AND u.confirmed_epoch = m.epoch, m.primary_id, " \
	"m.partner_id, m.partner_system, m.profile_index, m.procedure_id, " \
	"m.sequence, m.epoch, m.started_us, m.ended_us " \
	"FROM primary_migration m " index \
	"JOIN user_state u ON u.service = m.service " \
	"AND u.primary_id = m.primary_id WHERE m.sequence > 0 "
#define QUERY_MAPPINGS(index) \
	"SELECT service, 1, status, status = 1, primary_id, partner_id, " \
	"primary_system, profile_index, procedure_id, sequence, 0, " \
	"started_us, ended_us FROM partner_mapping " index
#define QUERY_MIGRATING \
	"SELECT service, role, 0, 0, primary_id, partner_id, peer_system, " \
	"profile_index, procedure_id, sequence, epoch, created_us, 0 " \
	"FROM procedure INDEXED BY procedure_live " \
	"WHERE (state <> 4 OR telling) AND role = 2 AND verb = 1 " \
	"AND state = 3 AND outcome = 1 "
#define QUERY_MIGRATIONS_ORDER \
	"ORDER BY 1, m.primary_id, role, m.started_us, m.partner_id " ROWS_MAX
#define OF_ID(service, column) \
	service " IN (SELECT service FROM mc_service) AND " column " = ?1 "

const char *const statement_sql[STATEMENT_END] = {
	[STATEMENT_BEGIN] = "BEGIN",
	/* The write lock at once: a transaction that has begun can commit. */
	[STATEMENT_BEGIN_WRITE] = "BEGIN IMMEDIATE",
	[STATEMENT_COMMIT] = "COMMIT",
	[STATEMENT_DATA_VERSION] = "PRAGMA data_version",
	[STATEMENT_LEASE] =
		"SELECT incarnation, julianday(lease_until) > julianday('now') "
		"FROM node WHERE name = ?1",
	[STATEMENT_LEASE_TAKE] =
		"INSERT INTO node (name, incarnation, lease_until) "
		"VALUES (?1, ?2, " NOW ", '+30 seconds')) "
		"ON CONFLICT (name) DO UPDATE SET "
		"incarnation = excluded.incarnation, "
		"lease_until = excluded.lease_until",
	[STATEMENT_LEASE_RENEW] =
		"UPDATE node SET lease_until = " NOW ", ?3) "
		"WHERE name = ?1 AND incarnation = ?2",
	[STATEMENT_LEASE_HELD] =
		"SELECT 1 FROM node WHERE name = ?1 AND incarnation = ?2",
	[STATEMENT_SECRET] =
		"SELECT value FROM secret WHERE name = 'procedure-id-key'",

	[STATEMENT_USER_STATE] =
		"SELECT version, last_sequence, last_order, last_epoch, "
		"confirmed_epoch FROM user_state " OF_USER,
	[STATEMENT_PROCEDURES_LIVE] =
		"SELECT " PROCEDURE_COLUMNS
		"FROM procedure INDEXED BY procedure_live "
		OF_USER "AND (state <> 4 OR telling)",
	[STATEMENT_PROCEDURES_ASKED] =
		"SELECT " PROCEDURE_COLUMNS "FROM procedure "
		OF_USER "AND procedure_id = ?3 AND state = 4 AND NOT telling",
	[STATEMENT_MAPPINGS_OWN] =
		"SELECT " MAPPING_COLUMNS "FROM partner_mapping "
		"INDEXED BY partner_mapping_by_primary_id "
		OF_USER "AND status <> 3",
	[STATEMENT_MAPPING_ASKED] =
		"SELECT " MAPPING_COLUMNS "FROM partner_mapping "
		"WHERE service = ?1 AND partner_id = ?3 "
		"AND (primary_id <> ?2 OR status = 3)",
	[STATEMENT_MIGRATIONS] =
		"SELECT partner_system, partner_id, active, procedure_id, "
		"sequence, deauthorized_sequence, epoch, profile_index, "
		"started_us, ended_us FROM primary_migration " OF_USER,
	/* Two, so that each finds its rows in the index. */
	[STATEMENT_ADMISSIONS] =
		"SELECT " ADMISSION_COLUMNS("1") "FROM admission "
		"WHERE primary_system = ?1 AND primary_id = ?2 "
		"AND (partner_id IS NULL OR partner_id = ?3) "
		"UNION ALL SELECT " ADMISSION_COLUMNS("0") "FROM admission "
		"WHERE primary_system = ?1 AND primary_id IS NULL "
		"AND (partner_id IS NULL OR partner_id = ?3)",
	[STATEMENT_USER] =
		"SELECT enabled FROM mc_user WHERE primary_id = ?1",
	[STATEMENT_PROFILES] =
		"SELECT profile_index FROM user_profile "
		"WHERE primary_id = ?2 AND service = " SERVICE_NAME,
	[STATEMENT_PERMISSIONS] =
		"SELECT profile_index, partner_system FROM permission "
		"WHERE primary_id = ?2 AND service = " SERVICE_NAME,

	[STATEMENT_VERSION] = "SELECT version FROM user_state " OF_USER,
	[STATEMENT_MAPPING_VERSION] =
		"SELECT version FROM partner_mapping "
		"WHERE service = ?1 AND partner_id = ?2",
	[STATEMENT_PROCEDURE_EXISTS] =
		"SELECT 1 FROM procedure " OF_USER
		"AND procedure_id = ?3 AND partner_id = ?4 AND sequence = ?5",
	[STATEMENT_PUT_USER_STATE] =
		"REPLACE INTO user_state (service, primary_id, role, version, "
		"last_sequence, last_order, last_epoch, confirmed_epoch, "
		"touched_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
	[STATEMENT_PUT_PROCEDURE] =
		"REPLACE INTO procedure (service, primary_id, procedure_id, "
		"partner_id, sequence, role, verb, state, outcome, cause, "
		"telling, profile_index, \"order\", epoch, partner_id_given, "
		"primary_id_given, peer_system, client_uri, created_us, "
		"deadline_us, finished_us, node, incarnation, "
		"client_identity) "
		"VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, "
		"?13, ?14, nullif(?15, ?4), nullif(?16, ?2), ?17, ?18, ?19, "
		"?20, ?21, ?22, ?23, ?24)",
	[STATEMENT_PUT_MAPPING] =
		"REPLACE INTO partner_mapping (service, partner_id, "
		"primary_id, primary_system, version, status, procedure_id, "
		"sequence, profile_index, started_us, ended_us) "
		"VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
	[STATEMENT_PUT_MIGRATION] =
		"REPLACE INTO primary_migration (service, primary_id, "
		"partner_system, partner_id, active, procedure_id, sequence, "
		"deauthorized_sequence, epoch, profile_index, started_us, "
		"ended_us) "
		"VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",

	[STATEMENT_FIND_LIVE] =
		"SELECT service, primary_id, role "
		"FROM procedure INDEXED BY procedure_live "
		"WHERE (state <> 4 OR telling) "
		"AND (service, primary_id) > (?1, ?2) "
		"GROUP BY service, primary_id ORDER BY service, primary_id "
		"LIMIT ?3",
	[STATEMENT_PURGE] =
		"DELETE FROM procedure WHERE rowid IN (SELECT rowid "
		"FROM procedure INDEXED BY procedure_finished "
		"WHERE state = 4 AND NOT telling AND finished_us < ?1 "
		"LIMIT ?2)",
	/* By the key, round and round: no index for it that each write pays. */
	[STATEMENT_PURGE_END] =
		"SELECT service, primary_id FROM user_state "
		"WHERE (service, primary_id) > (?1, ?2) "
		"ORDER BY service, primary_id LIMIT 1 OFFSET ?3 - 1",
	[STATEMENT_PURGE_USERS] =
		"DELETE FROM user_state AS u "
		"WHERE (service, primary_id) > (?2, ?3) "
		"AND (service, primary_id) <= (?4, ?5) AND touched_us < ?1 "
		"AND NOT EXISTS (SELECT 1 FROM procedure "
		"INDEXED BY procedure_live "
		HAS_USER "AND (state <> 4 OR telling)) "
		"AND NOT EXISTS (SELECT 1 FROM partner_mapping "
		"INDEXED BY partner_mapping_by_primary_id " HAS_USER ") "
		"AND NOT EXISTS (SELECT 1 FROM primary_migration " HAS_USER ")",
	[STATEMENT_SYSTEMS] = "SELECT name, enabled, path = 'gateway' FROM mc_system",
	[STATEMENT_DOMAINS] = "SELECT system, domain FROM mc_system_domain",
	[STATEMENT_SERVERS] =
		"SELECT system, uri, priority, weight FROM mc_server",
	[STATEMENT_GATEWAYS] = "SELECT uri, priority, weight FROM mc_gateway",
	[STATEMENT_SOURCES] = "SELECT system, source FROM mc_peer",

	[STATEMENT_QUERY_LIVE] =
		QUERY_PROCEDURES "INDEXED BY procedure_live "
		"WHERE state <> 4 OR telling " QUERY_PROCEDURES_ORDER,
	[STATEMENT_QUERY_PROCEDURE] =
		QUERY_PROCEDURES
		"WHERE procedure_id = ?1 " QUERY_PROCEDURES_ORDER,
	[STATEMENT_QUERY_ACTIVE] =
		QUERY_MIGRATIONS("") "AND m.active "
		"UNION ALL " QUERY_MAPPINGS("") "WHERE status = 1 "
		"UNION ALL " QUERY_MIGRATING
		QUERY_MIGRATIONS_ORDER,
	/* Each arm by an index: this must not hold up a commit. */
	[STATEMENT_QUERY_MIGRATIONS] =
		QUERY_MIGRATIONS("") "AND " OF_ID("m.service", "m.primary_id")
		"UNION ALL "
		QUERY_MIGRATIONS("INDEXED BY primary_migration_by_partner_id ")
		"AND " OF_ID("m.service", "m.partner_id")
		"UNION ALL " QUERY_MAPPINGS("")
		"WHERE " OF_ID("service", "partner_id")
		"UNION ALL "
		QUERY_MAPPINGS("INDEXED BY partner_mapping_by_primary_id ")
		"WHERE " OF_ID("service", "primary_id")
		"UNION ALL " QUERY_MIGRATING
		"AND (primary_id = ?1 OR partner_id = ?1) "
		QUERY_MIGRATIONS_ORDER,
	[STATEMENT_QUERY_REDIRECTION] =
		"SELECT service, mc_service_id, target_mc_service_id, "
		"direction, since_us FROM redirection WHERE mc_service_id = ?1 "
		"ORDER BY service, direction, since_us, "
		"target_mc_service_id " ROWS_MAX,
	[STATEMENT_QUERY_SYSTEMS] =
		"SELECT name, enabled, path, "
		"(SELECT json_group_array(domain) FROM (SELECT domain "
		"FROM mc_system_domain d WHERE d.system = s.name "
		"ORDER BY domain)), "
		"(SELECT json_group_array(uri) FROM (SELECT uri "
		"FROM mc_server v WHERE v.system = s.name "
		"ORDER BY priority, uri)), "
		"(SELECT json_group_array(source) FROM (SELECT source "
		"FROM mc_peer p WHERE p.system = s.name ORDER BY source)) "
		"FROM mc_system s ORDER BY name " ROWS_MAX,
	[STATEMENT_QUERY_GATEWAYS] =
		"SELECT uri, priority, weight FROM mc_gateway "
		"ORDER BY priority, uri " ROWS_MAX,
	[STATEMENT_QUERY_NODES] =
		"SELECT name, incarnation, " MICROSECONDS("lease_until") ", "
		"julianday(lease_until) > julianday('now') "
		"FROM node ORDER BY name " ROWS_MAX,
};

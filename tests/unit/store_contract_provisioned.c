/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The contract, second half: what is provisioned, queries, the redirection
 * view. The scripts here run unchanged on every database.
 */
#include "store_contract_tests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_US 1000000ull

static const char admissions_sql[] =
    "INSERT INTO admission (primary_system, primary_id, partner_id, "
    "valid_from, valid_until) VALUES "
    /* that fit */
    "('a.example', 'sip:alice@a.example', 'sip:visitor1@b.example', "
    "NULL, NULL), "
    "('a.example', NULL, NULL, '2026-01-01T00:00:00Z', "
    "'2026-01-31T12:34:56Z'), "
    "('a.example', 'sip:alice@a.example', NULL, NULL, "
    "'1999-12-31T23:59:59Z'), "
    "('a.example', NULL, 'sip:visitor1@b.example', "
    "'2096-01-01T00:00:00Z', NULL), "
    /* begun and over before time began */
    "('a.example', 'sip:alice@a.example', 'sip:visitor1@b.example', "
    "'1900-01-01T00:00:00Z', '1960-01-01T00:00:00Z'), "
    /* that do not */
    "('b.example', 'sip:alice@a.example', 'sip:visitor1@b.example', "
    "NULL, NULL), "
    "('b.example', NULL, NULL, NULL, NULL), "
    "('a.example', 'sip:bob@a.example', 'sip:visitor1@b.example', "
    "NULL, NULL), "
    "('a.example', 'sip:alice@a.example', 'sip:visitor2@b.example', "
    "NULL, NULL), "
    "('a.example', 'sip:bob@a.example', NULL, NULL, NULL), "
    "('a.example', NULL, 'sip:visitor2@b.example', NULL, NULL);";

static bool has_admission(const struct user_record *record,
			  struct admission wanted)
{
	for (size_t i = 0; i < record->admission_count; i++) {
		const struct admission *found = &record->admissions[i];

		if (found->names_partner_id == wanted.names_partner_id &&
		    found->names_primary_id == wanted.names_primary_id &&
		    found->valid_from_us == wanted.valid_from_us &&
		    found->valid_until_us == wanted.valid_until_us)
			return true;
	}
	return false;
}

void test_admissions(void)
{
	static const struct admission wanted[] = {
		{ true, true, 0, 0 },
		{ false, false, 1767225600 * SECOND_US,
		  1769862896 * SECOND_US },
		{ false, true, 0, 946684799 * SECOND_US },
		{ true, false, 3976214400 * SECOND_US, 0 },
		{ true, true, 0, 1 },
	};
	struct user_record record;
	struct store *store;

	fixture_reset();
	fixture_execute(contract_systems_sql);
	fixture_execute(admissions_sql);
	store = fixture_open("n1", true);
	record_init(&record, MC_SERVICE_MCPTT, ROLE_PARTNER, PRIMARY_ID);
	CU_ASSERT_EQUAL(
	    fixture_load_one(store, &record, NULL, PARTNER_ID, SYSTEM_A), 0);
	CU_ASSERT_EQUAL(record.admission_count, 5);
	for (size_t i = 0; i < 5; i++)
		CU_ASSERT(has_admission(&record, wanted[i]));
	record_clear(&record);

	/* A system of which nobody is admitted. */
	CU_ASSERT_EQUAL(fixture_load_one(store, &record, NULL, PARTNER_ID,
					 "off.example"),
			0);
	CU_ASSERT_EQUAL(record.admission_count, 0);
	record_clear(&record);
	fixture_close(store);
}

static const char users_sql[] =
    "INSERT INTO mc_user (primary_id, enabled) VALUES "
    "('sip:alice@a.example', true), ('sip:bob@a.example', false), "
    "('sip:it''s@a.example', true) ON CONFLICT (primary_id) DO NOTHING;"
    "INSERT INTO user_profile (primary_id, service, profile_index) VALUES "
    "('sip:alice@a.example', 'mcptt', 0), "
    "('sip:alice@a.example', 'mcptt', 255), "
    "('sip:alice@a.example', 'mcdata', 7), "
    "('sip:bob@a.example', 'mcptt', 1);"
    "INSERT INTO permission (primary_id, service, profile_index, "
    "partner_system) VALUES "
    "('sip:alice@a.example', 'mcptt', 0, 'b.example'), "
    "('sip:alice@a.example', 'mcptt', 0, 'c.example'), "
    "('sip:alice@a.example', 'mcptt', 255, '*'), "
    "('sip:alice@a.example', 'mcdata', 7, 'b.example');";

static void load_user(struct store *store, struct user_record *record,
		      enum mc_service service, const char *primary_id)
{
	record_init(record, service, ROLE_PRIMARY, primary_id);
	CU_ASSERT_EQUAL_FATAL(
	    fixture_load_one(store, record, NULL, PARTNER_ID, "b.example"), 0);
	CU_ASSERT_EQUAL(record->version, 0);
}

static bool has_permission(const struct user_record *record, unsigned profile,
			   const char *partner_system)
{
	for (size_t i = 0; i < record->permission_count; i++) {
		if (record->permissions[i].profile_index == profile &&
		    !strcmp(record->permissions[i].partner_system,
			    partner_system))
			return true;
	}
	return false;
}

void test_users_profiles_permissions(void)
{
	struct user_record record;
	struct store *store;

	fixture_reset();
	fixture_execute(users_sql);
	store = fixture_open("n1", true);

	load_user(store, &record, MC_SERVICE_MCPTT, PRIMARY_ID);
	CU_ASSERT(record.user_known && record.user_enabled);
	CU_ASSERT_EQUAL_FATAL(record.profile_count, 2);
	CU_ASSERT_EQUAL(record.profiles[0] + record.profiles[1], 255);
	CU_ASSERT_EQUAL(record.permission_count, 3);
	CU_ASSERT(has_permission(&record, 0, "b.example"));
	CU_ASSERT(has_permission(&record, 0, "c.example"));
	CU_ASSERT(has_permission(&record, 255, "*"));
	record_clear(&record);

	load_user(store, &record, MC_SERVICE_MCDATA, PRIMARY_ID);
	CU_ASSERT_EQUAL_FATAL(record.profile_count, 1);
	CU_ASSERT_EQUAL(record.profiles[0], 7);
	CU_ASSERT_EQUAL(record.permission_count, 1);
	record_clear(&record);

	load_user(store, &record, MC_SERVICE_MCVIDEO, PRIMARY_ID);
	CU_ASSERT(record.user_known && record.user_enabled);
	CU_ASSERT_EQUAL(record.profile_count + record.permission_count, 0);
	record_clear(&record);

	load_user(store, &record, MC_SERVICE_MCPTT, OTHER_PRIMARY_ID);
	CU_ASSERT(record.user_known && !record.user_enabled);
	CU_ASSERT_EQUAL(record.profile_count, 1);
	record_clear(&record);

	load_user(store, &record, MC_SERVICE_MCPTT, "sip:it's@a.example");
	CU_ASSERT(record.user_known);
	record_clear(&record);

	load_user(store, &record, MC_SERVICE_MCPTT, "sip:carol@a.example");
	CU_ASSERT(!record.user_known && !record.user_enabled);
	record_clear(&record);
	fixture_close(store);
}

void test_provisioning_change_is_noticed(void)
{
	struct store *store;
	unsigned seen;

	fixture_reset();
	store = fixture_open("n1", true);
	seen = store->provisioning_changes;
	fixture_execute(contract_systems_sql);
	CU_ASSERT(
	    fixture_wait_count(store, &store->provisioning_changes, seen));
	seen = store->provisioning_changes;
	fixture_execute(users_sql);
	CU_ASSERT(
	    fixture_wait_count(store, &store->provisioning_changes, seen));
	fixture_close(store);
}

/* ----------------------------------------------------------------- queries */

static void assert_row(const json_t *rows, size_t i, const char *wanted)
{
	char *text = json_dumps(json_array_get(rows, i), JSON_COMPACT);

	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	if (strcmp(text, wanted))
		fprintf(stderr, "row %zu is\n%s\nwanted\n%s\n", i, text,
			wanted);
	CU_ASSERT_STRING_EQUAL(text, wanted);
	free(text);
}

static const json_t *query(struct store *store, enum store_query_kind kind,
			   const char *argument, size_t rows)
{
	CU_ASSERT_EQUAL_FATAL(fixture_query(store, kind, argument), 0);
	CU_ASSERT_EQUAL(json_array_size(store->rows), rows);
	return store->rows;
}

static void id_of(struct uuid *uuid, unsigned number)
{
	char text[UUID_TEXT_SIZE];

	snprintf(text, sizeof(text), "00000000-0000-4000-8000-%012u", number);
	CU_ASSERT_EQUAL(uuid_from_text(text, uuid), 0);
}

/* Alice is from a.example: at home a migration to b.example and one to
 * c.example, here (as a partner) one under visitor1. */
static void write_primary(struct store *store)
{
	struct user_record record;
	struct migration *migration;

	record_init(&record, MC_SERVICE_MCPTT, ROLE_PRIMARY, PRIMARY_ID);
	record.last_epoch = record.confirmed_epoch = 9;
	for (unsigned i = 0; i < 3; i++) {
		migration = record_add_migration(&record);
		*migration = (struct migration){ .active = i < 2,
						 .sequence = 40 + i,
						 .epoch = 8 + i,
						 .profile_index = 3,
						 .started_us = 1000000 * i + 1,
						 .ended_us = i < 2 ? 0 : 5,
						 .changed = true };
		id_of(&migration->procedure_id, i);
		snprintf(migration->partner_system, SYSTEM_NAME_SIZE,
			 "%c.example", 'b' + (int)i);
		snprintf(migration->partner_id, MCID_SIZE,
			 "sip:visitor%u@%c.example", i, 'b' + (int)i);
	}
	/* Only ever de-authorized: no migration. */
	migration = record_add_migration(&record);
	*migration = (struct migration){ .partner_system = "z.example",
					 .deauthorized_sequence = 3,
					 .changed = true };
	CU_ASSERT_EQUAL(fixture_write_one(store, &record), STORE_ITEM_DONE);
	record_clear(&record);
}

static void write_partner(struct store *store)
{
	struct user_record record;
	struct procedure *procedure;
	struct mapping *mapping;

	record_init(&record, MC_SERVICE_MCDATA, ROLE_PARTNER, OTHER_PRIMARY_ID);
	for (unsigned i = 1; i <= 3; i++) {
		mapping = record_add_mapping(&record);
		*mapping = (struct mapping){ .primary_system = SYSTEM_A,
					     .primary_id = OTHER_PRIMARY_ID,
					     .status = i,
					     .sequence = 50 + i,
					     .profile_index = 2,
					     .started_us = 7,
					     .ended_us = i == 1 ? 0 : 8 * i,
					     .changed = true };
		id_of(&mapping->procedure_id, 10 + i);
		snprintf(mapping->partner_id, MCID_SIZE,
			 "sip:visitor%u@b.example", i);
	}
	for (unsigned i = 0; i < 3; i++) {
		procedure = record_add_procedure(&record);
		*procedure = (struct procedure){
			.sequence = 51 + i,
			.order = 61,
			.verb = MCINFO_AUTHORIZATION + (i == 2),
			.state = 2 + i,
			.outcome = i,
			.cause = i == 2 ? CAUSE_NOT_ADMITTED : CAUSE_NONE,
			.profile_index = 2,
			.telling = i == 2,
			.partner_id = PARTNER_ID,
			.partner_id_given = "sip:VISITOR1@b.example",
			.primary_id_given = "",
			.peer_system = SYSTEM_A,
			.client_uri = "sip:198.51.100.7",
			.created_us = 1774569599123456 + i,
			.deadline_us = i ? 0 : 1774569600000000,
			.finished_us = i == 2 ? 1774569600000001 : 0,
			.changed = true,
			.is_new = true,
		};
		id_of(&procedure->id, 20 + i);
	}
	procedure->created_us = 5;
	CU_ASSERT_EQUAL(fixture_write_one(store, &record), STORE_ITEM_DONE);
	record_clear(&record);
}

static void assert_procedure_rows(struct store *store)
{
	const json_t *rows = query(store, STORE_QUERY_PROCEDURES, "", 3);

	assert_row(rows, 0,
		   "{\"procedure_id\":\"00000000-0000-4000-8000-000000000021\","
		   "\"service\":\"mcdata\",\"role\":\"partner\","
		   "\"verb\":\"authorization\",\"state\":\"answering\","
		   "\"outcome\":\"success\",\"cause\":\"none\","
		   "\"telling\":false,\"primary_id\":\"sip:bob@a.example\","
		   "\"partner_id\":\"sip:visitor1@b.example\","
		   "\"peer_system\":\"a.example\",\"profile_index\":2,"
		   "\"sequence\":52,\"order\":61,\"epoch\":0,"
		   "\"created\":\"2026-03-26T23:59:59.123457Z\","
		   "\"deadline\":null,\"finished\":null,\"node\":\"n1\","
		   "\"incarnation\":1}");
	assert_row(rows, 1,
		   "{\"procedure_id\":\"00000000-0000-4000-8000-000000000020\","
		   "\"service\":\"mcdata\",\"role\":\"partner\","
		   "\"verb\":\"authorization\",\"state\":\"awaiting response\","
		   "\"outcome\":\"none\",\"cause\":\"none\","
		   "\"telling\":false,\"primary_id\":\"sip:bob@a.example\","
		   "\"partner_id\":\"sip:visitor1@b.example\","
		   "\"peer_system\":\"a.example\",\"profile_index\":2,"
		   "\"sequence\":51,\"order\":61,\"epoch\":0,"
		   "\"created\":\"2026-03-26T23:59:59.123456Z\","
		   "\"deadline\":\"2026-03-27T00:00:00.000000Z\","
		   "\"finished\":null,\"node\":\"n1\",\"incarnation\":1}");
	assert_row(rows, 2,
		   "{\"procedure_id\":\"00000000-0000-4000-8000-000000000022\","
		   "\"service\":\"mcdata\",\"role\":\"partner\","
		   "\"verb\":\"de-authorization\",\"state\":\"done\","
		   "\"outcome\":\"failure\",\"cause\":\"not-admitted\","
		   "\"telling\":true,\"primary_id\":\"sip:bob@a.example\","
		   "\"partner_id\":\"sip:visitor1@b.example\","
		   "\"peer_system\":\"a.example\",\"profile_index\":2,"
		   "\"sequence\":53,\"order\":61,\"epoch\":0,"
		   "\"created\":\"1970-01-01T00:00:00.000005Z\","
		   "\"deadline\":null,"
		   "\"finished\":\"2026-03-27T00:00:00.000001Z\","
		   "\"node\":\"n1\",\"incarnation\":1}");
}

static void assert_migration_rows(struct store *store)
{
	const json_t *rows = query(store, STORE_QUERY_MIGRATIONS, "", 3);

	assert_row(rows, 0,
		   "{\"service\":\"mcptt\",\"role\":\"primary\","
		   "\"status\":\"active\",\"current\":false,"
		   "\"primary_id\":\"sip:alice@a.example\","
		   "\"partner_id\":\"sip:visitor0@b.example\","
		   "\"peer_system\":\"b.example\",\"profile_index\":3,"
		   "\"procedure_id\":\"00000000-0000-4000-8000-000000000000\","
		   "\"sequence\":40,\"epoch\":8,"
		   "\"started\":\"1970-01-01T00:00:00.000001Z\","
		   "\"ended\":null}");
	assert_row(rows, 1,
		   "{\"service\":\"mcptt\",\"role\":\"primary\","
		   "\"status\":\"active\",\"current\":true,"
		   "\"primary_id\":\"sip:alice@a.example\","
		   "\"partner_id\":\"sip:visitor1@c.example\","
		   "\"peer_system\":\"c.example\",\"profile_index\":3,"
		   "\"procedure_id\":\"00000000-0000-4000-8000-000000000001\","
		   "\"sequence\":41,\"epoch\":9,"
		   "\"started\":\"1970-01-01T00:00:01.000001Z\","
		   "\"ended\":null}");
	assert_row(rows, 2,
		   "{\"service\":\"mcdata\",\"role\":\"partner\","
		   "\"status\":\"active\",\"current\":true,"
		   "\"primary_id\":\"sip:bob@a.example\","
		   "\"partner_id\":\"sip:visitor1@b.example\","
		   "\"peer_system\":\"a.example\",\"profile_index\":2,"
		   "\"procedure_id\":\"00000000-0000-4000-8000-000000000011\","
		   "\"sequence\":51,\"epoch\":0,"
		   "\"started\":\"1970-01-01T00:00:00.000007Z\","
		   "\"ended\":null}");
	rows =
	    query(store, STORE_QUERY_MIGRATIONS, "sip:visitor2@b.example", 1);
	assert_row(rows, 0,
		   "{\"service\":\"mcdata\",\"role\":\"partner\","
		   "\"status\":\"reserved\",\"current\":false,"
		   "\"primary_id\":\"sip:bob@a.example\","
		   "\"partner_id\":\"sip:visitor2@b.example\","
		   "\"peer_system\":\"a.example\",\"profile_index\":2,"
		   "\"procedure_id\":\"00000000-0000-4000-8000-000000000012\","
		   "\"sequence\":52,\"epoch\":0,"
		   "\"started\":\"1970-01-01T00:00:00.000007Z\","
		   "\"ended\":\"1970-01-01T00:00:00.000016Z\"}");
}

static void assert_other_rows(struct store *store)
{
	const json_t *rows;

	rows = query(store, STORE_QUERY_REDIRECTION, PRIMARY_ID, 1);
	assert_row(rows, 0,
		   "{\"service\":\"mcptt\","
		   "\"mc_service_id\":\"sip:alice@a.example\","
		   "\"target_mc_service_id\":\"sip:visitor1@c.example\","
		   "\"direction\":\"to_partner\","
		   "\"since\":\"1970-01-01T00:00:01.000001Z\"}");
	rows = query(store, STORE_QUERY_SYSTEMS, "", 3);
	assert_row(rows, 0,
		   "{\"name\":\"a.example\",\"enabled\":true,"
		   "\"path\":\"direct\","
		   "\"domains\":[\"a.example\",\"mc.a.example\"],"
		   "\"servers\":[\"sip:192.0.2.1:5060;transport=udp\","
		   "\"sip:192.0.2.9:5060;transport=udp\","
		   "\"sip:192.0.2.2:5060;transport=tcp\"],"
		   "\"sources\":[]}");
	assert_row(rows, 2,
		   "{\"name\":\"off.example\",\"enabled\":false,"
		   "\"path\":\"direct\",\"domains\":[\"off.example\"],"
		   "\"servers\":[],\"sources\":[]}");
	rows = query(store, STORE_QUERY_NODES, "", 1);
	CU_ASSERT_STRING_EQUAL(
	    json_string_value(json_object_get(json_array_get(rows, 0), "name")),
	    "n1");
	CU_ASSERT(
	    json_is_true(json_object_get(json_array_get(rows, 0), "alive")));
	CU_ASSERT_EQUAL(json_string_length(json_object_get(
			    json_array_get(rows, 0), "lease_until")),
			strlen("2026-01-31T23:59:59.123456Z"));
}

void test_query_rows(void)
{
	struct store *store;

	fixture_reset();
	fixture_execute(contract_systems_sql);
	store = fixture_open("n1", true);
	write_primary(store);
	write_partner(store);
	assert_procedure_rows(store);
	assert_migration_rows(store);
	assert_other_rows(store);
	fixture_close(store);
}

#define GATEWAY_1 "sip:198.51.100.1:5060;transport=tcp"
#define GATEWAY_2 "sip:198.51.100.2:5060;transport=tcp"
#define GATEWAY_3 "sip:198.51.100.3:5060;transport=udp"

void test_query_gateways(void)
{
	const json_t *rows;
	struct store *store;

	fixture_reset();
	fixture_execute(contract_systems_sql);
	fixture_execute(
	    "UPDATE mc_system SET path = 'gateway' WHERE name = 'off.example';"
	    "INSERT INTO mc_gateway (uri, priority, weight) VALUES "
	    "('" GATEWAY_2 "', 2, 1), ('" GATEWAY_1 "', 2, 5), "
	    "('" GATEWAY_3 "', 1, 0);"
	    "INSERT INTO mc_peer (system, source) VALUES "
	    "('b.example', '198.51.100.9'), ('off.example', "
	    "'dns:off.example'), "
	    "('off.example', '203.0.113.16/28');");
	store = fixture_open("n1", true);
	rows = query(store, STORE_QUERY_GATEWAYS, "", 3);
	assert_row(rows, 0,
		   "{\"uri\":\"" GATEWAY_3 "\",\"priority\":1,"
		   "\"weight\":0}");
	assert_row(rows, 1,
		   "{\"uri\":\"" GATEWAY_1 "\",\"priority\":2,"
		   "\"weight\":5}");
	assert_row(rows, 2,
		   "{\"uri\":\"" GATEWAY_2 "\",\"priority\":2,"
		   "\"weight\":1}");
	rows = query(store, STORE_QUERY_SYSTEMS, "", 3);
	assert_row(rows, 1,
		   "{\"name\":\"b.example\",\"enabled\":true,"
		   "\"path\":\"direct\",\"domains\":[\"b.example\"],"
		   "\"servers\":[],\"sources\":[\"198.51.100.9\"]}");
	assert_row(rows, 2,
		   "{\"name\":\"off.example\",\"enabled\":false,"
		   "\"path\":\"gateway\",\"domains\":[\"off.example\"],"
		   "\"servers\":[],\"sources\":[\"203.0.113.16/28\","
		   "\"dns:off.example\"]}");
	fixture_close(store);
}

void test_query_arguments(void)
{
	struct store *store;
	const char *id = "00000000-0000-4000-8000-000000000022";

	fixture_reset();
	store = fixture_open("n1", true);
	for (int kind = 0; kind < STORE_QUERY_NODES; kind++) {
		query(store, kind, "", 0);
		query(store, kind, "no'such%\"; DROP TABLE procedure --", 0);
	}
	write_primary(store);
	write_partner(store);
	query(store, STORE_QUERY_PROCEDURES, id, 1);
	query(store, STORE_QUERY_PROCEDURES,
	      "00000000-0000-4000-8000-000000000029", 0);
	query(store, STORE_QUERY_MIGRATIONS, PRIMARY_ID, 3);
	query(store, STORE_QUERY_MIGRATIONS, OTHER_PRIMARY_ID, 3);
	query(store, STORE_QUERY_REDIRECTION, OTHER_PRIMARY_ID, 0);
	query(store, STORE_QUERY_REDIRECTION, "sip:visitor2@b.example", 1);
	fixture_close(store);
}

static void add_procedure(struct user_record *record, unsigned number,
			  struct procedure values)
{
	struct procedure *procedure = record_add_procedure(record);

	*procedure = values;
	id_of(&procedure->id, number);
	strcpy(procedure->partner_id, PARTNER_ID);
	strcpy(procedure->peer_system, "b.example");
	procedure->sequence = number;
	procedure->epoch = number + 1;
	procedure->profile_index = 4;
	procedure->created_us = 1769903999123456;
	procedure->changed = procedure->is_new = true;
}

/* Only that of number 70 is accepted and not confirmed. */
static void write_procedures(struct store *store, struct user_record *record)
{
	static const struct procedure others[] = {
		{ .verb = MCINFO_DEAUTHORIZATION,
		  .state = PROCEDURE_ANSWERING,
		  .outcome = OUTCOME_SUCCESS },
		{ .verb = MCINFO_AUTHORIZATION,
		  .state = PROCEDURE_ANSWERING,
		  .outcome = OUTCOME_FAILURE,
		  .cause = CAUSE_NOT_PERMITTED },
		{ .verb = MCINFO_AUTHORIZATION,
		  .state = PROCEDURE_DONE,
		  .outcome = OUTCOME_SUCCESS },
	};
	const struct procedure accepted = { .verb = MCINFO_AUTHORIZATION,
					    .state = PROCEDURE_ANSWERING,
					    .outcome = OUTCOME_SUCCESS };
	struct user_record guest;

	record_init(record, MC_SERVICE_MCVIDEO, ROLE_PRIMARY, PRIMARY_ID);
	add_procedure(record, 70, accepted);
	for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		add_procedure(record, 71 + i, others[i]);
	CU_ASSERT_EQUAL(fixture_write_one(store, record), STORE_ITEM_DONE);
	fixture_settle(record);
	/* The partner's answer to its client. */
	record_init(&guest, MC_SERVICE_MCDATA, ROLE_PARTNER, OTHER_PRIMARY_ID);
	add_procedure(&guest, 80, accepted);
	CU_ASSERT_EQUAL(fixture_write_one(store, &guest), STORE_ITEM_DONE);
	record_clear(&guest);
}

void test_query_migrating(void)
{
	static const char *const arguments[] = { "", PRIMARY_ID, PARTNER_ID };
	struct user_record record;
	struct store *store;

	fixture_reset();
	store = fixture_open("n1", true);
	write_procedures(store, &record);
	for (size_t i = 0; i < 3; i++)
		assert_row(
		    query(store, STORE_QUERY_MIGRATIONS, arguments[i], 1), 0,
		    "{\"service\":\"mcvideo\",\"role\":\"primary\","
		    "\"status\":\"migrating\",\"current\":false,"
		    "\"primary_id\":\"sip:alice@a.example\","
		    "\"partner_id\":\"sip:visitor1@b.example\","
		    "\"peer_system\":\"b.example\",\"profile_index\":4,"
		    "\"procedure_id\":"
		    "\"00000000-0000-4000-8000-000000000070\","
		    "\"sequence\":70,\"epoch\":71,"
		    "\"started\":\"2026-01-31T23:59:59.123456Z\","
		    "\"ended\":null}");
	query(store, STORE_QUERY_MIGRATIONS, OTHER_PRIMARY_ID, 0);
	record.procedures[0].state = PROCEDURE_DONE;
	record.procedures[0].changed = true;
	CU_ASSERT_EQUAL(fixture_write_one(store, &record), STORE_ITEM_DONE);
	for (size_t i = 0; i < 3; i++)
		query(store, STORE_QUERY_MIGRATIONS, arguments[i], 0);
	record_clear(&record);
	fixture_close(store);
}

/* ------------------------------------------------------------- redirection */

static bool redirects(const char *id, const char *direction, const char *target)
{
	char sql[512], wanted[512];
	json_t *rows;
	char *text;
	bool same;

	snprintf(sql, sizeof(sql),
		 "SELECT direction, target_mc_service_id FROM redirection "
		 "WHERE mc_service_id = '%s'",
		 id);
	if (direction)
		snprintf(wanted, sizeof(wanted), "[[\"%s\",\"%s\"]]", direction,
			 target);
	else
		strcpy(wanted, "[]");
	rows = store_contract_target.select(sql);
	text = json_dumps(rows, JSON_COMPACT);
	same = text && !strcmp(text, wanted);
	if (!same)
		fprintf(stderr, "%s: %s, wanted %s\n", id, text, wanted);
	free(text);
	json_decref(rows);
	return same;
}

static struct migration *add_migration(struct user_record *record,
				       const char *partner_system,
				       const char *partner_id, uint64_t epoch)
{
	struct migration *migration = record_add_migration(record);

	random_migration(migration);
	snprintf(migration->partner_system, SYSTEM_NAME_SIZE, "%s",
		 partner_system);
	snprintf(migration->partner_id, MCID_SIZE, "%s", partner_id);
	migration->active = true;
	migration->epoch = epoch;
	return migration;
}

static void rewrite(struct store *store, struct user_record *record)
{
	for (size_t i = 0; i < record->migration_count; i++)
		record->migrations[i].changed = true;
	CU_ASSERT_EQUAL(fixture_write_one(store, record), STORE_ITEM_DONE);
	fixture_settle(record);
}

void test_redirection_to_partner(void)
{
	struct user_record record;
	struct store *store;

	fixture_reset();
	store = fixture_open("n1", true);
	record_init(&record, MC_SERVICE_MCVIDEO, ROLE_PRIMARY, PRIMARY_ID);
	/* Accepted, not confirmed. */
	record.last_epoch = 1;
	rewrite(store, &record);
	CU_ASSERT(redirects(PRIMARY_ID, NULL, NULL));

	add_migration(&record, "b.example", "sip:v1@b.example", 1);
	record.confirmed_epoch = 1;
	rewrite(store, &record);
	CU_ASSERT(redirects(PRIMARY_ID, "to_partner", "sip:v1@b.example"));

	add_migration(&record, "c.example", "sip:v2@c.example", 2);
	record.last_epoch = record.confirmed_epoch = 2;
	rewrite(store, &record);
	CU_ASSERT(redirects(PRIMARY_ID, "to_partner", "sip:v2@c.example"));

	/* The newer one ends: the older one is not current again. */
	record.migrations[1].active = false;
	rewrite(store, &record);
	CU_ASSERT(redirects(PRIMARY_ID, NULL, NULL));
	record.migrations[0].active = false;
	rewrite(store, &record);
	CU_ASSERT(redirects(PRIMARY_ID, NULL, NULL));
	record_clear(&record);
	fixture_close(store);
}

void test_redirection_to_primary(void)
{
	struct user_record alice, bob;
	struct mapping *mapping;
	struct store *store;

	fixture_reset();
	store = fixture_open("n1", true);
	record_init(&alice, MC_SERVICE_MCPTT, ROLE_PARTNER, PRIMARY_ID);
	mapping = record_add_mapping(&alice);
	random_mapping(mapping, PRIMARY_ID);
	strcpy(mapping->partner_id, PARTNER_ID);
	mapping->status = MAPPING_ACTIVE;
	CU_ASSERT_EQUAL(fixture_write_one(store, &alice), STORE_ITEM_DONE);
	fixture_settle(&alice);
	CU_ASSERT(redirects(PARTNER_ID, NULL, NULL));
	CU_ASSERT(redirects(PRIMARY_ID, NULL, NULL));

	for (unsigned i = MAPPING_RESERVED; i <= MAPPING_ENDED; i++) {
		mapping->status = i;
		mapping->changed = true;
		CU_ASSERT_EQUAL(fixture_write_one(store, &alice),
				STORE_ITEM_DONE);
		fixture_settle(&alice);
		CU_ASSERT(redirects(PARTNER_ID, "to_primary", PRIMARY_ID));
	}

	/* Assigned again, to another user, who leaves too. */
	record_init(&bob, MC_SERVICE_MCPTT, ROLE_PARTNER, OTHER_PRIMARY_ID);
	*record_add_mapping(&bob) = *mapping;
	mapping = &bob.mappings[0];
	strcpy(mapping->primary_id, OTHER_PRIMARY_ID);
	mapping->status = MAPPING_ACTIVE;
	mapping->changed = true;
	CU_ASSERT_EQUAL(fixture_write_one(store, &bob), STORE_ITEM_DONE);
	fixture_settle(&bob);
	CU_ASSERT(redirects(PARTNER_ID, NULL, NULL));
	mapping->status = MAPPING_ENDED;
	mapping->changed = true;
	CU_ASSERT_EQUAL(fixture_write_one(store, &bob), STORE_ITEM_DONE);
	CU_ASSERT(redirects(PARTNER_ID, "to_primary", OTHER_PRIMARY_ID));
	record_clear(&alice);
	record_clear(&bob);
	fixture_close(store);
}

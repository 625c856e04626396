/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loads records: each statement takes the keys of the items as arrays and gives
 * rows with the number of the item in front. One snapshot for all of them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_postgres/postgres.h"
#include "store_postgres/row.h"

#define ITEMS "WITH ORDINALITY AS i"

static const struct statement load_users = {
	"load_users",
	"SELECT i.item, u.version, u.last_sequence, u.last_order, "
	"u.last_epoch, u.confirmed_epoch "
	"FROM unnest($1::int2[], $2::text[]) " ITEMS
	"(service, primary_id, item) "
	"JOIN user_state u USING (service, primary_id)",
};

#define PROCEDURE_COLUMNS                                                \
	"i.item, p.procedure_id, p.partner_id, p.sequence, p.verb, "     \
	"p.state, p.outcome, p.cause, p.telling, p.profile_index, "      \
	"p.\"order\", p.epoch, p.partner_id_given, p.primary_id_given, " \
	"p.peer_system, p.client_uri, p.created_us, p.deadline_us, "     \
	"p.finished_us, p.client_identity "

static const struct statement load_procedures = {
	"load_procedures",
	"WITH i AS MATERIALIZED (SELECT * FROM "
	"unnest($1::int2[], $2::text[], $3::uuid[]) " ITEMS
	"(service, primary_id, procedure_id, item)) "
	"SELECT " PROCEDURE_COLUMNS
	"FROM i JOIN procedure p USING (service, primary_id) "
	"WHERE p.is_live "
	"UNION ALL SELECT " PROCEDURE_COLUMNS
	"FROM i JOIN procedure p USING (service, primary_id, procedure_id) "
	"WHERE NOT p.is_live",
};

#define MAPPING_COLUMNS                                                     \
	"i.item, m.partner_id, m.primary_id, m.primary_system, m.version, " \
	"m.status, m.procedure_id, m.sequence, m.profile_index, "           \
	"m.started_us, m.ended_us "

static const struct statement load_mappings = {
	"load_mappings",
	"WITH i AS MATERIALIZED (SELECT * FROM "
	"unnest($1::int2[], $2::text[], $3::text[], $4::int8[]) "
	"AS i(service, primary_id, partner_id, item)) "
	"SELECT " MAPPING_COLUMNS
	"FROM i JOIN partner_mapping m USING (service, primary_id) "
	"WHERE m.status <> 3 "
	"UNION ALL SELECT " MAPPING_COLUMNS
	"FROM i JOIN partner_mapping m USING (service, partner_id) "
	"WHERE NOT (m.status <> 3 AND m.primary_id = i.primary_id)",
};

#define ADMISSION_COLUMNS                                              \
	"i.item, a.partner_id IS NOT NULL, a.primary_id IS NOT NULL, " \
	"a.valid_from, a.valid_until "

/*
 * Within what we count in; -infinity and infinity are good timestamps, and to
 * cast them fails. Of valid_until, infinity is none, and before 1970 is over.
 */
#define MICROSECONDS(time) "(extract(epoch FROM " time ") * 1000000)::int8 "
#define VALID_FROM                                             \
	MICROSECONDS("least(greatest(valid_from, timestamptz " \
		     "'epoch'), timestamptz '9999-12-31')")
#define VALID_UNTIL                                              \
	"CASE WHEN valid_until < 'infinity' THEN " MICROSECONDS( \
	    "least(greatest(valid_until, timestamptz 'epoch' + " \
	    "interval '1 microsecond'), timestamptz '9999-12-31')") "END "

/* Three index searches: an exact user, a named guest of any user, any pair. */
static const struct statement load_admissions = {
	"load_admissions",
	"WITH i AS MATERIALIZED (SELECT * FROM "
	"unnest($1::text[], $2::text[], $3::text[], $4::int8[]) "
	"AS i(primary_system, primary_id, partner_id, item)), "
	"a AS NOT MATERIALIZED (SELECT primary_system, primary_id, "
	"partner_id, " VALID_FROM "AS valid_from, " VALID_UNTIL
	"AS valid_until FROM admission) "
	"SELECT " ADMISSION_COLUMNS
	"FROM i JOIN a USING (primary_system, primary_id) "
	"WHERE a.partner_id IS NULL OR a.partner_id = i.partner_id "
	"UNION ALL SELECT " ADMISSION_COLUMNS
	"FROM i JOIN a USING (primary_system, partner_id) "
	"WHERE a.primary_id IS NULL "
	"UNION ALL SELECT " ADMISSION_COLUMNS
	"FROM i JOIN a USING (primary_system) "
	"WHERE a.primary_id IS NULL AND a.partner_id IS NULL",
};

static const struct statement load_migrations = {
	"load_migrations",
	"SELECT i.item, m.partner_system, m.partner_id, m.active, "
	"m.procedure_id, m.sequence, m.deauthorized_sequence, m.epoch, "
	"m.profile_index, m.started_us, m.ended_us "
	"FROM unnest($1::int2[], $2::text[], $3::int8[]) "
	"AS i(service, primary_id, item) "
	"JOIN primary_migration m USING (service, primary_id)",
};

/* Kinds of rows: the user, its profiles, its permissions. */
static const struct statement load_provisioned = {
	"load_provisioned",
	"WITH i AS MATERIALIZED (SELECT i.primary_id, s.name AS service, "
	"i.item FROM unnest($1::int2[], $2::text[], $3::int8[]) "
	"AS i(service, primary_id, item) "
	"JOIN mc_service s USING (service)) "
	"SELECT i.item, 0, u.enabled::int, '' FROM i "
	"JOIN mc_user u USING (primary_id) "
	"UNION ALL SELECT i.item, 1, p.profile_index, '' FROM i "
	"JOIN user_profile p USING (primary_id, service) "
	"UNION ALL SELECT i.item, 2, p.profile_index, p.partner_system FROM i "
	"JOIN permission p USING (primary_id, service)",
};

const struct statement *const load_statements[] = { &load_users,
						    &load_procedures,
						    &load_mappings,
						    &load_admissions,
						    &load_migrations,
						    &load_provisioned,
						    NULL };

/* --- rows --------------------------------------------------------------- */

static bool take_user(struct store_item *item, const PGresult *result, int row)
{
	struct user_record *record = item->record;

	record->version = row_integer(result, row, 1);
	record->last_sequence = row_integer(result, row, 2);
	record->last_order = row_integer(result, row, 3);
	record->last_epoch = row_integer(result, row, 4);
	record->confirmed_epoch = row_integer(result, row, 5);
	return true;
}

static void text_or(const PGresult *result, int row, int column,
		    const char *otherwise, char *text, size_t size)
{
	if (PQgetisnull(result, row, column))
		snprintf(text, size, "%s", otherwise);
	else
		row_text(result, row, column, text, size);
}

#define TEXT(column, place) row_text(result, row, column, place, sizeof(place))

static bool take_procedure(struct store_item *item, const PGresult *result,
			   int row)
{
	struct procedure *p = record_add_procedure(item->record);

	if (!p)
		return false;
	row_uuid(result, row, 1, &p->id);
	TEXT(2, p->partner_id);
	p->sequence = row_integer(result, row, 3);
	p->verb = (enum mcinfo_verb)row_integer(result, row, 4);
	p->state = (enum procedure_state)row_integer(result, row, 5);
	p->outcome = (enum procedure_outcome)row_integer(result, row, 6);
	p->cause = (enum mcinfo_cause)row_integer(result, row, 7);
	p->telling = row_bool(result, row, 8);
	p->profile_index = (unsigned)row_integer(result, row, 9);
	p->order = row_integer(result, row, 10);
	p->epoch = row_integer(result, row, 11);
	text_or(result, row, 12, p->partner_id, p->partner_id_given,
		sizeof(p->partner_id_given));
	text_or(result, row, 13, item->record->primary_id, p->primary_id_given,
		sizeof(p->primary_id_given));
	TEXT(14, p->peer_system);
	TEXT(15, p->client_uri);
	p->created_us = row_integer(result, row, 16);
	p->deadline_us = row_integer(result, row, 17);
	p->finished_us = row_integer(result, row, 18);
	TEXT(19, p->client_identity);
	return true;
}

static bool take_mapping(struct store_item *item, const PGresult *result,
			 int row)
{
	struct mapping *m = record_add_mapping(item->record);

	if (!m)
		return false;
	TEXT(1, m->partner_id);
	TEXT(2, m->primary_id);
	TEXT(3, m->primary_system);
	m->version = row_integer(result, row, 4);
	m->status = (enum mapping_status)row_integer(result, row, 5);
	row_uuid(result, row, 6, &m->procedure_id);
	m->sequence = row_integer(result, row, 7);
	m->profile_index = (unsigned)row_integer(result, row, 8);
	m->started_us = row_integer(result, row, 9);
	m->ended_us = row_integer(result, row, 10);
	return true;
}

static bool take_admission(struct store_item *item, const PGresult *result,
			   int row)
{
	struct admission *a = record_add_admission(item->record);

	if (!a)
		return false;
	a->names_partner_id = row_bool(result, row, 1);
	a->names_primary_id = row_bool(result, row, 2);
	a->valid_from_us = row_integer(result, row, 3);
	a->valid_until_us = row_integer(result, row, 4);
	return true;
}

static bool take_migration(struct store_item *item, const PGresult *result,
			   int row)
{
	struct migration *m = record_add_migration(item->record);

	if (!m)
		return false;
	TEXT(1, m->partner_system);
	TEXT(2, m->partner_id);
	m->active = row_bool(result, row, 3);
	row_uuid(result, row, 4, &m->procedure_id);
	m->sequence = row_integer(result, row, 5);
	m->deauthorized_sequence = row_integer(result, row, 6);
	m->epoch = row_integer(result, row, 7);
	m->profile_index = (unsigned)row_integer(result, row, 8);
	m->started_us = row_integer(result, row, 9);
	m->ended_us = row_integer(result, row, 10);
	return true;
}

static bool take_permission(struct user_record *record, const PGresult *result,
			    int row)
{
	struct permission *permission = record_add_permission(record);

	if (!permission)
		return false;
	permission->profile_index = (unsigned)row_integer(result, row, 2);
	TEXT(3, permission->partner_system);
	return true;
}

static bool take_provisioned(struct store_item *item, const PGresult *result,
			     int row)
{
	struct user_record *record = item->record;
	unsigned value = (unsigned)row_integer(result, row, 2);
	unsigned *profile;

	switch (row_integer(result, row, 1)) {
	case 0:
		record->user_known = true;
		record->user_enabled = value;
		return true;
	case 1:
		profile = record_add_profile(record);
		if (profile)
			*profile = value;
		return profile;
	default:
		return take_permission(record, result, row);
	}
}

/* --- statements ----------------------------------------------------------- */

static void add_service(struct array_set *set, struct array *array,
			const struct store_item *item)
{
	array_add_int2(set, array, item->record->service);
}
static void add_primary_id(struct array_set *set, struct array *array,
			   const struct store_item *item)
{
	array_add_text(set, array, item->record->primary_id);
}
static void add_procedure_id(struct array_set *set, struct array *array,
			     const struct store_item *item)
{
	array_add_uuid(set, array, &item->procedure_id);
}
static void add_partner_id(struct array_set *set, struct array *array,
			   const struct store_item *item)
{
	array_add_text(set, array, item->partner_id ? item->partner_id : "");
}
static void add_peer_system(struct array_set *set, struct array *array,
			    const struct store_item *item)
{
	array_add_text(set, array, item->peer_system ? item->peer_system : "");
}

struct load_parameter {
	enum array_type type;
	void (*add)(struct array_set *set, struct array *array,
		    const struct store_item *item);
};

static const struct load_parameter service = { ARRAY_INT2, add_service },
				   primary_id = { ARRAY_TEXT, add_primary_id },
				   procedure_id = { ARRAY_UUID,
						    add_procedure_id },
				   partner_id = { ARRAY_TEXT, add_partner_id },
				   peer_system = { ARRAY_TEXT,
						   add_peer_system };

#define EVERY_ROLE 0

/* With a role: only items of it, and their numbers as the last parameter. */
static const struct load {
	const struct statement *statement;
	int role;
	const struct load_parameter *parameters[4];
	bool (*take)(struct store_item *item, const PGresult *result, int row);
} loads[] = {
	{ &load_users, EVERY_ROLE, { &service, &primary_id }, take_user },
	{ &load_procedures,
	  EVERY_ROLE,
	  { &service, &primary_id, &procedure_id },
	  take_procedure },
	{ &load_mappings,
	  ROLE_PARTNER,
	  { &service, &primary_id, &partner_id },
	  take_mapping },
	{ &load_admissions,
	  ROLE_PARTNER,
	  { &peer_system, &primary_id, &partner_id },
	  take_admission },
	{ &load_migrations,
	  ROLE_PRIMARY,
	  { &service, &primary_id },
	  take_migration },
	{ &load_provisioned,
	  ROLE_PRIMARY,
	  { &service, &primary_id },
	  take_provisioned },
};

static bool is_for(const struct load *load, const struct store_item *item)
{
	return load->role == EVERY_ROLE ||
	       load->role == (int)item->record->role;
}

static void add_parameter(struct array_set *set, const struct load *load,
			  const struct part *part,
			  const struct load_parameter *parameter)
{
	struct array *array = array_set_add(set, parameter->type);

	for (size_t i = 0; i < part->count; i++)
		if (is_for(load, part->items[i]))
			parameter->add(set, array, part->items[i]);
}

static void add_numbers(struct array_set *set, const struct load *load,
			const struct part *part)
{
	struct array *array = array_set_add(set, ARRAY_INT8);

	for (size_t i = 0; i < part->count; i++)
		if (is_for(load, part->items[i]))
			array_add_int8(set, array, i + 1);
}

static bool is_for_any(const struct load *load, const struct part *part)
{
	for (size_t i = 0; i < part->count; i++)
		if (is_for(load, part->items[i]))
			return true;
	return false;
}

static void send_load(struct postgres *postgres, struct part *part,
		      const struct load *load)
{
	struct array_set *set = &postgres->parameters;

	array_set_start(set);
	for (size_t i = 0; i < 4 && load->parameters[i]; i++)
		add_parameter(set, load, part, load->parameters[i]);
	if (load->role != EVERY_ROLE)
		add_numbers(set, load, part);
	connection_execute(&postgres->connections[READER], load->statement,
			   set);
	part->kinds[part->statement_count++] = (unsigned)(load - loads);
}

static void send(struct postgres *postgres, struct part *part)
{
	for (size_t i = 0; i < part->count; i++) {
		record_clear(part->items[i]->record);
		part->items[i]->status = STORE_ITEM_DONE;
	}
	for (size_t i = 0; i < sizeof(loads) / sizeof(*loads); i++)
		if (is_for_any(&loads[i], part))
			send_load(postgres, part, &loads[i]);
}

static void take_rows(struct request *request, unsigned statement,
		      const PGresult *result)
{
	struct part *part = (struct part *)request;
	const struct load *load;

	if (statement >= part->statement_count)
		return;
	load = &loads[part->kinds[statement]];
	for (int row = 0; row < PQntuples(result); row++) {
		uint64_t number = row_integer(result, row, 0);
		struct store_item *item;

		if (!number || number > part->count)
			continue;
		item = part->items[number - 1];
		if (!load->take(item, result, row))
			item->status = STORE_ITEM_FAILED; /* out of memory */
	}
}

static int settle(struct part *part)
{
	(void)part;
	return 0;
}

const struct batch_kind load_kind = {
	.name = "load",
	.connection = READER,
	.send = send,
	.result = take_rows,
	.settle = settle,
	.finished = store_loaded,
};

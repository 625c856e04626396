/* SPDX-License-Identifier: BSD-2-Clause */
/* Loads: a batch in one read transaction, so that each record is of one moment. */
#include <errno.h>

#include "base/log.h"
#include "batch.h"

/* Takes the row over into the record: 0, ENOMEM, or EBADMSG for a value that
 * this version does not know. */
typedef int row_h(struct user_record *record, sqlite3_stmt *row);

static int take_procedure(struct user_record *record, sqlite3_stmt *row)
{
	struct procedure *p = record_add_procedure(record);

	if (!p)
		return ENOMEM;
	p->sequence = column_number(row, 2);
	p->verb = column_number(row, 3);
	p->state = column_number(row, 4);
	p->outcome = column_number(row, 5);
	p->cause = column_number(row, 6);
	p->telling = column_number(row, 7);
	p->profile_index = column_number(row, 8);
	p->order = column_number(row, 9);
	p->epoch = column_number(row, 10);
	p->created_us = column_number(row, 15);
	p->deadline_us = column_number(row, 16);
	p->finished_us = column_number(row, 17);
	if (p->verb < MCINFO_AUTHORIZATION ||
	    p->verb > MCINFO_DEAUTHORIZATION ||
	    p->state < PROCEDURE_FORWARDING || p->state > PROCEDURE_DONE ||
	    p->outcome > OUTCOME_FAILURE || p->cause >= CAUSE_END)
		return EBADMSG;
	if (!column_uuid(row, 0, &p->id) ||
	    !column_text(row, 1, p->partner_id, MCID_SIZE) ||
	    !column_text(row, 11, p->partner_id_given, MCID_SIZE) ||
	    !column_text(row, 12, p->primary_id_given, MCID_SIZE) ||
	    !column_text(row, 13, p->peer_system, SYSTEM_NAME_SIZE) ||
	    !column_text(row, 14, p->client_uri, CLIENT_URI_SIZE) ||
	    !column_text(row, 18, p->client_identity, CLIENT_IDENTITY_SIZE))
		return EBADMSG;
	return 0;
}

static int take_mapping(struct user_record *record, sqlite3_stmt *row)
{
	struct mapping *m = record_add_mapping(record);

	if (!m)
		return ENOMEM;
	m->version = column_number(row, 3);
	m->status = column_number(row, 4);
	m->sequence = column_number(row, 6);
	m->profile_index = column_number(row, 7);
	m->started_us = column_number(row, 8);
	m->ended_us = column_number(row, 9);
	if (m->status < MAPPING_ACTIVE || m->status > MAPPING_ENDED ||
	    !column_text(row, 0, m->partner_id, MCID_SIZE) ||
	    !column_text(row, 1, m->primary_id, MCID_SIZE) ||
	    !column_text(row, 2, m->primary_system, SYSTEM_NAME_SIZE) ||
	    !column_uuid(row, 5, &m->procedure_id))
		return EBADMSG;
	return 0;
}

static int take_migration(struct user_record *record, sqlite3_stmt *row)
{
	struct migration *m = record_add_migration(record);

	if (!m)
		return ENOMEM;
	m->active = column_number(row, 2);
	m->sequence = column_number(row, 4);
	m->deauthorized_sequence = column_number(row, 5);
	m->epoch = column_number(row, 6);
	m->profile_index = column_number(row, 7);
	m->started_us = column_number(row, 8);
	m->ended_us = column_number(row, 9);
	if (!column_text(row, 0, m->partner_system, SYSTEM_NAME_SIZE) ||
	    !column_text(row, 1, m->partner_id, MCID_SIZE) ||
	    !column_uuid(row, 3, &m->procedure_id))
		return EBADMSG;
	return 0;
}

static int take_admission(struct user_record *record, sqlite3_stmt *row)
{
	struct admission *admission = record_add_admission(record);

	if (!admission)
		return ENOMEM;
	admission->names_partner_id = column_number(row, 0);
	admission->names_primary_id = column_number(row, 1);
	admission->valid_from_us = column_number(row, 2);
	admission->valid_until_us = column_number(row, 3);
	/* Before 1970 is over, not for ever. */
	if (sqlite3_column_type(row, 3) != SQLITE_NULL &&
	    !admission->valid_until_us)
		admission->valid_until_us = 1;
	return 0;
}

static int take_user_state(struct user_record *record, sqlite3_stmt *row)
{
	record->version = column_number(row, 0);
	record->last_sequence = column_number(row, 1);
	record->last_order = column_number(row, 2);
	record->last_epoch = column_number(row, 3);
	record->confirmed_epoch = column_number(row, 4);
	return 0;
}

static int take_user(struct user_record *record, sqlite3_stmt *row)
{
	record->user_known = true;
	record->user_enabled = column_number(row, 0);
	return 0;
}

static int take_profile(struct user_record *record, sqlite3_stmt *row)
{
	unsigned *profile = record_add_profile(record);

	if (!profile)
		return ENOMEM;
	*profile = column_number(row, 0);
	return 0;
}

static int take_permission(struct user_record *record, sqlite3_stmt *row)
{
	struct permission *permission = record_add_permission(record);

	if (!permission)
		return ENOMEM;
	permission->profile_index = column_number(row, 0);
	/* A name that is too long names no system that we could know. */
	if (!column_text(row, 1, permission->partner_system, SYSTEM_NAME_SIZE))
		record->permission_count--;
	return 0;
}

struct part {
	enum statement statement;
	row_h *take;
};

/* The statement's values are bound; `*errorp` is take's. */
static int each_row(sqlite3_stmt *statement, struct user_record *record,
		    row_h *take, int *errorp)
{
	int rc;

	while ((rc = sqlite3_step(statement)) == SQLITE_ROW && !*errorp)
		*errorp = take(record, statement);
	sqlite3_reset(statement);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Parameters: ?1 service, ?2 primary ID, ?3 as given if the statement has it. */
static int load_parts(struct connection *connection, struct user_record *record,
		      const struct part *parts, const struct store_item *item,
		      int *errorp)
{
	int rc = SQLITE_OK;

	for (; parts->take && !rc && !*errorp; parts++) {
		sqlite3_stmt *statement =
		    connection_statement(connection, parts->statement);

		if (parts->statement == STATEMENT_USER) {
			bind_text(statement, 1, record->primary_id);
		} else if (parts->statement == STATEMENT_ADMISSIONS) {
			bind_text(statement, 1, item->peer_system);
			bind_text(statement, 2, record->primary_id);
			bind_text(statement, 3, item->partner_id);
		} else {
			bind_number(statement, 1, record->service);
			bind_text(statement, 2, record->primary_id);
		}
		if (parts->statement == STATEMENT_MAPPING_ASKED)
			bind_text(statement, 3, item->partner_id);
		else if (parts->statement == STATEMENT_PROCEDURES_ASKED)
			bind_uuid(statement, 3, &item->procedure_id);
		rc = each_row(statement, record, parts->take, errorp);
	}
	return rc;
}

static const struct part partner_parts[] = {
	{ STATEMENT_USER_STATE, take_user_state },
	{ STATEMENT_PROCEDURES_LIVE, take_procedure },
	{ STATEMENT_PROCEDURES_ASKED, take_procedure },
	{ STATEMENT_MAPPINGS_OWN, take_mapping },
	{ STATEMENT_MAPPING_ASKED, take_mapping },
	{ STATEMENT_ADMISSIONS, take_admission },
	{ 0, NULL },
};
static const struct part primary_parts[] = {
	{ STATEMENT_USER_STATE, take_user_state },
	{ STATEMENT_PROCEDURES_LIVE, take_procedure },
	{ STATEMENT_PROCEDURES_ASKED, take_procedure },
	{ STATEMENT_MIGRATIONS, take_migration },
	{ STATEMENT_USER, take_user },
	{ STATEMENT_PROFILES, take_profile },
	{ STATEMENT_PERMISSIONS, take_permission },
	{ 0, NULL },
};

static int load_item(struct connection *connection, struct store_item *item)
{
	struct user_record *record = item->record;
	int error = 0, rc;

	record_clear(record);
	rc = load_parts(connection, record,
			record->role == ROLE_PARTNER ? partner_parts
						     : primary_parts,
			item, &error);
	item->status = rc || error ? STORE_ITEM_FAILED : STORE_ITEM_DONE;
	if (error)
		log_error("store_sqlite",
			  "msg=\"a user cannot be loaded: %s\" service=%d "
			  "primary_id=\"%s\"",
			  error == ENOMEM ? "out of memory"
					  : "a stored value is not valid",
			  (int)record->service, record->primary_id);
	return rc;
}

int batch_load(struct connection *connection, struct store_item **items,
	       size_t count)
{
	int rc = connection_begin(connection, false);

	for (size_t i = 0; i < count && !rc; i++)
		rc = load_item(connection, items[i]);
	if (!rc)
		rc = connection_commit(connection);
	return batch_failed(connection, rc);
}

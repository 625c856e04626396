/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guarded writes. One transaction, in this order:
 *   1. advisory locks of the partner IDs whose mapping changes: every writer
 *	of a mapping takes them, so that the guards read next stay true even for
 *	rows that do not exist yet;
 *   2. the users' rows where all guards hold, stamped with the transaction;
 *   3. with them their procedures and migrations, then their mappings.
 * An item whose guard fails thus writes nothing and disturbs no other. Locks
 * and rows are taken in the order of their keys: two writers do not deadlock.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "store_postgres/postgres.h"
#include "store_postgres/row.h"

static const struct statement lock_mappings = {
	"lock_mappings",
	"SELECT pg_advisory_xact_lock(k) FROM unnest($1::int8[]) AS k",
};

/*
 * The users with their procedures and migrations are one statement, so that what
 * was written of the former is at hand for the latter; $35 on are what mappings
 * are expected to be, $50 is the time. Its first row, 0, tells that the lease
 * is held.
 */
#define WRITE_INPUT                                                          \
	"WITH lease AS MATERIALIZED (SELECT FROM node "                      \
	"WHERE name = $1::text AND incarnation = $2::int8), "                \
	"i AS MATERIALIZED (SELECT * FROM unnest($3::int2[], $4::text[], "   \
	"$5::int2[], $6::int8[], $7::int8[], $8::int8[], $9::int8[], "       \
	"$10::int8[]) WITH ORDINALITY AS i(service, primary_id, role, "      \
	"version, last_sequence, last_order, last_epoch, confirmed_epoch, "  \
	"item)), "                                                           \
	"p AS MATERIALIZED (SELECT * FROM unnest($11::int8[], $12::bool[], " \
	"$13::int2[], $14::text[], $15::int2[], $16::uuid[], $17::text[], "  \
	"$18::int8[], $19::int2[], $20::int2[], $21::int2[], $22::int2[], "  \
	"$23::bool[], $24::int2[], $25::int8[], $26::int8[], $27::text[], "  \
	"$28::text[], $29::text[], $30::text[], $31::int8[], $32::int8[], "  \
	"$33::int8[], $34::text[]) AS p(item, is_new, service, primary_id, " \
	"role, procedure_id, partner_id, sequence, verb, state, outcome, "   \
	"cause, telling, profile_index, \"order\", epoch, "                  \
	"partner_id_given, primary_id_given, peer_system, client_uri, "      \
	"created_us, deadline_us, finished_us, client_identity)), "

/* Items with a new procedure that exists or a mapping that is not as known. */
#define NOT_BLOCKED                                                          \
	"i.item <> ALL (ARRAY("                                              \
	"SELECT p.item FROM p JOIN procedure q USING (service, primary_id, " \
	"procedure_id, partner_id, sequence) WHERE p.is_new "                \
	"UNION ALL "                                                         \
	"SELECT n.item FROM unnest($35::int8[], $36::int2[], $37::text[], "  \
	"$38::int8[]) AS n(item, service, partner_id, version) "             \
	"LEFT JOIN partner_mapping m USING (service, partner_id) "           \
	"WHERE coalesce(m.version, 0) <> n.version)) "

#define PROCEDURE_COLUMNS                                                  \
	"service, primary_id, role, procedure_id, partner_id, sequence, "  \
	"verb, state, outcome, cause, telling, profile_index, \"order\", " \
	"epoch, partner_id_given, primary_id_given, peer_system, "         \
	"client_uri, created_us, deadline_us, finished_us, client_identity"

#define INSERT_PROCEDURES                                    \
	"INSERT INTO procedure (" PROCEDURE_COLUMNS          \
	", node, incarnation, is_live) "                     \
	"SELECT " PROCEDURE_COLUMNS ", $1::text, $2::int8, " \
	"state <> 4 OR telling FROM p JOIN written USING (item) "

/* A new one needs no look at what is there: the guard has looked. A changed one
 * may have been purged meanwhile. */
#define WRITE_PROCEDURES                                               \
	"new_ones AS (" INSERT_PROCEDURES "WHERE is_new), "            \
	"changed_ones AS (" INSERT_PROCEDURES "WHERE NOT is_new "      \
	"ON CONFLICT (service, primary_id, procedure_id, partner_id, " \
	"sequence) DO UPDATE SET role = EXCLUDED.role, "               \
	"verb = EXCLUDED.verb, state = EXCLUDED.state, "               \
	"outcome = EXCLUDED.outcome, cause = EXCLUDED.cause, "         \
	"telling = EXCLUDED.telling, is_live = EXCLUDED.is_live, "     \
	"profile_index = EXCLUDED.profile_index, "                     \
	"\"order\" = EXCLUDED.\"order\", epoch = EXCLUDED.epoch, "     \
	"partner_id_given = EXCLUDED.partner_id_given, "               \
	"primary_id_given = EXCLUDED.primary_id_given, "               \
	"peer_system = EXCLUDED.peer_system, "                         \
	"client_uri = EXCLUDED.client_uri, "                           \
	"created_us = EXCLUDED.created_us, "                           \
	"deadline_us = EXCLUDED.deadline_us, "                         \
	"finished_us = EXCLUDED.finished_us, node = EXCLUDED.node, "   \
	"incarnation = EXCLUDED.incarnation, "                         \
	"client_identity = EXCLUDED.client_identity), "

#define WRITE_MIGRATIONS                                                      \
	"migrations AS (INSERT INTO primary_migration (service, primary_id, " \
	"partner_system, partner_id, active, procedure_id, sequence, "        \
	"deauthorized_sequence, epoch, profile_index, started_us, ended_us) " \
	"SELECT i.service, i.primary_id, n.partner_system, n.partner_id, "    \
	"n.active, n.procedure_id, n.sequence, n.deauthorized_sequence, "     \
	"n.epoch, n.profile_index, n.started_us, n.ended_us "                 \
	"FROM unnest($39::int8[], $40::text[], $41::text[], $42::bool[], "    \
	"$43::uuid[], $44::int8[], $45::int8[], $46::int8[], $47::int2[], "   \
	"$48::int8[], $49::int8[]) AS n(item, partner_system, partner_id, "   \
	"active, procedure_id, sequence, deauthorized_sequence, epoch, "      \
	"profile_index, started_us, ended_us) "                               \
	"JOIN written USING (item) JOIN i USING (item) "                      \
	"ON CONFLICT (service, primary_id, partner_system) DO UPDATE SET "    \
	"partner_id = EXCLUDED.partner_id, active = EXCLUDED.active, "        \
	"procedure_id = EXCLUDED.procedure_id, "                              \
	"sequence = EXCLUDED.sequence, "                                      \
	"deauthorized_sequence = EXCLUDED.deauthorized_sequence, "            \
	"epoch = EXCLUDED.epoch, profile_index = EXCLUDED.profile_index, "    \
	"started_us = EXCLUDED.started_us, ended_us = EXCLUDED.ended_us) "    \
	"SELECT 0::int8 FROM lease UNION ALL SELECT item FROM written"

static const struct statement update_users = {
	"update_users",
	WRITE_INPUT "written AS (UPDATE user_state u SET role = i.role, "
		    "version = i.version + 1, last_sequence = i.last_sequence, "
		    "last_order = i.last_order, last_epoch = i.last_epoch, "
		    "confirmed_epoch = i.confirmed_epoch, "
		    "touched_us = $50::int8, "
		    "written_by = pg_current_xact_id() "
		    "FROM lease, i WHERE u.service = i.service "
		    "AND u.primary_id = i.primary_id AND u.version = i.version "
		    "AND " NOT_BLOCKED
		    "RETURNING i.item), " WRITE_PROCEDURES WRITE_MIGRATIONS,
};

static const struct statement insert_users = {
	"insert_users",
	WRITE_INPUT
	"inserted AS (INSERT INTO user_state (service, primary_id, role, "
	"version, last_sequence, last_order, last_epoch, confirmed_epoch, "
	"touched_us, written_by) "
	"SELECT service, primary_id, role, version + 1, last_sequence, "
	"last_order, last_epoch, confirmed_epoch, $50::int8, "
	"pg_current_xact_id() "
	"FROM lease, i WHERE " NOT_BLOCKED
	"ON CONFLICT DO NOTHING RETURNING service, primary_id), "
	"written AS MATERIALIZED (SELECT item FROM inserted "
	"JOIN i USING (service, primary_id)), " WRITE_PROCEDURES
	    WRITE_MIGRATIONS,
};

/* The user whose guards have held in this transaction. */
#define JOIN_WRITTEN_USER                                            \
	"JOIN user_state u ON u.service = i.service "                \
	"AND u.primary_id = i.primary_id AND u.version = i.version " \
	"AND u.written_by = pg_current_xact_id() "

static const struct statement write_mappings = {
	"write_mappings",
	"INSERT INTO partner_mapping AS m (service, partner_id, primary_id, "
	"primary_system, version, status, procedure_id, sequence, "
	"profile_index, started_us, ended_us, written_by) "
	"SELECT i.service, i.partner_id, i.owner_id, i.primary_system, "
	"i.mapping_version + 1, i.status, i.procedure_id, i.sequence, "
	"i.profile_index, i.started_us, i.ended_us, u.written_by "
	"FROM unnest($1::int2[], $2::text[], $3::int8[], $4::text[], "
	"$5::text[], $6::text[], $7::int8[], $8::int2[], $9::uuid[], "
	"$10::int8[], $11::int2[], $12::int8[], $13::int8[]) "
	"AS i(service, primary_id, version, partner_id, owner_id, "
	"primary_system, mapping_version, status, procedure_id, sequence, "
	"profile_index, started_us, ended_us) " JOIN_WRITTEN_USER
	"ON CONFLICT (service, partner_id) DO UPDATE SET "
	"primary_id = EXCLUDED.primary_id, "
	"primary_system = EXCLUDED.primary_system, "
	"version = EXCLUDED.version, status = EXCLUDED.status, "
	"procedure_id = EXCLUDED.procedure_id, "
	"sequence = EXCLUDED.sequence, "
	"profile_index = EXCLUDED.profile_index, "
	"started_us = EXCLUDED.started_us, ended_us = EXCLUDED.ended_us, "
	"written_by = EXCLUDED.written_by "
	"WHERE m.version = EXCLUDED.version - 1",
};

const struct statement *const write_statements[] = {
	&lock_mappings, &update_users, &insert_users, &write_mappings, NULL
};

/* --- which items ----------------------------------------------------------- */

static bool fits(const struct user_record *record)
{
	uint64_t all = record->version | record->last_sequence |
		       record->last_order | record->last_epoch |
		       record->confirmed_epoch;

	for (size_t i = 0; i < record->procedure_count; i++) {
		const struct procedure *p = &record->procedures[i];

		all |= p->sequence | p->order | p->epoch | p->created_us |
		       p->deadline_us | p->finished_us;
	}
	for (size_t i = 0; i < record->mapping_count; i++) {
		const struct mapping *m = &record->mappings[i];

		all |= m->version | m->sequence | m->started_us | m->ended_us;
	}
	for (size_t i = 0; i < record->migration_count; i++) {
		const struct migration *m = &record->migrations[i];

		all |= m->sequence | m->deauthorized_sequence | m->epoch |
		       m->started_us | m->ended_us;
	}
	return all <= INT64_MAX;
}

static int compare_items(const void *a, const void *b)
{
	const struct user_record *one =
	    (*(struct store_item *const *)a)->record;
	const struct user_record *two =
	    (*(struct store_item *const *)b)->record;

	if (one->service != two->service)
		return one->service < two->service ? -1 : 1;
	return strcmp(one->primary_id, two->primary_id);
}

static int compare_claims(const void *a, const void *b)
{
	const struct claim *one = a, *two = b;

	if (one->item->record->service != two->item->record->service)
		return one->item->record->service < two->item->record->service
			   ? -1
			   : 1;
	return strcmp(one->mapping->partner_id, two->mapping->partner_id);
}

static bool add_claim(struct claims *claims, struct store_item *item,
		      const struct mapping *mapping)
{
	if (claims->count == claims->size) {
		size_t size = claims->size ? claims->size * 2 : 64;
		struct claim *grown =
		    realloc(claims->list, size * sizeof(*grown));

		if (!grown)
			return false;
		claims->list = grown;
		claims->size = size;
	}
	claims->list[claims->count++] = (struct claim){ item, mapping };
	return true;
}

static bool add_claims(struct claims *claims, struct store_item *item)
{
	const struct user_record *record = item->record;

	for (size_t i = 0; i < record->mapping_count; i++)
		if (record->mappings[i].changed &&
		    !add_claim(claims, item, &record->mappings[i]))
			return false;
	return true;
}

/* Of two items that claim one partner ID, the second is too late. */
static void drop_second_claims(struct claims *claims)
{
	qsort(claims->list, claims->count, sizeof(*claims->list),
	      compare_claims);
	for (size_t i = 1; i < claims->count; i++)
		if (!compare_claims(&claims->list[i - 1], &claims->list[i]))
			claims->list[i].item->status = STORE_ITEM_CONFLICT;
}

/* Behind the first `from` items, those whose user has a row (or has none). */
static size_t move_to_front(struct part *part, size_t from, bool has_row)
{
	for (size_t i = from; i < part->count; i++) {
		struct store_item *item = part->items[i];

		if (item->status != STORE_ITEM_DONE ||
		    (item->record->version != 0) != has_row)
			continue;
		item->status = STORE_ITEM_CONFLICT; /* until its row is seen */
		memmove(&part->items[from + 1], &part->items[from],
			(i - from) * sizeof(struct store_item *));
		part->items[from++] = item;
	}
	return from;
}

/* Those that are to be sent stand in front, in the order of their keys: users
 * with a row, then new ones. */
static void choose_items(struct part *part, struct claims *claims)
{
	static struct log_rate rate;

	claims->count = 0;
	qsort(part->items, part->count, sizeof(struct store_item *),
	      compare_items);
	for (size_t i = 0; i < part->count; i++) {
		struct store_item *item = part->items[i];

		item->status = STORE_ITEM_DONE;
		if (fits(item->record) && add_claims(claims, item))
			continue;
		item->status = STORE_ITEM_FAILED;
		log_write_limited(&rate, LOG_ERROR, "store_postgres",
				  "msg=\"a number is too big to be "
				  "stored\" user=%s",
				  item->record->primary_id);
	}
	if (claims->count > 1)
		drop_second_claims(claims);
	part->known = move_to_front(part, 0, true);
	part->chosen = move_to_front(part, part->known, false);
}

/* --- statements ------------------------------------------------------------ */

/* Columns of a statement that is being built. */
struct columns {
	struct array_set *set;
	struct array *array[24];
};

static void start_columns(struct columns *columns, struct array_set *set,
			  const enum array_type *types, size_t count)
{
	columns->set = set;
	for (size_t i = 0; i < count; i++)
		columns->array[i] = array_set_add(set, types[i]);
}

#define COLUMNS(columns, set, types) \
	start_columns(columns, set, types, sizeof(types) / sizeof(*(types)))

/* Of one row, from left to right. */
#define INT2(value) array_add_int2(c->set, *array++, (unsigned)(value))
#define INT8(value) array_add_int8(c->set, *array++, value)
#define BOOL(value) array_add_bool(c->set, *array++, value)
#define TEXT(value) array_add_text(c->set, *array++, value)
#define UUID(value) array_add_uuid(c->set, *array++, &(value))

static void execute(struct postgres *postgres, struct part *part,
		    const struct statement *statement)
{
	connection_execute(&postgres->connections[WRITER], statement,
			   &postgres->parameters);
	part->statement_count++;
}

/* FNV-1a; two partner IDs with one number only wait for each other. */
static uint64_t lock_number(const struct claim *claim)
{
	uint64_t hash = 0xcbf29ce484222325 ^ claim->item->record->service;

	for (const char *c = claim->mapping->partner_id; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 0x100000001b3;
	return hash;
}

static int compare_numbers(const void *a, const void *b)
{
	uint64_t one = *(const uint64_t *)a, two = *(const uint64_t *)b;

	return one < two ? -1 : one > two;
}

static void send_locks(struct postgres *postgres, struct part *part)
{
	struct array_set *set = &postgres->parameters;
	struct claims *claims = &postgres->claims;
	struct array *array;
	uint64_t *numbers = calloc(claims->count + 1, sizeof(*numbers));

	array_set_start(set);
	array = array_set_add(set, ARRAY_INT8);
	if (!numbers) {
		set->failed =
		    true; /* breaks the connection: no lock, no write */
	} else {
		for (size_t i = 0; i < claims->count; i++)
			numbers[i] = lock_number(&claims->list[i]);
		qsort(numbers, claims->count, sizeof(*numbers),
		      compare_numbers);
		for (size_t i = 0; i < claims->count; i++)
			array_add_int8(set, array, numbers[i]);
	}
	free(numbers);
	execute(postgres, part, &lock_mappings);
}

static void add_user(struct columns *c, const struct user_record *record)
{
	struct array **array = c->array;

	INT2(record->service);
	TEXT(record->primary_id);
	INT2(record->role);
	INT8(record_next_version(record) - 1);
	INT8(record->last_sequence);
	INT8(record->last_order);
	INT8(record->last_epoch);
	INT8(record->confirmed_epoch);
}

static void add_mapping_guard(struct columns *c, size_t number,
			      const struct user_record *record,
			      const struct mapping *mapping)
{
	struct array **array = c->array;

	INT8(number);
	INT2(record->service);
	TEXT(mapping->partner_id);
	INT8(mapping->version);
}

static void add_mapping_guards(struct columns *c, size_t number,
			       const struct user_record *record)
{
	for (size_t i = 0; i < record->mapping_count; i++)
		if (record->mappings[i].changed)
			add_mapping_guard(c, number, record,
					  &record->mappings[i]);
}

/* NULL stands for the canonical form, which most clients write. */
static const char *given(const char *text, const char *canonical)
{
	return strcmp(text, canonical) ? text : NULL;
}

static void add_procedure(struct columns *c, size_t number,
			  const struct user_record *record,
			  const struct procedure *procedure)
{
	struct array **array = c->array;

	INT8(number);
	BOOL(procedure->is_new);
	INT2(record->service);
	TEXT(record->primary_id);
	INT2(record->role);
	UUID(procedure->id);
	TEXT(procedure->partner_id);
	INT8(procedure->sequence);
	INT2(procedure->verb);
	INT2(procedure->state);
	INT2(procedure->outcome);
	INT2(procedure->cause);
	BOOL(procedure->telling);
	INT2(procedure->profile_index);
	INT8(procedure->order);
	INT8(procedure->epoch);
	TEXT(given(procedure->partner_id_given, procedure->partner_id));
	TEXT(given(procedure->primary_id_given, record->primary_id));
	TEXT(procedure->peer_system);
	TEXT(procedure->client_uri);
	INT8(procedure->created_us);
	INT8(procedure->deadline_us);
	INT8(procedure->finished_us);
	TEXT(procedure->client_identity);
}

static void add_procedures(struct columns *c, size_t number,
			   const struct user_record *record)
{
	for (size_t i = 0; i < record->procedure_count; i++)
		if (record->procedures[i].changed)
			add_procedure(c, number, record,
				      &record->procedures[i]);
}

static void add_migration(struct columns *c, size_t number,
			  const struct migration *migration)
{
	struct array **array = c->array;

	INT8(number);
	TEXT(migration->partner_system);
	TEXT(migration->partner_id);
	BOOL(migration->active);
	UUID(migration->procedure_id);
	INT8(migration->sequence);
	INT8(migration->deauthorized_sequence);
	INT8(migration->epoch);
	INT2(migration->profile_index);
	INT8(migration->started_us);
	INT8(migration->ended_us);
}

static void add_migrations(struct columns *c, size_t number,
			   const struct user_record *record)
{
	for (size_t i = 0; i < record->migration_count; i++)
		if (record->migrations[i].changed)
			add_migration(c, number, &record->migrations[i]);
}

/* The chosen items from `first` to before `end`. */
static void send_users(struct postgres *postgres, struct part *part,
		       const struct statement *statement, size_t first,
		       size_t end)
{
	static const enum array_type user_types[] = {
		ARRAY_INT2, ARRAY_TEXT, ARRAY_INT2, ARRAY_INT8,
		ARRAY_INT8, ARRAY_INT8, ARRAY_INT8, ARRAY_INT8,
	};
	static const enum array_type procedure_types[] = {
		ARRAY_INT8, ARRAY_BOOL, ARRAY_INT2, ARRAY_TEXT, ARRAY_INT2,
		ARRAY_UUID, ARRAY_TEXT, ARRAY_INT8, ARRAY_INT2, ARRAY_INT2,
		ARRAY_INT2, ARRAY_INT2, ARRAY_BOOL, ARRAY_INT2, ARRAY_INT8,
		ARRAY_INT8, ARRAY_TEXT, ARRAY_TEXT, ARRAY_TEXT, ARRAY_TEXT,
		ARRAY_INT8, ARRAY_INT8, ARRAY_INT8, ARRAY_TEXT,
	};
	static const enum array_type mapping_types[] = {
		ARRAY_INT8,
		ARRAY_INT2,
		ARRAY_TEXT,
		ARRAY_INT8,
	};
	static const enum array_type migration_types[] = {
		ARRAY_INT8, ARRAY_TEXT, ARRAY_TEXT, ARRAY_BOOL,
		ARRAY_UUID, ARRAY_INT8, ARRAY_INT8, ARRAY_INT8,
		ARRAY_INT2, ARRAY_INT8, ARRAY_INT8,
	};
	struct array_set *set = &postgres->parameters;
	struct columns users, procedures, mappings, migrations;

	if (first == end)
		return;
	array_set_start(set);
	array_set_add_text(set, postgres->node);
	array_set_add_int8(set, postgres->incarnation);
	COLUMNS(&users, set, user_types);
	COLUMNS(&procedures, set, procedure_types);
	COLUMNS(&mappings, set, mapping_types);
	COLUMNS(&migrations, set, migration_types);
	array_set_add_int8(set, clock_utc_us());
	for (size_t i = first; i < end; i++) {
		const struct user_record *record = part->items[i]->record;

		add_user(&users, record);
		add_procedures(&procedures, i - first + 1, record);
		add_mapping_guards(&mappings, i - first + 1, record);
		add_migrations(&migrations, i - first + 1, record);
	}
	part->offsets[part->statement_count] = first;
	part->gives_users[part->statement_count] = true;
	execute(postgres, part, statement);
}

static void add_mapping(struct columns *c, const struct user_record *record,
			const struct mapping *mapping)
{
	struct array **array = c->array;

	INT2(record->service);
	TEXT(record->primary_id);
	INT8(record_next_version(record));
	TEXT(mapping->partner_id);
	TEXT(mapping->primary_id);
	TEXT(mapping->primary_system);
	INT8(mapping->version);
	INT2(mapping->status);
	UUID(mapping->procedure_id);
	INT8(mapping->sequence);
	INT2(mapping->profile_index);
	INT8(mapping->started_us);
	INT8(mapping->ended_us);
}

static void send_mappings(struct postgres *postgres, struct part *part)
{
	static const enum array_type types[] = {
		ARRAY_INT2, ARRAY_TEXT, ARRAY_INT8, ARRAY_TEXT, ARRAY_TEXT,
		ARRAY_TEXT, ARRAY_INT8, ARRAY_INT2, ARRAY_UUID, ARRAY_INT8,
		ARRAY_INT2, ARRAY_INT8, ARRAY_INT8,
	};
	struct columns columns;

	array_set_start(&postgres->parameters);
	COLUMNS(&columns, &postgres->parameters, types);
	for (size_t i = 0; i < part->chosen; i++) {
		const struct user_record *record = part->items[i]->record;

		for (size_t k = 0; k < record->mapping_count; k++)
			if (record->mappings[k].changed)
				add_mapping(&columns, record,
					    &record->mappings[k]);
	}
	if (columns.array[0]->count)
		execute(postgres, part, &write_mappings);
}

static void send(struct postgres *postgres, struct part *part)
{
	memset(part->gives_users, 0, sizeof(part->gives_users));
	choose_items(part, &postgres->claims);
	if (postgres->claims.count)
		send_locks(postgres, part);
	send_users(postgres, part, &update_users, 0, part->known);
	send_users(postgres, part, &insert_users, part->known, part->chosen);
	send_mappings(postgres, part);
	/* Nothing to ask is no lease lost. */
	part->lease_seen = !part->chosen;
}

static void take_rows(struct request *request, unsigned statement,
		      const PGresult *result)
{
	struct part *part = (struct part *)request;

	if (statement >= part->statement_count || !part->gives_users[statement])
		return;
	for (int row = 0; row < PQntuples(result); row++) {
		uint64_t number = row_integer(result, row, 0);

		if (number)
			part->items[part->offsets[statement] + number - 1]
			    ->status = STORE_ITEM_DONE;
		else
			part->lease_seen = true;
	}
}

static int settle(struct part *part)
{
	if (part->lease_seen)
		return 0;
	node_lease_lost(part->batch->postgres);
	return EPERM;
}

const struct batch_kind write_kind = {
	.name = "write",
	.connection = WRITER,
	.send = send,
	.result = take_rows,
	.settle = settle,
	.finished = store_written,
};

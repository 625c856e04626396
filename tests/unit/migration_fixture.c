/* SPDX-License-Identifier: BSD-2-Clause */
#include "migration_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/timer.h"
#include "unit.h"

struct server server;

static struct uuid derivation_key = { { 0x42 } };
static struct stats *stats;
static struct core core;
static void *module;
static char pinning[] = "required";
static char lab[] = "lab";

/* ------------------------------------------------------------------ clocks */

#define START_UTC_US UINT64_C(1700000000000000)

static uint64_t fake_ms = 1000000;

static uint64_t monotonic_ms(void)
{
	return fake_ms;
}

static uint64_t utc_us(void)
{
	return START_UTC_US + fake_ms * 1000;
}

static const struct clock_source fake_clock = { monotonic_ms, utc_us };

uint64_t server_now_ms(void)
{
	return fake_ms;
}

/* ---------------------------------------------------------------- database */

static struct {
	struct store_backend backend;
	bool up, finds_live, loads_directory;
	struct store_item **loading, **writing;
	size_t loading_count, writing_count;
	unsigned after_service;
	char after_primary_id[MCID_SIZE];
} database;

static int start(struct store_backend *backend, struct store *store)
{
	(void)backend;
	(void)store;
	return 0;
}

static void stop(struct store_backend *backend)
{
	(void)backend;
}

static int load(struct store_backend *backend, struct store_item **items,
		size_t count)
{
	(void)backend;
	database.loading = items;
	database.loading_count = count;
	return 0;
}

static int write_items(struct store_backend *backend, struct store_item **items,
		       size_t count)
{
	(void)backend;
	database.writing = items;
	database.writing_count = count;
	return 0;
}

static void abandon(struct store_backend *backend)
{
	(void)backend;
	server_down();
}

static int find_live(struct store_backend *backend, unsigned after_service,
		     const char *after_primary_id, size_t limit)
{
	(void)backend;
	(void)limit;
	server.scans++;
	database.finds_live = true;
	database.after_service = after_service;
	strcpy(database.after_primary_id, after_primary_id);
	return 0;
}

static int load_directory(struct store_backend *backend)
{
	(void)backend;
	database.loads_directory = true;
	return 0;
}

static int query(struct store_backend *backend, uint64_t number,
		 enum store_query_kind kind, const char *argument)
{
	(void)backend;
	(void)number;
	(void)kind;
	(void)argument;
	return EIO;
}

static int purge(struct store_backend *backend, uint64_t before_us,
		 size_t limit)
{
	(void)backend;
	tables_purge(server.tables, before_us, limit);
	return 0;
}

static const struct store_backend_ops database_ops = {
	.name = "memory",
	.start = start,
	.stop = stop,
	.load = load,
	.write = write_items,
	.abandon = abandon,
	.find_live = find_live,
	.load_directory = load_directory,
	.query = query,
	.purge = purge,
};

static void end_load(void)
{
	size_t count = database.loading_count;

	for (size_t i = 0; i < count; i++) {
		if (tables_load(server.tables, database.loading[i]))
			database.loading[i]->status = STORE_ITEM_FAILED;
	}
	database.loading_count = 0;
	store_loaded(server.store, 0);
}

static void write_one(struct store_item *item)
{
	item->status = STORE_ITEM_CONFLICT;
	if (!tables_guards_hold(server.tables, item->record))
		return;
	tables_write(server.tables, item->record);
	item->status = STORE_ITEM_DONE;
}

static void end_write(void)
{
	int error = server.write_error;

	for (size_t i = 0; i < database.writing_count; i++) {
		if (!error || !server.write_is_lost)
			write_one(database.writing[i]);
	}
	database.writing_count = 0;
	server.write_error = 0;
	store_written(server.store, error);
}

static bool has_live(const struct tables_user *user)
{
	for (size_t i = 0; i < server.tables->procedure_count; i++) {
		if (server.tables->procedures[i].user == user &&
		    procedure_is_live(&server.tables->procedures[i].procedure))
			return true;
	}
	return false;
}

/* One page holds them all. */
static void end_find_live(void)
{
	struct store_live_user users[TABLES_USERS_MAX];
	size_t count = 0;
	int error = server.find_live_error;

	database.finds_live = false;
	server.find_live_error = 0;
	for (size_t i = 0;
	     !*database.after_primary_id && i < server.tables->user_count;
	     i++) {
		const struct tables_user *row = &server.tables->users[i];

		if (!has_live(row))
			continue;
		users[count].service = row->service;
		users[count].role = row->role;
		memcpy(users[count++].primary_id, row->primary_id, MCID_SIZE);
	}
	store_live_found(server.store, users, error ? 0 : count, error);
}

static int fill_directory(struct directory *directory)
{
	int err = directory_add_system(directory, "b.example", true, false);

	if (!err)
		err = directory_add_domain(directory, "b.example", "b.example");
	if (!err)
		err = directory_add_gateway(
		    directory, "sip:" GATEWAY_HOST ":5060;transport=tcp", 1, 1);
	if (err || !server.a_is_known)
		return err;
	err = directory_add_system(directory, "a.example", server.a_is_enabled,
				   server.a_by_gateway);
	if (!err)
		err = directory_add_domain(directory, "a.example", "a.example");
	for (size_t i = 0; !err && i < server.a_server_count; i++)
		err = directory_add_server(directory, "a.example",
					   server.a_servers[i].uri,
					   server.a_servers[i].priority,
					   server.a_servers[i].weight);
	return err;
}

static void end_directory(void)
{
	struct directory *directory;
	int err = directory_create(&directory);

	database.loads_directory = false;
	if (!err) {
		err = fill_directory(directory);
		if (err)
			directory_destroy(directory);
	}
	store_directory_loaded(server.store, err ? NULL : directory, err);
}

/* ------------------------------------------------------------------- SIP */

static struct {
	struct sip sip;
	sip_message_h *handler;
	void *arg;
	sip_source_h *source_handler;
	void *source_arg;
	unsigned step;
	const char *sender_uri;
	const char *call_id;
	uint32_t cseq;
} wire;

static void set_message_handler(struct sip *sip, sip_message_h *handler,
				void *arg)
{
	(void)sip;
	wire.handler = handler;
	wire.arg = arg;
}

static void take_reply(struct sip *sip, handle_t transaction,
		       const struct sip_reply *answer)
{
	struct reply *reply = &server.replies[server.reply_count];

	(void)sip;
	/* Twice is once too often. */
	CU_ASSERT_PTR_NULL(server_reply_of(transaction));
	if (server.reply_count == REPLIES_MAX)
		abort();
	server.reply_count++;
	*reply = (struct reply){ .transaction = transaction,
				 .status = answer->status,
				 .warn_code = answer->warn_code,
				 .retry_after_s = answer->retry_after_s,
				 .has_accept = answer->accept != NULL,
				 .step = ++wire.step };
	snprintf(reply->warning, sizeof(reply->warning), "%s",
		 answer->warn_text ? answer->warn_text : "");
}

static void take_headers(struct sent *sent, const struct sip_outbound *message)
{
	for (size_t i = 0; i < message->header_count; i++) {
		const struct sip_header *header = &message->headers[i];

		if (!strcmp(header->name, "Route"))
			snprintf(sent->route, sizeof(sent->route), "%s",
				 header->value);
		if (!strcmp(header->name, "P-Charging-Vector"))
			snprintf(sent->charging_vector,
				 sizeof(sent->charging_vector), "%s",
				 header->value);
	}
	if (message->certificate_name_count)
		snprintf(sent->certificate_name, sizeof(sent->certificate_name),
			 "%s", message->certificate_names[0]);
}

static int take_message(struct sip *sip, const struct sip_outbound *message,
			sip_answer_h *handler, void *arg, handle_t handle)
{
	struct sent *sent = &server.sent[server.sent_count];

	(void)sip;
	if (server.send_error)
		return server.send_error;
	if (server.sent_count == SENT_MAX)
		abort();
	server.sent_count++;
	*sent = (struct sent){ .handler = handler,
			       .arg = arg,
			       .handle = handle,
			       .deadline_ms = message->deadline_ms,
			       .body_bytes = message->body_bytes,
			       .step = ++wire.step,
			       .at_ms = fake_ms };
	snprintf(sent->next_hop, sizeof(sent->next_hop), "%s",
		 message->next_hop);
	snprintf(sent->request_uri, sizeof(sent->request_uri), "%s",
		 message->request_uri);
	memcpy(sent->body, message->body, message->body_bytes);
	take_headers(sent, message);
	return 0;
}

static void set_source_handler(struct sip *sip, sip_source_h *handler,
			       void *arg)
{
	(void)sip;
	wire.source_handler = handler;
	wire.source_arg = arg;
}

static bool is_down(struct sip *sip, const char *next_hop)
{
	(void)sip;
	return server.hop_down && !strcmp(next_hop, server.hop_down);
}

static const struct sip_ops wire_ops = {
	.set_message_handler = set_message_handler,
	.set_source_handler = set_source_handler,
	.is_down = is_down,
	.reply = take_reply,
	.send = take_message,
};

bool server_asks_about(const struct sip_source *source,
		       struct sip_reply *refusal)
{
	return wire.source_handler(wire.source_arg, source, refusal);
}

bool server_asks_source(const char *source_host, struct sip_reply *refusal)
{
	struct sip_source source = { .port = 5060 };

	snprintf(source.host, sizeof(source.host), "%s", source_host);
	return server_asks_about(&source, refusal);
}

const struct reply *server_reply_of(uint64_t transaction)
{
	for (size_t i = 0; i < server.reply_count; i++) {
		if (server.replies[i].transaction == transaction)
			return &server.replies[i];
	}
	return NULL;
}

void server_set_sender(const char *sender_uri)
{
	wire.sender_uri = sender_uri;
}

void server_set_call(const char *call_id, uint32_t cseq)
{
	wire.call_id = call_id;
	wire.cseq = cseq;
}

const struct reply *server_receive_raw(const char *source_host,
				       const char *content_type,
				       const char *body, size_t bytes)
{
	struct sip_inbound message = {
		.transaction = ++server.transaction,
		.source.port = 5060,
		.sender_uri = wire.sender_uri,
		.request_uri = "sip:b.example",
		.from_uri = "sip:x@example",
		.from_tag = "tag",
		.call_id = wire.call_id,
		.cseq = wire.cseq,
		.asserted_identity_count = server.asserted_identity_count,
		.network = server.network,
		.content_type = content_type,
		.body = body,
		.body_bytes = bytes,
	};

	memcpy(message.asserted_identities, server.asserted_identities,
	       sizeof(message.asserted_identities));
	snprintf(message.source.host, sizeof(message.source.host), "%s",
		 source_host);
	wire.handler(wire.arg, &message);
	server_settle();
	return server_reply_of(message.transaction);
}

const struct reply *server_receive(const char *source_host,
				   const struct mcinfo *document)
{
	const struct mc_service_info *service =
	    mc_service_info(document->service);
	const struct reply *reply;
	char *body;
	size_t bytes;

	if (mcinfo_build(document, &body, &bytes)) {
		CU_FAIL_FATAL("the document cannot be built");
		return NULL;
	}
	reply =
	    server_receive_raw(source_host, service->content_type, body, bytes);
	free(body);
	return reply;
}

void server_answer_later(size_t i, int status, unsigned retry_after_s)
{
	const struct sip_answer answer = { .status = status,
					   .retry_after_s = retry_after_s };
	struct sent *sent = &server.sent[i];

	CU_ASSERT_FATAL(i < server.sent_count && !sent->answered);
	sent->answered = true;
	sent->handler(sent->arg, sent->handle, &answer);
	server_settle();
}

void server_answer(size_t i, int status)
{
	server_answer_later(i, status, 0);
}

struct mcinfo server_document(size_t i)
{
	struct mcinfo info = { 0 };
	struct mcinfo_parser *parser;
	struct mcinfo_error error;
	const struct sent *sent = &server.sent[i];

	CU_ASSERT_FATAL(i < server.sent_count);
	CU_ASSERT_FATAL(!mcinfo_parser_create(&parser));
	CU_ASSERT_FATAL(
	    !mcinfo_parse(parser, "application/vnd.3gpp.mcptt-info+xml",
			  sent->body, sent->body_bytes, &info, &error));
	mcinfo_parser_destroy(parser);
	return info;
}

struct sent *server_last(void)
{
	CU_ASSERT_FATAL(server.sent_count > 0);
	return &server.sent[server.sent_count - 1];
}

/* ------------------------------------------------------------------- life */

static bool one_thing_happens(void)
{
	if (database.loads_directory)
		end_directory();
	else if (database.loading_count)
		end_load();
	else if (database.writing_count && !server.hold_writes)
		end_write();
	else if (database.finds_live)
		end_find_live();
	else
		return false;
	return true;
}

void server_settle(void)
{
	unsigned rounds = 0;

	/* Twice: what a flush ends begins in the next. */
	do {
		store_flush(server.store);
		store_flush(server.store);
		store_flush(server.store);
		CU_ASSERT_FATAL(rounds++ < 10000);
	} while (database.up && one_thing_happens());
}

void server_wait_ms(uint64_t ms)
{
	uint64_t end_ms = fake_ms + ms;

	while (fake_ms < end_ms) {
		int next_ms = timers_next_ms(server.timers);

		if (next_ms < 0 || fake_ms + (uint64_t)next_ms > end_ms)
			fake_ms = end_ms;
		else
			fake_ms += (uint64_t)(next_ms ? next_ms : 1);
		timers_run(server.timers);
		server_settle();
	}
}

void server_down(void)
{
	database.up = database.finds_live = database.loads_directory = false;
	if (database.loading_count) {
		database.loading_count = 0;
		store_loaded(server.store, EIO);
	}
	if (database.writing_count) {
		database.writing_count = 0;
		store_written(server.store, EIO);
	}
	store_down(server.store, "away");
	server_settle();
}

void server_up(void)
{
	database.up = true;
	store_up(server.store, &derivation_key);
	server_settle();
}

void server_prepare(void)
{
	struct tables *tables = server.tables;

	if (!tables)
		tables = calloc(1, sizeof(*tables));
	CU_ASSERT_FATAL(tables != NULL);
	memset(tables, 0, sizeof(*tables));
	memset(&server, 0, sizeof(server));
	server.tables = tables;
	server.settings = (struct migration_settings){
		.authorization_deadline_ms = 30000,
		.deauthorization_deadline_ms = 15000,
		.attempt_deadline_ms = 12000,
		.failover_deadline_ms = 4000,
		.response_expiry_ms = 300000,
		.retry_min_ms = 1000,
		.retry_max_ms = 60000,
		.order_window_ms = 60000,
		.deliveries_max = 100,
		.notify_primary = true,
		.pinning = pinning,
		.tokens = lab,
	};
	server.a_is_known = server.a_is_enabled = true;
	server.a_server_count = 1;
	server.a_servers[0] =
	    (struct directory_server){ "sip:" PEER_HOST ":5060;transport=tcp",
				       1, 1 };
	tables->admissions[tables->admission_count++] =
	    (struct tables_admission){ "a.example", ALICE, VISITOR, false };
	tables->admissions[tables->admission_count++] =
	    (struct tables_admission){ "a.example", CAROL, VISITOR, false };
	tables->home_users[tables->home_user_count++] =
	    (struct tables_home_user){ BOB, true, 3, 2 };
	wire.sip.ops = &wire_ops;
	wire.sender_uri = "sip:" CLIENT_HOST ":5070;transport=udp";
	wire.call_id = "call";
	wire.cseq = 1;
	clock_override(&fake_clock);
	log_set_level(LOG_ERROR);
}

/* ------------------------------------------------------------ credentials */

static enum authorizer_result
check_credentials(struct authorizer *authorizer,
		  const struct authorizer_request *request,
		  const char **reasonp)
{
	const char *const asked[] = { request->token ? request->token : "",
				      request->partner_id,
				      request->primary_id };

	(void)authorizer;
	for (size_t i = 0; i < 3; i++)
		snprintf(server.authorized[i], sizeof(server.authorized[i]),
			 "%s", asked[i]);
	*reasonp = "because";
	return server.authorizer_result;
}

static struct authorizer authorizer = { check_credentials };

/* -------------------------------------------------------------------- IMS */

static bool trusts(struct ims *ims, const struct sip_source *source)
{
	(void)ims;
	return !strcmp(source->host, IMS_HOST);
}

static bool is_ours(struct ims *ims, const char *route)
{
	(void)ims;
	return !route || !strcmp(route, IMS_ROUTE);
}

static bool next_hop(struct ims *ims, const char *identity,
		     const char *asked_by, unsigned attempt,
		     struct ims_hop *hop)
{
	static const char *const names[] = { "dns:scscf.b.example" };
	static char route[DIRECTORY_URI_SIZE];

	(void)ims;
	strcpy(server.ims_asked[0], identity);
	strcpy(server.ims_asked[1], asked_by);
	if (attempt >= sizeof(server.ims_hops) / sizeof(*server.ims_hops) ||
	    !server.ims_hops[attempt])
		return false;
	snprintf(route, sizeof(route), "<%s;lr>", server.ims_hops[attempt]);
	*hop = (struct ims_hop){ server.ims_hops[attempt], route, names, 1 };
	return true;
}

static void set_registered_handler(struct ims *ims, ims_registered_h *handler,
				   void *arg)
{
	(void)ims;
	server.registered = handler;
	server.registered_arg = arg;
}

static struct ims ims = { trusts, is_ours, next_hop, set_registered_handler };

static void make_core(void)
{
	CU_ASSERT_FATAL(!timers_create(&server.timers));
	CU_ASSERT_FATAL(!stats_create(&stats));
	core = (struct core){ .timers = server.timers,
			      .stats = stats,
			      .system = "b.example",
			      .node = "b1",
			      .authorizer =
				  server.has_authorizer ? &authorizer : NULL,
			      .ims = server.has_ims ? &ims : NULL };
}

int server_init_error(void)
{
	int err;

	make_core();
	err = mcmig_module.init(&core, &server.settings, &module);
	if (!err)
		mcmig_module.stop(module);
	stats_destroy(stats);
	timers_destroy(server.timers);
	return err;
}

int server_reload(const struct migration_settings *settings)
{
	return mcmig_module.reload(module, settings);
}

void server_start(void)
{
	static const struct store_config config = {
		.queue_max = 64,
		.batch_max = 16,
		.cache_max = 8,
		.commit_deadline_ms = 4000,
		.retention_us = UINT64_C(3600000000),
	};

	memset(&database, 0, sizeof(database));
	database.backend.ops = &database_ops;
	make_core();
	core.sip = &wire.sip;
	core.backend = &database.backend;
	CU_ASSERT_FATAL(!mcmig_module.init(&core, &server.settings, &module));
	CU_ASSERT_FATAL(!store_create(&server.store, NULL, server.timers, stats,
				      &database.backend, &config));
	core.store = server.store;
	CU_ASSERT_FATAL(!mcmig_module.start(module));
	CU_ASSERT_FATAL(!store_start(server.store));
}

void server_stop(void)
{
	if (!server.store)
		return;
	store_destroy(server.store);
	server.store = NULL;
	core.store = NULL;
	core.sip = NULL;
	mcmig_module.stop(module);
	stats_destroy(stats);
	timers_destroy(server.timers);
	for (size_t i = 0; i < server.sent_count; i++)
		server.sent[i].answered = true; /* nobody waits any more */
}

void server_drain(void)
{
	mcmig_module.drain(module);
}

size_t server_pending(void)
{
	return mcmig_module.pending(module);
}

void server_end(void)
{
	server_stop();
	free(server.tables);
	server.tables = NULL;
	clock_override(NULL);
}

uint64_t server_statistic(const char *name)
{
	for (const struct statistic *each = stats_first(stats); each;
	     each = each->next) {
		if (!strcmp(each->name, name))
			return each->value;
	}
	CU_FAIL("no such statistic");
	return 0;
}

const struct procedure *server_procedure(const char *primary_id,
					 unsigned number)
{
	const struct uuid id = document_id(number);

	return tables_find_procedure(
	    server.tables,
	    tables_find_user(server.tables, MC_SERVICE_MCPTT, primary_id), &id,
	    0);
}

bool server_is_mapped(const char *primary_id)
{
	return tables_find_active(server.tables, MC_SERVICE_MCPTT,
				  primary_id) != NULL;
}

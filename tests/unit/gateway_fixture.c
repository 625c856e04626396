/* SPDX-License-Identifier: BSD-2-Clause */
#include "gateway_fixture.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "unit.h"

struct gate gate;

static struct core core;
static struct stats *stats;
static void *module;

/* ------------------------------------------------------------------ clocks */

static uint64_t fake_ms = 1000000;

static uint64_t monotonic_ms(void)
{
	return fake_ms;
}

static uint64_t utc_us(void)
{
	return UINT64_C(1700000000000000) + fake_ms * 1000;
}

static const struct clock_source fake_clock = { monotonic_ms, utc_us };

void gate_advance_ms(uint64_t ms)
{
	fake_ms += ms;
}

/* --------------------------------------------------------------------- SIP */

static struct {
	struct sip sip;
	sip_message_h *handler;
	void *arg;
	sip_source_h *source_handler;
	void *source_arg;
	handle_t transaction;
} wire;

static void set_message_handler(struct sip *sip, sip_message_h *handler,
				void *arg)
{
	(void)sip;
	wire.handler = handler;
	wire.arg = arg;
}

static void set_source_handler(struct sip *sip, sip_source_h *handler,
			       void *arg)
{
	(void)sip;
	wire.source_handler = handler;
	wire.source_arg = arg;
}

static void take_reply(struct sip *sip, handle_t transaction,
		       const struct sip_reply *answer)
{
	struct gate_reply *reply = &gate.replies[gate.reply_count];

	(void)sip;
	/* Twice is once too often. */
	CU_ASSERT_PTR_NULL(gate_reply_of(transaction));
	if (gate.reply_count == GATE_REPLIES_MAX)
		abort();
	gate.reply_count++;
	*reply = (struct gate_reply){ .transaction = transaction,
				      .status = answer->status,
				      .warn_code = answer->warn_code,
				      .retry_after_s = answer->retry_after_s,
				      .has_accept = answer->accept != NULL };
	snprintf(reply->warning, sizeof(reply->warning), "%s",
		 answer->warn_text ? answer->warn_text : "");
}

static void write_head(const struct sip_outbound *message, char *head,
		       size_t bytes)
{
	size_t used =
	    (size_t)snprintf(head, bytes,
			     "MESSAGE %s\nFrom: %s\nTo: %s\nContent-Type: %s\n",
			     message->request_uri, message->from, message->to,
			     message->content_type);

	for (size_t i = 0; i < message->header_count; i++)
		used += (size_t)snprintf(head + used, bytes - used, "%s: %s\n",
					 message->headers[i].name,
					 message->headers[i].value);
}

static int take_message(struct sip *sip, const struct sip_outbound *message,
			sip_answer_h *handler, void *arg, handle_t handle)
{
	struct gate_sent *sent = &gate.sent[gate.sent_count];

	(void)sip;
	if (gate.send_error &&
	    (!gate.send_error_hop ||
	     !strcmp(gate.send_error_hop, message->next_hop)))
		return gate.send_error;
	if (gate.sent_count == GATE_SENT_MAX)
		abort();
	gate.sent_count++;
	*sent = (struct gate_sent){ .handler = handler,
				    .arg = arg,
				    .handle = handle,
				    .side = message->side,
				    .max_forwards = message->max_forwards,
				    .deadline_ms = message->deadline_ms,
				    .at_ms = fake_ms,
				    .body_bytes = message->body_bytes };
	snprintf(sent->next_hop, sizeof(sent->next_hop), "%s",
		 message->next_hop);
	write_head(message, sent->head, sizeof(sent->head));
	memcpy(sent->body, message->body, message->body_bytes);
	return 0;
}

static bool is_down(struct sip *sip, const char *next_hop)
{
	(void)sip;
	for (size_t i = 0; i < GATE_PARTIES_MAX; i++) {
		if (gate.down[i] && !strcmp(gate.down[i], next_hop))
			return true;
	}
	return false;
}

static const struct sip_ops wire_ops = {
	.set_message_handler = set_message_handler,
	.set_source_handler = set_source_handler,
	.reply = take_reply,
	.send = take_message,
	.is_down = is_down,
};

const struct gate_reply *gate_reply_of(handle_t transaction)
{
	for (size_t i = 0; i < gate.reply_count; i++) {
		if (gate.replies[i].transaction == transaction)
			return &gate.replies[i];
	}
	return NULL;
}

const struct gate_reply *gate_reply(void)
{
	return gate_reply_of(wire.transaction);
}

static enum sip_side side_of(const char *host)
{
	return gate.has_outside && !strncmp(host, "127.2.", 6) ? SIP_OUTSIDE
							       : SIP_INSIDE;
}

static struct sip_source source_of(const char *host, enum sip_side side)
{
	struct sip_source source = { .port = 40000,
				     .transport = SIP_TCP,
				     .side = side };

	snprintf(source.host, sizeof(source.host), "%s", host);
	return source;
}

const struct gate_reply *gate_receive_raw(const char *host,
					  const char *content_type,
					  const char *body, size_t bytes)
{
	struct sip_inbound message = gate.inbound;

	message.transaction = ++wire.transaction;
	message.source = source_of(host, side_of(host));
	message.content_type = content_type;
	message.body = body;
	message.body_bytes = bytes;
	wire.handler(wire.arg, &message);
	return gate_reply();
}

const struct gate_reply *gate_receive(const char *host,
				      const struct mcinfo *info)
{
	const struct gate_reply *reply;
	char *body;
	size_t bytes;

	CU_ASSERT_FATAL(!mcinfo_build(info, &body, &bytes));
	reply = gate_receive_raw(
	    host, mc_service_info(info->service)->content_type, body, bytes);
	free(body);
	return reply;
}

int gate_ask_source(const char *host, enum sip_side side)
{
	const struct sip_source source = source_of(host, side);
	struct sip_reply refusal = { 0 };

	return wire.source_handler(wire.source_arg, &source, &refusal)
		   ? 0
		   : refusal.status;
}

struct gate_sent *gate_last(void)
{
	CU_ASSERT_FATAL(gate.sent_count > 0);
	return &gate.sent[gate.sent_count - 1];
}

void gate_answer_full(size_t i, const struct sip_answer *answer)
{
	struct gate_sent *sent = &gate.sent[i];

	CU_ASSERT_FATAL(i < gate.sent_count);
	sent->answered = true;
	sent->handler(sent->arg, sent->handle, answer);
}

void gate_answer(size_t i, int status)
{
	const struct sip_answer answer = { .status = status };

	gate_answer_full(i, &answer);
}

void gate_keep_silent(void)
{
	for (size_t i = 0; i < gate.sent_count; i++) {
		const struct gate_sent *sent = &gate.sent[i];

		if (sent->answered)
			continue;
		if (fake_ms < sent->at_ms + sent->deadline_ms)
			fake_ms = sent->at_ms + sent->deadline_ms;
		gate_answer(i, SIP_NO_ANSWER);
	}
}

struct mcinfo gate_document(size_t i)
{
	struct mcinfo info = { 0 };
	struct mcinfo_parser *parser;
	struct mcinfo_error error;
	const struct gate_sent *sent = &gate.sent[i];

	CU_ASSERT_FATAL(i < gate.sent_count);
	CU_ASSERT_FATAL(!mcinfo_parser_create(&parser));
	CU_ASSERT_FATAL(
	    !mcinfo_parse(parser, "application/vnd.3gpp.mcptt-info+xml",
			  sent->body, sent->body_bytes, &info, &error));
	mcinfo_parser_destroy(parser);
	return info;
}

/* ---------------------------------------------------------------- settings */

enum { STRINGS_MAX = 512 };
static char *strings[STRINGS_MAX];
static size_t string_count;
static struct setting_section server_items[GATE_PARTIES_MAX];
static struct setting_section system_items[GATE_PARTIES_MAX];
static char nothing[] = "";

void gate_list(struct setting_list *list, ...)
{
	const char *text;
	va_list args;

	*list = (struct setting_list){ .values = &strings[string_count] };
	va_start(args, list);
	while ((text = va_arg(args, const char *))) {
		if (string_count == STRINGS_MAX)
			abort();
		strings[string_count++] = (char *)(uintptr_t)text;
		list->count++;
	}
	va_end(args);
}

static void add_server(const char *title, const char *hop)
{
	struct setting_sections *sections = &gate.settings.servers;
	struct gateway_server_settings *server = &gate.servers[sections->count];

	server->identity = server->users_file = nothing;
	gate_list(&server->next_hops, hop, NULL);
	server_items[sections->count] =
	    (struct setting_section){ title, server,
				      10 + (unsigned)sections->count };
	sections->count++;
}

static void add_system(const char *title, const char *hop, const char *gateway)
{
	struct setting_sections *sections = &gate.settings.systems;
	struct gateway_system_settings *system = &gate.systems[sections->count];

	system->enabled = true;
	system->identity = (char *)(uintptr_t)gateway;
	gate_list(&system->domains, title, NULL);
	gate_list(&system->next_hops, hop, NULL);
	gate_list(&system->requests_to, "*", NULL);
	gate_list(&system->requests_from, "*", NULL);
	system_items[sections->count] =
	    (struct setting_section){ title, system,
				      20 + (unsigned)sections->count };
	sections->count++;
}

void gate_prepare(void)
{
	static char identity[] = "sip:mcgateway@b.example";

	memset(&gate, 0, sizeof(gate));
	string_count = 0;
	gate.settings = (struct gateway_settings){
		.identity = identity,
		.attempt_deadline_ms = 2000,
		.attempts_max = 3,
		.entry_deadline_ms = 6000,
		.exit_deadline_ms = 9000,
		.relays_max = 100,
		.party_relays_max = 100,
		.servers.items = server_items,
		.systems.items = system_items,
	};
	gate_list(&gate.settings.domains, "b.example", NULL);
	add_server("b1", B1);
	add_server("b2", B2);
	gate_list(&gate.servers[1].prefixes, "second", NULL);
	add_system("a.example", A1 " 1", "sip:mcgateway@a.example");
	gate_list(&gate.systems[0].next_hops, A1 " 1", A2 " 2", A3 " 3", NULL);
	add_system("c.example", C1, nothing);
	gate.has_outside = true;
	gate.inbound = (struct sip_inbound){
		.sender_uri = "sip:" B1_HOST ":5060;transport=tcp",
		.request_uri = "sip:b.example",
		.from_uri = "sip:secretfrom@inside.secret",
		.from_tag = "secrettag",
		.call_id = "secretcall@inside.secret",
		.cseq = 4711,
		.max_forwards = 70,
	};
	wire.sip.ops = &wire_ops;
	clock_override(&fake_clock);
	log_set_level(LOG_ERROR);
}

void gate_offer_core(void)
{
	if (!stats)
		CU_ASSERT_FATAL(!stats_create(&stats));
	core = (struct core){ .stats = stats,
			      .system = "b.example",
			      .node = "bg1",
			      .has_outside = gate.has_outside };
}

int gate_init(void)
{
	if (!stats)
		gate_offer_core();
	return mcmig_module.init(&core, &gate.settings, &module);
}

void gate_begin(void)
{
	core.sip = &wire.sip;
	CU_ASSERT_FATAL(!mcmig_module.start(module));
}

void gate_start(void)
{
	CU_ASSERT_FATAL(!gate_init());
	gate_begin();
}

int gate_reload(void)
{
	return mcmig_module.reload(module, &gate.settings);
}

void gate_drain(void)
{
	mcmig_module.drain(module);
}

size_t gate_pending(void)
{
	return mcmig_module.pending(module);
}

void gate_stop(void)
{
	if (module) {
		core.sip = NULL;
		mcmig_module.stop(module);
	}
	module = NULL;
	stats_destroy(stats);
	stats = NULL;
	clock_override(NULL);
}

uint64_t gate_statistic(const char *name)
{
	for (const struct statistic *each = stats_first(stats); each;
	     each = each->next) {
		if (!strcmp(each->name, name))
			return each->value;
	}
	CU_FAIL("no such statistic");
	return 0;
}

/* ----------------------------------------------------------------- command */

static json_t *command_result;

static void command_done(struct command_call *call, json_t *result,
			 const char *failure)
{
	(void)call;
	(void)failure;
	command_result = result;
}

json_t *gate_command(const char *word, const char *id)
{
	struct command_call call = { .done = command_done };
	json_t *args = json_array();

	json_array_append_new(args, json_string(word));
	if (id)
		json_array_append_new(args, json_string(id));
	command_result = NULL;
	mcmig_module.commands[0].run(module, args, &call);
	json_decref(args);
	return command_result;
}

/* --------------------------------------------------------------- documents */

struct mcinfo gate_request(const char *partner_id, const char *primary_id)
{
	struct mcinfo info = { .service = MC_SERVICE_MCPTT,
			       .verb = MCINFO_AUTHORIZATION,
			       .has_procedure_id = true,
			       .procedure_id = { { 0x70, 1, 2, 3 } },
			       .sequence = 1795423123456789,
			       .order = 1795423123001,
			       .has_profile_index = true,
			       .profile_index = 3 };

	snprintf(info.partner_id, sizeof(info.partner_id), "%s", partner_id);
	snprintf(info.primary_id, sizeof(info.primary_id), "%s", primary_id);
	return info;
}

struct mcinfo gate_response(const char *partner_id, const char *primary_id,
			    enum mcinfo_cause cause)
{
	struct mcinfo info = gate_request(partner_id, primary_id);

	info.is_response = true;
	info.order = 0;
	info.has_profile_index = false;
	info.profile_index = 0;
	info.result = cause ? MCINFO_FAILURE : MCINFO_SUCCESS;
	info.cause = cause;
	return info;
}

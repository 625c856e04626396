/* SPDX-License-Identifier: BSD-2-Clause */
/* Client side: writes MESSAGE requests, matches the answers. */
#include "sip/client_transaction.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <sofia-sip/sip_extra.h>

#include "sip/breaker.h"
#include "sip/mark.h"

/* A datagram's payload with IPv4 and UDP headers around it. */
#define UDP_BYTES_MAX 65507
#define HEADERS_BYTES_MAX 8192

/* --- Writing the request ------------------------------------------------- */

struct writer {
	char text[HEADERS_BYTES_MAX];
	size_t bytes;
	bool overflow;
};

__attribute__((format(printf, 2, 3))) static void put(struct writer *writer,
						      const char *format, ...)
{
	size_t space = sizeof(writer->text) - writer->bytes;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(writer->text + writer->bytes, space, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= space)
		writer->overflow = true;
	else
		writer->bytes += (size_t)n;
}

/* What a role hands over becomes header lines: it must stay in its line. */
static bool is_one_line(const char *text)
{
	return text && !text[strcspn(text, "\r\n")];
}

static bool is_valid(const struct sip_outbound *message)
{
	if (!is_one_line(message->next_hop) ||
	    !is_one_line(message->request_uri) || !is_one_line(message->from) ||
	    !is_one_line(message->to) ||
	    (message->body_bytes && !is_one_line(message->content_type)))
		return false;
	for (size_t i = 0; i < message->header_count; i++)
		if (!is_one_line(message->headers[i].name) ||
		    !is_one_line(message->headers[i].value))
			return false;
	return true;
}

static void put_headers(struct writer *writer,
			const struct client_transaction *transaction,
			const struct sip_outbound *message)
{
	struct client_transactions *client = transaction->stack->client;
	const struct peer *peer = transaction->peer;
	const char *method = transaction->is_probe ? "OPTIONS" : "MESSAGE";
	unsigned max_forwards = message->max_forwards;
	static const char *const transports[] = { "UDP", "TCP", "TLS" };
	bool is_udp = peer->transport == SIP_UDP;
	char tag[MARK_SIZE];

	mark_make(&transaction->stack->mark_key, client_unique(client), tag);
	put(writer, "%s %s SIP/2.0\r\n", method, message->request_uri);
	put(writer, "Via: SIP/2.0/%s %s;branch=%s%s\r\n",
	    transports[peer->transport], peer->listener->sent_by,
	    transaction->branch, is_udp ? ";rport" : "");
	put(writer, "Max-Forwards: %u\r\n",
	    max_forwards ? max_forwards : SIP_MAX_FORWARDS);
	put(writer, "From: <%s>;tag=%s\r\n", message->from, tag);
	put(writer, "To: <%s>\r\n", message->to);
	put(writer, "Call-ID: %016llx%016llx\r\n",
	    (unsigned long long)client_unique(client),
	    (unsigned long long)client_unique(client));
	put(writer, "CSeq: 1 %s\r\n", method);
	for (size_t i = 0; i < message->header_count; i++)
		put(writer, "%s: %s\r\n", message->headers[i].name,
		    message->headers[i].value);
	if (message->body_bytes)
		put(writer, "Content-Type: %s\r\n", message->content_type);
	put(writer, "Content-Length: %zu\r\n\r\n", message->body_bytes);
}

static int write_request(struct client_transaction *transaction,
			 const struct sip_outbound *message)
{
	struct writer writer;

	/* Not the text: to clear it costs more than to write it. */
	writer.bytes = 0;
	writer.overflow = false;
	put_headers(&writer, transaction, message);
	transaction->bytes = writer.bytes + message->body_bytes;
	if (writer.overflow || (transaction->peer->transport == SIP_UDP &&
				transaction->bytes > UDP_BYTES_MAX))
		return EINVAL;
	transaction->text = malloc(transaction->bytes);
	if (!transaction->text)
		return ENOMEM;
	memcpy(transaction->text, writer.text, writer.bytes);
	if (message->body_bytes)
		memcpy(transaction->text + writer.bytes, message->body,
		       message->body_bytes);
	return 0;
}

static int copy_names(struct client_transaction *transaction,
		      const struct sip_outbound *message)
{
	if (transaction->peer->transport != SIP_TLS)
		return 0;
	if (!message->certificate_name_count)
		return EINVAL;
	transaction->names = names_copy(message->certificate_names,
					message->certificate_name_count);
	return transaction->names ? 0 : ENOMEM;
}

static int start(struct sip_stack *stack, const struct sip_outbound *message,
		 bool is_probe, sip_answer_h *handler, void *arg,
		 handle_t handle)
{
	struct client_transaction *transaction;
	int err;

	if (!is_valid(message))
		return EINVAL;
	err = client_transaction_create(stack, &transaction);
	if (err)
		return err;
	transaction->is_probe = is_probe;
	err = peer_take(stack, message->next_hop, message->side,
			&transaction->peer);
	if (!err)
		err = copy_names(transaction, message);
	if (!err)
		err = write_request(transaction, message);
	if (err) {
		client_transaction_free(transaction);
		return err;
	}
	transaction->handler = handler;
	transaction->arg = arg;
	transaction->handle = handle;
	client_transaction_count(transaction, SIP_COUNT_client_sent);
	client_transaction_start(transaction, message->deadline_ms);
	return 0;
}

int client_send(struct sip *base, const struct sip_outbound *message,
		sip_answer_h *handler, void *arg, handle_t handle)
{
	struct sip_stack *stack = (struct sip_stack *)base;
	int err = start(stack, message, false, handler, arg, handle);

	if (err == EBUSY)
		sip_count(stack->counters, SIP_COUNT_client_refused);
	return err;
}

int client_probe(struct sip_stack *stack, const struct sip_outbound *options,
		 sip_answer_h *handler, void *arg)
{
	return start(stack, options, true, handler, arg, 0);
}

/* --- The answer ---------------------------------------------------------- */

/* The text of a quoted-string, in place. */
static const char *unquote(char *text)
{
	char *out = text, *in = text;

	if (*in != '"')
		return text;
	for (in++; *in && *in != '"'; in++) {
		if (*in == '\\' && in[1])
			in++;
		*out++ = *in;
	}
	*out = '\0';
	return text;
}

static void read_answer(msg_t *msg, const sip_t *sip, struct sip_answer *answer)
{
	char *text;

	answer->status = sip->sip_status->st_status;
	if (sip->sip_retry_after)
		answer->retry_after_s =
		    (unsigned)sip->sip_retry_after->af_delta;
	if (sip->sip_warning)
		answer->warn_code = (int)sip->sip_warning->w_code;
	if (sip->sip_warning && sip->sip_warning->w_text) {
		text = su_strdup(msg_home(msg), sip->sip_warning->w_text);
		answer->warning = text ? unquote(text) : NULL;
	}
}

static struct client_transaction *find_transaction(struct sip_stack *stack,
						   const sip_t *sip)
{
	const sip_via_t *via = sip->sip_via;
	int status = sip->sip_status->st_status;
	struct client_transaction *found;

	/* RFC 3261 7.2: no other class; nobody could be told of it. */
	if (status < 100 || status > 699)
		return NULL;
	/* RFC 3261 8.1.3.3: more than one Via is not for us. */
	if (!via->v_branch || via->v_next)
		return NULL;
	found = client_transaction_find(stack, via->v_branch);
	if (!found ||
	    sip->sip_cseq->cs_method !=
		(found->is_probe ? sip_method_options : sip_method_message))
		return NULL;
	return found;
}

void client_receive(struct sip_stack *stack, msg_t *msg, sip_t *sip)
{
	struct client_transaction *transaction = find_transaction(stack, sip);
	struct sip_answer answer = { 0 };

	if (transaction)
		breaker_answered(stack, transaction->peer->key + 1);
	if (!transaction) {
		sip_count(stack->counters, SIP_COUNT_dropped_stray_response);
	} else if (sip->sip_status->st_status < 200) {
		client_transaction_proceed(transaction);
	} else {
		read_answer(msg, sip, &answer);
		client_transaction_count(transaction,
					 SIP_COUNT_client_answered);
		client_transaction_finish(transaction, &answer);
	}
	msg_destroy(msg);
}

/* --- Life ---------------------------------------------------------------- */

size_t client_outstanding(const struct sip_stack *stack)
{
	return handle_count(stack->client->by_handle);
}

static char *make_own_uri(const char *domain)
{
	size_t bytes = strlen(domain) + sizeof("sip:");
	char *uri = malloc(bytes);

	if (uri)
		snprintf(uri, bytes, "sip:%s", domain);
	return uri;
}

int client_create(struct sip_stack *stack,
		  const struct sip_stack_config *config)
{
	struct client_transactions *client = calloc(1, sizeof(*client));
	int err;

	if (!client)
		return ENOMEM;
	stack->client = client;
	client->peer_outstanding_max = config->peer_outstanding_max;
	client->own_uri = make_own_uri(stack->domain);
	if (!client->own_uri)
		return ENOMEM;
	if (getrandom(&client->key, sizeof(client->key), 0) !=
	    sizeof(client->key))
		return EIO;
	err = handle_table_create(&client->by_handle,
				  config->client_transactions_max);
	if (err)
		return err;
	return breaker_create(stack, config->breaker_failures,
			      config->probe_interval_ms);
}

void client_destroy(struct sip_stack *stack)
{
	struct client_transactions *client = stack->client;
	struct client_transaction *each, *next;

	if (!client)
		return;
	DL_FOREACH_SAFE(client->all, each, next)
	client_transaction_free(each);
	breaker_destroy(stack);
	handle_table_destroy(client->by_handle);
	free(client->own_uri);
	free(client);
}

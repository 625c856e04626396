/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client's side of one procedure (TS 23.280 10.6.3.3, steps 1 and 12).
 * Silence and 5xx mean that the outcome is unknown, so the same document, with
 * the same procedure ID and order, is sent again.
 */
#include "ue_procedure.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "loop/loop.h"
#include "ue_report.h"

/* A server answers 503 when its commit takes longer than 4 s. */
#define ATTEMPT_MS 6000
#define BACKOFF_FIRST_MS 500
#define BACKOFF_MAX_MS 8000

struct ue_procedure {
	struct loop *loop;
	struct sip *sip;
	const struct ue_options *options;
	struct mcinfo_parser *parser;
	char *body;
	size_t body_bytes;
	uint64_t deadline_ms; /* on the monotonic clock */
	uint32_t backoff_ms;
	unsigned attempts;
	int last_status; /* of the last attempt */
	bool ended;
	enum ue_exit result;
	struct timer deadline;
	struct timer retry;
};

static void send_request(void *arg);

static void end(struct ue_procedure *procedure, enum ue_exit result)
{
	if (procedure->ended)
		return;
	procedure->ended = true;
	procedure->result = result;
	timer_stop(loop_timers(procedure->loop), &procedure->deadline);
	timer_stop(loop_timers(procedure->loop), &procedure->retry);
	ue_report_end(procedure->options, result);
	loop_stop(procedure->loop);
}

static void deadline_passed(void *arg)
{
	struct ue_procedure *procedure = arg;

	/* A server that only ever said 5xx was heard. */
	end(procedure, procedure->last_status >= 500 ? UE_REFUSED : UE_SILENCE);
}

static void retry_later(struct ue_procedure *procedure, unsigned retry_after_s)
{
	uint32_t delay_ms = procedure->backoff_ms;
	int err;

	if (retry_after_s && retry_after_s * 1000U > delay_ms)
		delay_ms = retry_after_s * 1000U;
	procedure->backoff_ms *= 2;
	if (procedure->backoff_ms > BACKOFF_MAX_MS)
		procedure->backoff_ms = BACKOFF_MAX_MS;
	err = timer_start(loop_timers(procedure->loop), &procedure->retry,
			  delay_ms, send_request, procedure);
	if (err)
		end(procedure, UE_INTERNAL);
}

static bool is_unknown(int status)
{
	return status == SIP_NO_ANSWER || status == 408 ||
	       (status >= 500 && status < 600);
}

static void request_answered(void *arg, handle_t handle,
			     const struct sip_answer *answer)
{
	struct ue_procedure *procedure = arg;

	(void)handle;
	if (procedure->ended)
		return;
	ue_report_answer(procedure->options, answer);
	procedure->last_status = answer->status;
	if (is_unknown(answer->status))
		retry_later(procedure, answer->retry_after_s);
	else if (answer->status >= 300)
		end(procedure, UE_REFUSED);
}

static int send_attempt(struct ue_procedure *procedure)
{
	const struct mcinfo *request = &procedure->options->request;
	const struct ue_tls *tls = &procedure->options->tls;
	const struct mc_service_info *service =
	    mc_service_info(request->service);
	uint64_t now_ms = clock_monotonic_ms();
	uint64_t left_ms = procedure->deadline_ms > now_ms
			       ? procedure->deadline_ms - now_ms
			       : 1;
	char target[MCID_SIZE + 8], identity[MCID_SIZE + 4];
	const struct sip_header headers[] = {
		{ "P-Preferred-Identity", identity },
		{ "P-Preferred-Service", service->icsi },
		{ "Accept-Contact", service->accept_contact },
	};
	struct sip_outbound message = {
		.next_hop = procedure->options->server.next_hop,
		.certificate_names = &tls->server_name,
		.certificate_name_count = tls->server_name ? 1 : 0,
		.request_uri = target,
		.from = request->partner_id,
		.to = target,
		.headers = headers,
		.header_count = sizeof(headers) / sizeof(headers[0]),
		.content_type = service->content_type,
		.body = procedure->body,
		.body_bytes = procedure->body_bytes,
		.deadline_ms = left_ms < ATTEMPT_MS ? left_ms : ATTEMPT_MS,
	};

	snprintf(target, sizeof(target), "sip:%s",
		 mcid_domain(request->partner_id_canonical));
	snprintf(identity, sizeof(identity), "<%s>", request->partner_id);
	return sip_send(procedure->sip, &message, request_answered, procedure,
			1);
}

static void send_request(void *arg)
{
	struct ue_procedure *procedure = arg;
	int err;

	ue_report_request(procedure->options, ++procedure->attempts);
	err = send_attempt(procedure);
	if (!err)
		return;
	fprintf(stderr, "mcmig-ue: request not sent: %s\n", strerror(err));
	if (err == EINVAL)
		end(procedure, UE_INTERNAL);
	else
		retry_later(procedure, 0);
}

static bool is_ours(const struct mcinfo *request, const struct mcinfo *response)
{
	return response->is_response && response->service == request->service &&
	       response->verb == request->verb && response->has_procedure_id &&
	       uuid_equal(&response->procedure_id, &request->procedure_id) &&
	       !strcmp(response->partner_id_canonical,
		       request->partner_id_canonical) &&
	       !strcmp(response->primary_id_canonical,
		       request->primary_id_canonical);
}

static void refuse_message(struct ue_procedure *procedure, handle_t transaction,
			   int status, int warn_code, const char *text)
{
	struct sip_reply reply = { .status = status,
				   .warn_code = warn_code,
				   .warn_text = text };

	sip_reply(procedure->sip, transaction, &reply);
	ue_report_reply(procedure->options, status, text);
}

static void take_response(struct ue_procedure *procedure, handle_t transaction,
			  const struct mcinfo *response)
{
	struct sip_reply reply = { .status = 200 };
	bool success = response->result == MCINFO_SUCCESS;

	ue_report_response(procedure->options, response);
	sip_reply(procedure->sip, transaction, &reply);
	ue_report_reply(procedure->options, 200, NULL);
	end(procedure, success ? UE_SUCCESS : UE_FAILURE);
}

static void message_received(void *arg, const struct sip_inbound *message)
{
	struct ue_procedure *procedure = arg;
	struct mcinfo_error error;
	struct mcinfo response;
	int err;

	err =
	    mcinfo_parse(procedure->parser, message->content_type,
			 message->body, message->body_bytes, &response, &error);
	if (err == EBADMSG) {
		refuse_message(procedure, message->transaction, error.status,
			       error.warn_code, error.text);
		return;
	}
	if (err) {
		refuse_message(procedure, message->transaction, 500, 0, NULL);
		return;
	}
	if (is_ours(&procedure->options->request, &response))
		take_response(procedure, message->transaction, &response);
	else
		refuse_message(procedure, message->transaction, 481, 399,
			       "procedure not awaited");
	mcinfo_clear(&response);
}

int ue_procedure_create(struct ue_procedure **procedurep, struct loop *loop,
			struct sip *sip, const struct ue_options *options)
{
	struct ue_procedure *procedure;
	int err;

	procedure = calloc(1, sizeof(*procedure));
	if (!procedure)
		return ENOMEM;
	procedure->loop = loop;
	procedure->sip = sip;
	procedure->options = options;
	procedure->backoff_ms = BACKOFF_FIRST_MS;
	procedure->result = UE_SILENCE;

	err = mcinfo_parser_create(&procedure->parser);
	if (err)
		goto out;
	err = mcinfo_build(&options->request, &procedure->body,
			   &procedure->body_bytes);
	if (err)
		goto out;
	sip_set_message_handler(sip, message_received, procedure);

	*procedurep = procedure;
	procedure = NULL;
out:
	ue_procedure_destroy(procedure);
	return err;
}

void ue_procedure_destroy(struct ue_procedure *procedure)
{
	if (!procedure)
		return;
	timer_stop(loop_timers(procedure->loop), &procedure->deadline);
	timer_stop(loop_timers(procedure->loop), &procedure->retry);
	mcinfo_parser_destroy(procedure->parser);
	if (procedure->body) /* it contains the token */
		explicit_bzero(procedure->body, procedure->body_bytes);
	free(procedure->body);
	free(procedure);
}

int ue_procedure_start(struct ue_procedure *procedure)
{
	uint32_t timeout_ms = procedure->options->timeout_ms;
	int err;

	procedure->deadline_ms = clock_monotonic_ms() + timeout_ms;
	err = timer_start(loop_timers(procedure->loop), &procedure->deadline,
			  timeout_ms, deadline_passed, procedure);
	if (err)
		return err;
	send_request(procedure);
	return procedure->ended ? EINVAL : 0;
}

enum ue_exit ue_procedure_result(const struct ue_procedure *procedure)
{
	return procedure->result;
}

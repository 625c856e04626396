/* SPDX-License-Identifier: BSD-2-Clause */
/* The steps of a procedure as the client sees them, for people or as JSON. */
#include "ue_report.h"

#include <jansson.h>
#include <stdio.h>

#include "base/clock.h"

static const char *const verb_names[] = {
	[MCINFO_AUTHORIZATION] = "authorize",
	[MCINFO_DEAUTHORIZATION] = "deauthorize",
};

static const char *end_text(enum ue_exit exit_status)
{
	switch (exit_status) {
	case UE_SUCCESS:
		return "success";
	case UE_FAILURE:
		return "failure";
	case UE_REFUSED:
		return "refused by SIP";
	case UE_SILENCE:
		return "nothing heard in time";
	case UE_USAGE:
	case UE_NO_TOKEN:
	case UE_INTERNAL:
		break;
	}
	return "not sent";
}

/* Every line carries the procedure, so that lines of many clients can mix. */
static void write_json(const struct ue_options *options, const char *step,
		       json_t *members)
{
	char procedure[UUID_TEXT_SIZE];
	json_t *line;

	line =
	    json_pack("{s:s, s:s, s:I}", "step", step, "procedure",
		      uuid_to_text(&options->request.procedure_id, procedure),
		      "time_us", (json_int_t)clock_utc_us());
	if (line && members) {
		json_object_update(line, members);
		json_dumpf(line, stdout, JSON_COMPACT);
		putchar('\n');
	}
	json_decref(members);
	json_decref(line);
	fflush(stdout);
}

void ue_report_request(const struct ue_options *options, unsigned attempt)
{
	const struct mcinfo *request = &options->request;
	const char *service = mc_service_info(request->service)->name;
	const char *verb = verb_names[request->verb];
	char procedure[UUID_TEXT_SIZE];

	if (options->json) {
		write_json(options, "request",
			   json_pack("{s:s, s:s, s:s, s:s, s:s, s:i}", "verb",
				     verb, "service", service, "partner_id",
				     request->partner_id, "primary_id",
				     request->primary_id, "server",
				     options->server.next_hop, "attempt",
				     (int)attempt));
		return;
	}
	if (attempt == 1)
		printf("%s %s %s as %s\nprocedure %s\n", verb, service,
		       request->primary_id, request->partner_id,
		       uuid_to_text(&request->procedure_id, procedure));
	printf("  1 -> request to %s (attempt %u)\n", options->server.next_hop,
	       attempt);
	fflush(stdout);
}

void ue_report_answer(const struct ue_options *options,
		      const struct sip_answer *answer)
{
	if (options->json) {
		write_json(options, "answer",
			   json_pack("{s:i, s:s*, s:i}", "status",
				     answer->status, "warning", answer->warning,
				     "retry_after_s",
				     (int)answer->retry_after_s));
		return;
	}
	if (answer->status == SIP_NO_ANSWER)
		printf("    <- no answer: the outcome is unknown\n");
	else if (answer->warning)
		printf("    <- %d, Warning: %s\n", answer->status,
		       answer->warning);
	else
		printf("    <- %d\n", answer->status);
	fflush(stdout);
}

void ue_report_response(const struct ue_options *options,
			const struct mcinfo *response)
{
	bool success = response->result == MCINFO_SUCCESS;
	const char *cause = success ? NULL : mcinfo_cause_name(response->cause);
	const char *text = response->text[0] ? response->text : NULL;

	if (options->json) {
		write_json(options, "response",
			   json_pack("{s:s, s:s*, s:s*}", "result",
				     success ? "success" : "failure", "cause",
				     cause, "text", text));
		return;
	}
	printf(" 12 <- response: %s", success ? "success" : "failure");
	if (cause)
		printf(", %s", cause);
	if (text)
		printf(" (%s)", text);
	putchar('\n');
	fflush(stdout);
}

void ue_report_reply(const struct ue_options *options, int status,
		     const char *reason)
{
	if (options->json)
		write_json(options, "reply",
			   json_pack("{s:i, s:s*}", "status", status, "reason",
				     reason));
	else if (reason)
		printf("    -> %d: %s\n", status, reason);
	else
		printf("    -> %d\n", status);
	fflush(stdout);
}

void ue_report_end(const struct ue_options *options, enum ue_exit exit_status)
{
	if (options->json)
		write_json(options, "end",
			   json_pack("{s:i, s:s}", "exit", (int)exit_status,
				     "text", end_text(exit_status)));
	else
		printf("%s\n", end_text(exit_status));
	fflush(stdout);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading a token: all checks that do not depend on the request. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "token/reading.h"

static const struct token_check *const tables[] = {
	token_form_checks,
	token_key_checks,
	token_claim_checks,
	NULL,
};

const char *token_no_memory(struct token_reading *reading)
{
	reading->failure = TOKEN_NO_MEMORY;
	return "there is no memory to check it";
}

int token_reading_open(struct token_reading *reading,
		       const struct token_policy *policy, const char *token)
{
	*reading = (struct token_reading){
		.policy = policy,
		.token = token,
		/* Not strlen(): a huge one is not even walked over. */
		.bytes = strnlen(token, TOKEN_BYTES_MAX + 1),
		.claims = calloc(1, sizeof(*reading->claims)),
		.failure = TOKEN_REFUSED,
	};
	return reading->claims ? 0 : ENOMEM;
}

void token_reading_close(struct token_reading *reading)
{
	for (int i = 0; i < 3; i++)
		free(reading->parts[i].bytes);
	json_decref(reading->header);
	json_decref(reading->payload);
	token_claims_destroy(reading->claims);
}

void token_claims_destroy(struct token_claims *claims)
{
	if (!claims)
		return;
	for (int i = 0; i < MC_SERVICE_END; i++)
		free(claims->ids[i]);
	free(claims->primary_id);
	free(claims);
}

static const char *run_until_failure(struct token_reading *reading)
{
	for (const struct token_check *const *table = tables; *table; table++) {
		for (const struct token_check *check = *table; check->name;
		     check++) {
			const char *reason = check->run(reading);

			if (reason)
				return reason;
		}
	}
	return NULL;
}

enum token_result token_read(const struct token_policy *policy,
			     const char *token, struct token_claims **claimsp,
			     const char **reasonp,
			     struct token_unknown_key *unknown)
{
	struct token_reading reading;
	enum token_result result = TOKEN_VERIFIED;

	if (token_reading_open(&reading, policy, token))
		*reasonp = token_no_memory(&reading);
	else
		*reasonp = run_until_failure(&reading);
	if (*reasonp) {
		result = reading.failure;
		*unknown = reading.unknown;
	} else {
		*claimsp = reading.claims;
		reading.claims = NULL;
	}
	token_reading_close(&reading);
	return result;
}

/* --- For people --------------------------------------------------------- */

struct report {
	token_finding_h *visit;
	void *arg;
	bool good; /* so far */
};

static void tell(struct report *report, const char *check,
		 enum token_finding_result result, const char *sentence)
{
	const struct token_finding finding = {
		.check = check,
		.result = result,
		.sentence = sentence,
	};

	report->good &= result == TOKEN_PASSED;
	report->visit(report->arg, &finding);
}

static void tell_outcome(struct report *report, const char *check,
			 const char *passed, const char *reason)
{
	if (reason)
		tell(report, check, TOKEN_FAILED, reason);
	else
		tell(report, check, TOKEN_PASSED, passed);
}

static void tell_not_checked(struct report *report, const char *check)
{
	tell(report, check, TOKEN_NOT_CHECKED,
	     "it cannot be checked after what has failed before");
}

static void inspect_reading(struct token_reading *reading,
			    struct report *report)
{
	for (const struct token_check *const *table = tables; *table; table++) {
		for (const struct token_check *check = *table; check->name;
		     check++) {
			const char *reason;

			if ((reading->have & check->needs) != check->needs) {
				tell_not_checked(report, check->name);
				continue;
			}
			reason = check->run(reading);
			if (!reason)
				reading->have |= check->gives;
			tell_outcome(report, check->name, check->passed,
				     reason);
		}
	}
}

static void inspect_use(const struct token_reading *reading,
			const struct authorizer_request *request, int64_t now_s,
			struct report *report)
{
	for (const struct token_use_check *check = token_use_checks;
	     check->name; check++) {
		if ((check->needs_partner_id && !request->partner_id) ||
		    (check->needs_primary_id && !request->primary_id))
			continue;
		if (reading->have & HAVE_TIMES)
			tell_outcome(report, check->name, check->passed,
				     check->run(reading->policy,
						reading->claims, request,
						now_s));
		else
			tell_not_checked(report, check->name);
	}
}

bool token_inspect(const struct token_policy *policy, const char *token,
		   const struct authorizer_request *request, int64_t now_s,
		   struct token_inspection *inspection, token_finding_h *visit,
		   void *arg)
{
	struct report report = { .visit = visit, .arg = arg, .good = true };
	struct token_reading reading;

	*inspection = (struct token_inspection){ 0 };
	if (token_reading_open(&reading, policy, token)) {
		tell(&report, "memory", TOKEN_FAILED,
		     token_no_memory(&reading));
		return false;
	}
	inspect_reading(&reading, &report);
	inspect_use(&reading, request, now_s, &report);
	inspection->header = json_incref(reading.header);
	inspection->payload = json_incref(reading.payload);
	token_reading_close(&reading);
	return report.good;
}

void token_inspection_clear(struct token_inspection *inspection)
{
	json_decref(inspection->header);
	json_decref(inspection->payload);
}

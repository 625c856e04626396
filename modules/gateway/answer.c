/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Our answer for that of a next hop: its status, and a Warning of our own. A
 * text passes only as one of ours: others may tell of the inside.
 */
#include <string.h>

#include "gateway/gateway.h"

#define RETRY_AFTER_S 2
#define RETRY_AFTER_MAX_S 60

/* What servers and gateways say to each other, the same for every system. */
static const char *const known[] = {
	"procedure not awaited",
	"procedure ID missing",
	"sequence missing",
	"access token not allowed here",
	"both MC service IDs are of the same MC system",
	"neither MC service ID is hosted here",
	"partner MC service ID not hosted here",
	"partner MC system unknown",
	"primary MC system unknown",
	"no MC service server for this user",
	"peer may not speak for this MC system",
	"P-Asserted-Identity is not of this peer",
	"101 service authorisation failed",
	"179 service not authorized with the interconnected system",
	"quota of this peer exhausted",
	"quota of this user exhausted",
	"loop detected",
	"too many hops",
};

static const struct {
	int status;
	const char *text;
} fixed[] = {
	{ 400, "request not valid" },
	{ 403, "request refused" },
	{ 404, "not found" },
	{ 413, "body too large" },
	{ 415, "media type not supported" },
	{ 480, "not reachable now" },
	{ 481, "procedure not awaited" },
	{ 482, "loop detected" },
	{ 483, "too many hops" },
	{ 500, "failure of the next MC server" },
	{ 503, "try again later" },
	{ 504, "no answer in time" },
};

static const char *known_text(const char *warning)
{
	for (size_t i = 0; warning && i < sizeof(known) / sizeof(*known); i++) {
		if (!strcmp(warning, known[i]))
			return known[i];
	}
	return NULL;
}

static const char *fixed_text(int status)
{
	for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++) {
		if (fixed[i].status == status)
			return fixed[i].text;
	}
	return status < 500 ? "refused by the next MC server"
			    : "failure of the next MC server";
}

/*
 * Silence and 408 mean 504. What asks the one before us to go elsewhere or to
 * authenticate is between us and the next hop: a gateway does neither.
 */
static int status_of(int status)
{
	if (status == SIP_NO_ANSWER || status == 408)
		return 504;
	if (status >= 300 && status < 400)
		return 502;
	if (status == 401 || status == 407)
		return 403;
	return status;
}

void answer_from(const struct sip_answer *last, struct sip_reply *reply)
{
	*reply = (struct sip_reply){ .status = status_of(last->status),
				     .retry_after_s = last->retry_after_s };
	if (reply->status < 300)
		reply->retry_after_s = 0;
	else if (reply->status == 503 && !reply->retry_after_s)
		reply->retry_after_s = RETRY_AFTER_S;
	if (reply->retry_after_s > RETRY_AFTER_MAX_S)
		reply->retry_after_s = RETRY_AFTER_MAX_S;
	if (reply->status < 300)
		return;
	reply->warn_code = 399;
	reply->warn_text =
	    reply->status == last->status ? known_text(last->warning) : NULL;
	if (!reply->warn_text)
		reply->warn_text = fixed_text(reply->status);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A third-party REGISTER (TS 24.229 5.4.1.7, 5.7.1.1): an S-CSCF of ours says
 * that a user is there, or no more.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "ims/ims.h"

#define CALL_ID_SIZE 256

static void answer(const struct ims_module *module,
		   const struct sip_registration *request, int status,
		   const char *warning)
{
	const struct sip_reply reply = {
		.status = status,
		.warn_code = warning ? 399 : 0,
		.warn_text = warning,
		/* What is refused leaves nothing behind. */
		.stateless = status != 200,
	};

	sip_reply(module->core->sip, request->transaction, &reply);
}

static void refuse(struct ims_module *module,
		   const struct sip_registration *request, enum ims_stat stat,
		   int status, const char *warning)
{
	static struct log_rate rate;

	stat_increment(&module->stats[stat]);
	log_write_limited(&rate, LOG_WARNING, "ims",
			  "msg=\"REGISTER refused: %s\" status=%d %s", warning,
			  status, sip_source_text(&request->source).text);
	answer(module, request, status, warning);
}

/* --------------------------------------------------------- where it came by */

static bool is_source(const struct sip_source *source, const char *host)
{
	size_t bytes = strlen(host), bracketed = *host == '[';

	return bytes - 2 * bracketed == strlen(source->host) &&
	       !memcmp(host + bracketed, source->host, bytes - 2 * bracketed);
}

/*
 * The S-CSCF's Contact, where it is an address of a peer: it says more than the
 * Via of a proxy between. A name is not looked up: that would wait.
 */
static bool hop_of_contact(const struct ims_module *module,
			   const struct sip_registration *request,
			   char hop[DIRECTORY_URI_SIZE])
{
	static const char *const transports[] = {
		[SIP_UDP] = "udp", [SIP_TCP] = "tcp", [SIP_TLS] = "tls"
	};
	struct place place;

	if (!request->contact || place_read(request->contact, &place) ||
	    !place_is_literal(&place))
		return false;
	if (!place.has_transport)
		place.transport = request->source.transport;
	if (!is_source(&request->source, place.host) &&
	    !place_is_of_peer(module->network, &place))
		return false;
	return (size_t)snprintf(
		   hop, DIRECTORY_URI_SIZE, "sip:%s:%u;transport=%s",
		   place.host, place_port(&place),
		   transports[place.transport]) < DIRECTORY_URI_SIZE;
}

/* ------------------------------------------------------------- what it says */

static bool is_of_call(const struct registration *known, const char *call_id)
{
	return known && !strcmp(known->call_id, call_id);
}

/* 0 or ENOMEM. */
static int keep(struct ims_module *module,
		const struct sip_registration *request, const char *identity,
		const char *call_id)
{
	char hop[DIRECTORY_URI_SIZE];
	const struct registration registration = {
		.identity = identity,
		.registrar = request->registrar,
		.hop = hop,
		.call_id = call_id,
		.cseq = request->cseq,
		.expires_ms =
		    clock_monotonic_ms() + request->expires_s * UINT64_C(1000),
	};

	if (!hop_of_contact(module, request, hop))
		snprintf(hop, sizeof(hop), "%s", request->sender_uri);
	return registrations_put(module, &registration);
}

/* That a former S-CSCF knows the user no more is no news. */
static void remove_of(struct ims_module *module, const char *identity,
		      const struct registration *known, const char *registrar)
{
	if (known && !strcmp(known->registrar, registrar))
		registrations_remove(module, identity);
}

static void take(struct ims_module *module,
		 const struct sip_registration *request, const char *identity)
{
	const struct registration *known =
	    registrations_find(module->registrations, identity);
	char call_id[CALL_ID_SIZE];

	snprintf(call_id, sizeof(call_id), "%s", request->call_id);
	/* RFC 3261 10.3 step 7; the same once more is no harm. */
	if (is_of_call(known, call_id) && request->cseq < known->cseq) {
		refuse(module, request, STAT_OLD, 400,
		       "CSeq is older than that of the registration");
		return;
	}
	if (!request->expires_s) {
		remove_of(module, identity, known, request->registrar);
	} else if (keep(module, request, identity, call_id)) {
		answer(module, request, 503, "out of memory");
		return;
	}
	stat_increment(&module->stats[STAT_TAKEN]);
	log_debug("ims",
		  "msg=\"registered\" identity=%s registrar=%s expires_s=%u",
		  identity, request->registrar, request->expires_s);
	if (request->expires_s && module->registered &&
	    module->registered(module->registered_arg, identity,
			       request->transaction))
		return;
	answer(module, request, 200, NULL);
}

void register_take(void *arg, const struct sip_registration *request)
{
	struct ims_module *module = arg;
	char identity[MCID_SIZE];
	const char *why;

	if (!module->ims.trusts(&module->ims, &request->source)) {
		refuse(module, request, STAT_UNTRUSTED, 403,
		       "not from a peer of the IMS (ims.peers)");
		return;
	}
	if (public_identity_canonical(request->identity, identity)) {
		refuse(module, request, STAT_REFUSED, 400,
		       "To is no public user identity as sip:USER@DOMAIN");
		return;
	}
	if (body_check(request, identity, &why)) {
		refuse(module, request, STAT_LYING, 400, why);
		return;
	}
	take(module, request, identity);
}

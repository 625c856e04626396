/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sofia answers a request without a mandatory header before we see it, with
 * "400 Bad Request". Named in the list of bad headers, the missing one comes
 * into that answer's reason ("Bad Call-ID Header").
 */
#include "sip/internal.h"

#include <sofia-sip/msg.h>
#include <sofia-sip/msg_header.h>
#include <sofia-sip/msg_mclass.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_parser.h>

/* Sofia itself stops at 2 MB: too much to keep for requests that wait. */
#define HEADER_BYTES_MAX 16384

const char parser_headers_too_long[] = "Long";

static void name_bad_header(msg_t *msg, sip_t *sip, const char *name)
{
	msg_header_t *header =
	    msg_header_alloc(msg_home(msg), sip_error_class, 0);
	sip_error_t **end = &sip->sip_error;

	if (!header)
		return;
	((msg_error_t *)header)->er_name = name;
	while (*end)
		end = &(*end)->er_next;
	*end = (sip_error_t *)header;
}

static void name_what_is_wrong(msg_t *msg, sip_t *sip)
{
	if (sip->sip_error)
		return;
	/* What has been read so far. */
	if (msg_size(msg) > HEADER_BYTES_MAX)
		name_bad_header(msg, sip, parser_headers_too_long);
	if (!sip->sip_to)
		name_bad_header(msg, sip, "To");
	if (!sip->sip_from)
		name_bad_header(msg, sip, "From");
	if (!sip->sip_call_id)
		name_bad_header(msg, sip, "Call-ID");
	if (!sip->sip_cseq ||
	    sip->sip_request->rq_method != sip->sip_cseq->cs_method)
		name_bad_header(msg, sip, "CSeq");
}

/*
 * maddr sends answers wherever the sender of a datagram likes. Such a request
 * is dropped by us; for those that Sofia answers itself the parameter goes.
 */
static void forget_maddr(sip_t *sip)
{
	if ((sip->sip_flags & MSG_FLG_ERROR || sip->sip_error) &&
	    sip->sip_via && sip->sip_via->v_maddr)
		msg_header_remove_param(sip->sip_via->v_common, "maddr");
}

/* Called for the empty line after the headers, and for the body. */
static issize_t extract_body(msg_t *msg, msg_pub_t *pub, char bytes[],
			     isize_t count, int end_of_stream)
{
	sip_t *sip = (sip_t *)pub;
	issize_t used;

	if (sip->sip_request && !(sip->sip_flags & MSG_FLG_BODY))
		name_what_is_wrong(msg, sip);
	used = sip_extract_body(msg, sip, bytes, count, end_of_stream);
	if (sip->sip_request && sip->sip_flags & MSG_FLG_TRUNC)
		name_bad_header(msg, sip, "Content-Length");
	if (sip->sip_request)
		forget_maddr(sip);
	return used;
}

const msg_mclass_t *parser_class(void)
{
	static msg_mclass_t *ours;

	if (!ours) {
		ours = msg_mclass_clone(sip_default_mclass(), 0, 0);
		if (ours)
			ours->mc_extract_body = extract_body;
	}
	return ours;
}

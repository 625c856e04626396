/* SPDX-License-Identifier: BSD-2-Clause */
/* Inspection of a request (RFC 3261 8.2.1, 8.2.2), in the order of the RFC. */
#include "sip/check.h"

#include <stdio.h>
#include <string.h>

#include <sofia-sip/sip_header.h>
#include <sofia-sip/url.h>

#define MAX_FORWARDS_MAX 255

static bool refuse(struct check_result *result, int status)
{
	result->answer.status = status;
	return true;
}

static const char *name_of_bad(const sip_t *sip)
{
	const sip_header_t *header = (const sip_header_t *)sip->sip_error;
	const char *name;

	if (header->sh_class == sip_error_class)
		name = header->sh_error->er_name;
	else
		name = header->sh_class->hc_name;
	return name ? name : "Unknown";
}

static bool refuse_header(const char *name, const char *domain,
			  struct check_result *result)
{
	snprintf(result->phrase, sizeof(result->phrase), "Bad %s Header", name);
	snprintf(result->warning, sizeof(result->warning),
		 "399 %s \"header %s is malformed or given twice\"", domain,
		 name);
	result->answer.phrase = result->phrase;
	result->answer.warning = result->warning;
	return refuse(result, 400);
}

/* RFC 3261 10.3 step 6: "*" comes alone, and only takes away. */
static bool has_bad_wildcard(const sip_t *sip)
{
	const sip_contact_t *first = sip->sip_contact, *each = first;
	const sip_expires_t *expires = sip->sip_expires;

	while (each && each->m_url->url_type != url_any)
		each = each->m_next;
	return each && (first->m_next || !expires || expires->ex_delta ||
			expires->ex_date);
}

static bool has_bad_header(const sip_t *sip, const char *domain,
			   struct check_result *result)
{
	if (sip->sip_error && name_of_bad(sip) == parser_headers_too_long)
		return refuse(result, 513);
	if (sip->sip_error)
		return refuse_header(name_of_bad(sip), domain, result);
	/* RFC 3261 20.22; Sofia takes any number. */
	if (sip->sip_max_forwards &&
	    sip->sip_max_forwards->mf_count > MAX_FORWARDS_MAX)
		return refuse_header("Max-Forwards", domain, result);
	/* Sofia takes an empty one. */
	if (!*sip->sip_call_id->i_id)
		return refuse_header("Call-ID", domain, result);
	if (sip->sip_request->rq_method == sip_method_register &&
	    has_bad_wildcard(sip))
		return refuse_header("Contact", domain, result);
	return false;
}

const char *check_allow(bool registers)
{
	return registers ? "Allow: MESSAGE, OPTIONS, REGISTER\r\n"
			 : "Allow: MESSAGE, OPTIONS\r\n";
}

static bool has_other_method(const sip_t *sip, bool registers,
			     struct check_result *result)
{
	switch (sip->sip_request->rq_method) {
	case sip_method_message:
	case sip_method_options:
		return false;
	case sip_method_cancel:
		return refuse(result, 481);
	case sip_method_register:
		if (registers)
			return false;
		break;
	default:
		break;
	}
	result->extra = check_allow(registers);
	return refuse(result, 405);
}

static void list_unsupported(const sip_t *sip, struct check_result *result)
{
	size_t used = (size_t)snprintf(result->lines, sizeof(result->lines),
				       "Unsupported: ");
	const char *separator = "";

	for (size_t i = 0; sip->sip_require->k_items[i]; i++) {
		const char *option = sip->sip_require->k_items[i];

		/* One that is longer than the answer may be is left out. */
		if (used + strlen(option) + 5 > sizeof(result->lines))
			continue;
		used += (size_t)snprintf(result->lines + used,
					 sizeof(result->lines) - used, "%s%s",
					 separator, option);
		separator = ", ";
	}
	if (*separator) {
		snprintf(result->lines + used, sizeof(result->lines) - used,
			 "\r\n");
		result->extra = result->lines;
	}
}

static bool requires_extension(const sip_t *sip, struct check_result *result)
{
	if (!sip->sip_require || !sip->sip_require->k_items ||
	    !sip->sip_require->k_items[0])
		return false;
	list_unsupported(sip, result);
	return refuse(result, 420);
}

static bool is_too_large(const sip_t *sip, struct check_result *result)
{
	if (sip->sip_payload && sip->sip_payload->pl_len > SIP_BODY_BYTES_MAX)
		return refuse(result, 413);
	return false;
}

bool check_request(const sip_t *sip, const char *domain, bool registers,
		   struct check_result *result)
{
	bool is_options = sip->sip_request->rq_method == sip_method_options;

	result->answer = (struct answer){ 0 };
	result->extra = NULL;
	if (has_other_method(sip, registers, result) ||
	    has_bad_header(sip, domain, result))
		return true;
	if (sip->sip_request->rq_url->url_type != url_sip)
		return refuse(result, 416);
	/* OPTIONS with 0 asks this very hop (RFC 3261 11). */
	if (!is_options && sip->sip_max_forwards &&
	    sip->sip_max_forwards->mf_count == 0)
		return refuse(result, 483);
	return requires_extension(sip, result) || is_too_large(sip, result);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Builds the information document, in the form that the parser takes. */
#include "mcinfo/mcinfo.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mcinfo/screen.h"

#define FRAME_BYTES_MAX 1536 /* all that is not a caller's text */
#define ESCAPED_BYTES_MAX 5  /* "&amp;" */

struct writer {
	char *at;
};

static void put(struct writer *out, const char *text)
{
	out->at = stpcpy(out->at, text);
}

static const char *escape_of(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	default:
		return NULL;
	}
}

static void put_escaped(struct writer *out, const char *text)
{
	for (; *text; text++) {
		const char *escape = escape_of(*text);

		if (escape)
			put(out, escape);
		else
			*out->at++ = *text;
	}
}

static void put_element(struct writer *out, const char *name, const char *text)
{
	out->at += sprintf(out->at, "<%s>", name);
	put_escaped(out, text);
	out->at += sprintf(out->at, "</%s>", name);
}

static bool ids_are_valid(const struct mcinfo *info)
{
	char partner[MCID_SIZE], primary[MCID_SIZE];

	return !mcid_canonical(info->partner_id, partner) &&
	       !mcid_canonical(info->primary_id, primary) &&
	       strcmp(partner, primary);
}

static bool token_is_valid(const char *token)
{
	size_t length = token ? strlen(token) : 1;

	if (!length || length > MCINFO_TOKEN_MAX)
		return false;
	for (; token && *token; token++) {
		if (*token <= ' ' || *token >= 0x7f)
			return false;
	}
	return true;
}

static bool outcome_is_valid(const struct mcinfo *info)
{
	if (info->result == MCINFO_SUCCESS)
		return info->cause == CAUSE_NONE && !info->text[0];
	return info->result == MCINFO_FAILURE && info->cause > CAUSE_NONE &&
	       info->cause < CAUSE_END &&
	       strnlen(info->text, MCINFO_TEXT_SIZE) < MCINFO_TEXT_SIZE &&
	       screen_is_plain_text(info->text);
}

static bool is_authorization_request(const struct mcinfo *info)
{
	return info->verb == MCINFO_AUTHORIZATION && !info->is_response;
}

static bool info_is_valid(const struct mcinfo *info)
{
	if (!mc_service_info(info->service) ||
	    (info->verb != MCINFO_AUTHORIZATION &&
	     info->verb != MCINFO_DEAUTHORIZATION) ||
	    info->sequence > INT64_MAX || info->order > INT64_MAX ||
	    !ids_are_valid(info) || !token_is_valid(info->access_token))
		return false;
	if (info->is_response)
		return outcome_is_valid(info);
	return !is_authorization_request(info) ||
	       (info->has_profile_index &&
		info->profile_index <= MCINFO_PROFILE_INDEX_MAX);
}

static void put_token(struct writer *out, const struct mc_service_info *service,
		      const char *token)
{
	out->at +=
	    sprintf(out->at, "<%s type=\"Normal\">", service->access_token);
	put_element(out, service->string, token);
	out->at += sprintf(out->at, "</%s>", service->access_token);
}

static void put_attributes(struct writer *out, const struct mcinfo *info)
{
	char text[UUID_TEXT_SIZE];

	if (info->has_procedure_id)
		out->at += sprintf(out->at, " procedure=\"%s\"",
				   uuid_to_text(&info->procedure_id, text));
	if (info->sequence)
		out->at += sprintf(out->at, " sequence=\"%" PRIu64 "\"",
				   info->sequence);
	if (info->order)
		out->at +=
		    sprintf(out->at, " order=\"%" PRIu64 "\"", info->order);
}

static void put_outcome(struct writer *out, const struct mcinfo *info)
{
	if (info->result == MCINFO_SUCCESS) {
		put(out, "<result>success</result>");
		return;
	}
	put(out, "<result>failure</result>");
	put_element(out, "cause", mcinfo_cause_name(info->cause));
	if (info->text[0])
		put_element(out, "text", info->text);
}

static void put_migration(struct writer *out, const struct mcinfo *info)
{
	char name[32];

	sprintf(name, "%sauthorization-%s",
		info->verb == MCINFO_AUTHORIZATION ? "" : "de",
		info->is_response ? "response" : "request");
	put(out, "<migration xmlns=\"" MCINFO_MIGRATION_NAMESPACE "\"><");
	put(out, name);
	put_attributes(out, info);
	put(out, ">");
	put_element(out, "partner-mc-service-id", info->partner_id);
	put_element(out, "primary-mc-service-id", info->primary_id);
	if (info->is_response)
		put_outcome(out, info);
	else if (is_authorization_request(info))
		out->at += sprintf(out->at, "<profile-index>%u</profile-index>",
				   info->profile_index);
	out->at += sprintf(out->at, "</%s></migration>", name);
}

static void put_document(struct writer *out, const struct mcinfo *info)
{
	const struct mc_service_info *service = mc_service_info(info->service);

	put(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n");
	out->at += sprintf(out->at, "<%s xmlns=\"%s\"><%s>", service->root,
			   service->xml_namespace, service->params);
	if (info->access_token)
		put_token(out, service, info->access_token);
	put(out, "<anyExt>");
	put_migration(out, info);
	out->at += sprintf(out->at, "</anyExt></%s></%s>\r\n", service->params,
			   service->root);
}

int mcinfo_build(const struct mcinfo *info, char **bodyp, size_t *bytesp)
{
	struct writer out;
	char *body, *fitted;
	size_t texts;

	if (!info_is_valid(info))
		return EINVAL;
	texts = strlen(info->partner_id) + strlen(info->primary_id) +
		strlen(info->text) +
		(info->access_token ? strlen(info->access_token) : 0);
	body = malloc(FRAME_BYTES_MAX + texts * ESCAPED_BYTES_MAX);
	if (!body)
		return ENOMEM;

	out.at = body;
	put_document(&out, info);
	*bytesp = (size_t)(out.at - body);
	fitted = realloc(body, *bytesp + 1);
	*bodyp = fitted ? fitted : body;
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Header fields that an IMS adds (RFC 7315, RFC 5502, RFC 6050, RFC 3323): one
 * walk over those that Sofia's parser does not know, for a message has few.
 */
#include "sip/network.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include <sofia-sip/sip_header.h>
#include <sofia-sip/su_alloc.h>
#include <sofia-sip/url.h>

#include "sip/identity.h"

#define VALUE_BYTES_MAX 1024

/* --- Their syntax --------------------------------------------------------- */

/* token [EQUAL (token / quoted-string)]; what is between, as a span. */
struct parameter {
	const char *name, *value; /* value NULL: none */
	size_t name_bytes, value_bytes;
};

static bool is_name(const struct parameter *parameter, const char *name)
{
	return strlen(name) == parameter->name_bytes &&
	       !strncasecmp(parameter->name, name, parameter->name_bytes);
}

static bool has_value(const struct parameter *parameter, const char *value)
{
	return parameter->value && strlen(value) == parameter->value_bytes &&
	       !strncasecmp(parameter->value, value, parameter->value_bytes);
}

/* Behind a parameter and the blanks after it; NULL: it is none. A value may be
 * a host or a colon-separated cell: more than a token, no separator of ours. */
static const char *read_parameter(const char *at, struct parameter *parameter)
{
	const char *end;

	parameter->name = at;
	parameter->name_bytes = strspn(at, IDENTITY_TOKEN);
	parameter->value = NULL;
	if (!parameter->name_bytes)
		return NULL;
	at = identity_skip_lws(at + parameter->name_bytes);
	if (*at != '=')
		return at;
	at = identity_skip_lws(at + 1);
	end = *at == '"' ? identity_skip_quoted(at)
			 : at + strspn(at, IDENTITY_TOKEN "[]:@/?&$#()=");
	if (!end || end == at)
		return NULL;
	parameter->value = at;
	parameter->value_bytes = (size_t)(end - at);
	return identity_skip_lws(end);
}

/* Calls `take` for each of *( SEMI parameter ) up to a comma or the end, which
 * is returned; NULL: malformed, or `take` does not like one. */
static const char *read_parameters(const char *at,
				   bool (*take)(void *arg,
						const struct parameter *each),
				   void *arg)
{
	struct parameter parameter;

	while (*at == ';') {
		at = read_parameter(identity_skip_lws(at + 1), &parameter);
		if (!at || (take && !take(arg, &parameter)))
			return NULL;
	}
	return !*at || *at == ',' ? at : NULL;
}

struct reading {
	msg_t *msg;
	struct sip_network_headers *network;
	bool has_icid;
};

/* RFC 6050 4.1: one urn, of which RFC 2141 says what it is made of. */
static bool read_service(struct reading *reading, const char *text)
{
	size_t bytes = strcspn(text, " \t\r\n,<>\"");
	const char *urn;

	if (strncasecmp(text, "urn:", 4) || bytes < 5 ||
	    *identity_skip_lws(text + bytes))
		return false;
	urn = su_strndup(msg_home(reading->msg), text, (isize_t)bytes);
	reading->network->asserted_service = urn;
	return urn != NULL;
}

static bool take_served(void *arg, const struct parameter *each)
{
	static const char *const cases[] = { "orig", "term", "orig-cdiv" };
	struct sip_network_headers *network = ((struct reading *)arg)->network;

	/* RFC 8498: a call that the served user has diverted. */
	if (is_name(each, "orig-cdiv") && !each->value) {
		network->session_case = cases[2];
		return true;
	}
	if (!is_name(each, "sescase"))
		return true;
	if (network->session_case)
		return network->session_case == cases[2];
	for (size_t i = 0; i < 2; i++)
		if (has_value(each, cases[i]))
			network->session_case = cases[i];
	return network->session_case != NULL;
}

static bool read_served_user(struct reading *reading, const char *text)
{
	const char *uri, *at;
	size_t bytes;

	at = identity_read_value(text, &uri, &bytes);
	if (!at)
		return false;
	/* Without brackets parameters are the header's (RFC 3261 20). */
	if (uri == text) {
		bytes = strcspn(uri, "; \t\r\n");
		at = identity_skip_lws(uri + bytes);
	}
	at = read_parameters(at, take_served, reading);
	if (!at || *at)
		return false;
	reading->network->served_user =
	    su_strndup(msg_home(reading->msg), uri, (isize_t)bytes);
	return reading->network->served_user != NULL;
}

static bool take_charging(void *arg, const struct parameter *each)
{
	struct reading *reading = arg;

	if (!is_name(each, "icid-value"))
		return true;
	if (reading->has_icid || !each->value)
		return false;
	reading->has_icid = true;
	return true;
}

/* RFC 7315 5.6, in any order: some nodes have one of their own. */
static bool read_charging_vector(struct reading *reading, const char *text)
{
	struct parameter first;
	const char *at = read_parameter(text, &first);

	if (!at || !take_charging(reading, &first))
		return false;
	at = read_parameters(at, take_charging, reading);
	reading->network->charging_vector = text;
	return at && !*at && reading->has_icid;
}

/* RFC 7315 5.4: a list, for the network adds its own to the client's. */
static bool read_access_network(struct reading *reading, const char *text)
{
	struct parameter type;
	const char *at = text;

	if (!reading->network->access_network_info)
		reading->network->access_network_info = text;
	do {
		at = read_parameter(identity_skip_lws(at), &type);
		if (!at || type.value)
			return false;
		at = read_parameters(at, NULL, NULL);
	} while (at && *at++ == ',');
	return at != NULL;
}

/* --- Finding them --------------------------------------------------------- */

static const struct header {
	const char *name;
	bool (*read)(struct reading *reading, const char *text);
	bool may_repeat;
} headers[] = {
	{ "P-Asserted-Service", read_service, false },
	{ "P-Served-User", read_served_user, false },
	{ "P-Charging-Vector", read_charging_vector, false },
	{ "P-Access-Network-Info", read_access_network, true },
};
#define HEADERS (sizeof(headers) / sizeof(*headers))

static size_t find_header(const char *name)
{
	size_t i = 0;

	if ((*name != 'P' && *name != 'p') || name[1] != '-')
		return HEADERS;
	while (i < HEADERS && strcasecmp(headers[i].name, name) != 0)
		i++;
	return i;
}

/* Once unfolded, only what is printed and blanks (RFC 3261 25.1). */
static bool is_clean(const char *text)
{
	size_t bytes = 0;

	for (; text[bytes]; bytes++) {
		unsigned char c = (unsigned char)text[bytes];

		if ((c < ' ' && !strchr("\t\r\n", c)) || c == 0x7f)
			return false;
	}
	return bytes && bytes <= VALUE_BYTES_MAX;
}

/* Those that Sofia has parsed; a bad or doubled one has been refused. */
static int read_parsed(msg_t *msg, const sip_t *sip,
		       struct sip_network_headers *network, const char **badp)
{
	if (sip->sip_route) {
		*badp = "Route";
		network->route =
		    url_as_string(msg_home(msg), sip->sip_route->r_url);
		if (!network->route)
			return ENOMEM;
	}
	if (sip->sip_privacy) {
		*badp = "Privacy";
		network->privacy = sip_header_as_string(
		    msg_home(msg), (const sip_header_t *)sip->sip_privacy);
		if (!network->privacy)
			return ENOMEM;
	}
	return 0;
}

int network_read(msg_t *msg, const sip_t *sip,
		 struct sip_network_headers *network, const char **badp)
{
	struct reading reading = { .msg = msg, .network = network };
	unsigned seen = 0;

	*network = (struct sip_network_headers){ 0 };
	for (const sip_unknown_t *each = sip->sip_unknown; each;
	     each = each->un_next) {
		size_t i = find_header(each->un_name);

		if (i == HEADERS)
			continue;
		*badp = headers[i].name;
		if ((seen >> i & 1 && !headers[i].may_repeat) ||
		    !each->un_value || !is_clean(each->un_value) ||
		    !headers[i].read(&reading,
				     identity_skip_lws(each->un_value)))
			return EINVAL;
		seen |= 1u << i;
	}
	return read_parsed(msg, sip, network, badp);
}

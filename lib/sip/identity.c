/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PAssertedID = "P-Asserted-Identity" HCOLON PAssertedID-value
 *               *(COMMA PAssertedID-value)
 * PAssertedID-value = name-addr / addr-spec (RFC 3325 9.1): no parameters.
 */
#include "sip/identity.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include <sofia-sip/su_alloc.h>

#define LWS " \t\r\n"
#define SCHEME                                                           \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789" \
	"+-."

const char *identity_skip_lws(const char *at)
{
	return at + strspn(at, LWS);
}

const char *identity_skip_quoted(const char *at)
{
	for (at++; *at != '"'; at++) {
		if (*at == '\\')
			at++;
		if (!*at || ((unsigned char)*at < 0x20 && !strchr(LWS, *at)) ||
		    *at == 0x7f)
			return NULL;
	}
	return at + 1;
}

/* Characters of a URI at `at`, up to one that cannot be in it. */
static size_t uri_bytes(const char *at, bool in_brackets)
{
	const char *ends = in_brackets ? "<>\"" : "<>\",";
	size_t bytes = 0;

	while (at[bytes] > ' ' && at[bytes] < 0x7f && !strchr(ends, at[bytes]))
		bytes++;
	return bytes;
}

static bool has_scheme(const char *uri, size_t bytes)
{
	size_t scheme = strspn(uri, SCHEME);

	return scheme && uri[scheme] == ':' && scheme + 1 < bytes;
}

const char *identity_read_value(const char *at, const char **urip,
				size_t *bytesp)
{
	size_t scheme = strspn(at, SCHEME);
	bool in_brackets = *at == '<' || at[scheme] != ':';

	if (*at == '"')
		at = identity_skip_quoted(at);
	else if (in_brackets)
		while (*at && strspn(at, IDENTITY_TOKEN))
			at = identity_skip_lws(at + strspn(at, IDENTITY_TOKEN));
	if (!at)
		return NULL;
	at = identity_skip_lws(at);
	if (in_brackets && *at++ != '<')
		return NULL;
	*urip = at;
	*bytesp = uri_bytes(at, in_brackets);
	if (*bytesp >= SIP_URI_SIZE || !has_scheme(at, *bytesp))
		return NULL;
	at += *bytesp;
	if (in_brackets && *at++ != '>')
		return NULL;
	return identity_skip_lws(at);
}

static int add(msg_t *msg, struct identities *identities, const char *uri,
	       size_t bytes)
{
	const char *copy;

	if (identities->count == SIP_IDENTITIES_MAX)
		return EINVAL;
	copy = su_strndup(msg_home(msg), uri, (isize_t)bytes);
	if (!copy)
		return ENOMEM;
	identities->uris[identities->count++] = copy;
	return 0;
}

static int read_line(msg_t *msg, const char *at, struct identities *identities)
{
	const char *uri;
	size_t bytes;
	int err = 0;

	for (at = identity_skip_lws(at); !err; at = identity_skip_lws(at + 1)) {
		at = identity_read_value(at, &uri, &bytes);
		if (!at || (*at && *at != ','))
			return EINVAL;
		err = add(msg, identities, uri, bytes);
		if (!*at)
			break;
	}
	return err;
}

int identities_read(msg_t *msg, const sip_t *sip, struct identities *identities)
{
	int err = 0;

	identities->count = 0;
	for (const sip_unknown_t *each = sip->sip_unknown; each && !err;
	     each = each->un_next)
		if (!strcasecmp(each->un_name, "P-Asserted-Identity"))
			err =
			    read_line(msg, each->un_value ? each->un_value : "",
				      identities);
	return err;
}

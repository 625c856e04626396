/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a third-party REGISTER carries of the user's own REGISTER and of its
 * answer (message/sip, TS 24.229 5.4.1.7A): it may not be about somebody else.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "ims/ims.h"
#include "mcinfo/multipart.h"

#define MESSAGE_TYPE "message/sip"

struct text {
	const char *at, *end;
};

struct checking {
	const char *identity;
	const char *why;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The next line with those that continue it; false: the headers have ended. */
static bool take_line(struct text *in, struct text *line)
{
	const char *crlf = in->at;

	line->at = in->at;
	do {
		crlf = memmem(crlf, (size_t)(in->end - crlf), "\r\n", 2);
		if (!crlf)
			crlf = in->end;
		line->end = crlf;
		if (crlf < in->end)
			crlf += 2;
	} while (crlf < in->end && line->end > line->at && is_blank(*crlf));
	in->at = crlf;
	return line->end > line->at;
}

/* The value of the header field, if it is of this name. */
static bool value_of(struct text line, const char *name, const char *compact,
		     struct text *value)
{
	const char *colon = memchr(line.at, ':', (size_t)(line.end - line.at));
	size_t bytes;

	if (!colon)
		return false;
	*value = (struct text){ colon + 1, line.end };
	while (colon > line.at && is_blank(colon[-1]))
		colon--;
	bytes = (size_t)(colon - line.at);
	return (bytes == strlen(name) && !strncasecmp(line.at, name, bytes)) ||
	       (bytes == 1 && !strncasecmp(line.at, compact, 1));
}

/* "<" URI ">", behind a quoted name that may have any of them; or a URI up to
 * the header's parameters. */
static struct text uri_in(struct text value)
{
	const char *at = value.at;
	struct text uri;
	bool quoted = false;

	for (; at < value.end && (quoted || *at != '<'); at++) {
		if (*at == '"')
			quoted = !quoted;
		else if (quoted && *at == '\\' && at + 1 < value.end)
			at++;
	}
	if (at < value.end) {
		uri.at = at + 1;
		uri.end = memchr(uri.at, '>', (size_t)(value.end - uri.at));
		if (!uri.end)
			uri.end = uri.at;
		return uri;
	}
	while (value.at < value.end && strchr(" \t\r\n", *value.at))
		value.at++;
	uri = (struct text){ value.at, value.at };
	while (uri.end < value.end && !strchr("; \t\r\n", *uri.end))
		uri.end++;
	return uri;
}

static bool is_about(struct text value, const char *identity)
{
	struct text uri = uri_in(value);
	size_t bytes = (size_t)(uri.end - uri.at);
	char text[MCID_SIZE], canonical[MCID_SIZE];

	if (bytes >= sizeof(text) || memchr(uri.at, '\0', bytes))
		return false;
	memcpy(text, uri.at, bytes);
	text[bytes] = '\0';
	return !public_identity_canonical(text, canonical) &&
	       !strcmp(canonical, identity);
}

/* Many a parser ends a line at a CR or LF alone: one that we have not seen. */
static bool is_one_line(struct text line)
{
	for (const char *at = line.at; at < line.end; at++) {
		if (*at == '\n')
			return false;
		if (*at != '\r')
			continue;
		if (line.end - at < 3 || at[1] != '\n' || !is_blank(at[2]))
			return false;
		at++;
	}
	return true;
}

static int lie(struct checking *checking, const char *why)
{
	checking->why = why;
	return EBADMSG;
}

static int check_message(struct text message, struct checking *checking)
{
	unsigned to = 0, from = 0;
	struct text line, value;

	/* The start line. */
	if (!take_line(&message, &line) || !is_one_line(line))
		return lie(checking, "body message/sip is malformed");
	while (take_line(&message, &line)) {
		bool is_to = value_of(line, "To", "t", &value);

		if (!is_one_line(line))
			return lie(checking, "body message/sip is malformed");
		if (!is_to && !value_of(line, "From", "f", &value))
			continue;
		to += is_to;
		from += !is_to;
		if (!is_about(value, checking->identity))
			return lie(checking,
				   "body message/sip is of another user");
	}
	return to == 1 && from == 1
		   ? 0
		   : lie(checking, "body message/sip is malformed");
}

static int check_part(void *arg, const struct body_part *part,
		      struct mcinfo_error *error)
{
	struct checking *checking = arg;

	(void)error;
	if (strcmp(part->type.name, MESSAGE_TYPE))
		return 0;
	if (part->has_encoding)
		return lie(checking, "body message/sip is encoded");
	return check_message(
	    (struct text){ part->text, part->text + part->bytes }, checking);
}

int body_check(const struct sip_registration *request, const char *identity,
	       const char **whyp)
{
	struct checking checking = { identity, "body is malformed" };
	struct mcinfo_error error;
	struct media_type type;
	int err;

	if (!request->body_bytes)
		return 0;
	*whyp = checking.why;
	if (!request->content_type ||
	    media_type_parse(request->content_type,
			     strlen(request->content_type), &type))
		return EBADMSG;
	if (!strcmp(type.name, MESSAGE_TYPE))
		err = check_message(
		    (struct text){ request->body,
				   request->body + request->body_bytes },
		    &checking);
	else if (!strncmp(type.name, "multipart/", 10))
		err = multipart_visit(type.boundary, request->body,
				      request->body_bytes, check_part,
				      &checking, &error);
	else
		return 0;
	*whyp = checking.why;
	return err;
}

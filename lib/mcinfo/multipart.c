/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The information document alone, or as one part of multipart/mixed (RFC 2046
 * 5.1). Lines end with CRLF; a bare LF ends none, so that no other reader finds
 * other parts than we do.
 */
#include "config.h"

#include "mcinfo/multipart.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "mcinfo/media_type.h"
#include "mcinfo/refuse.h"

#define PARTS_MAX 16
#define PART_HEADERS_MAX 4096 /* bytes */

struct span {
	const char *at;
	const char *end;
};

static bool service_of(const char *name, enum mc_service *service)
{
	for (int i = 1; i < MC_SERVICE_END; i++) {
		*service = (enum mc_service)i;
		if (!strcmp(name, mc_service_info(*service)->content_type))
			return true;
	}
	return false;
}

static int check_charset(const struct media_type *type,
			 struct mcinfo_error *error)
{
	if (type->charset[0] && strcmp(type->charset, "utf-8"))
		return mcinfo_refuse(error, 400,
				     "charset of Content-Type is not UTF-8");
	return 0;
}

static int check_boundary(const char *boundary, struct mcinfo_error *error)
{
	static const char others[] = "'()+_,-./:=? ";
	size_t length = strlen(boundary);

	if (!length)
		return mcinfo_refuse(error, 400,
				     "multipart/mixed without a boundary");
	for (size_t i = 0; i < length; i++) {
		char c = boundary[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
		      (c >= 'A' && c <= 'Z') || strchr(others, c)))
			return mcinfo_refuse(error, 400,
					     "boundary of multipart/mixed is "
					     "malformed");
	}
	if (boundary[length - 1] == ' ')
		return mcinfo_refuse(
		    error, 400, "boundary of multipart/mixed is malformed");
	return 0;
}

/* Takes a line without its CRLF; false at the end, or if no CRLF follows. */
static bool take_line(struct span *in, struct span *line)
{
	const char *crlf;

	crlf = memmem(in->at, (size_t)(in->end - in->at), "\r\n", 2);
	if (!crlf)
		return false;
	*line = (struct span){ in->at, crlf };
	in->at = crlf + 2;
	return true;
}

/* Whether "--boundary", perhaps "--", and only blanks stand in the line. */
static bool is_delimiter(struct span line, const char *boundary, bool *closing)
{
	size_t length = strlen(boundary);

	if ((size_t)(line.end - line.at) < length + 2 ||
	    memcmp(line.at, "--", 2) || memcmp(line.at + 2, boundary, length))
		return false;
	line.at += length + 2;
	*closing = line.end - line.at >= 2 && !memcmp(line.at, "--", 2);
	if (*closing)
		line.at += 2;
	while (line.at < line.end && (*line.at == ' ' || *line.at == '\t'))
		line.at++;
	return line.at == line.end;
}

/* The last line, a closing delimiter, may stand without a CRLF. */
static bool take_delimiter(struct span *in, const char *boundary,
			   struct span *before, bool *closing)
{
	const char *begin = in->at;
	struct span line;

	while (in->at < in->end) {
		bool ended = take_line(in, &line);

		if (!ended)
			line = (struct span){ in->at, in->end };
		if (is_delimiter(line, boundary, closing) &&
		    (ended || *closing)) {
			/* The CRLF before a delimiter is the delimiter's. */
			*before = (struct span){ begin, begin };
			if (line.at - begin > 2)
				before->end = line.at - 2;
			return true;
		}
		if (!ended)
			break;
	}
	return false;
}

static bool name_is(struct span name, const char *wanted)
{
	size_t length = strlen(wanted);

	return (size_t)(name.end - name.at) == length &&
	       !strncasecmp(name.at, wanted, length);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void trim(struct span *span)
{
	while (span->at < span->end && is_blank(*span->at))
		span->at++;
	while (span->at < span->end && is_blank(span->end[-1]))
		span->end--;
}

static int take_type(struct body_part *part, struct span value,
		     struct mcinfo_error *error)
{
	if (part->has_type)
		return mcinfo_refuse(error, 400,
				     "Content-Type of a body part given twice");
	part->has_type = true;
	if (media_type_parse(value.at, (size_t)(value.end - value.at),
			     &part->type))
		return mcinfo_refuse(
		    error, 400, "Content-Type of a body part is malformed");
	return 0;
}

static int take_header(struct body_part *part, struct span name,
		       struct span value, struct mcinfo_error *error)
{
	trim(&name);
	trim(&value);
	if (name_is(name, "Content-Type"))
		return take_type(part, value, error);
	if (name_is(name, "Content-Transfer-Encoding"))
		part->has_encoding |= !name_is(value, "7bit") &&
				      !name_is(value, "8bit") &&
				      !name_is(value, "binary");
	if (name_is(name, "Content-Encoding"))
		part->has_encoding |= !name_is(value, "identity");
	return 0;
}

static bool is_continuation(const struct span *in)
{
	return in->at < in->end && (*in->at == ' ' || *in->at == '\t');
}

/* Header fields up to the empty line; what follows is the part's body. */
static int take_headers(struct span in, struct body_part *part,
			struct mcinfo_error *error)
{
	const char *begin = in.at;
	struct span line, more;
	const char *colon;
	int err;

	while (take_line(&in, &line)) {
		while (line.at != line.end && is_continuation(&in) &&
		       take_line(&in, &more))
			line.end = more.end;
		if (in.at - begin > PART_HEADERS_MAX)
			break;
		if (line.at == line.end) {
			part->text = in.at;
			part->bytes = (size_t)(in.end - in.at);
			return 0;
		}
		colon = memchr(line.at, ':', (size_t)(line.end - line.at));
		if (!colon)
			break;
		err = take_header(part, (struct span){ line.at, colon },
				  (struct span){ colon + 1, line.end }, error);
		if (err)
			return err;
	}
	return mcinfo_refuse(error, 400,
			     "header fields of a body part are malformed");
}

static int take_part(struct span text, body_part_h *visit, void *arg,
		     struct mcinfo_error *error)
{
	struct body_part part = { .has_type = false };
	int err = take_headers(text, &part, error);

	if (err)
		return err;
	if (!strncmp(part.type.name, "multipart/", 10))
		return mcinfo_refuse(error, 415, "nested multipart body");
	return visit(arg, &part, error);
}

int multipart_visit(const char *boundary, const char *body, size_t body_bytes,
		    body_part_h *visit, void *arg, struct mcinfo_error *error)
{
	struct span in = { body, body + body_bytes }, part;
	int err = check_boundary(boundary, error);
	bool closing;

	if (err)
		return err;
	if (!take_delimiter(&in, boundary, &part, &closing))
		return mcinfo_refuse(error, 400,
				     "multipart body without its boundary");
	for (int i = 0; !closing; i++) {
		if (i == PARTS_MAX)
			return mcinfo_refuse(
			    error, 400, "more than %d body parts", PARTS_MAX);
		if (!take_delimiter(&in, boundary, &part, &closing))
			return mcinfo_refuse(error, 400,
					     "multipart body is not closed");
		err = take_part(part, visit, arg, error);
		if (err)
			return err;
	}
	return 0;
}

/* --- The document --------------------------------------------------------- */

static int take_document(void *arg, const struct body_part *part,
			 struct mcinfo_error *error)
{
	struct document_span *document = arg;
	enum mc_service service;
	int err;

	if (!service_of(part->type.name, &service))
		return 0;
	if (part->has_encoding)
		return mcinfo_refuse(error, 415,
				     "MC info body part is encoded");
	err = check_charset(&part->type, error);
	if (err)
		return err;
	if (document->text)
		return mcinfo_refuse(error, 400,
				     "more than one MC info body part");
	document->service = service;
	document->text = part->text;
	document->bytes = part->bytes;
	return 0;
}

int document_find(const char *content_type, const char *body, size_t body_bytes,
		  struct document_span *document, struct mcinfo_error *error)
{
	struct media_type type;
	int err;

	memset(document, 0, sizeof(*document));
	if (!content_type || !content_type[0])
		return mcinfo_refuse(error, 415, "Content-Type missing");
	if (media_type_parse(content_type, strlen(content_type), &type))
		return mcinfo_refuse(error, 400, "Content-Type is malformed");

	if (service_of(type.name, &document->service)) {
		document->text = body;
		document->bytes = body_bytes;
		return check_charset(&type, error);
	}
	if (strcmp(type.name, "multipart/mixed"))
		return mcinfo_refuse(error, 415,
				     "Content-Type is not of an MC service");
	err = multipart_visit(type.boundary, body, body_bytes, take_document,
			      document, error);
	if (!err && !document->text)
		err = mcinfo_refuse(error, 415,
				    "multipart body without an MC info part");
	return err;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Follows a document element by element. The standard's part is extensible:
 * what we do not know there is passed over. Inside <migration> everything must
 * be as in doc/mcmig-migration.xsd.
 */
#include "mcinfo/document.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mcinfo/refuse.h"

#define BIT(place) (1u << (place))
#define SCHEMA_INSTANCE "http://www.w3.org/2001/XMLSchema-instance"
#define XML_ENCRYPTION "http://www.w3.org/2001/04/xmlenc#"

struct element {
	const char *name;
	const char *uri; /* "": none */
};

void document_refuse(struct mcinfo_parser *parser, const char *format, ...)
{
	char text[sizeof(parser->error->text)];
	va_list args;

	if (parser->err)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	parser->err = mcinfo_refuse(parser->error, 400, "%s", text);
}

static bool is_ours(const struct element *element)
{
	return !strcmp(element->uri, MCINFO_MIGRATION_NAMESPACE);
}

static bool is_service(const struct mcinfo_parser *parser,
		       const struct element *element, const char *name)
{
	return !strcmp(element->uri, parser->service->xml_namespace) &&
	       (!name || !strcmp(element->name, name));
}

static enum place once(struct mcinfo_parser *parser, enum place place,
		       const char *name)
{
	if (parser->seen & BIT(place))
		document_refuse(parser, "more than one %s element", name);
	parser->seen |= BIT(place);
	return place;
}

static enum place open_in_document(struct mcinfo_parser *parser,
				   const struct element *element)
{
	const struct mc_service_info *service = parser->service;

	if (strcmp(element->name, service->root))
		document_refuse(parser, "root element is not %s",
				service->root);
	else if (strcmp(element->uri, service->xml_namespace))
		document_refuse(parser, "namespace of %s is not %s",
				service->root, service->xml_namespace);
	return PLACE_ROOT;
}

static enum place open_in_root(struct mcinfo_parser *parser,
			       const struct element *element)
{
	const struct mc_service_info *service = parser->service;

	if (is_service(parser, element, service->params))
		return once(parser, PLACE_PARAMS, service->params);
	if (!element->uri[0] || is_service(parser, element, NULL))
		document_refuse(parser, "unknown element in %s", service->root);
	return PLACE_FOREIGN;
}

static enum place open_in_params(struct mcinfo_parser *parser,
				 const struct element *element)
{
	const char *token = parser->service->access_token;

	if (is_service(parser, element, token))
		return once(parser, PLACE_TOKEN, token);
	if (is_service(parser, element, "anyExt"))
		return once(parser, PLACE_ANY_EXT, "anyExt");
	return PLACE_FOREIGN;
}

static enum place open_in_token(struct mcinfo_parser *parser,
				const struct element *element)
{
	const struct mc_service_info *service = parser->service;

	if (!is_service(parser, element, service->string))
		document_refuse(parser, "unknown element in %s",
				service->access_token);
	return once(parser, PLACE_TOKEN_STRING, service->string);
}

static enum place open_in_any_ext(struct mcinfo_parser *parser,
				  const struct element *element)
{
	if (is_ours(element) && !strcmp(element->name, "migration"))
		return once(parser, PLACE_MIGRATION, "migration");
	return PLACE_FOREIGN;
}

static enum place open_in_migration(struct mcinfo_parser *parser,
				    const struct element *element)
{
	if (parser->verb)
		document_refuse(parser, "more than one element in migration");
	else if (!is_ours(element))
		document_refuse(parser, "unknown element in migration");
	else
		verb_open(parser, element->name);
	return PLACE_VERB;
}

static enum place find_leaf(const struct element *element)
{
	int place = PLACE_PARTNER_ID;

	while (place < PLACE_END &&
	       (!is_ours(element) ||
		strcmp(element->name, leaf_name((enum place)place))))
		place++;
	return (enum place)place;
}

static enum place open_in_verb(struct mcinfo_parser *parser,
			       const struct element *element)
{
	enum place place = find_leaf(element);
	const struct verb *verb = parser->verb;

	if (place == PLACE_END)
		document_refuse(parser, "unknown element in %s", verb->name);
	else if (!(verb->leaves & BIT(place)))
		document_refuse(parser, "%s not allowed in %s",
				leaf_name(place), verb->name);
	else if (parser->seen & BIT(place))
		document_refuse(parser, "%s twice in %s", leaf_name(place),
				verb->name);
	else if (parser->seen >> place)
		document_refuse(parser, "%s in the wrong order in %s",
				leaf_name(place), verb->name);
	parser->seen |= BIT(place);
	return place;
}

/* In what is passed over nothing may hide that has a meaning elsewhere. */
static enum place open_in_foreign(struct mcinfo_parser *parser,
				  const struct element *element)
{
	for (int i = 1; i < MC_SERVICE_END; i++) {
		const struct mc_service_info *service =
		    mc_service_info((enum mc_service)i);

		if (strcmp(element->uri, service->xml_namespace))
			continue;
		if (!strcmp(element->name, service->root) ||
		    !strcmp(element->name, service->params) ||
		    !strcmp(element->name, service->access_token))
			document_refuse(parser, "%s element out of place",
					service->name);
	}
	return PLACE_FOREIGN;
}

static enum place open_in_leaf(struct mcinfo_parser *parser,
			       const struct element *element)
{
	(void)element;
	document_refuse(parser, "%s holds more than text",
			leaf_name(parser->place[parser->depth]));
	return PLACE_FOREIGN;
}

static enum place (*const open_in[PLACE_END])(struct mcinfo_parser *parser,
					      const struct element *element) = {
	[PLACE_DOCUMENT] = open_in_document,
	[PLACE_ROOT] = open_in_root,
	[PLACE_PARAMS] = open_in_params,
	[PLACE_TOKEN] = open_in_token,
	[PLACE_ANY_EXT] = open_in_any_ext,
	[PLACE_MIGRATION] = open_in_migration,
	[PLACE_VERB] = open_in_verb,
	[PLACE_FOREIGN] = open_in_foreign,
	[PLACE_TOKEN_STRING] = open_in_leaf,
	[PLACE_PARTNER_ID] = open_in_leaf,
	[PLACE_PRIMARY_ID] = open_in_leaf,
	[PLACE_PROFILE_INDEX] = open_in_leaf,
	[PLACE_RESULT] = open_in_leaf,
	[PLACE_CAUSE] = open_in_leaf,
	[PLACE_TEXT] = open_in_leaf,
};

static bool value_is(const struct attribute *attribute, const char *value)
{
	return attribute->bytes == strlen(value) &&
	       !memcmp(attribute->value, value, attribute->bytes);
}

/* TS 24.379 F.1: type="Normal" or "Encrypted" (TS 33.180 9.3.4). */
static void check_type(struct mcinfo_parser *parser, enum place place,
		       const struct element *element,
		       const struct attribute *attribute)
{
	if (!is_service(parser, element, NULL) && !is_ours(element))
		return;
	if (value_is(attribute, "Encrypted"))
		document_refuse(parser, "encrypted content is not supported");
	else if (place == PLACE_TOKEN && !value_is(attribute, "Normal"))
		document_refuse(parser, "type of %s is not Normal",
				element->name);
}

static void check_attribute(struct mcinfo_parser *parser, enum place place,
			    const struct element *element,
			    const struct attribute *attribute)
{
	if (!attribute->uri[0] && !strcmp(attribute->name, "type"))
		check_type(parser, place, element, attribute);
	/* They change what a schema makes of the element. */
	if (!strcmp(attribute->uri, SCHEMA_INSTANCE) &&
	    (!strcmp(attribute->name, "type") ||
	     !strcmp(attribute->name, "nil")))
		document_refuse(parser, "xsi:type or xsi:nil in the body");

	if (place == PLACE_VERB)
		leaf_take_attribute(parser, attribute);
	else if (place == PLACE_MIGRATION)
		document_refuse(parser, "unknown attribute in migration");
	else if (place >= PLACE_LEAF)
		document_refuse(parser, "unknown attribute of %s",
				leaf_name(place));
}

/* libxml2 gives five pointers each: name, prefix, URI, value, value's end. */
static void check_attributes(struct mcinfo_parser *parser, enum place place,
			     const struct element *element, int count,
			     const xmlChar **from)
{
	for (int i = 0; i < count && !parser->err; i++, from += 5) {
		struct attribute attribute = {
			.name = (const char *)from[0],
			.uri = from[2] ? (const char *)from[2] : "",
			.value = (const char *)from[3],
			.bytes = (size_t)(from[4] - from[3]),
		};

		check_attribute(parser, place, element, &attribute);
	}
}

void document_open(struct mcinfo_parser *parser, const char *name,
		   const char *uri, int attribute_count,
		   const xmlChar **attributes)
{
	struct element element = { name, uri ? uri : "" };
	enum place parent = parser->place[parser->depth], place;

	if (parser->depth == DOCUMENT_DEPTH_MAX) {
		document_refuse(parser, "elements nested deeper than %d",
				DOCUMENT_DEPTH_MAX);
		return;
	}
	if (++parser->elements > DOCUMENT_ELEMENTS_MAX) {
		document_refuse(parser, "more than %d elements",
				DOCUMENT_ELEMENTS_MAX);
		return;
	}
	if (!strcmp(element.uri, XML_ENCRYPTION))
		document_refuse(parser, "encrypted content is not supported");

	place = open_in[parent](parser, &element);
	if (place == PLACE_FOREIGN && is_ours(&element))
		document_refuse(parser, "migration element out of place");
	check_attributes(parser, place, &element, attribute_count, attributes);
	parser->place[++parser->depth] = place;
	parser->text_bytes = 0;
}

static void check_migration(struct mcinfo_parser *parser)
{
	if (!parser->verb)
		document_refuse(parser, "migration is empty");
}

static void check_token(struct mcinfo_parser *parser)
{
	if (!parser->info->access_token)
		document_refuse(parser, "%s is empty",
				parser->service->access_token);
}

static void check_root(struct mcinfo_parser *parser)
{
	if (!(parser->seen & BIT(PLACE_PARAMS)))
		document_refuse(parser, "%s missing", parser->service->params);
	else if (!(parser->seen & BIT(PLACE_ANY_EXT)))
		document_refuse(parser, "anyExt missing in %s",
				parser->service->params);
	else if (!(parser->seen & BIT(PLACE_MIGRATION)))
		document_refuse(parser, "migration missing in anyExt");
}

void document_close(struct mcinfo_parser *parser)
{
	enum place place = parser->place[parser->depth--];

	if (place >= PLACE_LEAF) {
		parser->text[parser->text_bytes] = '\0';
		leaf_take(parser, place);
	} else if (place == PLACE_VERB) {
		verb_check(parser);
	} else if (place == PLACE_MIGRATION) {
		check_migration(parser);
	} else if (place == PLACE_TOKEN) {
		check_token(parser);
	} else if (place == PLACE_ROOT) {
		check_root(parser);
	}
}

static bool is_blank(const char *text, size_t bytes)
{
	while (bytes--) {
		if (!strchr(" \t\r\n", text[bytes]))
			return false;
	}
	return true;
}

void document_text(struct mcinfo_parser *parser, const char *text, size_t bytes)
{
	enum place place = parser->place[parser->depth];

	if (place == PLACE_FOREIGN)
		return;
	if (place < PLACE_LEAF) {
		if (!is_blank(text, bytes))
			document_refuse(parser, "text between elements");
		return;
	}
	if (bytes > leaf_bytes_max(place) - parser->text_bytes) {
		document_refuse(parser, "%s is longer than %zu bytes",
				leaf_name(place), leaf_bytes_max(place));
		return;
	}
	memcpy(parser->text + parser->text_bytes, text, bytes);
	parser->text_bytes += bytes;
}

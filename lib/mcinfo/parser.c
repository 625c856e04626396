/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libxml2's SAX2 interface under the document parser. No tree is built, no
 * DTD is read, no entity but the five of XML exists, nothing is fetched.
 */
#include "mcinfo/mcinfo.h"

#include <errno.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/xmlerror.h>
#include <stdlib.h>
#include <string.h>

#include "mcinfo/document.h"
#include "mcinfo/multipart.h"
#include "mcinfo/refuse.h"
#include "mcinfo/screen.h"

/* libxml2 keeps every name that it has met; beyond this we start afresh. */
#define DICTIONARY_BYTES_MAX (256 * 1024)

static void stop_if_refused(struct mcinfo_parser *parser)
{
	if (parser->err)
		xmlStopParser(parser->context);
}

/* Some callbacks still come after xmlStopParser, or after an error. */
static bool is_over(const struct mcinfo_parser *parser)
{
	return parser->err || parser->error_line;
}

static void on_start_element(void *context, const xmlChar *name,
			     const xmlChar *prefix, const xmlChar *uri,
			     int namespace_count, const xmlChar **namespaces,
			     int attribute_count, int defaulted_count,
			     const xmlChar **attributes)
{
	struct mcinfo_parser *parser = context;

	(void)prefix;
	(void)namespace_count;
	(void)namespaces;
	(void)defaulted_count;
	if (is_over(parser))
		return;
	document_open(parser, (const char *)name, (const char *)uri,
		      attribute_count, attributes);
	stop_if_refused(parser);
}

static void on_end_element(void *context, const xmlChar *name,
			   const xmlChar *prefix, const xmlChar *uri)
{
	struct mcinfo_parser *parser = context;

	(void)name;
	(void)prefix;
	(void)uri;
	if (is_over(parser))
		return;
	document_close(parser);
	stop_if_refused(parser);
}

static void on_characters(void *context, const xmlChar *text, int bytes)
{
	struct mcinfo_parser *parser = context;

	if (is_over(parser))
		return;
	document_text(parser, (const char *)text, (size_t)bytes);
	stop_if_refused(parser);
}

/* An identity read through a comment is one that another reader cuts short. */
static void only_outside_leaves(struct mcinfo_parser *parser)
{
	enum place place = parser->place[parser->depth];

	if (is_over(parser) || place < PLACE_LEAF)
		return;
	document_refuse(parser, "%s holds more than text", leaf_name(place));
	stop_if_refused(parser);
}

static void on_comment(void *context, const xmlChar *text)
{
	(void)text;
	only_outside_leaves(context);
}

static void on_instruction(void *context, const xmlChar *target,
			   const xmlChar *data)
{
	(void)target;
	(void)data;
	only_outside_leaves(context);
}

static void on_cdata(void *context, const xmlChar *text, int bytes)
{
	only_outside_leaves(context);
	on_characters(context, text, bytes);
}

static void on_reference(void *context, const xmlChar *name)
{
	struct mcinfo_parser *parser = context;

	(void)name;
	document_refuse(parser, "entity reference in the body");
	stop_if_refused(parser);
}

/* Comes before anything of the DTD is read, whatever it is encoded in. */
static void on_document_type(void *context, const xmlChar *name,
			     const xmlChar *external_id,
			     const xmlChar *system_id)
{
	struct mcinfo_parser *parser = context;

	(void)name;
	(void)external_id;
	(void)system_id;
	document_refuse(parser, "DOCTYPE in the body");
	stop_if_refused(parser);
}

/* `wellFormed` stays 1 after xmlStopParser, and for namespace errors. */
static void on_error(void *context, xmlErrorPtr error)
{
	struct mcinfo_parser *parser = context;

	if (error->code == XML_ERR_NO_MEMORY) {
		if (!parser->err)
			parser->err = ENOMEM;
	} else if (error->level >= XML_ERR_ERROR && !parser->error_line) {
		parser->error_line = error->line > 0 ? error->line : 1;
	}
}

static const xmlSAXHandler handler = {
	.initialized = XML_SAX2_MAGIC,
	.internalSubset = on_document_type,
	.reference = on_reference,
	.characters = on_characters,
	.ignorableWhitespace = on_characters,
	.cdataBlock = on_cdata,
	.comment = on_comment,
	.processingInstruction = on_instruction,
	.startElementNs = on_start_element,
	.endElementNs = on_end_element,
	.serror = (xmlStructuredErrorFunc)on_error,
};

static int context_create(struct mcinfo_parser *parser)
{
	parser->context = xmlNewParserCtxt();
	if (!parser->context)
		return ENOMEM;
	*parser->context->sax = handler;
	parser->context->userData = parser;
	return 0;
}

int mcinfo_parser_create(struct mcinfo_parser **parserp)
{
	struct mcinfo_parser *parser;
	int err;

	xmlInitParser();
	parser = calloc(1, sizeof(*parser));
	if (!parser)
		return ENOMEM;
	err = context_create(parser);
	if (err) {
		free(parser);
		return err;
	}
	*parserp = parser;
	return 0;
}

void mcinfo_parser_destroy(struct mcinfo_parser *parser)
{
	if (!parser)
		return;
	xmlFreeParserCtxt(parser->context);
	free(parser);
}

/* A context that an allocation failed in, or that has grown, is replaced. */
static int context_renew(struct mcinfo_parser *parser)
{
	if (parser->context &&
	    xmlDictGetUsage(parser->context->dict) > DICTIONARY_BYTES_MAX) {
		xmlFreeParserCtxt(parser->context);
		parser->context = NULL;
	}
	return parser->context ? 0 : context_create(parser);
}

/* Some failed allocations are told to the thread's handler alone. */
static void read_document(struct mcinfo_parser *parser,
			  const struct document_span *document)
{
	xmlStructuredErrorFunc others = xmlStructuredError;
	void *others_context = xmlStructuredErrorContext;
	xmlDocPtr tree;

	xmlSetStructuredErrorFunc(parser, (xmlStructuredErrorFunc)on_error);
	/* NULL always: our handlers build no tree. */
	tree = xmlCtxtReadMemory(
	    parser->context, document->text, (int)document->bytes, NULL, NULL,
	    XML_PARSE_NONET | XML_PARSE_IGNORE_ENC | XML_PARSE_NOWARNING);
	xmlFreeDoc(tree);
	xmlSetStructuredErrorFunc(others_context, others);
}

static bool is_well_formed(const struct mcinfo_parser *parser)
{
	return !parser->error_line && !parser->depth && parser->verb &&
	       parser->context->wellFormed && parser->context->nsWellFormed;
}

static int parse_document(struct mcinfo_parser *parser,
			  const struct document_span *document)
{
	int err = context_renew(parser);

	if (err)
		return err;
	read_document(parser, document);
	if (!is_well_formed(parser))
		document_refuse(parser, "body is not well-formed XML, line %d",
				parser->error_line);
	if (parser->err == ENOMEM) {
		xmlFreeParserCtxt(parser->context);
		parser->context = NULL;
	}
	return parser->err;
}

static void document_begin(struct mcinfo_parser *parser,
			   enum mc_service service, struct mcinfo *info,
			   struct mcinfo_error *error)
{
	info->service = service;
	parser->service = mc_service_info(service);
	parser->info = info;
	parser->error = error;
	parser->err = 0;
	parser->error_line = 0;
	parser->depth = 0;
	parser->place[0] = PLACE_DOCUMENT;
	parser->elements = 0;
	parser->seen = 0;
	parser->verb = NULL;
}

int mcinfo_parse(struct mcinfo_parser *parser, const char *content_type,
		 const char *body, size_t body_bytes, struct mcinfo *info,
		 struct mcinfo_error *error)
{
	struct document_span document;
	int err;

	memset(info, 0, sizeof(*info));
	if (body_bytes > MCINFO_BODY_MAX)
		return mcinfo_refuse(error, 413, "body larger than %d bytes",
				     MCINFO_BODY_MAX);
	err = document_find(content_type, body, body_bytes, &document, error);
	if (err)
		return err;
	err = screen_document(document.text, document.bytes, error);
	if (err)
		return err;

	document_begin(parser, document.service, info, error);
	err = parse_document(parser, &document);
	if (err)
		mcinfo_clear(info);
	parser->info = NULL;
	parser->error = NULL;
	return err;
}

void mcinfo_clear(struct mcinfo *info)
{
	if (info->access_token)
		explicit_bzero(info->access_token, strlen(info->access_token));
	free(info->access_token);
	memset(info, 0, sizeof(*info));
}

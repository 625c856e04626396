/* SPDX-License-Identifier: BSD-2-Clause */
/* The state of one document while libxml2 reports it, element by element. */
#ifndef MCMIG_MCINFO_DOCUMENT_H
#define MCMIG_MCINFO_DOCUMENT_H

#include <libxml/parser.h>

#include "mcinfo/mcinfo.h"

#define DOCUMENT_DEPTH_MAX 16
#define DOCUMENT_ELEMENTS_MAX 256

/* Where in the document: the element that is open. */
enum place {
	PLACE_DOCUMENT,	 /* before the root element */
	PLACE_ROOT,	 /* <mcpttinfo> */
	PLACE_PARAMS,	 /* <mcptt-Params> */
	PLACE_TOKEN,	 /* <mcptt-access-token> */
	PLACE_ANY_EXT,	 /* <anyExt> */
	PLACE_MIGRATION, /* ours, from here on */
	PLACE_VERB,	 /* <authorization-request>, ... */
	PLACE_FOREIGN,	 /* passed over with all that is in it */
	PLACE_LEAF,	 /* the leaves hold text; in their order in a verb: */
	PLACE_TOKEN_STRING = PLACE_LEAF, /* <mcpttString> */
	PLACE_PARTNER_ID,
	PLACE_PRIMARY_ID,
	PLACE_PROFILE_INDEX,
	PLACE_RESULT,
	PLACE_CAUSE,
	PLACE_TEXT,
	PLACE_END
};

struct attribute {
	const char *name;
	const char *uri;   /* "": none */
	const char *value; /* not NUL-terminated */
	size_t bytes;
};

struct verb {
	const char *name;
	enum mcinfo_verb verb;
	bool is_response;
	unsigned leaves;   /* bits of enum place */
	unsigned optional; /* those of them that may be missing */
};

struct mcinfo_parser {
	xmlParserCtxtPtr context;

	/* One document: */
	const struct mc_service_info *service;
	struct mcinfo *info;
	struct mcinfo_error *error;
	int err;	/* the first refusal, or ENOMEM */
	int error_line; /* of libxml2's first complaint; 0: none */
	enum place place[DOCUMENT_DEPTH_MAX + 1];
	unsigned depth;
	unsigned elements;
	unsigned seen; /* bits of enum place */
	const struct verb *verb;
	size_t text_bytes;
	char text[MCINFO_TOKEN_MAX + 1]; /* of the leaf that is open */
};

/* Refuses the document with 400; the first refusal counts. */
void document_refuse(struct mcinfo_parser *parser, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

void document_open(struct mcinfo_parser *parser, const char *name,
		   const char *uri, int attribute_count,
		   const xmlChar **attributes);
void document_close(struct mcinfo_parser *parser);
void document_text(struct mcinfo_parser *parser, const char *text,
		   size_t bytes);

/* leaf.c: name of a leaf ("access token" for the token's string), most bytes. */
const char *leaf_name(enum place place);
size_t leaf_bytes_max(enum place place);
/* Takes parser->text, NUL-terminated, as the value of the leaf. */
void leaf_take(struct mcinfo_parser *parser, enum place place);
void leaf_take_attribute(struct mcinfo_parser *parser,
			 const struct attribute *attribute);

/* verb.c: which element, with its attributes; and whether it is complete. */
void verb_open(struct mcinfo_parser *parser, const char *name);
void verb_check(struct mcinfo_parser *parser);

#endif

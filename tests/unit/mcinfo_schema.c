/* SPDX-License-Identifier: BSD-2-Clause */
/* libxml2's schema validation with doc/mcmig-documents.xsd. */
#include "mcinfo_schema.h"

#include <libxml/parser.h>
#include <libxml/xmlschemas.h>

static xmlSchemaPtr schema;

int schema_load(void)
{
	xmlSchemaParserCtxtPtr parser =
	    xmlSchemaNewParserCtxt(DOC_DIR "/mcmig-documents.xsd");

	schema = parser ? xmlSchemaParse(parser) : NULL;
	xmlSchemaFreeParserCtxt(parser);
	return schema ? 0 : 1;
}

int schema_free(void)
{
	xmlSchemaFree(schema);
	xmlCleanupParser();
	return 0;
}

static void quiet(void *context, const char *format, ...)
{
	(void)context;
	(void)format;
}

bool schema_takes(const char *document, size_t bytes)
{
	xmlSchemaValidCtxtPtr valid;
	xmlDocPtr tree;
	bool taken = false;

	tree = xmlReadMemory(document, (int)bytes, NULL, NULL,
			     XML_PARSE_NONET | XML_PARSE_NOERROR |
				 XML_PARSE_NOWARNING);
	if (!tree)
		return false;
	valid = xmlSchemaNewValidCtxt(schema);
	if (valid) {
		xmlSchemaSetValidErrors(valid, quiet, quiet, NULL);
		taken = !xmlSchemaValidateDoc(valid, tree);
		xmlSchemaFreeValidCtxt(valid);
	}
	xmlFreeDoc(tree);
	return taken;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the sections of servers and of systems have in common: next hops,
 * sources, identity; and how a fault in them is told.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "gateway/gateway.h"

int settings_fault(const char *kind, const struct setting_section *section,
		   const char *format, ...)
{
	char what[512];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	if (section)
		log_error("gateway", "msg=\"%s '%s' of line %u: %s\"", kind,
			  section->title, section->line, what);
	else
		log_error("gateway", "msg=\"gateway: %s\"", what);
	return EINVAL;
}

static int add_hop(struct directory *directory, const char *kind,
		   const struct setting_section *section, const char *text)
{
	struct directory_server hop;
	int err = directory_parse_hop(text, &hop);

	if (!err)
		err = directory_add_server(directory, section->title, hop.uri,
					   hop.priority, hop.weight);
	if (err == EINVAL)
		return settings_fault(kind, section,
				      "next hop '%s' is not as "
				      "'sip:192.0.2.1:5060;transport=tcp 1 "
				      "1' (an address, not a name; priority "
				      "and weight may be left out)",
				      text);
	if (err == EEXIST)
		return settings_fault(kind, section,
				      "next hop '%s' is given twice: leave "
				      "one out",
				      hop.uri);
	return err;
}

static int add_source(struct directory *directory, const char *kind,
		      const struct setting_section *section, const char *source)
{
	int err = directory_add_source(directory, section->title, source);

	if (err == EINVAL)
		return settings_fault(
		    kind, section,
		    "source '%s' is no address, network or certificate name: "
		    "write '192.0.2.1', '192.0.2.0/28', 'dns:NAME' or "
		    "'uri:URI'",
		    source);
	return err;
}

/* Name, next hops and sources: what servers and systems have in common. */
int party_add(struct directory *directory, const char *kind,
	      const struct setting_section *section, bool enabled,
	      const struct setting_list *next_hops,
	      const struct setting_list *sources)
{
	int err =
	    directory_add_system(directory, section->title, enabled, false);

	if (err == EINVAL)
		return settings_fault(kind, section,
				      "its title is no name: up to %d "
				      "printable characters without blanks",
				      SYSTEM_NAME_SIZE - 1);
	if (err == EEXIST)
		return settings_fault(kind, section,
				      "given twice: make one section of them");
	if (!err && !next_hops->count)
		return settings_fault(kind, section,
				      "no next_hops: say where it is reached");
	for (size_t i = 0; i < next_hops->count && !err; i++)
		err = add_hop(directory, kind, section, next_hops->values[i]);
	for (size_t i = 0; i < sources->count && !err; i++)
		err = add_source(directory, kind, section, sources->values[i]);
	return err;
}

/* What stands between "<" and ">" in our header fields. */
bool is_sip_uri(const char *text)
{
	if (strncmp(text, "sip:", 4) || !text[4] ||
	    strlen(text) >= DIRECTORY_URI_SIZE)
		return false;
	for (; *text; text++) {
		if (*text <= ' ' || *text >= 0x7f || strchr("<>\"\\", *text))
			return false;
	}
	return true;
}

int party_init(struct party *party, const char *kind,
	       const struct setting_section *section, const char *identity,
	       const char *default_host)
{
	char fallback[SYSTEM_NAME_SIZE + 8];

	snprintf(fallback, sizeof(fallback), "sip:%s", default_host);
	if (!identity || !*identity)
		identity = fallback;
	if (!is_sip_uri(identity))
		return settings_fault(kind, section,
				      "identity '%s' is no SIP URI: write "
				      "'sip:a.example'",
				      identity);
	party->identity = strdup(identity);
	party->under_way = calloc(1, sizeof(*party->under_way));
	return party->identity && party->under_way ? 0 : ENOMEM;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* What to say about a name that no table has, and about a sudden end. */
#include "conf/conf_private.h"

#include <ctype.h>
#include <string.h>

/* Whether a brace follows the name where it first stands at a line's start. */
bool conf_text_has_section(const char *text, const char *name)
{
	size_t length = strlen(name);

	for (const char *p = strstr(text, name); p; p = strstr(p + 1, name)) {
		const char *after = p + length;

		after += strspn(after, " \t\r\n");
		if (*after == '{' && (p == text || strchr(" \t\r\n}", p[-1])))
			return true;
	}
	return false;
}

void conf_describe_section(const struct conf *conf, const char *name,
			   char fault[CONF_FAULT_SIZE])
{
	struct suggestion suggestion = { .written = name };

	for (size_t i = 0; i < conf->section_count; i++) {
		if (*conf->sections[i].section.name)
			suggestion_offer(&suggestion,
					 conf->sections[i].section.name);
	}
	if (suggestion.best)
		snprintf(fault, CONF_FAULT_SIZE,
			 "no module has a section '%s'; did you mean '%s'?",
			 name, suggestion.best);
	else
		snprintf(fault, CONF_FAULT_SIZE,
			 "section '%s' is of no loaded module: add '%s' to "
			 "modules, or remove the section",
			 name, name);
}

bool conf_describe_titled(const struct conf *conf, const char *name,
			  char fault[CONF_FAULT_SIZE])
{
	for (size_t i = 0; i < conf->section_count; i++) {
		const struct conf_section *table = &conf->sections[i].section;
		const struct setting *setting = table->settings;

		for (; setting && setting->name; setting++) {
			if (setting->type != SETTING_SECTIONS ||
			    strcmp(setting->name, name))
				continue;
			snprintf(fault, CONF_FAULT_SIZE,
				 "section '%s' stands inside another: "
				 "%s { %s \"TITLE\" { ... } }",
				 name, table->name, name);
			return true;
		}
	}
	return false;
}

void conf_describe_setting(const struct conf_section_values *section,
			   const char *name, char fault[CONF_FAULT_SIZE])
{
	const struct setting *setting = section->section.settings;
	const char *in = section->section.name;
	struct suggestion suggestion = { .written = name };

	for (; setting && setting->name; setting++)
		suggestion_offer(&suggestion, setting->name);
	snprintf(fault, CONF_FAULT_SIZE, "unknown setting '%s'%s%s%s; %s%s%s",
		 name, *in ? " in section '" : "", in, *in ? "'" : "",
		 suggestion.best ? "did you mean '"
				 : "mcmigd --help-config lists all",
		 suggestion.best ? suggestion.best : "",
		 suggestion.best ? "'?" : "");
}

/* The file's last line that is not blank. */
void conf_describe_end(const char *text, char fault[CONF_FAULT_SIZE])
{
	const char *end = text + strlen(text), *line;

	while (end > text && isspace((unsigned char)end[-1]))
		end--;
	for (line = end; line > text && line[-1] != '\n'; line--)
		;
	snprintf(fault, CONF_FAULT_SIZE,
		 "the file ends in the middle of '%.*s'", (int)(end - line),
		 line);
}

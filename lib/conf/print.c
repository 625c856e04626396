/* SPDX-License-Identifier: BSD-2-Clause */
/* A configuration as text: --dump-config, --help-config, ctl's settings. */
#include "conf/conf_private.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Escaped so that libconfuse reads it back, "${NAME}" included. */
static void put_quoted(const char *text, FILE *out)
{
	putc('"', out);
	for (; *text; text++) {
		if (*text == '\n') {
			fputs("\\n", out);
			continue;
		}
		if (strchr("\"\\$", *text))
			putc('\\', out);
		putc(*text, out);
	}
	putc('"', out);
}

static void put_list(const struct setting_list *list, FILE *out)
{
	fputs("{", out);
	for (size_t i = 0; i < list->count; i++) {
		fputs(i ? ", " : " ", out);
		put_quoted(list->values[i], out);
	}
	fputs(list->count ? " }" : "}", out);
}

static void put_value(const struct setting *setting, const void *values,
		      FILE *out)
{
	const void *value = (const char *)values + setting->offset;
	char *text;

	if (setting->secret) {
		fputs("\"***\"", out);
		return;
	}
	if (setting->type == SETTING_LIST) {
		put_list(value, out);
		return;
	}
	text = value_text(setting, values);
	if (!text)
		return;
	if (setting->type == SETTING_BOOL || setting->type == SETTING_UNSIGNED)
		fputs(text, out);
	else
		put_quoted(text, out);
	free(text);
}

void conf_dump(const struct conf *conf, FILE *out)
{
	for (size_t i = 0; i < conf->section_count; i++) {
		const struct conf_section *table = &conf->sections[i].section;
		const struct setting *setting = table->settings;

		if (*table->name)
			fprintf(out, "%s {\n", table->name);
		for (; setting && setting->name; setting++) {
			fprintf(out, "%s%s = ", *table->name ? "\t" : "",
				setting->name);
			put_value(setting, conf->sections[i].values, out);
			putc('\n', out);
		}
		if (*table->name)
			fputs("}\n", out);
	}
}

static void put_range(const struct setting *setting, FILE *out)
{
	char low[24], high[24];

	if (setting->choices) {
		fprintf(out, " %s;", setting->choices);
	} else if (setting->min || setting->max) {
		if (setting->type == SETTING_DURATION) {
			duration_text(setting->min, low);
			duration_text(setting->max, high);
		} else {
			snprintf(low, sizeof(low), "%" PRIu32, setting->min);
			snprintf(high, sizeof(high), "%" PRIu32, setting->max);
		}
		fprintf(out, " %s to %s;", low, high);
	}
}

static void put_help(const struct conf_section *section,
		     const struct setting *setting, FILE *out)
{
	fprintf(out, "%s%s%s\n\t%s;", section->name, *section->name ? "." : "",
		setting->name, value_type_name(setting));
	put_range(setting, out);
	if (!setting->default_value)
		fputs(" required;", out);
	else if (!*setting->default_value)
		fputs(" default: empty;", out);
	else
		fprintf(out, " default: %s;", setting->default_value);
	fprintf(out, " %s\n\t%s\n",
		setting->reloadable ? "taken by a reload" : "needs a restart",
		setting->help);
}

void conf_help(const struct conf_section *sections, size_t section_count,
	       FILE *out)
{
	for (size_t i = 0; i < section_count; i++) {
		const struct setting *setting = sections[i].settings;

		for (; setting && setting->name; setting++)
			put_help(&sections[i], setting, out);
	}
}

void conf_visit(const struct conf *conf, conf_visit_h *visit, void *arg)
{
	for (size_t i = 0; i < conf->section_count; i++) {
		const struct conf_section *table = &conf->sections[i].section;
		const struct setting *setting = table->settings;

		for (; setting && setting->name; setting++) {
			char *text =
			    value_text(setting, conf->sections[i].values);

			visit(arg, table->name, setting,
			      setting->secret ? "***"
			      : text	      ? text
					      : "");
			free(text);
		}
	}
}

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
		      bool secret, FILE *out)
{
	const void *value = value_at(setting, values);
	char *text;

	if (secret || setting->secret) {
		fputs(setting->type == SETTING_LIST ? "{ \"***\" }" : "\"***\"",
		      out);
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

static void put_settings(const struct setting *settings, const void *values,
			 bool secret, unsigned tabs, FILE *out);

static void put_tabs(unsigned tabs, FILE *out)
{
	while (tabs--)
		putc('\t', out);
}

static void put_sections(const struct setting *setting,
			 const struct setting_sections *sections, unsigned tabs,
			 FILE *out)
{
	for (size_t i = 0; i < sections->count; i++) {
		put_tabs(tabs, out);
		fprintf(out, "%s ", setting->name);
		put_quoted(sections->items[i].title, out);
		fputs(" {\n", out);
		put_settings(setting->sections, sections->items[i].values,
			     setting->secret, tabs + 1, out);
		put_tabs(tabs, out);
		fputs("}\n", out);
	}
}

static void put_settings(const struct setting *settings, const void *values,
			 bool secret, unsigned tabs, FILE *out)
{
	for (; settings && settings->name; settings++) {
		if (settings->type == SETTING_SECTIONS) {
			put_sections(settings, value_at(settings, values), tabs,
				     out);
			continue;
		}
		put_tabs(tabs, out);
		fprintf(out, "%s = ", settings->name);
		put_value(settings, values, secret, out);
		putc('\n', out);
	}
}

void conf_dump(const struct conf *conf, FILE *out)
{
	for (size_t i = 0; i < conf->section_count; i++) {
		const struct conf_section *table = &conf->sections[i].section;

		if (*table->name)
			fprintf(out, "%s {\n", table->name);
		put_settings(table->settings, conf->sections[i].values, false,
			     *table->name ? 1 : 0, out);
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

static void put_help(const char *section, const struct setting *setting,
		     bool reloadable, FILE *out)
{
	fprintf(out, "%s%s%s\n\t%s;", section, *section ? "." : "",
		setting->name, value_type_name(setting));
	put_range(setting, out);
	if (!setting->default_value)
		fputs(" required;", out);
	else if (!*setting->default_value)
		fputs(" default: empty;", out);
	else
		fprintf(out, " default: %s;", setting->default_value);
	fprintf(out, " %s\n\t%s\n",
		reloadable ? "taken by a reload" : "needs a restart",
		setting->help);
}

static void put_sections_help(const char *section,
			      const struct setting *setting, FILE *out)
{
	char *path = sections_path(section, setting->name, "TITLE");

	for (const struct setting *inner = setting->sections;
	     path && inner && inner->name; inner++)
		put_help(path, inner, setting->reloadable, out);
	free(path);
}

void conf_help(const struct conf_section *sections, size_t section_count,
	       FILE *out)
{
	for (size_t i = 0; i < section_count; i++) {
		const struct setting *setting = sections[i].settings;

		for (; setting && setting->name; setting++) {
			put_help(sections[i].name, setting, setting->reloadable,
				 out);
			if (setting->type == SETTING_SECTIONS)
				put_sections_help(sections[i].name, setting,
						  out);
		}
	}
}

struct visit {
	conf_visit_h *visit;
	void *arg;
};

static void visit_one(const struct visit *visit, const char *section,
		      const struct setting *setting, const void *values)
{
	char *text = setting->secret ? NULL : value_text(setting, values);

	visit->visit(visit->arg, section, setting,
		     setting->secret ? "***"
		     : text	     ? text
				     : "");
	free(text);
}

/* What is in them is reloadable and secret as they are. */
static void visit_section(const struct visit *visit, const char *path,
			  const struct setting *setting, const void *values)
{
	for (const struct setting *inner = setting->sections;
	     inner && inner->name; inner++) {
		struct setting shown = *inner;

		shown.reloadable = setting->reloadable;
		shown.secret |= setting->secret;
		visit_one(visit, path, &shown, values);
	}
}

static void visit_sections(const struct visit *visit, const char *section,
			   const struct setting *setting, const void *values)
{
	const struct setting_sections *sections = value_at(setting, values);

	for (size_t i = 0; i < sections->count; i++) {
		const struct setting_section *item = &sections->items[i];
		char *path = sections_path(section, setting->name, item->title);

		if (path)
			visit_section(visit, path, setting, item->values);
		free(path);
	}
}

void conf_visit(const struct conf *conf, conf_visit_h *visit_h, void *arg)
{
	const struct visit visit = { .visit = visit_h, .arg = arg };

	for (size_t i = 0; i < conf->section_count; i++) {
		const struct conf_section *table = &conf->sections[i].section;
		const struct setting *setting = table->settings;
		const void *values = conf->sections[i].values;

		for (; setting && setting->name; setting++) {
			visit_one(&visit, table->name, setting, values);
			if (setting->type == SETTING_SECTIONS)
				visit_sections(&visit, table->name, setting,
					       values);
		}
	}
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Titled sections as a setting's value: system "a.example" { ... }. */
#include "conf/conf_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

char *sections_path(const char *parent, const char *name, const char *title)
{
	char *path = NULL;
	size_t bytes;
	FILE *stream = open_memstream(&path, &bytes);

	if (!stream)
		return NULL;
	fprintf(stream, "%s%s%s[%s]", parent, *parent ? "." : "", name, title);
	if (fclose(stream)) {
		free(path);
		return NULL;
	}
	return path;
}

static int append_item(struct conf *conf, struct setting_sections *sections,
		       const struct setting_section *item)
{
	struct setting_section *items = conf_grow(
	    conf, sections->items, sections->count, sizeof(*sections->items));

	if (!items)
		return ENOMEM;
	sections->items = items;
	items[sections->count++] = *item;
	return 0;
}

int sections_append(struct conf *conf, const struct conf_section_values *parent,
		    const struct setting *setting, const char *title,
		    unsigned line, struct conf_section_values *section)
{
	char *path = sections_path(parent->section.name, setting->name, title);
	const struct conf_section table = {
		.name = path,
		.settings = setting->sections,
		.values_bytes = setting->sections_bytes,
	};
	struct setting_section item = {
		.title = conf_duplicate(conf, title),
		.line = line,
	};
	int err = ENOMEM;

	if (path && item.title)
		err = conf_prepare_section(conf, &table, section);
	item.values = section->values;
	if (!err)
		err =
		    append_item(conf, value_at(setting, parent->values), &item);
	free(path);
	return err;
}

const struct setting_section *
sections_find(const struct setting_sections *sections, const char *title)
{
	for (size_t i = 0; i < sections->count; i++) {
		if (!strcmp(sections->items[i].title, title))
			return &sections->items[i];
	}
	return NULL;
}

char *sections_text(const struct setting_sections *sections)
{
	char *text = NULL;
	size_t bytes;
	FILE *stream = open_memstream(&text, &bytes);

	if (!stream)
		return NULL;
	for (size_t i = 0; i < sections->count; i++)
		fprintf(stream, "%s%s", i ? ", " : "",
			sections->items[i].title);
	if (fclose(stream)) {
		free(text);
		return NULL;
	}
	return text;
}

static bool section_equal(const struct setting *settings,
			  const struct setting_section *a,
			  const struct setting_section *b)
{
	if (strcmp(a->title, b->title))
		return false;
	for (; settings && settings->name; settings++) {
		if (!value_equal(settings, a->values, b->values))
			return false;
	}
	return true;
}

bool sections_equal(const struct setting *setting,
		    const struct setting_sections *a,
		    const struct setting_sections *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (!section_equal(setting->sections, &a->items[i],
				   &b->items[i]))
			return false;
	}
	return true;
}

static int copy_item(struct conf *conf, const struct setting *setting,
		     struct setting_sections *to,
		     const struct setting_section *from)
{
	struct setting_section item = {
		.title = conf_duplicate(conf, from->title),
		.line = from->line,
	};
	void *values = conf_allocate(conf, setting->sections_bytes);
	int err = item.title && values ? 0 : ENOMEM;

	for (const struct setting *inner = setting->sections;
	     inner && inner->name && !err; inner++)
		err = value_copy(conf, inner, values, from->values);
	item.values = values;
	return err ? err : append_item(conf, to, &item);
}

int sections_copy(struct conf *conf, const struct setting *setting,
		  struct setting_sections *to,
		  const struct setting_sections *from)
{
	struct setting_sections copy = { 0 };
	int err = 0;

	for (size_t i = 0; i < from->count && !err; i++)
		err = copy_item(conf, setting, &copy, &from->items[i]);
	if (!err)
		*to = copy;
	return err;
}

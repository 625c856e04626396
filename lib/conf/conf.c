/* SPDX-License-Identifier: BSD-2-Clause */
/* A parsed file: its sections' structs, and what they own. */
#include "conf/conf_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

struct conf_block {
	struct conf_block *next;
	max_align_t data[];
};

void *conf_allocate(struct conf *conf, size_t bytes)
{
	struct conf_block *block = calloc(1, sizeof(*block) + bytes);

	if (!block)
		return NULL;
	block->next = conf->blocks;
	conf->blocks = block;
	return block->data;
}

char *conf_duplicate(struct conf *conf, const char *text)
{
	size_t bytes = strlen(text) + 1;
	char *copy = conf_allocate(conf, bytes);

	return copy ? memcpy(copy, text, bytes) : NULL;
}

void *conf_grow(struct conf *conf, void *items, size_t count, size_t item_bytes)
{
	bool full = !(count & (count - 1)); /* 0, 1, 2, 4, 8... */
	void *grown;

	if (!full)
		return items;
	grown = conf_allocate(conf, (count ? 2 * count : 1) * item_bytes);
	if (grown && count)
		memcpy(grown, items, count * item_bytes);
	return grown;
}

struct conf_section_values *conf_find_section(const struct conf *conf,
					      const char *name)
{
	for (size_t i = 0; i < conf->section_count; i++) {
		if (!strcmp(conf->sections[i].section.name, name))
			return &conf->sections[i];
	}
	return NULL;
}

static size_t settings_count(const struct setting *settings)
{
	size_t n = 0;

	while (settings && settings[n].name)
		n++;
	return n;
}

int conf_prepare_section(struct conf *conf, const struct conf_section *table,
			 struct conf_section_values *section)
{
	size_t count = settings_count(table->settings);
	int err = 0;

	section->section = *table;
	section->section.name = conf_duplicate(conf, table->name);
	section->values = conf_allocate(conf, table->values_bytes);
	section->lines = conf_allocate(conf, count * sizeof(*section->lines));
	if (!section->section.name || !section->values || !section->lines)
		return ENOMEM;
	for (size_t i = 0; i < count && !err; i++)
		err = value_set_default(conf, &table->settings[i],
					section->values);
	return err;
}

static int prepare(struct conf *conf, const char *file,
		   const struct conf_section *sections, size_t section_count)
{
	int err = 0;

	conf->file = conf_duplicate(conf, file);
	conf->sections =
	    conf_allocate(conf, section_count * sizeof(*conf->sections));
	if (!conf->file || !conf->sections)
		return ENOMEM;
	conf->section_count = section_count;
	for (size_t i = 0; i < section_count && !err; i++)
		err = conf_prepare_section(conf, &sections[i],
					   &conf->sections[i]);
	return err;
}

int conf_check_required(const struct conf *conf,
			const struct conf_section_values *section,
			unsigned line)
{
	const struct conf_section *table = &section->section;
	char at[16] = "";
	int err = 0;

	if (line)
		snprintf(at, sizeof(at), ":%u", line);
	for (size_t i = 0; table->settings && table->settings[i].name; i++) {
		const struct setting *setting = &table->settings[i];

		if (setting->default_value || section->lines[i])
			continue;
		log_error("conf", "msg=\"%s%s: '%s' is missing%s%s%s: %s\"",
			  conf->file, at, setting->name,
			  *table->name ? " in section '" : "", table->name,
			  *table->name ? "'" : "", setting->help);
		err = EINVAL;
	}
	return err;
}

static int check_all_required(const struct conf *conf)
{
	int err = 0;

	for (size_t i = 0; i < conf->section_count; i++)
		if (conf_check_required(conf, &conf->sections[i], 0))
			err = EINVAL;
	return err;
}

static int parse(const char *file, const struct conf_section *sections,
		 size_t section_count, bool core_only, struct conf **confp)
{
	struct conf *conf = calloc(1, sizeof(*conf));
	int err;

	if (!conf)
		return ENOMEM;
	err = prepare(conf, file, sections, section_count);
	if (!err)
		err = conf_file_read(conf, core_only);
	/* What stands behind a fault has not been read, and is not missing. */
	if (!err)
		err = check_all_required(conf);
	if (err)
		conf_free(conf);
	else
		*confp = conf;
	return err;
}

int conf_parse(const char *file, const struct conf_section *sections,
	       size_t section_count, struct conf **confp)
{
	return parse(file, sections, section_count, false, confp);
}

int conf_peek(const char *file, const struct conf_section *core,
	      struct conf **confp)
{
	return parse(file, core, 1, true, confp);
}

void conf_free(struct conf *conf)
{
	if (!conf)
		return;
	conf_free(conf->kept);
	while (conf->blocks) {
		struct conf_block *block = conf->blocks;

		conf->blocks = block->next;
		free(block);
	}
	free(conf);
}

void conf_keep(struct conf *conf, struct conf *other)
{
	while (conf->kept)
		conf = conf->kept;
	conf->kept = other;
}

const void *conf_values(const struct conf *conf, const char *section)
{
	const struct conf_section_values *found =
	    conf_find_section(conf, section);

	return found ? found->values : NULL;
}

static bool keep_fixed(const struct setting *setting, const char *section,
		       const void *old, struct conf *new, void *values)
{
	if (setting->reloadable || value_equal(setting, old, values))
		return false;
	log_warning("conf",
		    "msg=\"%s%s%s has changed in the file and stays as it was: "
		    "it needs a restart\"",
		    section, *section ? "." : "", setting->name);
	if (value_copy(new, setting, values, old))
		log_error("conf", "msg=\"no memory\"");
	return true;
}

size_t conf_keep_fixed(const struct conf *old, struct conf *new)
{
	size_t kept = 0;

	for (size_t i = 0; i < new->section_count; i++) {
		const struct conf_section *table = &new->sections[i].section;
		const void *before = conf_values(old, table->name);

		for (const struct setting *setting = table->settings;
		     before && setting && setting->name; setting++)
			kept += keep_fixed(setting, table->name, before, new,
					   new->sections[i].values);
	}
	return kept;
}

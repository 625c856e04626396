/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading with libconfuse. Every option is a string to it; our own table gives
 * the types, so that each fault is told with its line and remedy.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "conf/take.h"

/* --- Options from tables ------------------------------------------------ */

/* Sections' own options are set by who puts them. */
static cfg_opt_t option_of(const struct setting *setting)
{
	cfg_flag_t list = setting->type == SETTING_LIST ? CFGF_LIST : 0;
	cfg_opt_t option =
	    CFG_STR_CB(setting->name, NULL, CFGF_NODEFAULT | list, take_value);

	return option;
}

static cfg_opt_t titled_option(const struct setting *setting, cfg_opt_t *table)
{
	cfg_opt_t option =
	    CFG_SEC(setting->name, table,
		    CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);

	option.validcb = take_titled;
	return option;
}

static size_t put_values(const struct setting *settings, cfg_opt_t *options)
{
	const cfg_opt_t end = CFG_END();
	size_t n = 0;

	for (; settings && settings[n].name; n++)
		options[n] = option_of(&settings[n]);
	options[n] = end;
	return n + 1;
}

/*
 * The settings' options, and after their end the tables of titled sections.
 * Returns how many they are.
 */
static size_t put_settings(const struct setting *settings, cfg_opt_t *options)
{
	size_t n = put_values(settings, options);

	for (size_t i = 0; settings && settings[i].name; i++) {
		if (settings[i].type != SETTING_SECTIONS)
			continue;
		options[i] = titled_option(&settings[i], &options[n]);
		n += put_values(settings[i].sections, &options[n]);
	}
	return n;
}

static size_t count_options(const struct setting *settings)
{
	size_t n = 1; /* the end */

	for (; settings && settings->name; settings++) {
		n++;
		if (settings->type == SETTING_SECTIONS)
			n += count_options(settings->sections);
	}
	return n;
}

static size_t options_needed(const struct conf *conf)
{
	size_t n = 1;

	for (size_t i = 0; i < conf->section_count; i++)
		n += 1 + count_options(conf->sections[i].section.settings);
	return n;
}

/*
 * All tables in one array: the top level's options first, then each section's.
 * libconfuse copies it.
 */
static cfg_opt_t *build_options(const struct conf *conf)
{
	const cfg_opt_t end = CFG_END();
	cfg_opt_t *options = calloc(options_needed(conf), sizeof(*options));
	cfg_opt_t *top = options, *sub;
	const struct conf_section_values *core = conf_find_section(conf, "");

	if (!options)
		return NULL;
	if (core)
		top += put_values(core->section.settings, top) - 1;
	sub = top + conf->section_count + 1;
	for (size_t i = 0; i < conf->section_count; i++) {
		const struct conf_section *table = &conf->sections[i].section;
		cfg_opt_t section = CFG_SEC(table->name, sub, CFGF_NONE);

		if (!*table->name)
			continue;
		*top++ = section;
		sub += put_settings(table->settings, sub);
	}
	*top = end;
	return options;
}

/* --- Reading ------------------------------------------------------------ */

/* Titled sections have done it as they ended. */
static void take_all_empty_lists(const struct conf *conf, cfg_t *root)
{
	for (size_t i = 0; i < conf->section_count; i++) {
		struct conf_section_values *section = &conf->sections[i];
		const char *name = section->section.name;
		cfg_t *cfg = *name ? cfg_getsec(root, name) : root;

		if (cfg)
			take_empty_lists(section, cfg);
	}
}

static int parse_text(struct conf *conf, cfg_opt_t *options, const char *text,
		      bool core_only, const struct conf_begins *begins)
{
	cfg_t *root = cfg_init(options, CFGF_NONE);
	int result, err;

	if (!root)
		return ENOMEM;
	take_begin(conf, root, text, core_only, begins);
	cfg_set_error_function(root, take_error);
	result = cfg_parse_buf(root, text);
	if (result == CFG_SUCCESS)
		take_all_empty_lists(conf, root);
	err = take_end();
	cfg_free(root);
	return !err && result != CFG_SUCCESS ? EINVAL : err;
}

static int report_open(const char *file, int err)
{
	log_error("conf",
		  "msg=\"%s: %s: name the configuration file with -c FILE\"",
		  file, strerror(err));
	return err;
}

#define TEXT_MAX (1024 * 1024)

/* It is read more than once, so it is a regular file. */
static int read_stream(const char *file, FILE *stream, char **textp)
{
	struct stat status;
	size_t n;

	if (fstat(fileno(stream), &status) || !S_ISREG(status.st_mode) ||
	    status.st_size > TEXT_MAX) {
		log_error("conf", "msg=\"%s: is no regular file up to 1 MB\"",
			  file);
		return EINVAL;
	}
	*textp = calloc(1, (size_t)status.st_size + 1);
	if (!*textp)
		return ENOMEM;
	n = fread(*textp, 1, (size_t)status.st_size, stream);
	if (strlen(*textp) != n) {
		log_error("conf", "msg=\"%s: is no text: it has a NUL\"", file);
		return EINVAL;
	}
	return ferror(stream) ? report_open(file, EIO) : 0;
}

static int read_text(const char *file, char **textp)
{
	FILE *stream = fopen(file, "r");
	int err;

	if (!stream)
		return report_open(file, errno);
	err = read_stream(file, stream, textp);
	fclose(stream);
	return err;
}

static int make_begins(struct conf *conf, const char *text,
		       struct conf_begins *begins)
{
	for (const char *p = strchr(text, '{'); p; p = strchr(p + 1, '{'))
		begins->max++;
	begins->items =
	    conf_allocate(conf, begins->max * sizeof(*begins->items));
	return begins->items ? 0 : ENOMEM;
}

static int scan(struct conf *conf, char *text, bool core_only,
		struct conf_begins *begins)
{
	struct conf_fault fault;
	int err = conf_scan(text, core_only, begins, &fault);

	if (err)
		log_error("conf", "msg=\"%s:%u: %s\"", conf->file, fault.line,
			  fault.text);
	return err;
}

static int scan_and_parse(struct conf *conf, char *text, bool core_only)
{
	struct conf_begins begins = { 0 };
	cfg_opt_t *options;
	int err = make_begins(conf, text, &begins);

	if (!err)
		err = scan(conf, text, core_only, &begins);
	if (err)
		return err;
	options = build_options(conf);
	err = options ? parse_text(conf, options, text, core_only, &begins)
		      : ENOMEM;
	free(options);
	return err;
}

int conf_file_read(struct conf *conf, bool core_only)
{
	char *text = NULL;
	int err = read_text(conf->file, &text);

	if (!err)
		err = scan_and_parse(conf, text, core_only);
	free(text);
	return err;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading with libconfuse. Every option is a string to it; our own table gives
 * the types, so that each fault is told with its line and remedy.
 */
#include "conf/conf_private.h"

#include <confuse.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"

/* libconfuse's callbacks have no argument of ours: one parse at a time. */
static struct parse {
	struct conf *conf;
	cfg_t *root;
	const char *text;
	bool core_only; /* the whole file is parsed later: warn then */
	unsigned faults;
	bool no_memory;
} current;

static void report(const cfg_t *cfg, const char *fault)
{
	log_error("conf", "msg=\"%s:%d: %s\"", current.conf->file, cfg->line,
		  fault);
	current.faults++;
}

/* --- Values ------------------------------------------------------------- */

static struct conf_section_values *section_of(const cfg_t *cfg)
{
	return conf_find_section(current.conf,
				 cfg == current.root ? "" : cfg->name);
}

static const struct setting *setting_of(const struct conf_section_values *found,
					const char *name)
{
	const struct setting *setting = found ? found->section.settings : NULL;

	while (setting && setting->name && strcmp(setting->name, name))
		setting++;
	return setting && setting->name ? setting : NULL;
}

static void report_value(const cfg_t *cfg, const struct setting *setting,
			 const char *text, const char *why)
{
	struct suggestion suggestion = { .written = text };
	char fault[CONF_FAULT_SIZE], choices[CONF_TEXT_SIZE];
	char *rest = NULL;

	snprintf(choices, sizeof(choices), "%s",
		 setting->choices ? setting->choices : "");
	for (char *choice = strtok_r(choices, "|", &rest); choice;
	     choice = strtok_r(NULL, "|", &rest))
		suggestion_offer(&suggestion, choice);
	snprintf(fault, sizeof(fault), "%s = '%.200s' %s%s%s%s", setting->name,
		 setting->secret ? "***" : text, why,
		 suggestion.best ? "; did you mean '" : "",
		 suggestion.best ? suggestion.best : "",
		 suggestion.best ? "'?" : "");
	report(cfg, fault);
}

static struct setting_list *list_of(const struct conf_section_values *section,
				    const struct setting *setting)
{
	return (void *)((char *)section->values + setting->offset);
}

/* A list's items come one by one; the first replaces the default. */
static bool is_first_value(const cfg_opt_t *opt, const struct setting *setting)
{
	return setting->type != SETTING_LIST || opt->nvalues == 1;
}

/* A later value counts. */
static void start_value(const cfg_t *cfg,
			const struct conf_section_values *section,
			const struct setting *setting, unsigned earlier_line)
{
	if (earlier_line && !current.core_only)
		log_warning("conf",
			    "msg=\"%s:%d: '%s' is given again: this counts, "
			    "not line %u\"",
			    current.conf->file, cfg->line, setting->name,
			    earlier_line);
	if (setting->type == SETTING_LIST)
		*list_of(section, setting) = (struct setting_list){ 0 };
}

static int take_value(cfg_t *cfg, cfg_opt_t *opt, const char *text,
		      void *result)
{
	struct conf_section_values *section = section_of(cfg);
	const struct setting *setting = setting_of(section, opt->name);
	char why[CONF_TEXT_SIZE];
	unsigned *line;
	int err;

	*(const char **)result = "";
	if (!setting) {
		report(cfg, "a setting of a section stands inside its braces: "
			    "SECTION { NAME = VALUE }");
		return -1;
	}
	line = &section->lines[setting - section->section.settings];
	if (is_first_value(opt, setting))
		start_value(cfg, section, setting, *line);
	*line = (unsigned)cfg->line;
	err = value_parse(current.conf, setting, text, section->values, why);
	if (err == EINVAL)
		report_value(cfg, setting, text, why);
	else if (err)
		current.no_memory = true;
	return err ? -1 : 0;
}

/* --- Faults ------------------------------------------------------------- */

static void describe_unknown(const cfg_t *cfg, const char *name,
			     char fault[CONF_FAULT_SIZE])
{
	bool core = cfg == current.root;

	if (core && conf_text_has_section(current.text, name))
		conf_describe_section(current.conf, name, fault);
	else
		conf_describe_setting(section_of(cfg), name, fault);
}

#define NO_SUCH_OPTION "no such option '"

/* libconfuse's own faults: syntax, and names that it does not know. */
__attribute__((format(printf, 2, 0))) static void
take_error(cfg_t *cfg, const char *format, va_list args)
{
	char text[CONF_TEXT_SIZE], fault[CONF_FAULT_SIZE];
	size_t prefix = strlen(NO_SUCH_OPTION);

	vsnprintf(text, sizeof(text), format, args);
	if (!strncmp(text, NO_SUCH_OPTION, prefix)) {
		text[strcspn(text + prefix, "'") + prefix] = '\0';
		describe_unknown(cfg, text + prefix, fault);
	} else if (!strcmp(text, "premature end of file")) {
		conf_describe_end(current.text, fault);
	} else {
		snprintf(fault, sizeof(fault), "%s: see mcmigd.conf(5)", text);
	}
	report(cfg, fault);
}

/* --- Options from tables ------------------------------------------------ */

static cfg_opt_t option_of(const struct setting *setting)
{
	cfg_flag_t list = setting->type == SETTING_LIST ? CFGF_LIST : 0;
	cfg_opt_t option =
	    CFG_STR_CB(setting->name, NULL, CFGF_NODEFAULT | list, take_value);

	return option;
}

static size_t put_settings(const struct setting *settings, cfg_opt_t *options)
{
	size_t n = 0;

	for (; settings && settings[n].name; n++)
		options[n] = option_of(&settings[n]);
	return n;
}

static size_t options_needed(const struct conf *conf)
{
	size_t n = 0;

	for (size_t i = 0; i < conf->section_count; i++) {
		const struct setting *s = conf->sections[i].section.settings;

		for (; s && s->name; s++)
			n++;
		n += 2; /* the section itself, and the end of its table */
	}
	return n + 1;
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
		top += put_settings(core->section.settings, top);
	sub = top + conf->section_count + 1;
	for (size_t i = 0; i < conf->section_count; i++) {
		const struct conf_section *table = &conf->sections[i].section;
		cfg_opt_t section = CFG_SEC(table->name, sub, CFGF_NONE);

		if (!*table->name)
			continue;
		*top++ = section;
		sub += put_settings(table->settings, sub);
		*sub++ = end;
	}
	*top = end;
	return options;
}

/* --- Reading ------------------------------------------------------------ */

/* `listen = {}` has no value to call back for. */
static void take_empty_lists(struct conf_section_values *section, cfg_t *cfg)
{
	const struct setting *setting = section->section.settings;

	for (; setting && setting->name; setting++) {
		cfg_opt_t *opt = cfg_getopt(cfg, setting->name);

		if (setting->type == SETTING_LIST && opt && !opt->nvalues &&
		    opt->flags & CFGF_MODIFIED && setting->default_value)
			*list_of(section, setting) = (struct setting_list){ 0 };
	}
}

static void take_all_empty_lists(cfg_t *root)
{
	for (size_t i = 0; i < current.conf->section_count; i++) {
		struct conf_section_values *section =
		    &current.conf->sections[i];
		const char *name = section->section.name;
		cfg_t *cfg = *name ? cfg_getsec(root, name) : root;

		if (cfg)
			take_empty_lists(section, cfg);
	}
}

static int parse_text(struct conf *conf, cfg_opt_t *options, const char *text,
		      bool core_only)
{
	cfg_t *root = cfg_init(options, CFGF_NONE);
	int result;

	if (!root)
		return ENOMEM;
	current = (struct parse){
		.conf = conf,
		.root = root,
		.text = text,
		.core_only = core_only,
	};
	cfg_set_error_function(root, take_error);
	result = cfg_parse_buf(root, text);
	if (result == CFG_SUCCESS)
		take_all_empty_lists(root);
	cfg_free(root);
	if (current.no_memory)
		return ENOMEM;
	return result == CFG_SUCCESS && !current.faults ? 0 : EINVAL;
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

static int parse_scanned(struct conf *conf, char *text, bool core_only)
{
	struct conf_fault fault;
	cfg_opt_t *options;
	int err = conf_scan(text, core_only, &fault);

	if (err) {
		log_error("conf", "msg=\"%s:%u: %s\"", conf->file, fault.line,
			  fault.text);
		return err;
	}
	options = build_options(conf);
	err = options ? parse_text(conf, options, text, core_only) : ENOMEM;
	free(options);
	return err;
}

int conf_file_read(struct conf *conf, bool core_only)
{
	char *text = NULL;
	int err = read_text(conf->file, &text);

	if (!err)
		err = parse_scanned(conf, text, core_only);
	free(text);
	return err;
}

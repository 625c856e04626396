/* SPDX-License-Identifier: BSD-2-Clause */
/* What libconfuse calls back with: values, ends of titled sections, faults. */
#include "conf/take.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"

/* libconfuse's callbacks have no argument of ours: one parse at a time. */
static struct parse {
	struct conf *conf;
	cfg_t *root;
	const char *text;
	bool core_only; /* the whole file is parsed later: warn then */
	const struct conf_begins *begins; /* of titled sections */
	size_t begun;			  /* how many have */
	const cfg_t *titled_cfg;	  /* the one at hand */
	unsigned titled_line;
	struct conf_section_values titled;
	unsigned faults;
	bool no_memory;
} current;

static void report_at(unsigned line, const char *fault)
{
	log_error("conf", "msg=\"%s:%u: %s\"", current.conf->file, line, fault);
	current.faults++;
}

static void report(const cfg_t *cfg, const char *fault)
{
	report_at((unsigned)cfg->line, fault);
}

/* --- Sections ----------------------------------------------------------- */

static const struct setting *setting_of(const struct conf_section_values *found,
					const char *name)
{
	const struct setting *setting = found ? found->section.settings : NULL;

	while (setting && setting->name && strcmp(setting->name, name))
		setting++;
	return setting && setting->name ? setting : NULL;
}

/* Not so behind a path, as of "section|name". */
static bool is_own(const cfg_t *cfg, const cfg_opt_t *opt)
{
	const cfg_opt_t *own = cfg->opts;

	while (own->name && own != opt)
		own++;
	return own->name;
}

/* --- Titled sections ---------------------------------------------------- */

static bool ends_with(const cfg_opt_t *opt, const cfg_t *cfg)
{
	return opt->nvalues && opt->values[opt->nvalues - 1]->section == cfg;
}

/* Which section it stands in; libconfuse does not say. */
static struct conf_section_values *parent_of(const cfg_t *titled,
					     const struct setting **settingp)
{
	for (size_t i = 0; i < current.conf->section_count; i++) {
		struct conf_section_values *parent = &current.conf->sections[i];
		const char *name = parent->section.name;
		const struct setting *setting =
		    setting_of(parent, titled->name);

		if (!*name || !setting || setting->type != SETTING_SECTIONS)
			continue;
		*settingp = setting;
		if (ends_with(cfg_getopt(cfg_getsec(current.root, name),
					 titled->name),
			      titled))
			return parent;
	}
	return NULL;
}

static unsigned begin_line(const cfg_t *titled)
{
	const struct conf_begins *begins = current.begins;
	size_t n = current.begun++;

	return n < begins->count ? begins->items[n].line
				 : (unsigned)titled->line;
}

static void begin_titled(const cfg_t *titled)
{
	const struct setting *setting;
	struct conf_section_values *parent = parent_of(titled, &setting);
	unsigned line = begin_line(titled);

	current.titled_cfg = titled;
	current.titled_line = line;
	current.titled = (struct conf_section_values){ 0 };
	if (!parent)
		return;
	parent->lines[setting - parent->section.settings] = line;
	if (sections_append(current.conf, parent, setting, titled->title, line,
			    &current.titled))
		current.no_memory = true;
}

/* NULL: no memory. */
static struct conf_section_values *titled_of(const cfg_t *cfg)
{
	if (current.titled_cfg != cfg)
		begin_titled(cfg);
	return current.titled.lines ? &current.titled : NULL;
}

static struct conf_section_values *section_of(const cfg_t *cfg)
{
	if (cfg->title)
		return titled_of(cfg);
	return conf_find_section(current.conf,
				 cfg == current.root ? "" : cfg->name);
}

/* --- Values ------------------------------------------------------------- */

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

#define OUTSIDE                                             \
	"a setting of a section stands inside its braces: " \
	"SECTION { NAME = VALUE }"

int take_value(cfg_t *cfg, cfg_opt_t *opt, const char *text, void *result)
{
	struct conf_section_values *section = section_of(cfg);
	const struct setting *setting =
	    is_own(cfg, opt) ? setting_of(section, opt->name) : NULL;
	char why[CONF_TEXT_SIZE];
	unsigned *line;
	int err;

	*(const char **)result = "";
	if (!setting) {
		report(cfg, OUTSIDE);
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

/* `listen = {}` has no value to call back for. */
void take_empty_lists(struct conf_section_values *section, cfg_t *cfg)
{
	const struct setting *setting = section->section.settings;

	for (; setting && setting->name; setting++) {
		cfg_opt_t *opt = cfg_getopt(cfg, setting->name);

		if (setting->type == SETTING_LIST && opt && !opt->nvalues &&
		    opt->flags & CFGF_MODIFIED && setting->default_value)
			*list_of(section, setting) = (struct setting_list){ 0 };
	}
}

int take_titled(cfg_t *parent, cfg_opt_t *opt)
{
	cfg_t *cfg = opt->values[opt->nvalues - 1]->section;
	struct conf_section_values *section = titled_of(cfg);

	if (!is_own(parent, opt))
		report(cfg, OUTSIDE);
	if (!section || !is_own(parent, opt))
		return -1;
	if (!*cfg->title)
		report_at(current.titled_line,
			  "a title is empty: NAME \"TITLE\" { ... }");
	take_empty_lists(section, cfg);
	if (conf_check_required(current.conf, section, current.titled_line))
		current.faults++;
	return 0;
}

/* --- Faults ------------------------------------------------------------- */

static void describe_unknown(const cfg_t *cfg, const char *name,
			     char fault[CONF_FAULT_SIZE])
{
	const bool core = cfg == current.root;
	const struct conf_section_values *section = section_of(cfg);

	if (core && conf_text_has_section(current.text, name))
		conf_describe_section(current.conf, name, fault);
	else if (section &&
		 !(core && conf_describe_titled(current.conf, name, fault)))
		conf_describe_setting(section, name, fault);
}

/* Titles may be alike in titled sections of different names. */
static const struct setting *doubled_setting(const struct setting *setting)
{
	const struct conf_begins *begins = current.begins;
	const struct conf_begin *begin;

	if (current.begun >= begins->count)
		return NULL;
	begin = &begins->items[current.begun];
	for (; setting && setting->name; setting++) {
		if (strlen(setting->name) == begin->name_length &&
		    !memcmp(setting->name, begin->name, begin->name_length))
			return setting;
	}
	return NULL;
}

static void describe_doubled(const cfg_t *parent, const char *title,
			     char fault[CONF_FAULT_SIZE])
{
	const struct conf_section_values *section = section_of(parent);
	const struct setting *setting =
	    doubled_setting(section->section.settings);
	const struct setting_section *earlier =
	    setting ? sections_find(value_at(setting, section->values), title)
		    : NULL;

	snprintf(fault, CONF_FAULT_SIZE,
		 "%s \"%s\" is there already, on line %u: give this one a "
		 "title of its own, or make them one",
		 setting ? setting->name : "section", title,
		 earlier ? earlier->line : 0);
}

static void describe_titleless(const char *name, char fault[CONF_FAULT_SIZE])
{
	snprintf(fault, CONF_FAULT_SIZE,
		 "'%.200s' is a section with a title: %.200s \"TITLE\" { ... }",
		 name, name);
}

static void describe_braceless(const char *name, char fault[CONF_FAULT_SIZE])
{
	snprintf(fault, CONF_FAULT_SIZE,
		 "'{' is missing after '%s' and its title, if it has one",
		 name);
}

/* What libconfuse says, and what it names in quotes. */
static bool is_about(const char *text, const char *start, char *name)
{
	size_t prefix = strlen(start);
	const char *end = strrchr(text, '\'');

	if (strncmp(text, start, prefix) || !end || end < text + prefix)
		return false;
	snprintf(name, CONF_TEXT_SIZE, "%.*s", (int)(end - text - prefix),
		 text + prefix);
	return true;
}

/* libconfuse's own faults: syntax, and names that it does not know. */
void take_error(cfg_t *cfg, const char *format, va_list args)
{
	char text[CONF_TEXT_SIZE], name[CONF_TEXT_SIZE], fault[CONF_FAULT_SIZE];

	vsnprintf(text, sizeof(text), format, args);
	if (is_about(text, "no such option '", name))
		describe_unknown(cfg, name, fault);
	else if (is_about(text, "found duplicate title '", name))
		describe_doubled(cfg, name, fault);
	else if (is_about(text, "missing title for section '", name))
		describe_titleless(name, fault);
	else if (is_about(text, "missing opening brace for section '", name))
		describe_braceless(name, fault);
	else if (!strcmp(text, "premature end of file"))
		conf_describe_end(current.text, fault);
	else
		snprintf(fault, sizeof(fault), "%s: see mcmigd.conf(5)", text);
	report(cfg, fault);
}

/* --- One parse ---------------------------------------------------------- */

void take_begin(struct conf *conf, cfg_t *root, const char *text,
		bool core_only, const struct conf_begins *begins)
{
	current = (struct parse){
		.conf = conf,
		.root = root,
		.text = text,
		.core_only = core_only,
		.begins = begins,
	};
}

int take_end(void)
{
	if (current.no_memory)
		return ENOMEM;
	return current.faults ? EINVAL : 0;
}

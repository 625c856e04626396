/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Configuration over libconfuse, from one table of settings a section. The
 * table gives defaults, ranges, documentation, --help-config, --dump-config,
 * the man page and `mcmigctl settings`.
 *
 *   modules = { "store_sqlite", "migration", "ctl" }
 *   system  = "b.example"
 *   listen  = { "udp:192.0.2.1:5060", "tcp:192.0.2.1:5060" }
 *   store_sqlite { file = "/var/lib/mcmig/mcmig.db" }
 *   gateway { system "a.example" { domains = { "a.example" } } }
 */
#ifndef MCMIG_CONF_CONF_H
#define MCMIG_CONF_CONF_H

#include <stdio.h>

#include "base/export.h"

enum setting_type {
	SETTING_STRING,	  /* char * */
	SETTING_UNSIGNED, /* uint32_t, min..max */
	SETTING_DURATION, /* uint32_t milliseconds: "500ms", "30s", "5min", "1h",
			   * "2d" */
	SETTING_BOOL,	  /* bool */
	SETTING_LIST,	  /* struct setting_list: strings; default: "a, b" */
	SETTING_SECTIONS, /* struct setting_sections: NAME "TITLE" { ... }, in a
			   * module's section; default: "", or NULL: one must
			   * be there */
};

struct setting_list {
	char **values;
	size_t count;
};

struct setting_section {
	const char *title;  /* unique among its like, never empty */
	const void *values; /* the struct that its table fills */
	unsigned line;	    /* where it begins */
};

/* In the order of the file. */
struct setting_sections {
	struct setting_section *items;
	size_t count;
};

struct setting {
	const char *name; /* NULL closes a table */
	enum setting_type type;
	const char *default_value; /* as in the file; NULL: none (required) */
	uint32_t min, max;	   /* unsigned, duration (ms); 0, 0: any */
	const char *choices;	   /* string: "this|that"; NULL: any */
	bool reloadable;	   /* else a change needs a restart; that of
				    * sections counts for all in them */
	bool secret;		   /* shown as "***" */
	const char *help;	   /* one sentence */
	size_t offset;		   /* of the value in the section's struct */
	const struct setting *sections; /* sections: their table, without
					 * further sections */
	size_t sections_bytes;		/* size of the struct that it fills */
};

struct conf; /* one parsed file */

/* A section: the core's is named "" and stands at the top of the file. */
struct conf_section {
	const char *name;
	const struct setting *settings;
	size_t values_bytes; /* size of the struct that the table fills */
};

/*
 * Parses with exactly these sections. 0; EINVAL or the errno of open(2), each
 * fault logged as FILE:LINE: what is wrong and the remedy.
 */
MCMIG_API int conf_parse(const char *file, const struct conf_section *sections,
			 size_t section_count, struct conf **confp);
MCMIG_API void conf_free(struct conf *conf);
/* `other` is freed with `conf`: who uses `conf` uses some of it too. */
MCMIG_API void conf_keep(struct conf *conf, struct conf *other);

/*
 * The section's struct, filled; valid until conf_free(). NULL: no such.
 * conf_free() and conf_values() touch no table: a module may be gone by then.
 */
MCMIG_API const void *conf_values(const struct conf *conf, const char *section);

/*
 * As conf_parse() with the core's section alone, passing over all other
 * sections: which modules to load, from where, before theirs are known.
 */
MCMIG_API int conf_peek(const char *file, const struct conf_section *core,
			struct conf **confp);

/*
 * For a reload, with the same sections: settings that differ and cannot be
 * reloaded are logged and keep their old value in `new`, so that it says what
 * counts. Returns how many they are. The strings kept are copies.
 */
MCMIG_API size_t conf_keep_fixed(const struct conf *old, struct conf *new);

/*
 * The file as it counts, defaults included; parses again to the same, but for
 * secrets, which are shown as "***".
 */
MCMIG_API void conf_dump(const struct conf *conf, FILE *out);
/* Every setting: type, default, range, whether a reload takes it, help. */
MCMIG_API void conf_help(const struct conf_section *sections,
			 size_t section_count, FILE *out);

/*
 * Walks over all settings with their current values as text, for ctl. Sections
 * have their titles as value, and what is in them follows, as of the section
 * "gateway.system[a.example]".
 */
typedef void conf_visit_h(void *arg, const char *section,
			  const struct setting *setting, const char *value);
MCMIG_API void conf_visit(const struct conf *conf, conf_visit_h *visit,
			  void *arg);

#endif

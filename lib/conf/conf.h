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
 */
#ifndef MCMIG_CONF_CONF_H
#define MCMIG_CONF_CONF_H

#include <stdio.h>

#include "base/export.h"

enum setting_type {
	SETTING_STRING,	  /* char * */
	SETTING_UNSIGNED, /* uint32_t, min..max */
	SETTING_DURATION, /* uint32_t milliseconds: "500ms", "30s", "5min" */
	SETTING_BOOL,	  /* bool */
	SETTING_LIST,	  /* struct setting_list: strings */
};

struct setting_list {
	char **values;
	size_t count;
};

struct setting {
	const char *name; /* NULL closes a table */
	enum setting_type type;
	const char *default_value; /* as in the file; NULL: none (required) */
	uint32_t min, max;	   /* unsigned, duration (ms); 0, 0: any */
	bool reloadable;	   /* else a change needs a restart */
	bool secret;		   /* shown as "***" */
	const char *help;	   /* one sentence */
	size_t offset;		   /* of the value in the section's struct */
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

/* The section's struct, filled; valid until conf_free(). NULL: no such. */
MCMIG_API const void *conf_values(const struct conf *conf, const char *section);

/*
 * The values of `module` in the file's "modules" list, without looking at
 * anything else: which modules to load before the sections are known.
 * Free with conf_modules_free().
 */
MCMIG_API int conf_modules(const char *file, struct setting_list *modules);
MCMIG_API void conf_modules_free(struct setting_list *modules);

/*
 * Names of settings that differ and cannot be reloaded are logged; returns how
 * many they are.
 */
MCMIG_API size_t conf_compare(const struct conf *old, const struct conf *new);

/* The file as it counts, defaults included; parses again to the same. */
MCMIG_API void conf_dump(const struct conf *conf, FILE *out);
/* Every setting: type, default, range, whether a reload takes it, help. */
MCMIG_API void conf_help(const struct conf_section *sections,
			 size_t section_count, FILE *out);

/* Walks over all settings with their current values as text, for ctl. */
typedef void conf_visit_h(void *arg, const char *section,
			  const struct setting *setting, const char *value);
MCMIG_API void conf_visit(const struct conf *conf, conf_visit_h *visit,
			  void *arg);

#endif

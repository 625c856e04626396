/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of lib/conf share. */
#ifndef MCMIG_CONF_PRIVATE_H
#define MCMIG_CONF_PRIVATE_H

#include "conf/conf.h"

#define CONF_TEXT_SIZE 512   /* what is wrong with a value */
#define CONF_FAULT_SIZE 1024 /* a fault as told */

/* The core's section comes first, if there is one. */
struct conf_section_values {
	struct conf_section section; /* its `name` is a copy */
	void *values;
	unsigned *lines; /* by setting: where it was given; 0: default */
};

struct conf_block;
struct conf {
	char *file;
	struct conf_block *blocks; /* all that conf_allocate() gave */
	size_t section_count;
	struct conf_section_values *sections;
	struct conf *kept; /* see conf_keep() */
};

/* Zeroed, freed with the conf. NULL: no memory. */
void *conf_allocate(struct conf *conf, size_t bytes);
char *conf_duplicate(struct conf *conf, const char *text);
/*
 * Room for one item more than `count` in an array that grows only so; the same
 * array or one twice as long. NULL: no memory.
 */
void *conf_grow(struct conf *conf, void *items, size_t count,
		size_t item_bytes);

struct conf_section_values *conf_find_section(const struct conf *conf,
					      const char *name);

/*
 * Fills `section` for this table: its struct with the defaults. 0 or ENOMEM.
 */
int conf_prepare_section(struct conf *conf, const struct conf_section *table,
			 struct conf_section_values *section);
/*
 * What has no default must be in the file: 0, or EINVAL, logged; `line` is that
 * of a titled section, else 0.
 */
int conf_check_required(const struct conf *conf,
			const struct conf_section_values *section,
			unsigned line);

/* --- sections.c: titled sections in a section --------------------------- */

/* An item more in `parent`, with defaults; `section` is for filling it. */
int sections_append(struct conf *conf, const struct conf_section_values *parent,
		    const struct setting *setting, const char *title,
		    unsigned line, struct conf_section_values *section);
const struct setting_section *
sections_find(const struct setting_sections *sections, const char *title);
/* "gateway.system[a.example]"; allocated: free(). NULL: no memory. */
char *sections_path(const char *parent, const char *name, const char *title);
/* As value_text(), value_equal() and value_copy(). */
char *sections_text(const struct setting_sections *sections);
bool sections_equal(const struct setting *setting,
		    const struct setting_sections *a,
		    const struct setting_sections *b);
int sections_copy(struct conf *conf, const struct setting *setting,
		  struct setting_sections *to,
		  const struct setting_sections *from);

/* --- value.c: one setting's text and value ------------------------------ */

/*
 * Stores `text` as the value; a list gets it appended. 0; EINVAL: `why` says
 * what would be right; ENOMEM.
 */
int value_parse(struct conf *conf, const struct setting *setting,
		const char *text, void *values, char why[CONF_TEXT_SIZE]);
/* 0, or ENOMEM. Default values are trusted (a test parses them all). */
int value_set_default(struct conf *conf, const struct setting *setting,
		      void *values);
/* As text; a list is joined by ", ". Allocated: free(). NULL: no memory. */
char *value_text(const struct setting *setting, const void *values);
/* Where the value is. */
void *value_at(const struct setting *setting, const void *values);
bool value_equal(const struct setting *setting, const void *a, const void *b);
/* `to` gets a copy of the value in `from`. 0 or ENOMEM. */
int value_copy(struct conf *conf, const struct setting *setting, void *to,
	       const void *from);
const char *value_type_name(const struct setting *setting);
/* "500ms", "30s": the largest unit that divides it. */
void duration_text(uint32_t milliseconds, char text[24]);

/* --- file.c: libconfuse ------------------------------------------------- */

/*
 * Reads conf->file into the sections; `core_only` passes over all sections.
 * 0; EINVAL or an errno of open(2), logged.
 */
int conf_file_read(struct conf *conf, bool core_only);

/* --- scan.c ------------------------------------------------------------- */

struct conf_fault {
	unsigned line;
	char text[CONF_TEXT_SIZE];
};

/* Where sections in sections begin, in the file's order. */
struct conf_begins {
	struct conf_begin {
		const char *name; /* in the text */
		size_t name_length;
		unsigned line;
	} * items;
	size_t count, max;
};

/*
 * Blanks comments, and with `drop_sections` whole sections, and finds what is
 * never closed. 0 or EINVAL.
 */
int conf_scan(char *text, bool drop_sections, struct conf_begins *nested,
	      struct conf_fault *fault);

/* --- unknown.c ---------------------------------------------------------- */

bool conf_text_has_section(const char *text, const char *name);
void conf_describe_section(const struct conf *conf, const char *name,
			   char fault[CONF_FAULT_SIZE]);
/* False: no section has titled sections of this name. */
bool conf_describe_titled(const struct conf *conf, const char *name,
			  char fault[CONF_FAULT_SIZE]);
void conf_describe_setting(const struct conf_section_values *section,
			   const char *name, char fault[CONF_FAULT_SIZE]);
void conf_describe_end(const char *text, char fault[CONF_FAULT_SIZE]);

/* --- suggest.c ---------------------------------------------------------- */

/* Keeps the candidate that looks most like what was written. */
struct suggestion {
	const char *written;
	const char *best; /* NULL: nothing is near */
	size_t distance;
};
void suggestion_offer(struct suggestion *suggestion, const char *candidate);

#endif

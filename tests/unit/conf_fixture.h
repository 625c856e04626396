/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables of settings as modules have them, and a file to be parsed by them. */
#ifndef MCMIG_TESTS_CONF_FIXTURE_H
#define MCMIG_TESTS_CONF_FIXTURE_H

#include "unit.h"

#include "conf/conf.h"

struct core_settings {
	char *system;
	char *level;
	struct setting_list listen;
	struct setting_list modules;
	uint32_t drain_ms;
	uint32_t queue_max;
	bool strict;
};

struct store_settings {
	char *conninfo;
};

struct system_settings {
	struct setting_list domains;
	char *identity, *password;
	uint32_t rate;
	bool enabled;
};

struct server_settings {
	struct setting_list users;
};

struct gateway_settings {
	char *identity;
	struct setting_sections systems, servers;
	uint32_t attempts;
};

/* Its one section must be there, and has the name of the gateway's. */
struct demanding_settings {
	struct setting_sections servers;
};

#define SECTIONS 3     /* most tests */
#define SECTIONS_ALL 4 /* and what must have a section */
extern const struct conf_section sections[SECTIONS_ALL];
extern size_t section_count; /* of these, that parsing takes */

extern char file[];
extern char logged[8192];

int conf_suite_init(void);
int conf_suite_cleanup(void);

void write_file(const char *text);
/* Parses while stderr goes to `logged`. */
int parse_logged(const char *path, bool peek, struct conf **confp);
int parse_text(const char *text, struct conf **confp);

/* As text: free() it. */
char *dump(const struct conf *conf);

extern CU_TestInfo conf_section_tests[];

#endif

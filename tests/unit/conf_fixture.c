/* SPDX-License-Identifier: BSD-2-Clause */
#include "conf_fixture.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct setting core_table[] = {
	{ .name = "system",
	  .type = SETTING_STRING,
	  .help = "name of our MC system",
	  .offset = offsetof(struct core_settings, system) },
	{ .name = "log_level",
	  .type = SETTING_STRING,
	  .default_value = "info",
	  .choices = "error|warning|info|debug",
	  .reloadable = true,
	  .help = "how much is logged",
	  .offset = offsetof(struct core_settings, level) },
	{ .name = "listen",
	  .type = SETTING_LIST,
	  .default_value = "udp:127.0.0.1:5060, tcp:127.0.0.1:5060",
	  .help = "addresses",
	  .offset = offsetof(struct core_settings, listen) },
	{ .name = "modules",
	  .type = SETTING_LIST,
	  .default_value = "",
	  .help = "modules",
	  .offset = offsetof(struct core_settings, modules) },
	{ .name = "drain_timeout",
	  .type = SETTING_DURATION,
	  .default_value = "30s",
	  .max = 3600000,
	  .reloadable = true,
	  .help = "how long a drain may last",
	  .offset = offsetof(struct core_settings, drain_ms) },
	{ .name = "queue_max",
	  .type = SETTING_UNSIGNED,
	  .default_value = "100",
	  .min = 10,
	  .max = 1000,
	  .help = "bound",
	  .offset = offsetof(struct core_settings, queue_max) },
	{ .name = "strict",
	  .type = SETTING_BOOL,
	  .default_value = "true",
	  .help = "flag",
	  .offset = offsetof(struct core_settings, strict) },
	{ 0 },
};
static const struct setting store_table[] = {
	{ .name = "conninfo",
	  .type = SETTING_STRING,
	  .default_value = "dbname=mcmig",
	  .secret = true,
	  .reloadable = true,
	  .help = "where",
	  .offset = offsetof(struct store_settings, conninfo) },
	{ 0 },
};
static const struct setting system_table[] = {
	{ .name = "domains",
	  .type = SETTING_LIST,
	  .help = "its domains",
	  .offset = offsetof(struct system_settings, domains) },
	{ .name = "identity",
	  .type = SETTING_STRING,
	  .default_value = "none",
	  .help = "its identity",
	  .offset = offsetof(struct system_settings, identity) },
	{ .name = "password",
	  .type = SETTING_STRING,
	  .default_value = "hunter2",
	  .secret = true,
	  .help = "its secret",
	  .offset = offsetof(struct system_settings, password) },
	{ .name = "rate",
	  .type = SETTING_UNSIGNED,
	  .default_value = "20",
	  .max = 100,
	  .help = "its rate",
	  .offset = offsetof(struct system_settings, rate) },
	{ .name = "enabled",
	  .type = SETTING_BOOL,
	  .default_value = "yes",
	  .help = "whether it counts",
	  .offset = offsetof(struct system_settings, enabled) },
	{ 0 },
};
static const struct setting server_table[] = {
	{ .name = "users",
	  .type = SETTING_LIST,
	  .default_value = "u1, u2",
	  .help = "its users",
	  .offset = offsetof(struct server_settings, users) },
	{ 0 },
};
static const struct setting gateway_table[] = {
	{ .name = "identity",
	  .type = SETTING_STRING,
	  .default_value = "sip:gateway",
	  .help = "our identity",
	  .offset = offsetof(struct gateway_settings, identity) },
	{ .name = "system",
	  .type = SETTING_SECTIONS,
	  .default_value = "",
	  .reloadable = true,
	  .help = "another system",
	  .offset = offsetof(struct gateway_settings, systems),
	  .sections = system_table,
	  .sections_bytes = sizeof(struct system_settings) },
	{ .name = "server",
	  .type = SETTING_SECTIONS,
	  .default_value = "",
	  .help = "a server of ours",
	  .offset = offsetof(struct gateway_settings, servers),
	  .sections = server_table,
	  .sections_bytes = sizeof(struct server_settings) },
	{ .name = "attempts",
	  .type = SETTING_UNSIGNED,
	  .default_value = "3",
	  .help = "how many",
	  .offset = offsetof(struct gateway_settings, attempts) },
	{ 0 },
};
static const struct setting demanding_table[] = {
	{ .name = "server",
	  .type = SETTING_SECTIONS,
	  .help = "name one",
	  .offset = offsetof(struct demanding_settings, servers),
	  .sections = server_table,
	  .sections_bytes = sizeof(struct server_settings) },
	{ 0 },
};
const struct conf_section sections[SECTIONS_ALL] = {
	{ "", core_table, sizeof(struct core_settings) },
	{ "store", store_table, sizeof(struct store_settings) },
	{ "gateway", gateway_table, sizeof(struct gateway_settings) },
	{ "demanding", demanding_table, sizeof(struct demanding_settings) },
};

#define FILE_TEMPLATE "/tmp/mcmig-test-conf-XXXXXX"
char file[] = FILE_TEMPLATE;
char logged[8192];

void write_file(const char *text)
{
	FILE *stream = fopen(file, "w");

	CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
	fputs(text, stream);
	fclose(stream);
}

size_t section_count = SECTIONS;

/* Parses while stderr goes to `logged`. */
int parse_logged(const char *path, bool peek, struct conf **confp)
{
	FILE *capture = tmpfile();
	int saved = dup(STDERR_FILENO), err;
	size_t n;

	dup2(fileno(capture), STDERR_FILENO);
	err = peek ? conf_peek(path, &sections[0], confp)
		   : conf_parse(path, sections, section_count, confp);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(capture);
	n = fread(logged, 1, sizeof(logged) - 1, capture);
	logged[n] = '\0';
	fclose(capture);
	return err;
}

int parse_text(const char *text, struct conf **confp)
{
	write_file(text);
	return parse_logged(file, false, confp);
}

int conf_suite_init(void)
{
	int fd;

	strcpy(file, FILE_TEMPLATE);
	fd = mkstemp(file);
	return fd < 0 ? -1 : close(fd);
}

int conf_suite_cleanup(void)
{
	return unlink(file);
}

char *dump(const struct conf *conf)
{
	char *text = NULL;
	size_t bytes;
	FILE *stream = open_memstream(&text, &bytes);

	conf_dump(conf, stream);
	fclose(stream);
	return text;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Which users each server serves, from its section and from its users_file. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/gateway.h"

struct reading { /* of one server's section */
	struct topology *topology;
	const struct setting_section *section;
	size_t server;
};

static int doubled(const struct reading *reading, const char *what,
		   const char *value, size_t other)
{
	return settings_fault("server", reading->section,
			      "%s '%s' is of server '%s' already: take it "
			      "out of one of them",
			      what, value,
			      reading->topology->servers[other].entry->name);
}

static int not_ours(const struct reading *reading, const char *what,
		    const char *value)
{
	return settings_fault("server", reading->section,
			      "%s '%s' is in no domain of ours: add it to the "
			      "gateway's domains, or take it out",
			      what, value);
}

/* In the domain of what is "USER@DOMAIN", after "sip:" or without it. */
static bool is_of_us(const struct reading *reading, const char *text)
{
	return topology_is_ours(reading->topology, mcid_domain(text));
}

static int add_user(const struct reading *reading, const char *user)
{
	size_t server = reading->server;
	int err = route_add_user(reading->topology->routes, user, &server);

	if (err == EINVAL)
		return settings_fault("server", reading->section,
				      "user '%s' is no MC service ID: write "
				      "'sip:visitor1@b.example'",
				      user);
	if (err == EEXIST)
		return doubled(reading, "user", user, server);
	if (!err && !is_of_us(reading, user))
		return not_ours(reading, "user", user);
	return err;
}

static int add_prefix(const struct reading *reading, const char *prefix)
{
	size_t server = reading->server;
	int err = route_add_prefix(reading->topology->routes, prefix, &server);

	if (err == EINVAL)
		return settings_fault("server", reading->section,
				      "prefix '%s' is no beginning of a user "
				      "part: write 'visitor1' or "
				      "'visitor1@b.example'",
				      prefix);
	if (err == EEXIST)
		return doubled(reading, "prefix", prefix, server);
	if (!err && strchr(prefix, '@') && !is_of_us(reading, prefix))
		return not_ours(reading, "prefix", prefix);
	return err;
}

static int add_domain(const struct reading *reading, const char *domain)
{
	size_t server = reading->server;
	int err = route_add_domain(reading->topology->routes, domain, &server);

	if (err == EINVAL)
		return settings_fault("server", reading->section,
				      "'%s' in domains is no domain", domain);
	if (err == EEXIST)
		return doubled(reading, "domain", domain, server);
	if (!err && !topology_is_ours(reading->topology, domain))
		return not_ours(reading, "domain", domain);
	return err;
}

static int add_rest(const struct reading *reading)
{
	size_t server = reading->server;
	int err = route_add_rest(reading->topology->routes, &server);

	if (err == EEXIST)
		return settings_fault(
		    "server", reading->section,
		    "it and server '%s' both serve the rest: give one of them "
		    "domains, prefixes or users, or put the next hops of both "
		    "into one section",
		    reading->topology->servers[server].entry->name);
	return err;
}

static int
add_each(const struct reading *reading, const struct setting_list *list,
	 int (*add)(const struct reading *reading, const char *value))
{
	int err = 0;

	for (size_t i = 0; i < list->count && !err; i++)
		err = add(reading, list->values[i]);
	return err;
}

/* Blanks around, and what follows a '#', do not count. */
static char *trim(char *line)
{
	char *end;

	line[strcspn(line, "#\r\n")] = '\0';
	line += strspn(line, " \t");
	for (end = line + strlen(line); end > line && strchr(" \t", end[-1]);)
		*--end = '\0';
	return line;
}

static int read_users(const struct reading *reading, FILE *file,
		      const char *name)
{
	unsigned number = 0;
	char *line = NULL;
	size_t bytes = 0;
	int err = 0;

	errno = 0;
	while (!err && getline(&line, &bytes, file) >= 0) {
		const char *user = trim(line);

		number++;
		if (*user)
			err = add_user(reading, user);
	}
	if (err == EINVAL)
		settings_fault("server", reading->section,
			       "the fault is in line %u of %s", number, name);
	else if (!err && ferror(file))
		err = settings_fault("server", reading->section,
				     "cannot read users_file '%s': %s", name,
				     strerror(errno));
	else if (!err && !feof(file))
		err = ENOMEM;
	free(line);
	return err;
}

static int add_users_file(const struct reading *reading, const char *name)
{
	FILE *file = fopen(name, "re");
	int err;

	if (!file)
		return settings_fault("server", reading->section,
				      "cannot open users_file '%s': %s", name,
				      strerror(errno));
	err = read_users(reading, file, name);
	fclose(file);
	return err;
}

static int build_server(const struct reading *reading)
{
	const struct gateway_server_settings *values = reading->section->values;
	bool has_file = values->users_file && *values->users_file;
	int err = add_each(reading, &values->domains, add_domain);

	if (!err)
		err = add_each(reading, &values->prefixes, add_prefix);
	if (!err)
		err = add_each(reading, &values->users, add_user);
	if (!err && has_file)
		err = add_users_file(reading, values->users_file);
	if (!err && !has_file && !values->domains.count &&
	    !values->prefixes.count && !values->users.count)
		err = add_rest(reading);
	return err;
}

int routes_build(struct topology *topology,
		 const struct setting_sections *servers)
{
	int err = 0;

	for (size_t i = 0; i < servers->count && !err; i++) {
		const struct reading reading = { topology, &servers->items[i],
						 i };

		err = build_server(&reading);
	}
	return err;
}

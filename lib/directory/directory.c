/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The directory of MC systems: two hash tables, by name and by domain, over
 * an array of systems in the order in which they were added.
 */
#include "directory/directory.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A table that cannot grow says so instead of ending the process. */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) ((element)->lost = true)
#include <uthash.h>

#define DOMAIN_SIZE 254 /* RFC 1035 2.3.4, and the closing NUL */

struct system_entry {
	struct directory_system system;
	bool lost; /* uthash could not take it */
	UT_hash_handle hh;
};

struct domain_entry {
	char domain[DOMAIN_SIZE]; /* lower case */
	struct system_entry *owner;
	bool lost;
	UT_hash_handle hh;
};

struct directory {
	struct system_entry *by_name;
	struct domain_entry *by_domain;
	struct system_entry **systems;
	size_t count;
};

int directory_create(struct directory **directoryp)
{
	*directoryp = calloc(1, sizeof(**directoryp));
	return *directoryp ? 0 : ENOMEM;
}

void directory_destroy(struct directory *directory)
{
	struct domain_entry *domain, *next;

	if (!directory)
		return;
	HASH_ITER(hh, directory->by_domain, domain, next)
	{
		HASH_DEL(directory->by_domain, domain);
		free(domain);
	}
	HASH_CLEAR(hh, directory->by_name);
	for (size_t i = 0; i < directory->count; i++) {
		free(directory->systems[i]->system.servers);
		free(directory->systems[i]);
	}
	free(directory->systems);
	free(directory);
}

static struct system_entry *find_entry(const struct directory *directory,
				       const char *name)
{
	struct system_entry *entry;

	HASH_FIND_STR(directory->by_name, name, entry);
	return entry;
}

/* Printable, without what a log line or a Warning would have to quote. */
static bool name_is_valid(const char *name)
{
	size_t length = strnlen(name, SYSTEM_NAME_SIZE);

	if (!length || length == SYSTEM_NAME_SIZE)
		return false;
	for (; *name; name++) {
		if (*name <= ' ' || *name >= 0x7f || strchr("\"\\<>@", *name))
			return false;
	}
	return true;
}

static int append_system(struct directory *directory,
			 struct system_entry *entry)
{
	struct system_entry **grown;

	grown = realloc(directory->systems,
			(directory->count + 1) * sizeof(*grown));
	if (!grown)
		return ENOMEM;
	directory->systems = grown;
	HASH_ADD_STR(directory->by_name, system.name, entry);
	if (entry->lost)
		return ENOMEM;
	directory->systems[directory->count++] = entry;
	return 0;
}

int directory_add_system(struct directory *directory, const char *name,
			 bool enabled)
{
	struct system_entry *entry;
	int err;

	if (!name_is_valid(name))
		return EINVAL;
	if (find_entry(directory, name))
		return EEXIST;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return ENOMEM;
	strcpy(entry->system.name, name);
	entry->system.enabled = enabled;

	err = append_system(directory, entry);
	if (err)
		free(entry);
	return err;
}

static int lower_domain(const char *domain, char lower[DOMAIN_SIZE])
{
	size_t length = strnlen(domain, DOMAIN_SIZE);

	if (!length || length == DOMAIN_SIZE)
		return EINVAL;
	for (size_t i = 0; i <= length; i++) {
		char c = domain[i];

		if (c && (c <= ' ' || c >= 0x7f || strchr("\"\\<>@/;?", c)))
			return EINVAL;
		lower[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	return 0;
}

int directory_add_domain(struct directory *directory, const char *system,
			 const char *domain)
{
	struct system_entry *owner = find_entry(directory, system);
	struct domain_entry *entry, *other;

	if (!owner)
		return ENOENT;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return ENOMEM;
	if (lower_domain(domain, entry->domain)) {
		free(entry);
		return EINVAL;
	}
	HASH_FIND_STR(directory->by_domain, entry->domain, other);
	if (other) {
		free(entry);
		return EEXIST;
	}
	entry->owner = owner;
	HASH_ADD_STR(directory->by_domain, domain, entry);
	if (entry->lost) {
		free(entry);
		return ENOMEM;
	}
	return 0;
}

struct host { /* of a server's URI: an address, in binary */
	int family;
	union {
		struct in_addr in;
		struct in6_addr in6;
	};
};

/* "[...]" is IPv6; without brackets, as a socket gives it, either. */
static int host_parse(const char *text, size_t length, struct host *host)
{
	char literal[INET6_ADDRSTRLEN];
	bool bracketed =
	    length > 2 && text[0] == '[' && text[length - 1] == ']';

	if (bracketed) {
		text++;
		length -= 2;
	}
	if (!length || length >= sizeof(literal))
		return EINVAL;
	memcpy(literal, text, length);
	literal[length] = '\0';

	memset(host, 0, sizeof(*host));
	host->family = AF_INET6;
	if (inet_pton(AF_INET6, literal, &host->in6) == 1)
		return 0;
	host->family = AF_INET;
	if (!bracketed && inet_pton(AF_INET, literal, &host->in) == 1)
		return 0;
	return EINVAL;
}

static bool host_equal(const struct host *a, const struct host *b)
{
	if (a->family != b->family)
		return false;
	return a->family == AF_INET ? a->in.s_addr == b->in.s_addr
				    : !memcmp(&a->in6, &b->in6, sizeof(a->in6));
}

/* An IPv4 address in IPv6's clothes is the IPv4 address (RFC 4291 2.5.5.2). */
static void host_unmap(struct host *host)
{
	if (host->family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&host->in6)) {
		struct in_addr in;

		memcpy(&in, host->in6.s6_addr + 12, sizeof(in));
		host->family = AF_INET;
		host->in = in;
	}
}

static size_t host_length(const char *text)
{
	return text[0] == '[' ? strcspn(text, "]") + 1 : strcspn(text, ":;");
}

static bool port_is_valid(const char *text, size_t digits)
{
	unsigned long port = strtoul(text, NULL, 10);

	return digits && digits <= 5 && text[0] != '0' && port <= 65535;
}

/* sip:IP:PORT;transport=udp|tcp and nothing else. */
static int uri_parse(const char *uri, struct host *host)
{
	size_t length;

	if (strnlen(uri, DIRECTORY_URI_SIZE) == DIRECTORY_URI_SIZE ||
	    strncasecmp(uri, "sip:", 4))
		return EINVAL;
	uri += 4;
	length = host_length(uri);
	if (length > strlen(uri) || uri[length] != ':' ||
	    host_parse(uri, length, host) ||
	    (host->family == AF_INET6) != (uri[0] == '['))
		return EINVAL;
	uri += length + 1;
	length = strspn(uri, "0123456789");
	if (!port_is_valid(uri, length))
		return EINVAL;
	uri += length;
	return !strcasecmp(uri, ";transport=udp") ||
		       !strcasecmp(uri, ";transport=tcp")
		   ? 0
		   : EINVAL;
}

static bool goes_before(const struct directory_server *a,
			const struct directory_server *b)
{
	return a->priority != b->priority ? a->priority < b->priority
					  : strcmp(a->uri, b->uri) < 0;
}

static int insert_server(struct directory_system *system,
			 const struct directory_server *server)
{
	struct directory_server *grown;
	size_t i = system->server_count;

	grown = realloc(system->servers, (i + 1) * sizeof(*grown));
	if (!grown)
		return ENOMEM;
	system->servers = grown;
	for (; i && goes_before(server, &grown[i - 1]); i--)
		grown[i] = grown[i - 1];
	grown[i] = *server;
	system->server_count++;
	return 0;
}

int directory_add_server(struct directory *directory, const char *system,
			 const char *uri, unsigned priority, unsigned weight)
{
	struct system_entry *entry = find_entry(directory, system);
	struct directory_server server = { .priority = priority,
					   .weight = weight };
	struct host host;

	if (!entry)
		return ENOENT;
	if (uri_parse(uri, &host))
		return EINVAL;
	for (size_t i = 0; i < entry->system.server_count; i++) {
		if (!strcasecmp(entry->system.servers[i].uri, uri))
			return EEXIST;
	}
	strcpy(server.uri, uri);
	return insert_server(&entry->system, &server);
}

size_t directory_system_count(const struct directory *directory)
{
	return directory->count;
}

const struct directory_system *
directory_system_at(const struct directory *directory, size_t i)
{
	return i < directory->count ? &directory->systems[i]->system : NULL;
}

const struct directory_system *
directory_find_system(const struct directory *directory, const char *name)
{
	const struct system_entry *entry = find_entry(directory, name);

	return entry ? &entry->system : NULL;
}

const struct directory_system *
directory_find_domain(const struct directory *directory, const char *domain)
{
	char lower[DOMAIN_SIZE];
	struct domain_entry *entry;

	if (lower_domain(domain, lower))
		return NULL;
	HASH_FIND_STR(directory->by_domain, lower, entry);
	return entry ? &entry->owner->system : NULL;
}

bool directory_has_host(const struct directory_system *system, const char *host)
{
	struct host wanted, own;

	if (host_parse(host, strlen(host), &wanted))
		return false;
	host_unmap(&wanted);
	for (size_t i = 0; i < system->server_count; i++) {
		const char *text = system->servers[i].uri + 4;

		if (host_parse(text, host_length(text), &own))
			continue;
		host_unmap(&own);
		if (host_equal(&wanted, &own))
			return true;
	}
	return false;
}

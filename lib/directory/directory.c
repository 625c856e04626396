/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The directory of MC systems: two hash tables, by name and by domain, over
 * an array of systems in the order in which they were added.
 */
#include "directory/directory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A table that cannot grow says so instead of ending the process. */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) ((element)->lost = true)
#include <uthash.h>

#include "directory/source.h"

#define DOMAIN_SIZE 254 /* RFC 1035 2.3.4, and the closing NUL */

struct system_entry {
	struct directory_system system;
	struct sources sources;
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
	struct system_entry gateways; /* ours: no name, in no table */
};

int directory_create(struct directory **directoryp)
{
	*directoryp = calloc(1, sizeof(**directoryp));
	return *directoryp ? 0 : ENOMEM;
}

static void clear_entry(struct system_entry *entry)
{
	free(entry->system.hops.servers);
	sources_clear(&entry->sources);
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
		clear_entry(directory->systems[i]);
		free(directory->systems[i]);
	}
	clear_entry(&directory->gateways);
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
			 bool enabled, bool by_gateway)
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
	entry->system.by_gateway = by_gateway;

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

static size_t host_length(const char *text)
{
	return text[0] == '[' ? strcspn(text, "]") + 1 : strcspn(text, ":;");
}

static bool port_is_valid(const char *text, size_t digits)
{
	unsigned long port = strtoul(text, NULL, 10);

	return digits && digits <= 5 && text[0] != '0' && port <= 65535;
}

static bool uri_is_tls(const char *uri)
{
	const char *parameters = strchr(uri, ';');

	return parameters && !strcasecmp(parameters, ";transport=tls");
}

/* sip:IP:PORT;transport=udp|tcp and nothing else. */
static int uri_parse(const char *uri, struct address *address)
{
	size_t length;

	if (strnlen(uri, DIRECTORY_URI_SIZE) == DIRECTORY_URI_SIZE ||
	    strncasecmp(uri, "sip:", 4))
		return EINVAL;
	uri += 4;
	length = host_length(uri);
	if (length > strlen(uri) || uri[length] != ':' ||
	    address_parse(uri, length, address) ||
	    (uri[0] == '[') != (memchr(uri, ':', length) != NULL))
		return EINVAL;
	uri += length + 1;
	length = strspn(uri, "0123456789");
	if (!port_is_valid(uri, length))
		return EINVAL;
	uri += length;
	return !strcasecmp(uri, ";transport=udp") ||
		       !strcasecmp(uri, ";transport=tcp") || uri_is_tls(uri)
		   ? 0
		   : EINVAL;
}

static bool goes_before(const struct directory_server *a,
			const struct directory_server *b)
{
	return a->priority != b->priority ? a->priority < b->priority
					  : strcmp(a->uri, b->uri) < 0;
}

static int insert_hop(struct directory_hops *hops,
		      const struct directory_server *server)
{
	struct directory_server *grown;
	size_t i = hops->count;

	grown = realloc(hops->servers, (i + 1) * sizeof(*grown));
	if (!grown)
		return ENOMEM;
	hops->servers = grown;
	for (; i && goes_before(server, &grown[i - 1]); i--)
		grown[i] = grown[i - 1];
	grown[i] = *server;
	hops->count++;
	return 0;
}

/* A hop sends from its own address too; on TLS it proves who it is, and without
 * it the address alone says nothing. */
static int add_hop(struct system_entry *entry, const char *uri,
		   unsigned priority, unsigned weight)
{
	struct directory_hops *hops = &entry->system.hops;
	struct directory_server server = { .priority = priority,
					   .weight = weight };
	struct address address;
	int err;

	if (uri_parse(uri, &address))
		return EINVAL;
	for (size_t i = 0; i < hops->count; i++) {
		if (!strcasecmp(hops->servers[i].uri, uri))
			return EEXIST;
	}
	strcpy(server.uri, uri);
	err = uri_is_tls(uri) ? 0
			      : sources_add_address(&entry->sources, &address);
	return err ? err : insert_hop(hops, &server);
}

int directory_add_server(struct directory *directory, const char *system,
			 const char *uri, unsigned priority, unsigned weight)
{
	struct system_entry *entry = find_entry(directory, system);

	return entry ? add_hop(entry, uri, priority, weight) : ENOENT;
}

int directory_add_gateway(struct directory *directory, const char *uri,
			  unsigned priority, unsigned weight)
{
	return add_hop(&directory->gateways, uri, priority, weight);
}

int directory_add_source(struct directory *directory, const char *system,
			 const char *source)
{
	struct system_entry *entry =
	    system ? find_entry(directory, system) : &directory->gateways;

	return entry ? sources_add(&entry->sources, source) : ENOENT;
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

static const struct directory_system *
find_domain(const struct directory *directory, const char *text, size_t length)
{
	char domain[DOMAIN_SIZE];

	if (length >= sizeof(domain))
		return NULL;
	memcpy(domain, text, length);
	domain[length] = '\0';
	return directory_find_domain(directory, domain);
}

const struct directory_system *
directory_owner_of(const struct directory *directory, const char *uri)
{
	const struct directory_system *owner;
	const char *text, *at;
	size_t length;

	if (strncasecmp(uri, "sip:", 4) && strncasecmp(uri, "sips:", 5))
		return NULL;
	text = strchr(uri, ':') + 1;
	at = strchr(text, '@');
	if (at)
		text = at + 1;
	/* A domain may be one with a port. */
	length = strcspn(text, ";?");
	owner = find_domain(directory, text, length);
	if (owner || host_length(text) >= length)
		return owner;
	return find_domain(directory, text, host_length(text));
}

/* ---------------------------------------------------- next hops and sources */

static const struct system_entry *
entry_for(const struct directory *directory,
	  const struct directory_system *system)
{
	/* `system` is the first member. */
	return system->by_gateway ? &directory->gateways
				  : (const struct system_entry *)system;
}

const struct directory_hops *
directory_next_hops(const struct directory *directory,
		    const struct directory_system *system)
{
	return &entry_for(directory, system)->system.hops;
}

bool directory_speaks_for(const struct directory *directory,
			  const struct directory_system *system,
			  const struct sip_source *source)
{
	return sources_have(&entry_for(directory, system)->sources, source);
}

const char *const *
directory_certificate_names(const struct directory *directory,
			    const struct directory_system *system,
			    size_t *count)
{
	const struct sources *sources = &entry_for(directory, system)->sources;

	*count = sources->name_count;
	return (const char *const *)sources->names;
}

const char *directory_peer_name(const struct directory *directory,
				const struct sip_source *source)
{
	if (sources_have(&directory->gateways.sources, source))
		return "gateway";
	for (size_t i = 0; i < directory->count; i++) {
		const struct system_entry *entry = directory->systems[i];

		if (!entry->system.by_gateway &&
		    sources_have(&entry->sources, source))
			return entry->system.name;
	}
	return NULL;
}

bool directory_may_assert(const struct directory *directory,
			  const struct directory_system *system,
			  const char *const *uris, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strncasecmp(uris[i], "tel:", 4) &&
		    directory_owner_of(directory, uris[i]) != system)
			return false;
	}
	return true;
}

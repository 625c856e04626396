/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hosts of a conninfo and their addresses. Names are looked up by glibc's
 * getaddrinfo_a(), in a thread of its own that runs no code of this module: so
 * it may be unloaded while a lookup hangs.
 */
#define _GNU_SOURCE /* getaddrinfo_a() */
#include "store_postgres/target.h"

#include <errno.h>
#include <libpq-fe.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define HOSTS_MAX 16
#define ADDRESSES_MAX 64

struct host {
	char name[256];	   /* host name or the folder of a unix socket */
	char address[256]; /* given, not to be looked up */
	char port[16];
	bool is_name; /* to be looked up */
};

struct target {
	const struct host *host;
	char address[NI_MAXHOST];
};

/* In one piece, that a lookup which cannot be cancelled keeps. */
struct lookup {
	struct gaicb entry;
	struct addrinfo hints;
	char name[256];
};

struct targets {
	PQconninfoOption *options;
	char application_name[80];
	struct host hosts[HOSTS_MAX];
	size_t host_count;
	struct lookup *lookups[HOSTS_MAX];
	struct target targets[ADDRESSES_MAX];
	size_t count;
	char why[320];
};

static const char *option(const struct targets *targets, const char *keyword)
{
	const PQconninfoOption *o = targets->options;

	for (; o->keyword; o++)
		if (!strcmp(o->keyword, keyword))
			return o->val && *o->val ? o->val : NULL;
	return NULL;
}

/* The i-th of a list with commas; the last one again if it has fewer. */
static void list_item(const char *list, size_t i, char *item, size_t size)
{
	size_t length;

	while (i && strchr(list, ',')) {
		list = strchr(list, ',') + 1;
		i--;
	}
	length = strcspn(list, ",");
	snprintf(item, size, "%.*s", (int)length, list);
}

static size_t list_count(const char *list)
{
	size_t count = 1;

	for (; *list; list++)
		count += *list == ',';
	return count;
}

static bool is_address(const char *text)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST };
	struct addrinfo *found;

	if (getaddrinfo(text, NULL, &hints, &found))
		return false;
	freeaddrinfo(found);
	return true;
}

/* What libpq would take from the environment or its own defaults. */
static int add_defaults(const char **host, const char **port,
			PQconninfoOption **defaultsp)
{
	*defaultsp = PQconndefaults();
	if (!*defaultsp)
		return ENOMEM;
	for (PQconninfoOption *o = *defaultsp; o->keyword; o++) {
		if (!*host && !strcmp(o->keyword, "host") && o->val)
			*host = o->val;
		if (!*port && !strcmp(o->keyword, "port") && o->val)
			*port = o->val;
	}
	if (!*host || !**host)
		*host = "/var/run/postgresql";
	if (!*port || !**port)
		*port = "5432";
	return 0;
}

static int split_hosts(struct targets *targets, char *why, size_t why_bytes)
{
	const char *host = option(targets, "host");
	const char *address = option(targets, "hostaddr");
	const char *port = option(targets, "port");
	PQconninfoOption *defaults;
	int err;

	if (!host)
		host = address;
	err = add_defaults(&host, &port, &defaults);
	if (err)
		return err;
	targets->host_count = list_count(host);
	if (targets->host_count > HOSTS_MAX ||
	    (address && list_count(address) != targets->host_count)) {
		snprintf(why, why_bytes,
			 "conninfo has more than %d hosts, or not as many in "
			 "hostaddr as in host",
			 HOSTS_MAX);
		err = EINVAL;
		goto out;
	}
	for (size_t i = 0; i < targets->host_count; i++) {
		struct host *h = &targets->hosts[i];

		list_item(host, i, h->name, sizeof(h->name));
		list_item(port, i, h->port, sizeof(h->port));
		if (address)
			list_item(address, i, h->address, sizeof(h->address));
		else if (is_address(h->name))
			snprintf(h->address, sizeof(h->address), "%s", h->name);
		h->is_name = !*h->address && *h->name != '/' && *h->name != '@';
	}
out:
	PQconninfoFree(defaults);
	return err;
}

int targets_create(struct targets **targetsp, const char *conninfo,
		   const char *node, char *why, size_t why_bytes)
{
	struct targets *targets = calloc(1, sizeof(*targets));
	char *message = NULL; /* it may quote a password: not shown */
	int err;

	if (!targets)
		return ENOMEM;
	snprintf(targets->application_name, sizeof(targets->application_name),
		 "mcmig/%s", node);
	targets->options = PQconninfoParse(conninfo, &message);
	PQfreemem(message);
	if (!targets->options) {
		snprintf(why, why_bytes,
			 "conninfo is malformed: write it as "
			 "'host=... port=... dbname=...'");
		err = EINVAL;
		goto out;
	}
	if (option(targets, "service")) {
		snprintf(why, why_bytes,
			 "conninfo names a service file entry: "
			 "write host and dbname instead");
		err = EINVAL;
		goto out;
	}
	err = split_hosts(targets, why, why_bytes);
	if (err)
		goto out;
	*targetsp = targets;
	targets = NULL;
out:
	targets_destroy(targets);
	return err;
}

static bool lookup_is_running(const struct lookup *lookup)
{
	return lookup &&
	       gai_error((struct gaicb *)&lookup->entry) == EAI_INPROGRESS;
}

/* A lookup that runs on keeps its memory: it ends on its own, unread. */
static void lookup_drop(struct lookup **lookupp)
{
	struct lookup *lookup = *lookupp;

	*lookupp = NULL;
	if (!lookup || gai_cancel(&lookup->entry) == EAI_NOTCANCELED)
		return;
	if (lookup->entry.ar_result)
		freeaddrinfo(lookup->entry.ar_result);
	free(lookup);
}

static void drop_lookups(struct targets *targets)
{
	for (size_t i = 0; i < HOSTS_MAX; i++)
		lookup_drop(&targets->lookups[i]);
}

void targets_destroy(struct targets *targets)
{
	if (!targets)
		return;
	drop_lookups(targets);
	PQconninfoFree(targets->options);
	free(targets);
}

static void add_target(struct targets *targets, const struct host *host,
		       const char *address)
{
	struct target *target;

	if (targets->count == ADDRESSES_MAX)
		return;
	target = &targets->targets[targets->count++];
	target->host = host;
	snprintf(target->address, sizeof(target->address), "%s", address);
}

static int lookup_start(struct targets *targets, size_t i)
{
	struct lookup *lookup = calloc(1, sizeof(*lookup));
	struct gaicb *list[1];

	if (!lookup)
		return ENOMEM;
	snprintf(lookup->name, sizeof(lookup->name), "%s",
		 targets->hosts[i].name);
	lookup->hints.ai_socktype = SOCK_STREAM;
	lookup->entry.ar_name = lookup->name;
	lookup->entry.ar_request = &lookup->hints;
	list[0] = &lookup->entry;
	if (getaddrinfo_a(GAI_NOWAIT, list, 1, NULL)) {
		free(lookup);
		return EAGAIN;
	}
	targets->lookups[i] = lookup;
	return 0;
}

int targets_resolve(struct targets *targets)
{
	int err = 0;

	targets->count = 0;
	targets->why[0] = '\0';
	for (size_t i = 0; i < targets->host_count && !err; i++) {
		/* One that still hangs is asked again, not doubled. */
		if (!targets->hosts[i].is_name ||
		    lookup_is_running(targets->lookups[i]))
			continue;
		lookup_drop(&targets->lookups[i]);
		err = lookup_start(targets, i);
	}
	if (err)
		snprintf(targets->why, sizeof(targets->why),
			 "host names cannot be looked up: %s", strerror(err));
	return targets_poll(targets);
}

static void take_addresses(struct targets *targets, size_t i)
{
	struct lookup *lookup = targets->lookups[i];
	char address[NI_MAXHOST];
	int error = lookup ? gai_error(&lookup->entry) : EAI_AGAIN;

	if (error) {
		snprintf(targets->why, sizeof(targets->why), "host %.200s: %s",
			 targets->hosts[i].name, gai_strerror(error));
		return;
	}
	for (struct addrinfo *a = lookup->entry.ar_result; a; a = a->ai_next)
		if (!getnameinfo(a->ai_addr, a->ai_addrlen, address,
				 sizeof(address), NULL, 0, NI_NUMERICHOST))
			add_target(targets, &targets->hosts[i], address);
}

int targets_poll(struct targets *targets)
{
	for (size_t i = 0; i < targets->host_count; i++)
		if (lookup_is_running(targets->lookups[i]))
			return EINPROGRESS;
	if (targets->count)
		return 0;
	for (size_t i = 0; i < targets->host_count; i++)
		if (targets->hosts[i].is_name)
			take_addresses(targets, i);
		else
			add_target(targets, &targets->hosts[i],
				   targets->hosts[i].address);
	return 0;
}

size_t targets_count(const struct targets *targets)
{
	return targets->count;
}

const char *targets_why(const struct targets *targets)
{
	return targets->why;
}

/* Ours, where the conninfo says nothing. A dead server is noticed in about
 * 10 s even when nothing is under way. */
static const char *const defaults[][2] = {
	{ "target_session_attrs", "read-write" },
	{ "keepalives", "1" },
	{ "keepalives_idle", "5" },
	{ "keepalives_interval", "2" },
	{ "keepalives_count", "3" },
	{ "tcp_user_timeout", "10000" },
	/* Kerberos may ask the DNS, on the loop's thread. */
	{ "gssencmode", "disable" },
};

static const char *const replaced[] = { "host", "hostaddr", "port",
					"client_encoding" };

static bool is_replaced(const char *keyword)
{
	for (size_t i = 0; i < sizeof(replaced) / sizeof(*replaced); i++)
		if (!strcmp(keyword, replaced[i]))
			return true;
	return false;
}

void targets_parameters(struct targets *targets, size_t i,
			const char *keywords[TARGET_PARAMETERS_MAX],
			const char *values[TARGET_PARAMETERS_MAX])
{
	const struct target *target = &targets->targets[i];
	size_t n = 0;

#define PARAMETER(keyword, value) \
	(keywords[n] = (keyword), values[n] = (value), n++)
	PARAMETER("host", target->host->name);
	if (*target->address)
		PARAMETER("hostaddr", target->address);
	PARAMETER("port", target->host->port);
	PARAMETER("client_encoding", "UTF8");
	for (size_t d = 0; d < sizeof(defaults) / sizeof(*defaults); d++)
		if (!option(targets, defaults[d][0]))
			PARAMETER(defaults[d][0], defaults[d][1]);
	if (!option(targets, "application_name"))
		PARAMETER("application_name", targets->application_name);
	for (PQconninfoOption *o = targets->options;
	     o->keyword && n < TARGET_PARAMETERS_MAX - 1; o++)
		if (o->val && *o->val && !is_replaced(o->keyword))
			PARAMETER(o->keyword, o->val);
#undef PARAMETER
	keywords[n] = NULL;
	values[n] = NULL;
}

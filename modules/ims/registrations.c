/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who is where. In memory alone: the IMS says it again and again, and what is
 * lost with a restart only means that the configured next hop is asked.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/keyed_hash.h"
#include "ims/ims.h"

struct entry {
	struct registration registration;
	struct ims_module *module;
	struct timer expiry;
	UT_hash_handle hh; /* in the order of the last refresh */
	char texts[];
};

struct registrations {
	struct entry *by_identity;
};

static void show_count(struct ims_module *module)
{
	stat_set(&module->stats[STAT_REGISTRATIONS],
		 registrations_count(module->registrations));
}

static void drop(struct entry *entry)
{
	struct ims_module *module = entry->module;

	timer_stop(module->core->timers, &entry->expiry);
	HASH_DEL(module->registrations->by_identity, entry);
	free(entry);
	show_count(module);
}

static void on_expiry(void *arg)
{
	struct entry *entry = arg;

	stat_increment(&entry->module->stats[STAT_EXPIRED]);
	drop(entry);
}

static struct entry *find(const struct registrations *registrations,
			  const char *identity)
{
	struct entry *entry;

	HASH_FIND_STR(registrations->by_identity, identity, entry);
	return entry;
}

const struct registration *
registrations_find(const struct registrations *registrations,
		   const char *identity)
{
	const struct entry *entry = find(registrations, identity);

	return entry ? &entry->registration : NULL;
}

static const char *put_text(char **at, const char *text)
{
	char *begin = *at;

	*at = stpcpy(begin, text) + 1;
	return begin;
}

static struct entry *make_entry(struct ims_module *module,
				const struct registration *from)
{
	struct entry *entry =
	    calloc(1, sizeof(*entry) + strlen(from->identity) +
			  strlen(from->registrar) + strlen(from->hop) +
			  strlen(from->call_id) + 4);
	char *at;

	if (!entry)
		return NULL;
	at = entry->texts;
	entry->module = module;
	entry->registration = *from;
	entry->registration.identity = put_text(&at, from->identity);
	entry->registration.registrar = put_text(&at, from->registrar);
	entry->registration.hop = put_text(&at, from->hop);
	entry->registration.call_id = put_text(&at, from->call_id);
	return entry;
}

/* A table full of those who are here means that it is too small. */
static void make_room(struct ims_module *module)
{
	struct registrations *registrations = module->registrations;

	while (registrations_count(registrations) >=
	       module->settings->registrations_max) {
		stat_increment(&module->stats[STAT_PUSHED_OUT]);
		drop(registrations->by_identity);
	}
}

int registrations_put(struct ims_module *module,
		      const struct registration *registration)
{
	struct registrations *registrations = module->registrations;
	struct entry *entry = make_entry(module, registration);
	uint64_t now_ms = clock_monotonic_ms();
	uint64_t left_ms = registration->expires_ms > now_ms
			       ? registration->expires_ms - now_ms
			       : 0;

	if (!entry)
		return ENOMEM;
	if (timer_start(module->core->timers, &entry->expiry, left_ms,
			on_expiry, entry)) {
		free(entry);
		return ENOMEM;
	}
	registrations_remove(module, registration->identity);
	make_room(module);
	HASH_ADD_KEYPTR(hh, registrations->by_identity,
			entry->registration.identity,
			strlen(entry->registration.identity), entry);
	if (!entry->hh.tbl) { /* out of memory */
		timer_stop(module->core->timers, &entry->expiry);
		free(entry);
		return ENOMEM;
	}
	show_count(module);
	return 0;
}

void registrations_remove(struct ims_module *module, const char *identity)
{
	struct entry *entry = find(module->registrations, identity);

	if (entry)
		drop(entry);
}

void registrations_visit(const struct registrations *registrations,
			 registration_h *visit, void *arg)
{
	const struct entry *entry = registrations->by_identity;

	while (entry && visit(arg, &entry->registration))
		entry = entry->hh.next;
}

size_t registrations_count(const struct registrations *registrations)
{
	return HASH_COUNT(registrations->by_identity);
}

int registrations_create(struct ims_module *module)
{
	module->registrations = calloc(1, sizeof(*module->registrations));
	return module->registrations ? 0 : ENOMEM;
}

void registrations_destroy(struct ims_module *module)
{
	if (!module->registrations)
		return;
	while (module->registrations->by_identity)
		drop(module->registrations->by_identity);
	free(module->registrations);
	module->registrations = NULL;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A user of ours who registers at home again is home again, in each MC service:
 * the REGISTER is answered once that is durable.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "migration/migration.h"
#include "module/ims.h"

#define RETRY_AFTER_S 2

/* One REGISTER that waits for the store. */
struct homecoming {
	handle_t transaction;
	unsigned waiting; /* transitions under way */
	bool failed;
};

static void answer(const struct migration_module *module, handle_t transaction,
		   bool failed)
{
	const struct sip_reply reply = {
		.status = failed ? 503 : 200,
		.warn_code = failed ? 399 : 0,
		.warn_text = failed ? "store unavailable" : NULL,
		.retry_after_s = failed ? RETRY_AFTER_S : 0,
		.stateless = failed,
	};

	sip_reply(module->core->sip, transaction, &reply);
}

static void stored(void *arg, handle_t handle, int error,
		   const struct transition *transition,
		   const struct user_record *record)
{
	struct migration_module *module = arg;
	struct homecoming *coming = handle_get(module->homecomings, handle);

	coming->failed |= error != 0;
	if (!error && transition->result == TRANSITION_APPLIED) {
		stat_increment(&module->returned_home);
		log_info("migration",
			 "msg=\"home again\" service=%s primary_id=%s",
			 mc_service_info(record->service)->name,
			 record->primary_id);
		delivery_update(module, record);
	}
	if (--coming->waiting)
		return;
	answer(module, coming->transaction, coming->failed);
	handle_remove(module->homecomings, handle);
	free(coming);
}

/* What is under way ends it; of nothing under way nobody would hear. */
static bool submit(struct migration_module *module, struct homecoming *coming,
		   handle_t handle, const char *identity)
{
	struct event event;

	for (int i = MC_SERVICE_MCPTT; i < MC_SERVICE_END; i++) {
		event_init(module, &event, EVENT_RETURNED_HOME,
			   (enum mc_service)i, ROLE_PRIMARY);
		snprintf(event.primary_id, sizeof(event.primary_id), "%s",
			 identity);
		if (store_transition(module->core->store, &event, stored,
				     module, handle))
			coming->failed = true;
		else
			coming->waiting++;
	}
	return coming->waiting > 0;
}

static bool is_our_user(const struct migration_module *module,
			const struct directory *directory, const char *identity)
{
	const struct directory_system *system =
	    directory_find_domain(directory, mcid_domain(identity));

	return system && !strcmp(system->name, module->core->system);
}

bool home_registered(void *arg, const char *identity, handle_t transaction)
{
	struct migration_module *module = arg;
	const struct directory *directory =
	    store_directory(module->core->store);
	struct homecoming *coming;
	handle_t handle = 0;

	if (directory && !is_our_user(module, directory, identity))
		return false;
	coming = directory ? calloc(1, sizeof(*coming)) : NULL;
	if (!coming || handle_add(module->homecomings, coming, &handle)) {
		free(coming);
		answer(module, transaction, true);
		return true;
	}
	coming->transaction = transaction;
	if (!submit(module, coming, handle, identity)) {
		handle_remove(module->homecomings, handle);
		free(coming);
		answer(module, transaction, true);
	}
	return true;
}

int home_watch(struct migration_module *module, bool wanted)
{
	struct ims *ims = module->core->ims;

	if (wanted && !ims) {
		log_error("migration",
			  "msg=\"migration.returned_home is on, but no module "
			  "hears of registrations: name 'ims' before "
			  "'migration' in modules\"");
		return EINVAL;
	}
	if (ims)
		ims->set_registered_handler(
		    ims, wanted ? home_registered : NULL, module);
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "rules_fixture.h"

struct world *world;

int rules_suite_init(void)
{
	world = world_create();
	return 0;
}

int rules_suite_clean(void)
{
	world_destroy(world);
	return 0;
}

void rules_setup(void)
{
	world_clear(world);
	world->notify_primary = true;
	world->client_identity = "";
	world_permit(world, WORLD_ALICE, true);
}

void reach_unconfirmed(struct world_ask *ask)
{
	TAKEN(world_client(world, ask));
	TAKEN(world_request(world, ask));
	TAKEN(world_response(world, ask));
	CU_ASSERT(world_is_mapped(world, ask));
}

void reach_confirmed(struct world_ask *ask)
{
	reach_unconfirmed(ask);
	APPLIED(world_answered(world, ask, 200));
	CU_ASSERT(world_is_redirected(world, ask));
}

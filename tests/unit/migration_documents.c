/* SPDX-License-Identifier: BSD-2-Clause */
/* Documents as clients and other servers send them. */
#include <string.h>

#include "migration_fixture.h"

struct uuid document_id(unsigned number)
{
	struct uuid id = { { 0x70 } };

	memcpy(id.bytes + 10, &number, sizeof(number));
	return id;
}

struct mcinfo document_request(enum mcinfo_verb verb, unsigned number,
			       const char *partner_id, const char *primary_id)
{
	struct mcinfo info = { .service = MC_SERVICE_MCPTT,
			       .verb = verb,
			       .has_procedure_id = true,
			       .procedure_id = document_id(number),
			       .has_profile_index =
				   verb == MCINFO_AUTHORIZATION,
			       .profile_index = 1 };

	strcpy(info.partner_id, partner_id);
	strcpy(info.primary_id, primary_id);
	return info;
}

struct mcinfo document_response(const struct mcinfo *request,
				enum mcinfo_cause cause)
{
	struct mcinfo info = *request;

	info.is_response = true;
	info.order = 0;
	info.has_profile_index = false;
	info.result = cause ? MCINFO_FAILURE : MCINFO_SUCCESS;
	info.cause = cause;
	return info;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "message_name.h"

#include <stdlib.h>
#include <string.h>

#include "mcinfo/mcid.h"
#include "simulation.h"

void message_name_parse(struct message_name *name, const char *content_type,
			const char *body, size_t body_bytes)
{
	static struct mcinfo_parser *parser;
	struct mcinfo_error error;
	struct mcinfo info;

	if (!parser && mcinfo_parser_create(&parser))
		abort();
	if (mcinfo_parse(parser, content_type, body, body_bytes, &info, &error))
		return;
	name->is_known = true;
	name->has_token = info.access_token != NULL;
	name->service = info.service;
	name->verb = info.verb;
	name->is_response = info.is_response;
	name->result = info.result;
	name->procedure_id = info.procedure_id;
	name->sequence = info.sequence;
	memcpy(name->partner_id, info.partner_id_canonical, MCID_SIZE);
	memcpy(name->primary_id, info.primary_id_canonical, MCID_SIZE);
	mcinfo_clear(&info);
}

bool message_name_equal(const struct message_name *a,
			const struct message_name *b)
{
	return a->is_known && b->is_known && a->service == b->service &&
	       a->verb == b->verb && a->is_response == b->is_response &&
	       a->result == b->result && a->sequence == b->sequence &&
	       uuid_equal(&a->procedure_id, &b->procedure_id) &&
	       !strcmp(a->partner_id, b->partner_id) &&
	       !strcmp(a->primary_id, b->primary_id);
}

int message_name_speaker(const struct sim *sim, const struct message_name *name)
{
	return node_find(sim,
			 mcid_domain(name->is_response ? name->primary_id
						       : name->partner_id));
}

int message_name_listener(const struct sim *sim,
			  const struct message_name *name)
{
	return node_find(sim,
			 mcid_domain(name->is_response ? name->partner_id
						       : name->primary_id));
}

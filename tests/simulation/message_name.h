/* SPDX-License-Identifier: BSD-2-Clause */
/* Which message of which procedure a document is. */
#ifndef MCMIG_SIMULATION_MESSAGE_NAME_H
#define MCMIG_SIMULATION_MESSAGE_NAME_H

#include "net_private.h"

void message_name_parse(struct message_name *name, const char *content_type,
			const char *body, size_t body_bytes);
bool message_name_equal(const struct message_name *a,
			const struct message_name *b);

/* The MC systems of which somebody says it to somebody; -1: none of ours. */
int message_name_speaker(const struct sim *sim,
			 const struct message_name *name);
int message_name_listener(const struct sim *sim,
			  const struct message_name *name);

#endif

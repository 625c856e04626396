/* SPDX-License-Identifier: BSD-2-Clause */
/* Names for the ladder: parties, procedures (p1, d2, ...), documents. */
#ifndef MCMIG_SIMULATION_DESCRIBE_H
#define MCMIG_SIMULATION_DESCRIBE_H

#include "base/uuid.h"
#include "procedure/record.h"

/* "A", "Ag1" (its first gateway), "ue1", ... Static. */
const char *describe_party(unsigned party);

void describe_reset(void);
/* From now on the procedure is called that; for 64 procedures a run. */
void describe_procedure_is(const struct uuid *id, const char *label);
/* Else the first digits of the UUID. Valid until the next but three calls. */
const char *describe_procedure(const struct uuid *id);

/* "authorization-response p1 success": valid until the next call. */
const char *describe_body(const char *content_type, const char *body,
			  size_t body_bytes);

/* "d2 forwarding", "p1 answering success": valid until the next call. */
const char *describe_state(const struct procedure *procedure);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* The steps of a procedure as the client sees them, for people or as JSON. */
#ifndef MCMIG_UE_REPORT_H
#define MCMIG_UE_REPORT_H

#include "ue_options.h"

void ue_report_request(const struct ue_options *options, unsigned attempt);
void ue_report_answer(const struct ue_options *options,
		      const struct sip_answer *answer);
void ue_report_response(const struct ue_options *options,
			const struct mcinfo *response);
/* Our answer to a MESSAGE: 200, or why it was not taken. */
void ue_report_reply(const struct ue_options *options, int status,
		     const char *reason);
void ue_report_end(const struct ue_options *options, enum ue_exit exit_status);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client's side of one procedure: sends the request until it is answered,
 * and takes the response flow.
 */
#ifndef MCMIG_UE_PROCEDURE_H
#define MCMIG_UE_PROCEDURE_H

#include "ue_options.h"

struct loop;
struct ue_procedure;

/* `sip` must listen. 0 or an errno. */
int ue_procedure_create(struct ue_procedure **procedurep, struct loop *loop,
			struct sip *sip, const struct ue_options *options);
void ue_procedure_destroy(struct ue_procedure *procedure);

/* 0, loop_stop() is called when it has ended; or an errno: nothing was sent. */
int ue_procedure_start(struct ue_procedure *procedure);
enum ue_exit ue_procedure_result(const struct ue_procedure *procedure);

#endif

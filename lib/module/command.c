/* SPDX-License-Identifier: BSD-2-Clause */
/* How a command ends, whoever carries it. */
#include "module/module.h"

void command_finish(struct command_call *call, json_t *result)
{
	call->done(call, result, NULL);
}

void command_fail(struct command_call *call, const char *reason)
{
	call->done(call, NULL, reason);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The --server argument: where requests go, and from which address of ours. */
#ifndef MCMIG_UE_SERVER_H
#define MCMIG_UE_SERVER_H

#include "ue_options.h"

/* 0, or EINVAL with the reason on stderr. Resolves names: it blocks. */
int ue_server_parse(struct ue_server *server, const char *uri);

/*
 * A port that is free on UDP and TCP of our address now; another process may
 * still be faster. 0: none.
 */
uint16_t ue_server_free_port(const struct ue_server *server);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* TLS of mcmig-ue: its own certificate, and whom it takes for the server. */
#ifndef MCMIG_UE_TLS_H
#define MCMIG_UE_TLS_H

#include "tls/tls.h"

struct ue_tls {
	char *certificate; /* files; NULL: not given */
	char *key;
	char *ca;
	const char *server_name; /* "dns:NAME" or "uri:URI"; NULL: not given */
};

/* Whether all is there; the reason is on stderr. 0 or EINVAL. */
int ue_tls_check(const struct ue_tls *tls);
/* `settings` are filled in, and point into `tls`. 0 or as tls_context_create(). */
int ue_tls_create(struct tls_context **contextp, struct tls_settings *settings,
		  const struct ue_tls *tls);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* TLS of mcmig-ue. */
#include "ue_tls.h"

#include <errno.h>
#include <stdio.h>

#define CHAIN_MAX 3
#define HANDSHAKE_TIMEOUT_MS 10000
#define CONNECTIONS_MAX 8 /* only the server's */

static char none[] = "";
static char ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

int ue_tls_check(const struct ue_tls *tls)
{
	const char *missing = NULL;

	if (!tls->certificate)
		missing = "--certificate";
	else if (!tls->key)
		missing = "--key";
	else if (!tls->ca)
		missing = "--ca";
	else if (!tls->server_name)
		missing = "--server-name";
	if (!missing)
		return 0;
	fprintf(stderr, "mcmig-ue: %s is missing: transport=tls needs it\n",
		missing);
	return EINVAL;
}

int ue_tls_create(struct tls_context **contextp, struct tls_settings *settings,
		  const struct ue_tls *tls)
{
	*settings = (struct tls_settings){
		.certificate = tls->certificate,
		.key = tls->key,
		.ca = tls->ca,
		.crl = none,
		.ciphers = ciphers,
		.chain_max = CHAIN_MAX,
		.handshake_timeout_ms = HANDSHAKE_TIMEOUT_MS,
		.handshakes_max = CONNECTIONS_MAX,
		.connections_max = CONNECTIONS_MAX,
		.source_connections_max = CONNECTIONS_MAX,
		.source_rate = CONNECTIONS_MAX,
	};
	return tls_context_create(contextp, "mcmig-ue", settings);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* What a certificate says: its names, its purpose, how long it holds. */
#ifndef MCMIG_TLS_CERTIFICATE_H
#define MCMIG_TLS_CERTIFICATE_H

#include <openssl/x509.h>

#include "base/export.h"

struct tls_names {
	char **values; /* "dns:NAME", "uri:URI" */
	size_t count;
};

/* 0 or ENOMEM; zeroed before, cleared by tls_names_clear() in any case. */
int tls_names_read(struct tls_names *names, const X509 *certificate);
void tls_names_clear(struct tls_names *names);

/* NULL, or why it is not for TLS, whichever way the connection goes. */
const char *tls_refuse_purpose(X509 *certificate);

/* UTC seconds; INT64_MAX for NULL, 0 for what is no time. */
int64_t tls_time(const ASN1_TIME *time);
int64_t tls_chain_expires(const STACK_OF(X509) * chain);

/* Now, by the clock of base/clock.h. */
int64_t tls_now(void);

/* ENOMEM if OpenSSL has told of that, else EINVAL; forgets what it told. */
int tls_library_error(void);

#endif

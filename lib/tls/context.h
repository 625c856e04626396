/* SPDX-License-Identifier: BSD-2-Clause */
/* A context, for lib/tls alone. */
#ifndef MCMIG_TLS_CONTEXT_H
#define MCMIG_TLS_CONTEXT_H

#include <openssl/ssl.h>

#include "tls/certificate.h"
#include "tls/tls.h"

struct tls_context {
	unsigned references; /* of the loop's thread alone */
	SSL_CTX *library;
	struct tls_names names;
	int64_t expires, crl_expires;
};

#endif

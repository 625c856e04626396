/* SPDX-License-Identifier: BSD-2-Clause */
/* Makes certificates, good and broken, in files of a temporary folder. */
#ifndef MCMIG_TESTS_TLS_MAKER_H
#define MCMIG_TESTS_TLS_MAKER_H

#include <openssl/x509.h>

#include "base/export.h"

struct cert {
	X509 *x509;
	EVP_PKEY *key;
};

/* Zeros and NULLs: an ordinary one of a peer, of a day, on P-256. */
struct cert_wish {
	const char *subject;   /* CN */
	const char *names;     /* subjectAltName: "DNS:a.example" */
	const char *usage;     /* extendedKeyUsage */
	const char *key_usage; /* keyUsage */
	bool is_ca;
	int64_t starts_s, ends_s; /* from now; 0, 0: -1 h ... 1 d */
	unsigned rsa_bits;	  /* 0: EC */
	const char *digest;	  /* NULL: SHA256 */
};

/* `issuer` NULL: signs itself. Aborts if it cannot. */
struct cert *cert_create(const struct cert *issuer,
			 const struct cert_wish *wish);
void cert_destroy(struct cert *cert);

/* The certificates in this order, closed by NULL. */
void cert_write(const char *path, const struct cert *first, ...)
    __attribute__((sentinel));
void cert_write_key(const char *path, const struct cert *cert);
/* `ca`'s list, with `revoked` in it unless NULL; appended to the file. */
void cert_append_crl(const char *path, const struct cert *ca,
		     const struct cert *revoked, int64_t ends_s);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* The PEM files of the configuration, read whole and checked. */
#ifndef MCMIG_TLS_FILE_H
#define MCMIG_TLS_FILE_H

#include <openssl/x509.h>

#include "base/export.h"

/* Which one: for the log. */
struct tls_file {
	const char *section, *setting, *path;
};

/* Logs what is wrong with it; EINVAL. */
int tls_file_refuse(const struct tls_file *file, const char *why);

/* At least one each. 0; EINVAL, an errno (both logged); ENOMEM. */
int tls_file_certificates(const struct tls_file *file,
			  STACK_OF(X509) * *certificatesp);
int tls_file_crls(const struct tls_file *file, STACK_OF(X509_CRL) * *crlsp);
int tls_file_key(const struct tls_file *file, EVP_PKEY **keyp);

#endif

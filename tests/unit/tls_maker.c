/* SPDX-License-Identifier: BSD-2-Clause */
/* Certificates by OpenSSL, without its command line. */
#include "tls_maker.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define HOUR_S 3600
#define DAY_S (24 * HOUR_S)

static void must(bool done)
{
	if (!done)
		abort();
}

static void add_extension(const struct cert *issuer, struct cert *cert, int nid,
			  const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX context;

	if (!value)
		return;
	X509V3_set_ctx_nodb(&context);
	X509V3_set_ctx(&context, issuer->x509, cert->x509, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	must(extension && X509_add_ext(cert->x509, extension, -1));
	X509_EXTENSION_free(extension);
}

static void set_subject(X509 *x509, const struct cert *issuer,
			const char *subject)
{
	static long serial;

	must(X509_NAME_add_entry_by_txt(
	    X509_get_subject_name(x509), "CN", MBSTRING_UTF8,
	    (const unsigned char *)subject, -1, -1, 0));
	must(X509_set_issuer_name(x509, X509_get_subject_name(issuer->x509)));
	must(ASN1_INTEGER_set(X509_get_serialNumber(x509), ++serial));
}

static void set_times(X509 *x509, const struct cert_wish *wish)
{
	bool usual = !wish->starts_s && !wish->ends_s;

	must(X509_gmtime_adj(X509_getm_notBefore(x509),
			     usual ? -HOUR_S : wish->starts_s) &&
	     X509_gmtime_adj(X509_getm_notAfter(x509),
			     usual ? DAY_S : wish->ends_s));
}

static void add_extensions(const struct cert *issuer, struct cert *cert,
			   const struct cert_wish *wish)
{
	add_extension(issuer, cert, NID_basic_constraints,
		      wish->is_ca ? "critical,CA:TRUE" : "CA:FALSE");
	add_extension(issuer, cert, NID_subject_key_identifier, "hash");
	add_extension(issuer, cert, NID_authority_key_identifier, "keyid");
	add_extension(issuer, cert, NID_key_usage, wish->key_usage);
	add_extension(issuer, cert, NID_ext_key_usage, wish->usage);
	add_extension(issuer, cert, NID_subject_alt_name, wish->names);
}

struct cert *cert_create(const struct cert *issuer,
			 const struct cert_wish *wish)
{
	struct cert *cert = calloc(1, sizeof(*cert));

	must(cert);
	cert->x509 = X509_new();
	cert->key =
	    wish->rsa_bits ? EVP_RSA_gen(wish->rsa_bits) : EVP_EC_gen("P-256");
	must(cert->x509 && cert->key && X509_set_version(cert->x509, 2) &&
	     X509_set_pubkey(cert->x509, cert->key));
	if (!issuer)
		issuer = cert;
	set_subject(cert->x509, issuer, wish->subject ? wish->subject : "peer");
	set_times(cert->x509, wish);
	add_extensions(issuer, cert, wish);
	must(X509_sign(cert->x509, issuer->key,
		       EVP_get_digestbyname(wish->digest ? wish->digest
							 : "SHA256")));
	return cert;
}

void cert_destroy(struct cert *cert)
{
	if (!cert)
		return;
	X509_free(cert->x509);
	EVP_PKEY_free(cert->key);
	free(cert);
}

static FILE *open_file(const char *path, const char *mode)
{
	FILE *file = fopen(path, mode);

	must(file);
	return file;
}

void cert_write(const char *path, const struct cert *first, ...)
{
	FILE *file = open_file(path, "w");
	va_list more;

	va_start(more, first);
	for (const struct cert *cert = first; cert;
	     cert = va_arg(more, const struct cert *))
		must(PEM_write_X509(file, cert->x509));
	va_end(more);
	fclose(file);
}

void cert_write_key(const char *path, const struct cert *cert)
{
	FILE *file = open_file(path, "w");

	must(!fchmod(fileno(file), 0600));
	must(PEM_write_PrivateKey(file, cert->key, NULL, NULL, 0, NULL, NULL));
	fclose(file);
}

static void revoke(X509_CRL *crl, const X509 *x509, const ASN1_TIME *when)
{
	X509_REVOKED *revoked = X509_REVOKED_new();

	must(revoked &&
	     X509_REVOKED_set_revocationDate(revoked, (ASN1_TIME *)when));
	must(X509_REVOKED_set_serialNumber(
	    revoked, (ASN1_INTEGER *)X509_get0_serialNumber(x509)));
	must(X509_CRL_add0_revoked(crl, revoked));
}

static void sign_crl(X509_CRL *crl, const struct cert *ca,
		     const struct cert *revoked, int64_t ends_s)
{
	ASN1_TIME *time = X509_gmtime_adj(NULL, -HOUR_S);

	must(time && X509_CRL_set_version(crl, 1) &&
	     X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca->x509)) &&
	     X509_CRL_set1_lastUpdate(crl, time));
	if (revoked)
		revoke(crl, revoked->x509, time);
	must(X509_gmtime_adj(time, ends_s) &&
	     X509_CRL_set1_nextUpdate(crl, time) &&
	     X509_CRL_sign(crl, ca->key, EVP_sha256()));
	ASN1_TIME_free(time);
}

void cert_append_crl(const char *path, const struct cert *ca,
		     const struct cert *revoked, int64_t ends_s)
{
	FILE *file = open_file(path, "a");
	X509_CRL *crl = X509_CRL_new();

	must(crl);
	sign_crl(crl, ca, revoked, ends_s);
	must(PEM_write_X509_CRL(file, crl));
	X509_CRL_free(crl);
	fclose(file);
}

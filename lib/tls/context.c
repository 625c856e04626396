/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Contexts. All that decides on whom we talk to and how is set here, whatever
 * openssl.cnf says of it; that file has a say in providers (FIPS) alone.
 */
#include "config.h"

#include "tls/context.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "tls/file.h"

#define SECURITY_LEVEL 2 /* 112 bits: RSA and DH of 2048, no SHA-1 */
/* The chain that a peer sends: a thousand of these may wait for their end. */
#define PEER_CHAIN_BYTES_MAX (32 * 1024)

/* Of TLS 1.3; all that RFC 8446 9.1 asks for, and no CCM. */
static const char suites[] = "TLS_AES_256_GCM_SHA384:"
			     "TLS_CHACHA20_POLY1305_SHA256:"
			     "TLS_AES_128_GCM_SHA256";
static const char groups[] = "X25519:P-256:P-384";
static const char groups_of_fips[] = "P-256:P-384";
static const char signatures[] =
    "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:"
    "RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:"
    "rsa_pss_pss_sha256:rsa_pss_pss_sha384:rsa_pss_pss_sha512:"
    "RSA+SHA256:RSA+SHA384:RSA+SHA512";

struct making {
	const char *section;
	const struct tls_settings *settings;
	struct tls_context *context;
};

static struct tls_file file_of(const struct making *making, const char *setting,
			       const char *path)
{
	return (struct tls_file){ making->section, setting, path };
}

/* --- What is spoken ----------------------------------------------------- */

static int set_groups(SSL_CTX *library)
{
	if (SSL_CTX_set1_groups_list(library, groups))
		return 0;
	ERR_clear_error();
	return SSL_CTX_set1_groups_list(library, groups_of_fips) ? 0 : ENOMEM;
}

static int set_algorithms(SSL_CTX *library)
{
	if (!SSL_CTX_set_min_proto_version(library, TLS1_2_VERSION) ||
	    !SSL_CTX_set_max_proto_version(library, 0) ||
	    !SSL_CTX_set_ciphersuites(library, suites) ||
	    !SSL_CTX_set1_sigalgs_list(library, signatures) ||
	    !SSL_CTX_set1_client_sigalgs_list(library, signatures))
		return ENOMEM;
	SSL_CTX_set_dh_auto(library, 1);
	return set_groups(library);
}

/* After all else: a cipher list may lower the security level in passing. */
static int set_ciphers(const struct making *making)
{
	SSL_CTX *library = making->context->library;
	const struct tls_file none =
	    file_of(making, "ciphers", making->settings->ciphers);
	bool taken = SSL_CTX_set_cipher_list(library, none.path);

	SSL_CTX_set_security_level(library, SECURITY_LEVEL);
	if (taken)
		return 0;
	if (tls_library_error() == ENOMEM)
		return ENOMEM;
	return tls_file_refuse(&none, "no cipher suite of TLS 1.2 is in it: "
				      "see openssl ciphers -s -tls1_2");
}

/*
 * No resumption: nothing of a peer that is kept after its connection, and a
 * withdrawn certificate is seen by the next handshake. Renegotiation is what
 * TLS 1.3 has no more.
 */
static void set_habits(SSL_CTX *library)
{
	SSL_CTX_clear_options(library, ~UINT64_C(0));
	SSL_CTX_set_options(library, SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
					 SSL_OP_NO_RENEGOTIATION |
					 SSL_OP_CIPHER_SERVER_PREFERENCE |
					 SSL_OP_ENABLE_MIDDLEBOX_COMPAT);
	SSL_CTX_set_session_cache_mode(library, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(library, 0);
	SSL_CTX_set_max_early_data(library, 0);
	/* One that reads on would serve a peer's key updates without end. */
	SSL_CTX_clear_mode(library, SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_mode(library, SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS |
				      SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_read_ahead(library, 0);
	SSL_CTX_set_max_cert_list(library, PEER_CHAIN_BYTES_MAX);
}

static int set_up(const struct making *making)
{
	int err = set_algorithms(making->context->library);

	if (!err)
		err = set_ciphers(making);
	if (!err)
		set_habits(making->context->library);
	return err;
}

/* --- Who we are --------------------------------------------------------- */

/* The clock may be wrong just after boot, so this stops nobody. */
static void warn_of_times(const struct tls_file *file, const X509 *own)
{
	const char *what = NULL;

	if (tls_time(X509_get0_notAfter(own)) <= tls_now())
		what = "it has expired: peers will refuse it";
	else if (tls_time(X509_get0_notBefore(own)) > tls_now())
		what = "it is not yet valid: peers will refuse it";
	if (what)
		log_error("tls", "msg=\"%s.%s: %s\" file=\"%s\"", file->section,
			  file->setting, what, file->path);
}

static int check_own(const struct making *making, const struct tls_file *file,
		     X509 *own)
{
	struct tls_names *names = &making->context->names;
	const char *why = tls_refuse_purpose(own);
	int err;

	if (why)
		return tls_file_refuse(file, why);
	err = tls_names_read(names, own);
	if (err)
		return err;
	if (!names->count)
		return tls_file_refuse(
		    file, "it has no subject alternative name that we can "
			  "be known by: a dns or uri name, no wildcard");
	warn_of_times(file, own);
	return 0;
}

static int refuse_or_memory(const struct tls_file *file, const char *why)
{
	return tls_library_error() == ENOMEM ? ENOMEM
					     : tls_file_refuse(file, why);
}

static int add_chain(const struct making *making, const struct tls_file *file,
		     STACK_OF(X509) * chain)
{
	for (int i = 1; i < sk_X509_num(chain); i++) {
		X509 *above = sk_X509_value(chain, i);

		if (X509_check_issued(above, sk_X509_value(chain, i - 1)) !=
		    X509_V_OK)
			return tls_file_refuse(
			    file, "it is out of order: our own first, then "
				  "who signed it, then who signed that");
		if (!SSL_CTX_add1_chain_cert(making->context->library, above))
			return refuse_or_memory(file, "a certificate of its "
						      "chain is too weak");
	}
	return 0;
}

static int use_certificate(const struct making *making,
			   const struct tls_file *file, STACK_OF(X509) * chain)
{
	X509 *own = sk_X509_value(chain, 0);
	int err = check_own(making, file, own);

	if (err)
		return err;
	if (!SSL_CTX_use_certificate(making->context->library, own))
		return refuse_or_memory(file, "its key or signature is too "
					      "weak: RSA of 2048 or EC of 256 "
					      "bits at least, SHA-2");
	making->context->expires = tls_chain_expires(chain);
	return add_chain(making, file, chain);
}

static int set_certificate(const struct making *making)
{
	const struct tls_file file =
	    file_of(making, "certificate", making->settings->certificate);
	STACK_OF(X509) *chain = NULL;
	int err = tls_file_certificates(&file, &chain);

	if (!err)
		err = use_certificate(making, &file, chain);
	sk_X509_pop_free(chain, X509_free);
	return err;
}

static int set_key(const struct making *making)
{
	SSL_CTX *library = making->context->library;
	const struct tls_file file =
	    file_of(making, "key", making->settings->key);
	EVP_PKEY *key = NULL;
	int err = tls_file_key(&file, &key);

	if (!err && (!SSL_CTX_use_PrivateKey(library, key) ||
		     !SSL_CTX_check_private_key(library)))
		err = refuse_or_memory(&file,
				       "it is not the key of the certificate");
	EVP_PKEY_free(key);
	return err;
}

/* --- Whom we trust ------------------------------------------------------ */

static int add_ca(const struct making *making, const struct tls_file *file,
		  X509_STORE *store, X509 *ca)
{
	if (X509_check_ca(ca) != 1)
		return tls_file_refuse(file, "a certificate in it is no CA's: "
					     "basicConstraints CA:TRUE");
	if (!X509_get0_pubkey(ca))
		return refuse_or_memory(file, "a key in it is unknown to "
					      "OpenSSL");
	if (!X509_STORE_add_cert(store, ca) ||
	    !SSL_CTX_add_client_CA(making->context->library, ca))
		return ENOMEM;
	return 0;
}

static int add_cas(const struct making *making, const struct tls_file *file,
		   X509_STORE *store, STACK_OF(X509) * cas)
{
	bool has_root = false;
	int err = 0;

	for (int i = 0; !err && i < sk_X509_num(cas); i++) {
		has_root |= X509_self_signed(sk_X509_value(cas, i), 0) == 1;
		err = add_ca(making, file, store, sk_X509_value(cas, i));
	}
	if (!err && !has_root)
		err = tls_file_refuse(file, "there is no root in it: no chain "
					    "could end there");
	return err;
}

static int set_ca(const struct making *making, X509_STORE *store)
{
	const struct tls_file file =
	    file_of(making, "ca", making->settings->ca);
	STACK_OF(X509) *cas = NULL;
	int err = tls_file_certificates(&file, &cas);

	SSL_CTX_set_client_CA_list(making->context->library, NULL);
	if (!err)
		err = add_cas(making, &file, store, cas);
	sk_X509_pop_free(cas, X509_free);
	return err;
}

static int add_crls(const struct making *making, const struct tls_file *file,
		    X509_STORE *store, const STACK_OF(X509_CRL) * crls)
{
	int64_t *expires = &making->context->crl_expires;

	for (int i = 0; i < sk_X509_CRL_num(crls); i++) {
		X509_CRL *crl = sk_X509_CRL_value(crls, i);
		int64_t next = tls_time(X509_CRL_get0_nextUpdate(crl));

		if (!X509_STORE_add_crl(store, crl))
			return ENOMEM;
		if (next < *expires)
			*expires = next;
	}
	if (*expires <= tls_now())
		log_error("tls",
			  "msg=\"%s.%s: a revocation list in it is out of "
			  "date: peers of its CA are refused\" file=\"%s\"",
			  file->section, file->setting, file->path);
	return 0;
}

static int set_crl(const struct making *making, X509_STORE *store)
{
	const struct tls_file file =
	    file_of(making, "crl", making->settings->crl);
	STACK_OF(X509_CRL) *crls = NULL;
	int err = tls_file_crls(&file, &crls);

	if (!err)
		err = add_crls(making, &file, store, crls);
	sk_X509_CRL_pop_free(crls, X509_CRL_free);
	return err;
}

/* Purpose is our own check: tls_refuse_purpose(). */
static int set_verification(const struct making *making)
{
	X509_VERIFY_PARAM *rules = SSL_CTX_get0_param(making->context->library);
	unsigned long flags = X509_V_FLAG_TRUSTED_FIRST;

	if (*making->settings->crl)
		flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
	X509_VERIFY_PARAM_clear_flags(rules, ~0UL);
	X509_VERIFY_PARAM_set_depth(rules,
				    (int)making->settings->chain_max - 1);
	X509_VERIFY_PARAM_set_auth_level(rules, SECURITY_LEVEL);
	if (!X509_VERIFY_PARAM_set_flags(rules, flags) ||
	    !X509_VERIFY_PARAM_set_purpose(rules, X509_PURPOSE_ANY))
		return ENOMEM;
	return 0;
}

static int set_trust(const struct making *making)
{
	X509_STORE *store = X509_STORE_new();
	int err;

	if (!store)
		return ENOMEM;
	/* In place of what openssl.cnf may have put there. */
	SSL_CTX_set_cert_store(making->context->library, store);
	err = set_ca(making, store);
	if (!err && *making->settings->crl)
		err = set_crl(making, store);
	return err ? err : set_verification(making);
}

/* --- Life --------------------------------------------------------------- */

static int make(const struct making *making)
{
	int err;

	making->context->library = SSL_CTX_new(TLS_method());
	if (!making->context->library)
		return ENOMEM;
	err = set_up(making);
	if (!err)
		err = set_certificate(making);
	if (!err)
		err = set_key(making);
	if (!err)
		err = set_trust(making);
	return err;
}

int tls_context_create(struct tls_context **contextp, const char *section,
		       const struct tls_settings *settings)
{
	struct tls_context *context = calloc(1, sizeof(*context));
	int err;

	if (!context)
		return ENOMEM;
	context->references = 1;
	context->crl_expires = INT64_MAX;
	ERR_clear_error();
	err = make(&(struct making){ section, settings, context });
	ERR_clear_error();
	if (err)
		tls_context_release(context);
	else
		*contextp = context;
	return err;
}

struct tls_context *tls_context_hold(struct tls_context *context)
{
	if (context)
		context->references++;
	return context;
}

void tls_context_release(struct tls_context *context)
{
	if (!context || --context->references)
		return;
	SSL_CTX_free(context->library);
	tls_names_clear(&context->names);
	free(context);
}

int64_t tls_context_expires(const struct tls_context *context)
{
	return context->expires;
}

int64_t tls_context_crl_expires(const struct tls_context *context)
{
	return context->crl_expires;
}

const char *const *tls_context_names(const struct tls_context *context,
				     size_t *count)
{
	*count = context->names.count;
	return (const char *const *)context->names.values;
}

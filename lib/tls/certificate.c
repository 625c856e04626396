/* SPDX-License-Identifier: BSD-2-Clause */
/* Names, purpose and times of certificates (RFC 5922, RFC 5924). */
#include "config.h"

#include "tls/certificate.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

#define NAMES_MAX 100
#define NAME_BYTES_MAX 300
/* RFC 5924: id-kp-sipDomain, which OpenSSL has no name for. */
#define SIP_DOMAIN "1.3.6.1.5.5.7.3.20"
#define OID_BYTES 64

/* --- Names -------------------------------------------------------------- */

/*
 * A wildcard names nobody (RFC 5922 7.2); a NUL or what is not ASCII would be
 * one name to a CA and another to us.
 */
static bool is_usable(const unsigned char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (text[i] <= ' ' || text[i] >= 0x7f || text[i] == '*' ||
		    text[i] == '"' || text[i] == '\\')
			return false;
	}
	return length && length <= NAME_BYTES_MAX;
}

static char *copy_name(const char *kind, const unsigned char *text,
		       size_t length)
{
	size_t prefix = strlen(kind);
	char *name = malloc(prefix + length + 1);

	if (!name)
		return NULL;
	memcpy(name, kind, prefix);
	memcpy(name + prefix, text, length);
	name[prefix + length] = '\0';
	return name;
}

static int add_name(struct tls_names *names, const char *kind,
		    const ASN1_IA5STRING *value)
{
	const unsigned char *text = ASN1_STRING_get0_data(value);
	size_t length = (size_t)ASN1_STRING_length(value);
	char *name;

	if (!is_usable(text, length))
		return 0;
	name = copy_name(kind, text, length);
	if (!name)
		return ENOMEM;
	names->values[names->count++] = name;
	for (char *each = name; *kind == 'd' && *each; each++)
		*each = (char)tolower((unsigned char)*each);
	return 0;
}

static int add_general_name(struct tls_names *names, const GENERAL_NAME *name)
{
	if (name->type == GEN_DNS)
		return add_name(names, "dns:", name->d.dNSName);
	if (name->type == GEN_URI)
		return add_name(names,
				"uri:", name->d.uniformResourceIdentifier);
	return 0;
}

static int add_names(struct tls_names *names, const GENERAL_NAMES *all)
{
	int count = sk_GENERAL_NAME_num(all);
	int err = 0;

	if (count > NAMES_MAX)
		count = NAMES_MAX;
	names->values = calloc((size_t)count + 1, sizeof(*names->values));
	if (!names->values)
		return ENOMEM;
	for (int i = 0; i < count && !err; i++)
		err = add_general_name(names, sk_GENERAL_NAME_value(all, i));
	return err;
}

int tls_names_read(struct tls_names *names, const X509 *certificate)
{
	GENERAL_NAMES *all;
	int critical = 0, err;

	all = X509_get_ext_d2i(certificate, NID_subject_alt_name, &critical,
			       NULL);
	/* What is there twice, or unreadable, has no name in it. */
	if (!all)
		return tls_library_error() == ENOMEM ? ENOMEM : 0;
	err = add_names(names, all);
	GENERAL_NAMES_free(all);
	return err;
}

void tls_names_clear(struct tls_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->values[i]);
	free(names->values);
	*names = (struct tls_names){ 0 };
}

/* --- Purpose ------------------------------------------------------------ */

static bool is_for_tls(const ASN1_OBJECT *use)
{
	char oid[OID_BYTES];

	switch (OBJ_obj2nid(use)) {
	case NID_server_auth:
	case NID_client_auth:
	case NID_anyExtendedKeyUsage:
		return true;
	}
	OBJ_obj2txt(oid, sizeof(oid), use, 1);
	return !strcmp(oid, SIP_DOMAIN);
}

static bool has_use(const EXTENDED_KEY_USAGE *uses)
{
	for (int i = 0; i < sk_ASN1_OBJECT_num(uses); i++) {
		if (is_for_tls(sk_ASN1_OBJECT_value(uses, i)))
			return true;
	}
	return false;
}

/*
 * A SIP server is server and client by turns, with one certificate, and many a
 * CA signs for one of both only: either will do for both.
 */
const char *tls_refuse_purpose(X509 *certificate)
{
	EXTENDED_KEY_USAGE *uses;
	int critical = 0;
	bool fits;

	if (!(X509_get_key_usage(certificate) & KU_DIGITAL_SIGNATURE))
		return "its key usage has no digitalSignature";
	uses =
	    X509_get_ext_d2i(certificate, NID_ext_key_usage, &critical, NULL);
	fits = uses ? has_use(uses) : critical == -1;
	EXTENDED_KEY_USAGE_free(uses);
	return fits ? NULL
		    : "its extended key usage has neither serverAuth "
		      "nor clientAuth";
}

/* --- Times -------------------------------------------------------------- */

int64_t tls_time(const ASN1_TIME *time)
{
	struct tm tm;

	if (!time)
		return INT64_MAX;
	return ASN1_TIME_to_tm(time, &tm) ? timegm(&tm) : 0;
}

int64_t tls_chain_expires(const STACK_OF(X509) * chain)
{
	int64_t first = INT64_MAX;

	for (int i = 0; i < sk_X509_num(chain); i++) {
		int64_t expires =
		    tls_time(X509_get0_notAfter(sk_X509_value(chain, i)));

		if (expires < first)
			first = expires;
	}
	return first;
}

int64_t tls_now(void)
{
	return (int64_t)(clock_utc_us() / 1000000);
}

/* --- Errors ------------------------------------------------------------- */

int tls_library_error(void)
{
	unsigned long error;
	int err = EINVAL;

	while ((error = ERR_get_error()) != 0) {
		if (ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE)
			err = ENOMEM;
	}
	return err;
}

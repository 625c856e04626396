/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/tls: files that are missing, broken, or not what they are given for. */
#include "unit.h"

#include <errno.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "tls_fixture.h"

#define DAY_S (24 * 3600)

static struct cert *root, *middle, *own, *other;
static struct tls_settings settings;

static char *keep(const char *name)
{
	return strdup(folder_file(name));
}

static int set_up(void)
{
	if (folder_create())
		return 1;
	root = cert_create(NULL, &(struct cert_wish){ .subject = "root",
						      .is_ca = true });
	middle = cert_create(root, &(struct cert_wish){ .subject = "middle",
							.is_ca = true });
	own = cert_create(root, &(struct cert_wish){ .names = "DNS:own" });
	other = cert_create(middle, &(struct cert_wish){ .names = "DNS:o" });
	cert_write(folder_file("ca.pem"), root, NULL);
	identity_write("own", own, NULL);
	identity_write("other", other, middle);
	folder_write("empty", "");
	folder_write("garbage", "-----BEGIN CERTIFICATE-----\nMIIB!\n"
				"-----END CERTIFICATE-----\n");
	folder_write("broken.crl", "-----BEGIN X509 CRL-----\nMIIB\n"
				   "-----END X509 CRL-----\n");
	folder_write("broken.key", "-----BEGIN PRIVATE KEY-----\nMIIB\n"
				   "-----END PRIVATE KEY-----\n");
	chmod(folder_file("empty"), 0600);
	chmod(folder_file("garbage"), 0600);
	chmod(folder_file("broken.key"), 0600);
	settings = settings_of("own");
	settings.certificate = keep("own.pem");
	settings.key = keep("own.key");
	settings.ca = keep("ca.pem");
	return 0;
}

static int tear_down(void)
{
	free(settings.certificate);
	free(settings.key);
	free(settings.ca);
	cert_destroy(root);
	cert_destroy(middle);
	cert_destroy(own);
	cert_destroy(other);
	return folder_destroy();
}

/* `text`: a part of what the log says; NULL: nothing. */
static void expect(const struct tls_settings *wanted, int expected,
		   const char *text)
{
	struct tls_context *context = NULL;
	const char *caught;
	int err;

	log_catch();
	err = tls_context_create(&context, "tls_outside", wanted);
	caught = log_caught();
	CU_ASSERT_EQUAL(err, expected);
	CU_ASSERT_EQUAL(context != NULL, !expected);
	if (text)
		CU_ASSERT_PTR_NOT_NULL(strstr(caught, text));
	if (!text)
		CU_ASSERT_STRING_EQUAL(caught, "");
	tls_context_release(context);
}

static void expect_certificate(const char *name, int err, const char *text)
{
	struct tls_settings wanted = settings;

	wanted.certificate = (char *)folder_file(name);
	expect(&wanted, err, text);
}

static void expect_key(const char *name, int err, const char *text)
{
	struct tls_settings wanted = settings;

	wanted.key = (char *)folder_file(name);
	expect(&wanted, err, text);
}

static void expect_ca(const char *name, int err, const char *text)
{
	struct tls_settings wanted = settings;

	wanted.ca = (char *)folder_file(name);
	expect(&wanted, err, text);
}

static void expect_crl(const char *name, int err, const char *text)
{
	struct tls_settings wanted = settings;

	wanted.crl = (char *)folder_file(name);
	expect(&wanted, err, text);
}

/* --- Certificates ------------------------------------------------------- */

static void test_good(void)
{
	struct tls_context *context = NULL;
	const char *const *names;
	size_t count;
	int64_t now = (int64_t)(clock_utc_us() / 1000000);

	CU_ASSERT_EQUAL_FATAL(tls_context_create(&context, "tls", &settings),
			      0);
	names = tls_context_names(context, &count);
	CU_ASSERT_EQUAL_FATAL(count, 1);
	CU_ASSERT_STRING_EQUAL(names[0], "dns:own");
	CU_ASSERT_TRUE(tls_context_expires(context) > now + DAY_S - 10);
	CU_ASSERT_TRUE(tls_context_expires(context) <= now + DAY_S + 1);
	tls_context_release(context);
	tls_context_release(NULL);
	CU_ASSERT_PTR_NULL(tls_context_hold(NULL));
}

static void test_certificate_file(void)
{
	struct tls_settings wanted = settings;

	expect_certificate("missing", ENOENT,
			   "tls_outside.certificate: cannot read it: No such");
	expect_certificate("", EINVAL, "no regular file");
	expect_certificate("empty", EINVAL, "no certificate (PEM)");
	expect_certificate("own.key", EINVAL, "no certificate (PEM)");
	expect_certificate("garbage", EINVAL, "is broken");
	wanted.certificate = "";
	expect(&wanted, EINVAL, "name a PEM file");
	folder_write("huge", "");
	if (truncate(folder_file("huge"), 17 * 1024 * 1024))
		abort();
	expect_certificate("huge", EINVAL, "larger than 16 MiB");
	if (mkfifo(folder_file("pipe"), 0600))
		abort();
	expect_certificate("pipe", EINVAL, "no regular file");
}

static void write_own(const struct cert_wish *wish)
{
	struct cert *cert = cert_create(root, wish);

	identity_write("odd", cert, NULL);
	cert_destroy(cert);
}

static void expect_own(const struct cert_wish *wish, int err, const char *text)
{
	struct tls_settings wanted = settings;

	write_own(wish);
	wanted.certificate = (char *)folder_file("odd.pem");
	wanted.key = (char *)folder_file("odd.key");
	expect(&wanted, err, text);
}

static void test_own(void)
{
	expect_own(&(struct cert_wish){ .subject = "own.example" }, EINVAL,
		   "no subject alternative name");
	expect_own(&(struct cert_wish){ .names = "DNS:*.example" }, EINVAL,
		   "no subject alternative name");
	expect_own(&(struct cert_wish){ .names = "DNS:a",
					.usage = "OCSPSigning" },
		   EINVAL, "extended key usage");
	expect_own(&(struct cert_wish){ .names = "DNS:a",
					.key_usage = "keyAgreement" },
		   EINVAL, "digitalSignature");
	expect_own(&(struct cert_wish){ .names = "DNS:a", .rsa_bits = 1024 },
		   EINVAL, "too weak");
	expect_own(&(struct cert_wish){ .names = "DNS:a", .digest = "SHA1" },
		   EINVAL, "too weak");
	expect_own(&(struct cert_wish){ .names = "DNS:a", .rsa_bits = 2048 }, 0,
		   NULL);
}

/* A clock that is wrong at boot must not end service on other transports. */
static void test_own_times(void)
{
	expect_own(&(struct cert_wish){ .names = "DNS:a",
					.starts_s = -DAY_S,
					.ends_s = -60 },
		   0, "it has expired");
	expect_own(&(struct cert_wish){ .names = "DNS:a",
					.starts_s = 3600,
					.ends_s = DAY_S },
		   0, "not yet valid");
}

static void test_chain(void)
{
	struct tls_settings wanted = settings;
	struct cert *weak =
	    cert_create(root, &(struct cert_wish){ .subject = "weak",
						   .is_ca = true,
						   .rsa_bits = 1024 });
	struct cert *below =
	    cert_create(weak, &(struct cert_wish){ .names = "DNS:below" });

	wanted.certificate = (char *)folder_file("other.pem");
	wanted.key = (char *)folder_file("other.key");
	expect(&wanted, 0, NULL);
	cert_write(folder_file("order.pem"), other, root, middle, NULL);
	wanted.certificate = (char *)folder_file("order.pem");
	expect(&wanted, EINVAL, "out of order");
	identity_write("below", below, weak);
	wanted.certificate = (char *)folder_file("below.pem");
	wanted.key = (char *)folder_file("below.key");
	expect(&wanted, EINVAL, "of its chain is too weak");
	cert_destroy(weak);
	cert_destroy(below);
}

/* --- Keys --------------------------------------------------------------- */

static void test_key(void)
{
	expect_key("missing", ENOENT, "tls_outside.key: cannot read it");
	expect_key("empty", EINVAL, "no private key (PEM)");
	expect_key("broken.key", EINVAL, "or a broken one");
	expect_key("other.key", EINVAL, "not the key of the certificate");
}

static void test_key_passphrase(void)
{
	FILE *file = fopen(folder_file("locked.key"), "w");

	if (!file ||
	    !PEM_write_PKCS8PrivateKey(file, own->key, EVP_aes_128_cbc(),
				       "secret", 6, NULL, NULL))
		abort();
	fclose(file);
	chmod(folder_file("locked.key"), 0600);
	expect_key("locked.key", EINVAL, "passphrase");
}

static void test_key_mode(void)
{
	cert_write_key(folder_file("shared.key"), own);
	chmod(folder_file("shared.key"), 0604);
	expect_key("shared.key", EINVAL, "everybody may read it");
	chmod(folder_file("shared.key"), 0602);
	expect_key("shared.key", EINVAL, "everybody may read it");
	chmod(folder_file("shared.key"), 0640);
	expect_key("shared.key", 0, "its group may read it");
	chmod(folder_file("shared.key"), 0400);
	expect_key("shared.key", 0, NULL);
}

/* --- Trust -------------------------------------------------------------- */

static void test_ca(void)
{
	expect_ca("missing", ENOENT, "tls_outside.ca: cannot read it");
	expect_ca("empty", EINVAL, "no certificate (PEM)");
	expect_ca("garbage", EINVAL, "is broken");
	expect_ca("own.pem", EINVAL, "is no CA's");
	cert_write(folder_file("half.pem"), root, own, NULL);
	expect_ca("half.pem", EINVAL, "is no CA's");
	/* A chain that does not end in a root is not trusted. */
	cert_write(folder_file("middle.pem"), middle, NULL);
	expect_ca("middle.pem", EINVAL, "no root");
	cert_write(folder_file("both.pem"), middle, root, root, NULL);
	expect_ca("both.pem", 0, NULL);
}

static void test_crl(void)
{
	expect_crl("missing", ENOENT, "tls_outside.crl: cannot read it");
	expect_crl("empty", EINVAL, "no revocation list (PEM)");
	expect_crl("broken.crl", EINVAL, "is broken");
	expect_crl("ca.pem", EINVAL, "no revocation list (PEM)");
	cert_append_crl(folder_file("good.crl"), root, NULL, DAY_S);
	expect_crl("good.crl", 0, NULL);
}

static void test_crl_expires(void)
{
	struct tls_settings wanted = settings;
	struct tls_context *context = NULL;
	int64_t now = (int64_t)(clock_utc_us() / 1000000);

	cert_append_crl(folder_file("two.crl"), root, NULL, 2 * DAY_S);
	cert_append_crl(folder_file("two.crl"), middle, NULL, DAY_S);
	wanted.crl = (char *)folder_file("two.crl");
	CU_ASSERT_EQUAL_FATAL(tls_context_create(&context, "tls", &wanted), 0);
	CU_ASSERT_TRUE(tls_context_crl_expires(context) > now + DAY_S - 10);
	CU_ASSERT_TRUE(tls_context_crl_expires(context) <= now + DAY_S + 1);
	tls_context_release(context);
}

/* --- Ciphers ------------------------------------------------------------ */

static void test_ciphers(void)
{
	struct tls_settings wanted = settings;

	wanted.ciphers = "NO-SUCH-CIPHER";
	expect(&wanted, EINVAL, "tls_outside.ciphers: no cipher suite");
	wanted.ciphers = "ECDHE-RSA-AES128-GCM-SHA256";
	expect(&wanted, 0, NULL);
}

static CU_TestInfo tests[] = {
	{ "good", test_good },
	{ "certificate file", test_certificate_file },
	{ "own certificate", test_own },
	{ "own times", test_own_times },
	{ "chain", test_chain },
	{ "key", test_key },
	{ "key with a passphrase", test_key_passphrase },
	{ "key that others read", test_key_mode },
	{ "ca", test_ca },
	{ "crl", test_crl },
	{ "crl expires", test_crl_expires },
	{ "ciphers", test_ciphers },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "tls_files", set_up, tear_down, NULL, NULL, tests },
	CU_SUITE_INFO_NULL,
};

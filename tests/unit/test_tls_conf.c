/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/tls under an openssl.cnf that would open every door. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tls_fixture.h"

static struct cert *root, *other_root, *peer, *stranger, *weak;
static struct tls_context *ours;

/* OpenSSL reads the file when it is first used: before any certificate. */
static void write_conf(void)
{
	char text[1024];

	snprintf(text, sizeof(text),
		 "openssl_conf = all\n"
		 "[all]\n"
		 "ssl_conf = ssl\n"
		 "[ssl]\n"
		 "system_default = open\n"
		 "[open]\n"
		 "MinProtocol = TLSv1\n"
		 "MaxProtocol = TLSv1.2\n"
		 "CipherString = ALL:@SECLEVEL=0\n"
		 "Groups = P-521\n"
		 "SignatureAlgorithms = RSA+SHA1:ECDSA+SHA1:ECDSA+SHA256\n"
		 "Options = ServerPreference,UnsafeLegacyRenegotiation,"
		 "SessionTicket\n"
		 "NumTickets = 2\n"
		 "VerifyCAFile = %s\n",
		 folder_file("other.pem"));
	folder_write("openssl.cnf", text);
	setenv("OPENSSL_CONF", folder_file("openssl.cnf"), 1);
}

static struct cert *make(const struct cert *issuer, const char *subject,
			 unsigned rsa_bits)
{
	return cert_create(
	    issuer, &(struct cert_wish){ .subject = subject,
					 .names = issuer ? "DNS:peer" : NULL,
					 .is_ca = !issuer,
					 .rsa_bits = rsa_bits });
}

static int set_up(void)
{
	struct cert *own;

	if (folder_create())
		return 1;
	write_conf();
	other_root = make(NULL, "other", 0);
	cert_write(folder_file("other.pem"), other_root, NULL);
	root = make(NULL, "root", 0);
	cert_write(folder_file("ca.pem"), root, NULL);
	own = make(root, "own", 0);
	identity_write("own", own, NULL);
	cert_destroy(own);
	peer = make(root, "peer", 0);
	stranger = make(other_root, "stranger", 0);
	weak = make(root, "weak", 1024);
	ours = context_of("own");
	return 0;
}

static int tear_down(void)
{
	tls_context_release(ours);
	cert_destroy(root);
	cert_destroy(other_root);
	cert_destroy(peer);
	cert_destroy(stranger);
	cert_destroy(weak);
	return folder_destroy();
}

/* The file is in force: a context that says nothing itself follows it. */
static void test_in_force(void)
{
	SSL_CTX *context = SSL_CTX_new(TLS_method());

	CU_ASSERT_PTR_NOT_NULL_FATAL(context);
	CU_ASSERT_EQUAL(SSL_CTX_get_min_proto_version(context), TLS1_VERSION);
	CU_ASSERT_EQUAL(SSL_CTX_get_security_level(context), 0);
	CU_ASSERT_EQUAL(SSL_CTX_get_num_tickets(context), 2);
	SSL_CTX_free(context);
}

static void expect(const struct cert *cert, enum tls_role role, int version,
		   const char *fault)
{
	struct raw raw;

	raw_create(&raw, ours, role,
		   (const struct cert *const[]){ cert, NULL });
	/* Of the peer it is not to be the file that makes it fail. */
	SSL_set1_groups_list(raw.library, "P-256");
	SSL_set1_sigalgs_list(raw.library, "ECDSA+SHA256:RSA+SHA256");
	SSL_set_min_proto_version(raw.library, version);
	SSL_set_max_proto_version(raw.library, version);
	raw_shake_hands(&raw);
	CU_ASSERT_EQUAL(raw.result, *fault ? TLS_FAILED : TLS_DONE);
	CU_ASSERT_PTR_NOT_NULL(strstr(tls_session_fault(raw.session), fault));
	raw_destroy(&raw);
}

static void test_versions(void)
{
	expect(peer, TLS_ACCEPTS, TLS1_1_VERSION, "unsupported protocol");
	expect(peer, TLS_CONNECTS, TLS1_1_VERSION, "alert protocol version");
}

static void test_trust(void)
{
	expect(stranger, TLS_ACCEPTS, TLS1_2_VERSION, "unable to get local");
	expect(stranger, TLS_CONNECTS, TLS1_2_VERSION, "unable to get local");
	expect(weak, TLS_ACCEPTS, TLS1_2_VERSION, "key too weak");
}

static void test_ours(void)
{
	struct ends ends;

	ends_open(&ends, ours, ours);
	CU_ASSERT_EQUAL(ends.accepted, TLS_DONE);
	CU_ASSERT_STRING_EQUAL(tls_session_cipher(ends.accepts),
			       "TLSv1.3 TLS_AES_256_GCM_SHA384");
	ends_close(&ends);
}

static CU_TestInfo tests[] = {
	{ "the file is in force", test_in_force },
	{ "versions", test_versions },
	{ "trust", test_trust },
	{ "ours", test_ours },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "tls_conf", set_up, tear_down, NULL, NULL, tests },
	CU_SUITE_INFO_NULL,
};

/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/tls: two ends that trust each other, and what goes between them. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "tls_fixture.h"

static struct cert *ca;
static struct tls_context *a, *b;

static int set_up(void)
{
	struct cert *cert;

	if (folder_create())
		return 1;
	ca = cert_create(NULL,
			 &(struct cert_wish){ .subject = "CA", .is_ca = true });
	cert_write(folder_file("ca.pem"), ca, NULL);
	cert = cert_create(ca, &(struct cert_wish){ .names =
							"DNS:A.Example,URI:sip:"
							"a.example" });
	identity_write("a", cert, NULL);
	cert_destroy(cert);
	cert = cert_create(ca, &(struct cert_wish){ .names = "DNS:b.example" });
	identity_write("b", cert, NULL);
	cert_destroy(cert);
	a = context_of("a");
	b = context_of("b");
	return 0;
}

static int tear_down(void)
{
	tls_context_release(a);
	tls_context_release(b);
	cert_destroy(ca);
	return folder_destroy();
}

static void test_handshake(void)
{
	const char *const *names;
	struct ends ends;
	size_t count;

	ends_open(&ends, a, b);
	CU_ASSERT_EQUAL(ends.accepted, TLS_DONE);
	CU_ASSERT_EQUAL(ends.connected, TLS_DONE);
	names = tls_session_names(ends.connects, &count);
	CU_ASSERT_EQUAL_FATAL(count, 2);
	CU_ASSERT_STRING_EQUAL(names[0], "dns:a.example");
	CU_ASSERT_STRING_EQUAL(names[1], "uri:sip:a.example");
	names = tls_session_names(ends.accepts, &count);
	CU_ASSERT_EQUAL_FATAL(count, 1);
	CU_ASSERT_STRING_EQUAL(names[0], "dns:b.example");
	CU_ASSERT_STRING_EQUAL(tls_session_cipher(ends.accepts),
			       "TLSv1.3 TLS_AES_256_GCM_SHA384");
	CU_ASSERT_TRUE(tls_session_expires(ends.accepts) > time(NULL) + 80000);
	CU_ASSERT_TRUE(tls_session_is_valid(ends.accepts, a));
	CU_ASSERT_TRUE(tls_session_is_valid(ends.connects, b));
	ends_close(&ends);
}

static void test_bytes(void)
{
	char text[32];
	struct ends ends;
	size_t bytes;

	ends_open(&ends, a, b);
	CU_ASSERT_EQUAL(tls_session_read(ends.accepts, text, sizeof(text),
					 &bytes),
			TLS_WANT_READ);
	CU_ASSERT_EQUAL(tls_session_write(ends.connects, "MESSAGE", 7, &bytes),
			TLS_DONE);
	CU_ASSERT_EQUAL(bytes, 7);
	CU_ASSERT_EQUAL(tls_session_read(ends.accepts, text, 4, &bytes),
			TLS_DONE);
	CU_ASSERT_EQUAL(bytes, 4);
	CU_ASSERT_TRUE(tls_session_has_pending(ends.accepts));
	CU_ASSERT_EQUAL(tls_session_read(ends.accepts, text + 4, 20, &bytes),
			TLS_DONE);
	CU_ASSERT_EQUAL(bytes, 3);
	CU_ASSERT_NSTRING_EQUAL(text, "MESSAGE", 7);
	CU_ASSERT_FALSE(tls_session_has_pending(ends.accepts));
	tls_session_close(ends.connects);
	CU_ASSERT_EQUAL(tls_session_read(ends.accepts, text, 4, &bytes),
			TLS_ENDED);
	ends_close(&ends);
}

static CU_TestInfo tests[] = {
	{ "handshake", test_handshake },
	{ "bytes", test_bytes },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "tls", set_up, tear_down, NULL, NULL, tests },
	CU_SUITE_INFO_NULL,
};

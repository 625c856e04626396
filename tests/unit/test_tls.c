/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/tls: two ends that trust each other, and what goes between them. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "tls_fixture.h"

static struct cert *ca, *peer;
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
	peer =
	    cert_create(ca, &(struct cert_wish){ .names = "DNS:peer.example" });
	a = context_of("a");
	b = context_of("b");
	return 0;
}

static int tear_down(void)
{
	tls_context_release(a);
	tls_context_release(b);
	cert_destroy(ca);
	cert_destroy(peer);
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

/* --- Versions and ciphers ----------------------------------------------- */

static void open_raw(struct raw *raw, enum tls_role role)
{
	raw_create(raw, a, role, (const struct cert *const[]){ peer, NULL });
}

static void expect_version(enum tls_role role, int version, const char *fault)
{
	struct raw raw;

	open_raw(&raw, role);
	SSL_set_min_proto_version(raw.library, version);
	SSL_set_max_proto_version(raw.library, version);
	raw_shake_hands(&raw);
	CU_ASSERT_EQUAL(raw.result, fault ? TLS_FAILED : TLS_DONE);
	if (fault)
		CU_ASSERT_PTR_NOT_NULL(
		    strstr(tls_session_fault(raw.session), fault));
	raw_destroy(&raw);
}

static void test_versions(void)
{
	expect_version(TLS_ACCEPTS, TLS1_VERSION, "unsupported protocol");
	expect_version(TLS_ACCEPTS, TLS1_1_VERSION, "unsupported protocol");
	expect_version(TLS_ACCEPTS, TLS1_2_VERSION, NULL);
	expect_version(TLS_ACCEPTS, TLS1_3_VERSION, NULL);
	expect_version(TLS_CONNECTS, TLS1_VERSION,
		       "the peer says: tlsv1 alert protocol version");
	expect_version(TLS_CONNECTS, TLS1_1_VERSION, "alert protocol version");
	expect_version(TLS_CONNECTS, TLS1_2_VERSION, NULL);
	expect_version(TLS_CONNECTS, TLS1_3_VERSION, NULL);
}

static void expect_cipher(const char *cipher, const char *fault)
{
	struct raw raw;

	open_raw(&raw, TLS_ACCEPTS);
	SSL_set_max_proto_version(raw.library, TLS1_2_VERSION);
	CU_ASSERT_TRUE_FATAL(SSL_set_cipher_list(raw.library, cipher));
	raw_shake_hands(&raw);
	CU_ASSERT_EQUAL(raw.result, fault ? TLS_FAILED : TLS_DONE);
	CU_ASSERT_STRING_EQUAL(tls_session_fault(raw.session),
			       fault ? fault : "");
	raw_destroy(&raw);
}

static void test_ciphers(void)
{
	expect_cipher("ECDHE-ECDSA-AES128-GCM-SHA256", NULL);
	expect_cipher("ECDHE-ECDSA-AES128-SHA256", "no shared cipher");
	expect_cipher("AES128-GCM-SHA256", "no shared cipher");
	expect_cipher("aNULL@SECLEVEL=0", "no shared cipher");
	expect_cipher("eNULL@SECLEVEL=0", "no shared cipher");
}

/* A list that lowers the security level for all else does not. */
static void test_security_level(void)
{
	struct tls_settings settings = settings_of("a");
	struct cert *weak =
	    cert_create(ca, &(struct cert_wish){ .names = "DNS:weak.example",
						 .rsa_bits = 1024 });
	struct tls_context *context = NULL;
	struct raw raw;

	settings.ciphers = "ALL:@SECLEVEL=0";
	CU_ASSERT_EQUAL_FATAL(tls_context_create(&context, "tls", &settings),
			      0);
	raw_create(&raw, context, TLS_ACCEPTS,
		   (const struct cert *const[]){ weak, NULL });
	raw_shake_hands(&raw);
	CU_ASSERT_EQUAL(raw.result, TLS_FAILED);
	raw_destroy(&raw);
	tls_context_release(context);
	cert_destroy(weak);
}

/* --- After the handshake ------------------------------------------------ */

static void open_version(struct raw *raw, enum tls_role role, int version)
{
	open_raw(raw, role);
	SSL_set_max_proto_version(raw->library, version);
	raw_shake_hands(raw);
	CU_ASSERT_EQUAL_FATAL(raw->result, TLS_DONE);
}

/* Reads until it would have to wait. */
static enum tls_result read_all(struct tls_session *session, size_t *total)
{
	enum tls_result result;
	char buffer[4096];
	size_t bytes;

	*total = 0;
	do {
		result =
		    tls_session_read(session, buffer, sizeof(buffer), &bytes);
		*total += bytes;
	} while (result == TLS_DONE);
	return result;
}

static void expect_renegotiation_refused(enum tls_role role)
{
	struct raw raw;
	size_t bytes;

	open_version(&raw, role, TLS1_2_VERSION);
	CU_ASSERT_EQUAL(read_all(raw.session, &bytes), TLS_WANT_READ);
	CU_ASSERT_TRUE_FATAL(SSL_renegotiate(raw.library));
	SSL_do_handshake(raw.library);
	CU_ASSERT_EQUAL(read_all(raw.session, &bytes), TLS_FAILED);
	CU_ASSERT_STRING_EQUAL(tls_session_fault(raw.session),
			       "handshakes without end");
	/* And it stays so. */
	CU_ASSERT_EQUAL(read_all(raw.session, &bytes), TLS_FAILED);
	CU_ASSERT_EQUAL(tls_session_write(raw.session, "x", 1, &bytes),
			TLS_FAILED);
	tls_session_close(raw.session);
	raw_destroy(&raw);
}

static void test_renegotiation(void)
{
	expect_renegotiation_refused(TLS_ACCEPTS);
	expect_renegotiation_refused(TLS_CONNECTS);
}

static void send_key_updates(struct raw *raw, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (!SSL_key_update(raw->library, SSL_KEY_UPDATE_NOT_REQUESTED))
			abort();
		SSL_do_handshake(raw->library);
	}
}

static void test_key_updates(void)
{
	struct raw raw;
	size_t bytes;

	open_version(&raw, TLS_ACCEPTS, TLS1_3_VERSION);
	send_key_updates(&raw, 5);
	CU_ASSERT_EQUAL(SSL_write(raw.library, "after", 5), 5);
	/* Each one ends a read: none of them holds up the loop. */
	for (int i = 0; i < 5; i++) {
		CU_ASSERT_EQUAL(read_all(raw.session, &bytes), TLS_WANT_READ);
		CU_ASSERT_EQUAL(bytes, 0);
	}
	CU_ASSERT_EQUAL(read_all(raw.session, &bytes), TLS_WANT_READ);
	CU_ASSERT_EQUAL(bytes, 5);
	send_key_updates(&raw, 50);
	for (int i = 0; i < 11; i++)
		CU_ASSERT_EQUAL(read_all(raw.session, &bytes), TLS_WANT_READ);
	CU_ASSERT_EQUAL(read_all(raw.session, &bytes), TLS_FAILED);
	CU_ASSERT_STRING_EQUAL(tls_session_fault(raw.session),
			       "handshakes without end");
	raw_destroy(&raw);
}

static void send_mebibyte(struct raw *raw)
{
	static const char zeros[8192];
	size_t bytes;

	for (int i = 0; i < 128; i++) {
		CU_ASSERT_EQUAL_FATAL(SSL_write(raw->library, zeros,
						sizeof(zeros)),
				      sizeof(zeros));
		CU_ASSERT_EQUAL(read_all(raw->session, &bytes), TLS_WANT_READ);
		CU_ASSERT_EQUAL(bytes, sizeof(zeros));
	}
}

/* A connection that lives long and carries much has many, rightly. */
static void test_key_updates_over_time(void)
{
	struct raw raw;
	size_t bytes;

	open_version(&raw, TLS_CONNECTS, TLS1_3_VERSION);
	CU_ASSERT_EQUAL(read_all(raw.session, &bytes), TLS_WANT_READ);
	CU_ASSERT_EQUAL(read_all(raw.session, &bytes), TLS_WANT_READ);
	for (int i = 0; i < 3; i++) {
		send_key_updates(&raw, 12);
		for (int j = 0; j < 12; j++)
			CU_ASSERT_EQUAL(read_all(raw.session, &bytes),
					TLS_WANT_READ);
		send_mebibyte(&raw);
	}
	raw_destroy(&raw);
}

/* Nothing of a connection is kept for the next. */
static void test_no_resumption(void)
{
	struct raw raw;
	size_t bytes;

	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION;
	     version++) {
		open_version(&raw, TLS_ACCEPTS, version);
		CU_ASSERT_EQUAL(tls_session_write(raw.session, "x", 1, &bytes),
				TLS_DONE);
		CU_ASSERT_EQUAL(SSL_read(raw.library, &(char){ 0 }, 1), 1);
		CU_ASSERT_FALSE(
		    SSL_SESSION_has_ticket(SSL_get_session(raw.library)));
		raw_destroy(&raw);
	}
}

/* --- Garbage and ends --------------------------------------------------- */

static void put(const struct raw *raw, const char *text, size_t bytes)
{
	if (send(raw->fds[1], text, bytes, 0) != (ssize_t)bytes)
		abort();
}

static void expect_fault_of_handshake(const char *text, const char *fault)
{
	struct raw raw;

	open_raw(&raw, TLS_ACCEPTS);
	CU_ASSERT_EQUAL(tls_session_handshake(raw.session), TLS_WANT_READ);
	put(&raw, text, strlen(text));
	CU_ASSERT_EQUAL(tls_session_handshake(raw.session), TLS_FAILED);
	CU_ASSERT_STRING_EQUAL(tls_session_fault(raw.session), fault);
	CU_ASSERT_EQUAL(tls_session_handshake(raw.session), TLS_FAILED);
	CU_ASSERT_FALSE(tls_session_has_pending(raw.session));
	raw_destroy(&raw);
}

static void test_no_tls(void)
{
	expect_fault_of_handshake("MESSAGE sip:b.example SIP/2.0\r\n",
				  "wrong version number: what comes is no "
				  "TLS; its next hop needs transport=tls");
	expect_fault_of_handshake("GET / HTTP/1.1\r\n", "http request");
	expect_fault_of_handshake("\x16\x03\x01\xff\xff ....",
				  "packet length too long");
}

static void test_byte_by_byte(void)
{
	struct raw raw;

	open_raw(&raw, TLS_ACCEPTS);
	put(&raw, "\x16", 1);
	CU_ASSERT_EQUAL(tls_session_handshake(raw.session), TLS_WANT_READ);
	put(&raw, "\x03", 1);
	CU_ASSERT_EQUAL(tls_session_handshake(raw.session), TLS_WANT_READ);
	shutdown(raw.fds[1], SHUT_WR);
	CU_ASSERT_EQUAL(tls_session_handshake(raw.session), TLS_FAILED);
	CU_ASSERT_STRING_NOT_EQUAL(tls_session_fault(raw.session), "");
	raw_destroy(&raw);
}

static void test_closed_in_handshake(void)
{
	struct raw raw;

	open_raw(&raw, TLS_ACCEPTS);
	shutdown(raw.fds[1], SHUT_WR);
	CU_ASSERT_EQUAL(tls_session_handshake(raw.session), TLS_FAILED);
	CU_ASSERT_STRING_NOT_EQUAL(tls_session_fault(raw.session), "");
	raw_destroy(&raw);
}

static void test_garbage(void)
{
	struct raw raw;
	size_t bytes;

	open_raw(&raw, TLS_ACCEPTS);
	raw_shake_hands(&raw);
	put(&raw, "garbage after the handshake", 27);
	CU_ASSERT_EQUAL(read_all(raw.session, &bytes), TLS_FAILED);
	CU_ASSERT_STRING_NOT_EQUAL(tls_session_fault(raw.session), "");
	raw_destroy(&raw);
}

/* What has come whole is a message still; only then the end is told. */
static void test_cut_off(void)
{
	struct raw raw;
	size_t bytes;

	open_raw(&raw, TLS_ACCEPTS);
	raw_shake_hands(&raw);
	CU_ASSERT_EQUAL(SSL_write(raw.library, "last", 4), 4);
	shutdown(raw.fds[1], SHUT_WR);
	CU_ASSERT_EQUAL(read_all(raw.session, &bytes), TLS_FAILED);
	CU_ASSERT_EQUAL(bytes, 4);
	CU_ASSERT_STRING_EQUAL(tls_session_fault(raw.session),
			       "unexpected eof while reading");
	raw_destroy(&raw);
}

static void test_before_handshake(void)
{
	struct raw raw;
	size_t bytes;

	open_raw(&raw, TLS_ACCEPTS);
	CU_ASSERT_EQUAL(tls_session_write(raw.session, "x", 1, &bytes),
			TLS_FAILED);
	raw_destroy(&raw);
	open_raw(&raw, TLS_ACCEPTS);
	CU_ASSERT_EQUAL(read_all(raw.session, &bytes), TLS_FAILED);
	tls_session_close(raw.session);
	raw_destroy(&raw);
}

/* --- A peer that does not read ------------------------------------------ */

#define LARGE_BYTES (4 * 1024 * 1024)

static size_t write_until_full(struct tls_session *session, const char *data,
			       size_t size)
{
	size_t written = 0, bytes;

	while (written < size &&
	       tls_session_write(session, data + written, size - written,
				 &bytes) == TLS_DONE)
		written += bytes;
	return written;
}

/* The bytes may lie elsewhere when they are offered again. */
static void test_partial_writes(void)
{
	char *data = calloc(1, LARGE_BYTES), *moved = calloc(1, LARGE_BYTES);
	size_t sent, received = 0, bytes;
	struct ends ends;

	ends_open(&ends, a, b);
	sent = write_until_full(ends.accepts, data, LARGE_BYTES);
	CU_ASSERT_TRUE(sent > 0 && sent < LARGE_BYTES);
	CU_ASSERT_EQUAL(tls_session_write(ends.accepts, moved + sent,
					  LARGE_BYTES - sent, &bytes),
			TLS_WANT_WRITE);
	CU_ASSERT_EQUAL(bytes, 0);
	for (int i = 0; received < LARGE_BYTES && i < 10000; i++) {
		read_all(ends.connects, &bytes);
		received += bytes;
		sent += write_until_full(ends.accepts, moved + sent,
					 LARGE_BYTES - sent);
	}
	CU_ASSERT_EQUAL(sent, LARGE_BYTES);
	CU_ASSERT_EQUAL(received, LARGE_BYTES);
	CU_ASSERT_EQUAL(tls_session_write(ends.accepts, data, 0, &bytes),
			TLS_DONE);
	ends_close(&ends);
	free(data);
	free(moved);
}

static void test_peer_gone(void)
{
	struct ends ends;
	size_t bytes;

	ends_open(&ends, a, b);
	shutdown(ends.fds[1], SHUT_RDWR);
	CU_ASSERT_EQUAL(tls_session_write(ends.accepts, "x", 1, &bytes),
			TLS_FAILED);
	CU_ASSERT_STRING_EQUAL(tls_session_fault(ends.accepts), "Broken pipe");
	ends_close(&ends);
}

/* --- Ownership ---------------------------------------------------------- */

static void test_context_outlived(void)
{
	struct tls_context *context = context_of("a");
	struct ends ends;
	size_t count;

	ends_open(&ends, context, b);
	tls_context_release(context);
	CU_ASSERT_EQUAL(tls_session_write(ends.accepts, "x", 1, &count),
			TLS_DONE);
	CU_ASSERT_STRING_EQUAL(tls_session_names(ends.accepts, &count)[0],
			       "dns:b.example");
	ends_close(&ends);
}

static void test_nothing(void)
{
	tls_session_destroy(NULL);
	tls_context_release(NULL);
	CU_ASSERT_PTR_NULL(tls_context_hold(NULL));
}

static CU_TestInfo tests[] = {
	{ "handshake", test_handshake },
	{ "bytes", test_bytes },
	{ "versions", test_versions },
	{ "ciphers", test_ciphers },
	{ "security level", test_security_level },
	{ "renegotiation", test_renegotiation },
	{ "key updates", test_key_updates },
	{ "key updates over time", test_key_updates_over_time },
	{ "no resumption", test_no_resumption },
	{ "no TLS", test_no_tls },
	{ "byte by byte", test_byte_by_byte },
	{ "closed in the handshake", test_closed_in_handshake },
	{ "garbage", test_garbage },
	{ "cut off", test_cut_off },
	{ "before the handshake", test_before_handshake },
	{ "partial writes", test_partial_writes },
	{ "peer gone", test_peer_gone },
	{ "context outlived", test_context_outlived },
	{ "nothing", test_nothing },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "tls", set_up, tear_down, NULL, NULL, tests },
	CU_SUITE_INFO_NULL,
};

/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/tls when memory is short: nobody is let in by that, and nothing lost. */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "alloc_fail.h"
#include "base/log.h"
#include "tls_fixture.h"

#define DAY_S (24 * 3600)
#define PASSES 3
/* OpenSSL 3.0 itself loses some blocks where reading a certificate fails. */
#define LOST_MAX 8

static struct cert *root, *peer, *revoked;
static struct tls_settings settings;
static struct tls_context *ours;

static char *keep(const char *name)
{
	return strdup(folder_file(name));
}

static int set_up(void)
{
	struct cert *own;

	alloc_fail_install();
	log_set_level(LOG_ERROR);
	if (folder_create())
		return 1;
	root = cert_create(NULL, &(struct cert_wish){ .subject = "root",
						      .is_ca = true });
	own = cert_create(root, &(struct cert_wish){ .names = "DNS:own" });
	peer = cert_create(root,
			   &(struct cert_wish){ .names = "DNS:a,URI:sip:b" });
	revoked = cert_create(root, &(struct cert_wish){ .names = "DNS:c" });
	cert_write(folder_file("ca.pem"), root, NULL);
	identity_write("own", own, NULL);
	cert_append_crl(folder_file("crl.pem"), root, revoked, DAY_S);
	cert_destroy(own);
	settings = settings_of("own");
	settings.certificate = keep("own.pem");
	settings.key = keep("own.key");
	settings.ca = keep("ca.pem");
	settings.crl = keep("crl.pem");
	return tls_context_create(&ours, "tls", &settings);
}

static int tear_down(void)
{
	tls_context_release(ours);
	free(settings.certificate);
	free(settings.key);
	free(settings.ca);
	free(settings.crl);
	cert_destroy(root);
	cert_destroy(peer);
	cert_destroy(revoked);
	return folder_destroy();
}

/*
 * Calls `attempt` with every `stride`-th of its allocations failing in turn
 * (all of them take a minute), some times over: what OpenSSL keeps is the same
 * after the last two, and what we lose is not.
 */
static void fail_each(long stride, void (*set)(long n), void (*attempt)(void))
{
	long live[PASSES];

	for (int pass = 0; pass < PASSES; pass++) {
		bool failed = true;

		for (long n = 1; failed; n += stride) {
			set(n);
			attempt();
			failed = alloc_fail_happened();
			alloc_fail_at(0);
		}
		live[pass] = alloc_fail_live();
	}
	CU_ASSERT_TRUE(live[PASSES - 1] - live[PASSES - 2] <= LOST_MAX);
}

/* --- Contexts ----------------------------------------------------------- */

static void expect(struct tls_context *context, const struct cert *cert,
		   enum tls_result result)
{
	struct raw raw;

	raw_create(&raw, context, TLS_ACCEPTS,
		   (const struct cert *const[]){ cert, NULL });
	raw_shake_hands(&raw);
	CU_ASSERT_EQUAL(raw.result, result);
	raw_destroy(&raw);
}

/* One that could be made has all that its settings say. */
static void try_context(void)
{
	struct tls_context *context = NULL;
	int err = tls_context_create(&context, "tls", &settings);
	size_t count;

	alloc_fail_spare(true);
	if (err) {
		CU_ASSERT_PTR_NULL(context);
	} else {
		tls_context_names(context, &count);
		CU_ASSERT_EQUAL(count, 1);
		CU_ASSERT_NOT_EQUAL(tls_context_crl_expires(context),
				    INT64_MAX);
		expect(context, peer, TLS_DONE);
		expect(context, revoked, TLS_FAILED);
	}
	tls_context_release(context);
	alloc_fail_spare(false);
}

static void test_contexts(void)
{
	fail_each(37, alloc_fail_at, try_context);
	fail_each(37, alloc_fail_from, try_context);
}

/* --- Sessions ----------------------------------------------------------- */

static const struct cert *shown;
static enum tls_role role;

static enum tls_result handshake(struct raw *raw)
{
	enum tls_result result = TLS_WANT_READ;

	for (int i = 0; i < 20 && result == TLS_WANT_READ; i++) {
		alloc_fail_spare(true);
		SSL_do_handshake(raw->library);
		alloc_fail_spare(false);
		result = tls_session_handshake(raw->session);
	}
	return result;
}

static void check_taken(struct raw *raw)
{
	const char *const *names;
	size_t count, bytes;

	CU_ASSERT_PTR_EQUAL(shown, peer);
	names = tls_session_names(raw->session, &count);
	CU_ASSERT_EQUAL_FATAL(count, 2);
	CU_ASSERT_STRING_EQUAL(names[0], "dns:a");
	CU_ASSERT_STRING_EQUAL(names[1], "uri:sip:b");
	tls_session_write(raw->session, "x", 1, &bytes);
}

static void try_session(void)
{
	struct raw raw;

	alloc_fail_spare(true);
	raw_create(&raw, ours, role,
		   (const struct cert *const[]){ shown, NULL });
	tls_session_destroy(raw.session);
	raw.session = NULL;
	alloc_fail_spare(false);
	if (!tls_session_create(&raw.session, ours, role, raw.fds[0]) &&
	    handshake(&raw) == TLS_DONE)
		check_taken(&raw);
	/* Short of memory the answer is no. */
	if (raw.session && tls_session_is_valid(raw.session, ours))
		CU_ASSERT_PTR_EQUAL(shown, peer);
	alloc_fail_spare(true);
	raw_destroy(&raw);
	alloc_fail_spare(false);
}

static void test_sessions(void)
{
	for (role = TLS_ACCEPTS; role <= TLS_CONNECTS; role++) {
		shown = peer;
		fail_each(13, alloc_fail_at, try_session);
		fail_each(13, alloc_fail_from, try_session);
		shown = revoked;
		fail_each(13, alloc_fail_at, try_session);
	}
}

/* --- Connections, one after the other ----------------------------------- */

#define CONNECTIONS 100

static void connect_once(void)
{
	struct ends ends;
	size_t bytes;

	ends_open(&ends, ours, ours);
	CU_ASSERT_EQUAL(ends.accepted, TLS_DONE);
	tls_session_write(ends.connects, "x", 1, &bytes);
	ends_close(&ends);
}

/* As one that connects and closes, or is stopped in the middle. */
static void abort_once(void)
{
	struct raw raw;

	raw_create(&raw, ours, role,
		   (const struct cert *const[]){ peer, NULL });
	SSL_do_handshake(raw.library);
	tls_session_handshake(raw.session);
	raw_destroy(&raw);
}

static void refuse_once(void)
{
	expect(ours, revoked, TLS_FAILED);
}

/* Sofia-SIP's own TLS loses memory with each of these. */
static void expect_nothing_kept(void (*connection)(void))
{
	long before = 0;

	for (int i = 0; i < 2 * CONNECTIONS; i++) {
		if (i == CONNECTIONS)
			before = alloc_fail_live();
		connection();
	}
	CU_ASSERT_EQUAL(alloc_fail_live(), before);
}

static void test_connections(void)
{
	expect_nothing_kept(connect_once);
	expect_nothing_kept(refuse_once);
	for (role = TLS_ACCEPTS; role <= TLS_CONNECTS; role++)
		expect_nothing_kept(abort_once);
}

static CU_TestInfo tests[] = {
	{ "connections", test_connections },
	{ "contexts", test_contexts },
	{ "sessions", test_sessions },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "tls_alloc", set_up, tear_down, NULL, NULL, tests },
	CU_SUITE_INFO_NULL,
};

/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/tls: whom it takes and whom it refuses, in both roles. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "tls_fixture.h"

#define DAY_S (24 * 3600)
#define NAMES "DNS:peer.example"

static struct cert *root, *middle, *low, *other_root;
static struct tls_context *ours, *with_crl;
static struct tls_settings settings; /* of `ours` */

/* --- Identities --------------------------------------------------------- */

static struct cert *make_ca(const struct cert *issuer, const char *subject)
{
	return cert_create(issuer, &(struct cert_wish){ .subject = subject,
							.is_ca = true });
}

static struct cert *make_peer(const struct cert *issuer, const char *names)
{
	return cert_create(issuer, &(struct cert_wish){ .names = names });
}

static struct tls_context *context_with_crl(const char *name)
{
	struct tls_settings wanted = settings;
	struct tls_context *context = NULL;

	wanted.crl = (char *)folder_file(name);
	if (tls_context_create(&context, "tls", &wanted))
		abort();
	return context;
}

static void write_crl(const char *name, const struct cert *revoked)
{
	unlink(folder_file(name));
	cert_append_crl(folder_file(name), root, NULL, DAY_S);
	cert_append_crl(folder_file(name), middle, revoked, DAY_S);
}

static int set_up(void)
{
	struct cert *own;

	if (folder_create())
		return 1;
	root = make_ca(NULL, "root");
	middle = make_ca(root, "middle");
	low = make_ca(middle, "low");
	other_root = make_ca(NULL, "other root");
	cert_write(folder_file("ca.pem"), root, NULL);
	own = make_peer(root, "DNS:ours.example");
	identity_write("ours", own, NULL);
	cert_destroy(own);
	settings = settings_of("ours");
	settings.certificate = strdup(settings.certificate);
	settings.key = strdup(settings.key);
	settings.ca = strdup(settings.ca);
	ours = context_of("ours");
	write_crl("crl.pem", NULL);
	with_crl = context_with_crl("crl.pem");
	return 0;
}

static int tear_down(void)
{
	tls_context_release(ours);
	tls_context_release(with_crl);
	free(settings.certificate);
	free(settings.key);
	free(settings.ca);
	cert_destroy(root);
	cert_destroy(middle);
	cert_destroy(low);
	cert_destroy(other_root);
	return folder_destroy();
}

/* --- What must be seen -------------------------------------------------- */

/* `fault`: a part of it; NULL: the peer is taken. */
static void expect_in(struct tls_context *context, enum tls_role role,
		      const struct cert *const *chain, const char *fault)
{
	struct raw raw;

	raw_create(&raw, context, role, chain);
	raw_shake_hands(&raw);
	if (fault) {
		CU_ASSERT_EQUAL(raw.result, TLS_FAILED);
		CU_ASSERT_PTR_NOT_NULL(
		    strstr(tls_session_fault(raw.session), fault));
	} else {
		CU_ASSERT_EQUAL(raw.result, TLS_DONE);
	}
	CU_ASSERT_EQUAL(tls_session_is_valid(raw.session, context), !fault);
	raw_destroy(&raw);
}

static void expect(struct tls_context *context, const struct cert *const *chain,
		   const char *fault)
{
	expect_in(context, TLS_ACCEPTS, chain, fault);
	expect_in(context, TLS_CONNECTS, chain, fault);
}

/* One peer right under the root. */
static void expect_peer(const struct cert_wish *wish, const char *fault)
{
	struct cert *peer = cert_create(root, wish);

	expect(ours, (const struct cert *const[]){ peer, NULL }, fault);
	cert_destroy(peer);
}

/* --- Times and names ---------------------------------------------------- */

static void test_times(void)
{
	expect_peer(&(struct cert_wish){ .names = NAMES }, NULL);
	expect_peer(&(struct cert_wish){ .names = NAMES,
					 .starts_s = -DAY_S,
					 .ends_s = -60 },
		    "certificate has expired");
	expect_peer(&(struct cert_wish){ .names = NAMES,
					 .starts_s = 60,
					 .ends_s = DAY_S },
		    "not yet valid");
}

static void test_names(void)
{
	expect_peer(&(struct cert_wish){ .subject = "peer.example" },
		    "no subject alternative name");
	expect_peer(&(struct cert_wish){ .names = "DNS:*.example" },
		    "no subject alternative name");
	expect_peer(&(struct cert_wish){ .names = "email:a@b.example,"
						  "IP:192.0.2.1" },
		    "no subject alternative name");
	expect_peer(&(struct cert_wish){ .names = "URI:sip:b.example" }, NULL);
}

/* RFC 5922 7.2: a name with a NUL was one to the CA and is another to C. */
static void test_odd_names(void)
{
	static const char names[] = "DNS:*.example,DNS:Good.Example,"
				    "URI:sip:*@b.example,URI:sip:B.example";
	struct cert *peer = make_peer(root, names);
	const char *const *seen;
	size_t count;
	struct raw raw;

	raw_create(&raw, ours, TLS_ACCEPTS,
		   (const struct cert *const[]){ peer, NULL });
	raw_shake_hands(&raw);
	seen = tls_session_names(raw.session, &count);
	CU_ASSERT_EQUAL_FATAL(count, 2);
	CU_ASSERT_STRING_EQUAL(seen[0], "dns:good.example");
	CU_ASSERT_STRING_EQUAL(seen[1], "uri:sip:B.example");
	raw_destroy(&raw);
	cert_destroy(peer);
}

static void test_nul_in_name(void)
{
	/* SEQUENCE { [2] "b.example\0.c" } */
	expect_peer(
	    &(struct cert_wish){
		.names = "DER:30:0e:82:0c:62:2e:65:78:61:6d:70:6c:65:"
			 "00:2e:63" },
	    "no subject alternative name");
	expect_peer(&(struct cert_wish){ .names = "DER:04:00" },
		    "the peer's certificate: ");
}

/* --- Purposes ----------------------------------------------------------- */

/* Whoever signs for one way only signs for both: servers are both. */
static void test_purposes(void)
{
	static const char *const fit[] = {
		"serverAuth",
		"clientAuth",
		"1.3.6.1.5.5.7.3.20",
		"anyExtendedKeyUsage",
		"codeSigning,serverAuth",
	};
	static const char *const unfit[] = { "codeSigning", "emailProtection",
					     "1.3.6.1.5.5.7.3.21" };

	for (size_t i = 0; i < sizeof(fit) / sizeof(*fit); i++)
		expect_peer(&(struct cert_wish){ .names = NAMES,
						 .usage = fit[i] },
			    NULL);
	for (size_t i = 0; i < sizeof(unfit) / sizeof(*unfit); i++)
		expect_peer(&(struct cert_wish){ .names = NAMES,
						 .usage = unfit[i] },
			    "extended key usage");
	expect_peer(&(struct cert_wish){ .names = NAMES,
					 .key_usage = "digitalSignature" },
		    NULL);
	expect_peer(&(struct cert_wish){ .names = NAMES,
					 .key_usage = "keyEncipherment" },
		    "digitalSignature");
}

/* --- Strength ----------------------------------------------------------- */

static void test_strength(void)
{
	expect_peer(&(struct cert_wish){ .names = NAMES, .rsa_bits = 2048 },
		    NULL);
	expect_peer(&(struct cert_wish){ .names = NAMES, .rsa_bits = 1024 },
		    "key too weak");
	expect_peer(&(struct cert_wish){ .names = NAMES, .digest = "SHA1" },
		    "too weak");
}

/* --- Chains ------------------------------------------------------------- */

/* What a stranger writes into it does not end a log's text. */
static void test_subject(void)
{
	static const char subject[] = "a\" b=c\n";
	struct cert *peer =
	    cert_create(other_root, &(struct cert_wish){ .subject = subject,
							 .names = NAMES });

	expect(ours, (const struct cert *const[]){ peer, NULL },
	       "(subject /CN=a' b=c\\x0A, issuer /CN=");
	cert_destroy(peer);
}

static void test_other_ca(void)
{
	struct cert *peer = make_peer(other_root, NAMES);
	struct cert *self = make_peer(NULL, NAMES);

	expect(ours, (const struct cert *const[]){ peer, NULL },
	       "unable to get local issuer");
	expect(ours, (const struct cert *const[]){ peer, NULL },
	       "add the root to ca");
	expect(ours, (const struct cert *const[]){ peer, other_root, NULL },
	       "self-signed certificate in certificate chain");
	expect(ours, (const struct cert *const[]){ self, NULL },
	       "self-signed certificate");
	expect_in(ours, TLS_ACCEPTS, NULL, "peer did not return a certificate");
	cert_destroy(peer);
	cert_destroy(self);
}

static void test_chains(void)
{
	struct cert *peer = make_peer(low, NAMES);
	struct cert *longest = make_ca(low, "lowest");
	struct cert *far = make_peer(longest, NAMES);

	expect(ours, (const struct cert *const[]){ peer, low, middle, NULL },
	       NULL);
	expect(ours, (const struct cert *const[]){ peer, middle, low, NULL },
	       NULL);
	expect(ours, (const struct cert *const[]){ peer, low, NULL },
	       "unable to get local issuer");
	expect(ours,
	       (const struct cert *const[]){ far, longest, low, middle, NULL },
	       "certificate chain too long");
	cert_destroy(peer);
	cert_destroy(longest);
	cert_destroy(far);
}

static void test_peer_as_ca(void)
{
	struct cert *peer = make_peer(root, NAMES);
	struct cert *below = make_peer(peer, "DNS:other.example");

	expect(ours, (const struct cert *const[]){ below, peer, NULL },
	       "invalid CA certificate");
	cert_destroy(peer);
	cert_destroy(below);
}

/* A chain without end costs no more than its bound. */
static void test_huge_chain(void)
{
	const struct cert *chain[202] = { NULL };
	struct cert *peer = make_peer(middle, NAMES);

	chain[0] = peer;
	for (size_t i = 1; i < 201; i++)
		chain[i] = middle;
	expect(ours, chain, "excessive message size");
	cert_destroy(peer);
}

/* --- Revocation --------------------------------------------------------- */

static void test_revoked(void)
{
	struct cert *peer = make_peer(middle, NAMES);
	struct cert *revoked = make_peer(middle, NAMES);
	struct cert *deep = make_peer(low, NAMES);
	struct tls_context *context;

	write_crl("revoked.pem", revoked);
	context = context_with_crl("revoked.pem");
	CU_ASSERT_EQUAL(tls_context_crl_expires(ours), INT64_MAX);
	expect(context, (const struct cert *const[]){ peer, middle, NULL },
	       NULL);
	expect(context, (const struct cert *const[]){ revoked, middle, NULL },
	       "certificate revoked");
	/* There is none of `low`. */
	expect(context, (const struct cert *const[]){ deep, low, middle, NULL },
	       "unable to get certificate CRL");
	tls_context_release(context);
	cert_destroy(peer);
	cert_destroy(revoked);
	cert_destroy(deep);
}

static void test_revoked_ca(void)
{
	struct cert *peer = make_peer(middle, NAMES);
	struct tls_context *context;

	unlink(folder_file("no-middle.pem"));
	cert_append_crl(folder_file("no-middle.pem"), root, middle, DAY_S);
	cert_append_crl(folder_file("no-middle.pem"), middle, NULL, DAY_S);
	context = context_with_crl("no-middle.pem");
	expect(context, (const struct cert *const[]){ peer, middle, NULL },
	       "certificate revoked");
	tls_context_release(context);
	cert_destroy(peer);
}

static void test_old_crl(void)
{
	struct cert *peer = make_peer(root, NAMES);
	struct tls_context *context;

	unlink(folder_file("old.pem"));
	cert_append_crl(folder_file("old.pem"), root, NULL, -60);
	log_catch();
	context = context_with_crl("old.pem");
	CU_ASSERT_PTR_NOT_NULL(strstr(log_caught(), "is out of date"));
	expect(context, (const struct cert *const[]){ peer, NULL },
	       "CRL has expired");
	tls_context_release(context);
	cert_destroy(peer);
}

/* A list that somebody else has signed in the CA's name. */
static void test_forged_crl(void)
{
	struct cert *false_root = make_ca(NULL, "root");
	struct cert *peer = make_peer(root, NAMES);
	struct tls_context *context;

	unlink(folder_file("forged.pem"));
	cert_append_crl(folder_file("forged.pem"), false_root, NULL, DAY_S);
	context = context_with_crl("forged.pem");
	expect(context, (const struct cert *const[]){ peer, NULL },
	       "CRL signature failure");
	tls_context_release(context);
	cert_destroy(peer);
	cert_destroy(false_root);
}

/* --- Peers that are connected ------------------------------------------- */

static uint64_t ahead_us;

static uint64_t monotonic_ms(void)
{
	return 0;
}

static uint64_t utc_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + ahead_us;
}

static void test_later(void)
{
	static const struct clock_source source = { monotonic_ms, utc_us };
	struct cert *peer = make_peer(middle, NAMES);
	struct tls_context *context;
	struct raw raw;

	raw_create(&raw, ours, TLS_ACCEPTS,
		   (const struct cert *const[]){ peer, middle, NULL });
	raw_shake_hands(&raw);
	CU_ASSERT_EQUAL_FATAL(raw.result, TLS_DONE);
	CU_ASSERT_TRUE(tls_session_is_valid(raw.session, with_crl));
	write_crl("later.pem", peer);
	context = context_with_crl("later.pem");
	CU_ASSERT_FALSE(tls_session_is_valid(raw.session, context));
	tls_context_release(context);
	clock_override(&source);
	CU_ASSERT_TRUE(tls_session_is_valid(raw.session, ours));
	ahead_us = 2 * DAY_S * UINT64_C(1000000);
	CU_ASSERT_FALSE(tls_session_is_valid(raw.session, ours));
	clock_override(NULL);
	raw_destroy(&raw);
	cert_destroy(peer);
}

/* The CA that has signed it is trusted no more. */
static void test_other_trust(void)
{
	struct cert *peer = make_peer(root, NAMES);
	struct tls_settings others = settings;
	struct tls_context *context = NULL;
	struct raw raw;

	cert_write(folder_file("other-ca.pem"), other_root, NULL);
	others.ca = (char *)folder_file("other-ca.pem");
	CU_ASSERT_EQUAL_FATAL(tls_context_create(&context, "tls", &others), 0);
	raw_create(&raw, ours, TLS_CONNECTS,
		   (const struct cert *const[]){ peer, NULL });
	raw_shake_hands(&raw);
	CU_ASSERT_TRUE(tls_session_is_valid(raw.session, ours));
	CU_ASSERT_FALSE(tls_session_is_valid(raw.session, context));
	raw_destroy(&raw);
	tls_context_release(context);
	cert_destroy(peer);
}

/* The soonest of the chain. */
static void test_expires(void)
{
	struct cert *ca =
	    cert_create(root, &(struct cert_wish){ .subject = "short",
						   .is_ca = true,
						   .starts_s = -60,
						   .ends_s = 100 });
	struct cert *peer = make_peer(ca, NAMES);
	int64_t now = (int64_t)(clock_utc_us() / 1000000);
	struct raw raw;

	raw_create(&raw, ours, TLS_ACCEPTS,
		   (const struct cert *const[]){ peer, ca, NULL });
	raw_shake_hands(&raw);
	CU_ASSERT_TRUE(tls_session_expires(raw.session) >= now + 98);
	CU_ASSERT_TRUE(tls_session_expires(raw.session) <= now + 101);
	raw_destroy(&raw);
	cert_destroy(ca);
	cert_destroy(peer);
}

static CU_TestInfo tests[] = {
	{ "times", test_times },
	{ "names", test_names },
	{ "odd names", test_odd_names },
	{ "NUL in a name", test_nul_in_name },
	{ "purposes", test_purposes },
	{ "strength", test_strength },
	{ "subject", test_subject },
	{ "other CA", test_other_ca },
	{ "chains", test_chains },
	{ "peer as CA", test_peer_as_ca },
	{ "huge chain", test_huge_chain },
	{ "revoked", test_revoked },
	{ "revoked CA", test_revoked_ca },
	{ "old CRL", test_old_crl },
	{ "forged CRL", test_forged_crl },
	{ "later", test_later },
	{ "other trust", test_other_trust },
	{ "expires", test_expires },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "tls_peers", set_up, tear_down, NULL, NULL, tests },
	CU_SUITE_INFO_NULL,
};

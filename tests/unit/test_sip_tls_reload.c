/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/sip over TLS: certificates that change or expire, and both sides. */
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sip_tls_fixture.h"

#define A_NAME "dns:a.example"
#define MANY 80

/* Ours, by what the file `ca` says of peers. */
static struct tls_context *context_with(const char *who, const char *ca)
{
	struct tls_settings settings = settings_of(who);
	struct tls_context *context = NULL;

	settings.ca = (char *)folder_file(ca);
	CU_ASSERT_EQUAL_FATAL(tls_context_create(&context, "tls", &settings),
			      0);
	return context;
}

static int reload(const char *who, const char *ca)
{
	struct sip_tls inside = { .context = context_with(who, ca),
				  .settings = &limits };
	const struct sip_tls outside = { 0 };
	int err = sip_stack_set_tls(stack, &inside, &outside);

	tls_context_release(inside.context);
	return err;
}

static int status_of_options(struct tls_peer *peer)
{
	static unsigned number;
	char call_id[16];
	struct request request = { .method = "OPTIONS", .call_id = call_id };

	snprintf(call_id, sizeof(call_id), "o%u", number++);
	tls_send(peer, tls_request(&request));
	return status_of(tls_receive_text(peer));
}

/* --- Reload --------------------------------------------------------------- */

static void test_valid_connections_stay(void)
{
	struct tls_peer peer;

	sip_tls_start(NULL);
	peer = tls_connect(TLS4, PEER);
	CU_ASSERT_EQUAL(status_of_options(&peer), 200);
	CU_ASSERT_EQUAL(reload(OTHER, "ca.pem"), 0);
	CU_ASSERT_EQUAL(status_of_options(&peer), 200);
	CU_ASSERT_EQUAL(counter("sip.tls_not_valid"), 0);
	tls_close(&peer);
	/* New ones see the new certificate. */
	peer = tls_connect(TLS4, PEER);
	CU_ASSERT_PTR_NOT_NULL_FATAL(peer.session);
	CU_ASSERT(is(*tls_session_names(peer.session, &(size_t){ 0 }),
		     "dns:c.example"));
	tls_close(&peer);
	fixture_stop();
}

static void test_others_are_ended(void)
{
	struct tls_peer peer, refused;

	sip_tls_start(NULL);
	identity_make("d", 86400, "ca2.pem");
	peer = tls_connect(TLS4, PEER);
	CU_ASSERT_EQUAL(status_of_options(&peer), 200);
	CU_ASSERT_EQUAL(reload(OURS, "ca2.pem"), 0);
	CU_ASSERT(tls_is_closed_within(&peer, 100));
	CU_ASSERT_EQUAL(counter("sip.tls_not_valid"), 1);
	CU_ASSERT_EQUAL(counter("sip.tls_connections"), 0);
	/* In TLS 1.3 it hears of that after its own handshake. */
	refused = tls_connect(TLS4, PEER);
	CU_ASSERT(!refused.session || tls_is_closed_within(&refused, 100));
	CU_ASSERT_EQUAL(counter("sip.tls_handshakes_failed"), 1);
	tls_close(&peer);
	tls_close(&refused);
	fixture_stop();
}

/* Thousands would hold up the loop: a part of them in each turn of it; but none
 * is read from before it has been looked at. */
static void test_many_are_ended_by_and_by(void)
{
	struct request request = { 0 };
	struct tls_peer peers[MANY];

	limits.source_connections_max = limits.source_rate = MANY;
	sip_tls_start(NULL);
	for (int i = 0; i < MANY; i++) {
		peers[i] = tls_connect(TLS4, PEER);
		CU_ASSERT_PTR_NOT_NULL_FATAL(peers[i].session);
	}
	CU_ASSERT_EQUAL(reload(OURS, "ca2.pem"), 0);
	tls_send(&peers[MANY - 1], tls_request(&request));
	CU_ASSERT(counter("sip.tls_not_valid") < MANY / 2);
	for (int i = 0; i < MANY; i++)
		CU_ASSERT(tls_is_closed_within(&peers[i], PATIENCE_MS));
	CU_ASSERT_EQUAL(counter("sip.tls_not_valid"), MANY);
	CU_ASSERT_EQUAL(recorded.count, 0);
	for (int i = 0; i < MANY; i++)
		tls_close(&peers[i]);
	fixture_stop();
	limits_reset();
}

/* A handshake that the old certificates let through is looked at once more. */
static void test_reload_in_mid_handshake(void)
{
	struct tls_context *context;
	struct tls_peer peer = { .fd = -1 };

	sip_tls_start(NULL);
	peer.fd = raw_connect(TLS4, NULL);
	context = context_of(PEER);
	CU_ASSERT_EQUAL_FATAL(tls_session_create(&peer.session, context,
						 TLS_CONNECTS, peer.fd),
			      0);
	tls_session_handshake(peer.session);
	run_for(30);
	CU_ASSERT_EQUAL(counter("sip.tls_handshakes"), 1);
	CU_ASSERT_EQUAL(reload(OURS, "ca2.pem"), 0);
	tls_session_handshake(peer.session);
	CU_ASSERT(tls_is_closed_within(&peer, 100));
	CU_ASSERT_EQUAL(counter("sip.tls_not_valid"), 1);
	CU_ASSERT_EQUAL(counter("sip.tls_handshakes_done"), 0);
	CU_ASSERT_EQUAL(counter("sip.tls_handshakes"), 0);
	tls_close(&peer);
	tls_context_release(context);
	fixture_stop();
}

/* Requests that wait keep theirs until they are answered. */
static void test_new_requests_go_by_a_new_connection(void)
{
	struct tls_peer old, new;
	uint16_t port;
	int listening;

	sip_tls_start(NULL);
	listening = peer_bind(TLS4, &port);
	CU_ASSERT_EQUAL(tls_message(port, A_NAME, SIP_INSIDE), 0);
	old = tls_accept(listening, PEER);
	CU_ASSERT_PTR_NOT_NULL_FATAL(old.session);
	CU_ASSERT_EQUAL(strncmp(tls_receive_text(&old), "MESSAGE ", 8), 0);
	CU_ASSERT_EQUAL(reload(OTHER, "ca.pem"), 0);
	CU_ASSERT_EQUAL(tls_message(port, A_NAME, SIP_INSIDE), 0);
	new = tls_accept(listening, PEER);
	CU_ASSERT_PTR_NOT_NULL_FATAL(new.session);
	CU_ASSERT_EQUAL(strncmp(tls_receive_text(&new), "MESSAGE ", 8), 0);
	CU_ASSERT(is(*tls_session_names(new.session, &(size_t){ 0 }),
		     "dns:c.example"));
	CU_ASSERT_EQUAL(answered.count, 0);
	CU_ASSERT(!tls_is_closed_within(&old, 10));
	CU_ASSERT(run_until(&answered.count, 2)); /* nobody answers */
	CU_ASSERT(tls_is_closed_within(&old, 100));
	CU_ASSERT(!tls_is_closed_within(&new, 10));
	tls_close(&old);
	tls_close(&new);
	close(listening);
	fixture_stop();
}

/* The old certificate is shown in it already: it serves what waits alone. */
static void test_own_handshake_across_a_reload(void)
{
	struct tls_peer old = { .fd = -1 }, new;
	uint16_t port;
	int listening;

	sip_tls_start(NULL);
	listening = peer_bind(TLS4, &port);
	CU_ASSERT_EQUAL(tls_message(port, A_NAME, SIP_INSIDE), 0);
	old.fd = peer_accept(listening);
	CU_ASSERT_EQUAL(reload(OTHER, "ca.pem"), 0);
	old = tls_shake(old.fd, TLS_ACCEPTS, PEER);
	CU_ASSERT_PTR_NOT_NULL_FATAL(old.session);
	CU_ASSERT(is(*tls_session_names(old.session, &(size_t){ 0 }),
		     "dns:b.example"));
	CU_ASSERT_EQUAL(strncmp(tls_receive_text(&old), "MESSAGE ", 8), 0);
	CU_ASSERT_EQUAL(tls_message(port, A_NAME, SIP_INSIDE), 0);
	new = tls_accept(listening, PEER);
	CU_ASSERT_PTR_NOT_NULL_FATAL(new.session);
	CU_ASSERT(is(*tls_session_names(new.session, &(size_t){ 0 }),
		     "dns:c.example"));
	CU_ASSERT(run_until(&answered.count, 2)); /* nobody answers */
	tls_close(&old);
	tls_close(&new);
	close(listening);
	fixture_stop();
}

static void test_what_cannot_be_reloaded(void)
{
	const struct sip_tls none = { 0 };
	struct sip_tls half = { .context = context_of(OURS) };
	struct tls_peer peer;

	sip_tls_start(NULL);
	CU_ASSERT_EQUAL(sip_stack_set_tls(stack, &none, &none), EINVAL);
	CU_ASSERT_EQUAL(sip_stack_set_tls(stack, &half, &none), EINVAL);
	peer = tls_connect(TLS4, PEER);
	CU_ASSERT_EQUAL(status_of_options(&peer), 200);
	tls_close(&peer);
	tls_context_release(half.context);
	fixture_stop();
}

static void test_listener_without_a_certificate(void)
{
	static const char *const entry[] = { "tls:127.0.0.1:0" };
	const struct sip_stack_config config = {
		.listen = entry,
		.listen_count = 1,
		.domain = "b.example",
		.t1_ms = T1_MS,
		.server_transactions_max = 10,
		.client_transactions_max = 10,
		.peer_outstanding_max = 10,
	};
	struct sip_stack *none = NULL;

	fixture_start(NULL);
	log_catch();
	CU_ASSERT_EQUAL(sip_stack_create(&none, loop, NULL, &config), EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(log_caught(), "set certificate, key"));
	CU_ASSERT_PTR_NULL(none);
	fixture_stop();
}

static const char *fault_after_request(struct tls_peer *peer)
{
	static char rest[256];
	size_t bytes;

	for (unsigned waited = 0; waited < PATIENCE_MS; waited += 2) {
		if (tls_session_read(peer->session, rest, sizeof(rest),
				     &bytes) == TLS_FAILED)
			break;
		run_for(2);
	}
	return tls_session_fault(peer->session);
}

/* Also one that has sent a request before it could know. */
static void test_refused_peer_is_told_why(void)
{
	struct request request = { 0 };
	struct tls_peer refused;

	sip_tls_start(NULL);
	identity_make("d", 86400, "ca2.pem");
	refused = tls_connect(TLS4, "d");
	CU_ASSERT_PTR_NOT_NULL_FATAL(refused.session);
	tls_send(&refused, tls_request(&request));
	tls_send(&refused, tls_request(&request));
	CU_ASSERT_PTR_NOT_NULL(strstr(fault_after_request(&refused), "alert"));
	CU_ASSERT_EQUAL(recorded.count, 0);
	CU_ASSERT_EQUAL(counter("sip.tls_handshakes_failed"), 1);
	tls_close(&refused);
	run_for(20);
	CU_ASSERT_EQUAL(counter("sip.tls_handshakes"), 0);
	fixture_stop();
}

/* --- Expiry --------------------------------------------------------------- */

static void test_expired_while_connected(void)
{
	struct tls_peer brief, peer;

	sip_tls_start(NULL);
	identity_make("brief", 2, NULL);
	brief = tls_connect(TLS4, "brief");
	peer = tls_connect(TLS4, PEER);
	CU_ASSERT_PTR_NOT_NULL_FATAL(brief.session);
	CU_ASSERT_EQUAL(status_of_options(&brief), 200);
	CU_ASSERT(tls_is_closed_within(&brief, 3000));
	CU_ASSERT_EQUAL(counter("sip.tls_expired"), 1);
	CU_ASSERT_EQUAL(status_of_options(&peer), 200);
	tls_close(&brief);
	tls_close(&peer);
	fixture_stop();
}

/* --- Both sides ----------------------------------------------------------- */

static const char *const inside_tls[] = { "tls:" INSIDE ":0" };
static const char *const outside_tls[] = { "tls:" OUTSIDE ":0" };

static void start_both(const char *outside)
{
	struct sip_stack_config both = {
		.listen = inside_tls,
		.listen_count = 1,
		.listen_outside = outside_tls,
		.listen_outside_count = 1,
		.domain = "b.example",
		.t1_ms = T1_MS,
		.server_transactions_max = 100,
		.client_transactions_max = 100,
		.peer_outstanding_max = 10,
	};

	if (outside)
		both.tls_outside.context = context_of(outside);
	sip_tls_start(&both);
	tls_context_release(both.tls_outside.context);
}

/* The name that the stack shows on listener `i`; "" if there is none. */
static void check_shown(int i, const char *name)
{
	struct tls_peer peer = tls_connect(i, PEER);

	CU_ASSERT_PTR_NOT_NULL_FATAL(peer.session);
	CU_ASSERT(is(*tls_session_names(peer.session, &(size_t){ 0 }), name));
	CU_ASSERT_EQUAL(status_of_options(&peer), 200);
	tls_close(&peer);
}

/* The name and the address that it has when it connects. */
static void check_connects(enum sip_side side, const char *name,
			   const char *address)
{
	struct sockaddr_in from = { 0 };
	socklen_t bytes = sizeof(from);
	struct tls_peer peer;
	const char *request;
	char sent_by[64];
	uint16_t port;
	int listening = peer_bind(TCP4, &port);

	CU_ASSERT_EQUAL(tls_message(port, A_NAME, side), 0);
	peer = tls_accept(listening, PEER);
	CU_ASSERT_PTR_NOT_NULL_FATAL(peer.session);
	CU_ASSERT(is(*tls_session_names(peer.session, &(size_t){ 0 }), name));
	CU_ASSERT_EQUAL(getpeername(peer.fd, (struct sockaddr *)&from, &bytes),
			0);
	CU_ASSERT(is(inet_ntoa(from.sin_addr), address));
	request = tls_receive_text(&peer);
	snprintf(sent_by, sizeof(sent_by), "SIP/2.0/TLS %s:", address);
	CU_ASSERT_EQUAL(
	    strncmp(header_of(request, "Via"), sent_by, strlen(sent_by)), 0);
	tls_close(&peer);
	close(listening);
}

static void test_each_side_shows_its_certificate(void)
{
	start_both(OTHER);
	check_shown(0, "dns:b.example");
	check_shown(1, "dns:c.example");
	check_connects(SIP_INSIDE, "dns:b.example", INSIDE);
	check_connects(SIP_OUTSIDE, "dns:c.example", OUTSIDE);
	fixture_stop();
}

static void test_outside_without_its_own(void)
{
	start_both(NULL);
	check_shown(0, "dns:b.example");
	check_shown(1, "dns:b.example");
	check_connects(SIP_OUTSIDE, "dns:b.example", OUTSIDE);
	fixture_stop();
}

static void test_sides_share_no_connection(void)
{
	struct tls_peer peers[2];
	uint16_t port;
	int listening;

	start_both(OTHER);
	listening = peer_bind(TCP4, &port);
	for (int side = SIP_INSIDE; side <= SIP_OUTSIDE; side++) {
		CU_ASSERT_EQUAL(tls_message(port, A_NAME, (enum sip_side)side),
				0);
		peers[side] = tls_accept(listening, PEER);
		CU_ASSERT_PTR_NOT_NULL_FATAL(peers[side].session);
	}
	CU_ASSERT_EQUAL(counter("sip.tls_opened"), 2);
	tls_close(&peers[0]);
	tls_close(&peers[1]);
	close(listening);
	fixture_stop();
}

static enum sip_side seen_side;

static bool see_side(void *arg, const struct sip_source *source,
		     struct sip_reply *refusal)
{
	(void)arg;
	(void)refusal;
	seen_side = source->side;
	return true;
}

static void test_side_of_a_request(void)
{
	start_both(NULL);
	sip_set_source_handler(sip, see_side, NULL);
	check_shown(1, "dns:b.example");
	CU_ASSERT_EQUAL(seen_side, SIP_OUTSIDE);
	check_shown(0, "dns:b.example");
	CU_ASSERT_EQUAL(seen_side, SIP_INSIDE);
	fixture_stop();
}

static CU_TestInfo reload_tests[] = {
	{ "valid connections stay", test_valid_connections_stay },
	{ "others are ended", test_others_are_ended },
	{ "many are ended by and by", test_many_are_ended_by_and_by },
	{ "in mid handshake", test_reload_in_mid_handshake },
	{ "new requests go by a new connection",
	  test_new_requests_go_by_a_new_connection },
	{ "own handshake across a reload", test_own_handshake_across_a_reload },
	{ "what cannot be reloaded", test_what_cannot_be_reloaded },
	{ "a listener without a certificate",
	  test_listener_without_a_certificate },
	{ "a refused peer is told why", test_refused_peer_is_told_why },
	{ "expired while connected", test_expired_while_connected },
	CU_TEST_INFO_NULL,
};

static CU_TestInfo side_tests[] = {
	{ "each shows its certificate", test_each_side_shows_its_certificate },
	{ "the outside without its own", test_outside_without_its_own },
	{ "they share no connection", test_sides_share_no_connection },
	{ "side of a request", test_side_of_a_request },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "sip over TLS: reload", sip_tls_suite_create, sip_tls_suite_destroy,
	  NULL, NULL, reload_tests },
	{ "sip over TLS: sides", sip_tls_suite_create, sip_tls_suite_destroy,
	  NULL, NULL, side_tests },
	CU_SUITE_INFO_NULL,
};

/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/sip over TLS: who says nothing, comes too often, or does not read. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "accept.h"
#include "sip_tls_fixture.h"

#define A_NAME "dns:a.example"
#define FAST_T1_MS 4
#define IDLE_MS (256 * FAST_T1_MS)
#define UNFINISHED_MS (64 * FAST_T1_MS)

static const struct sip_stack_config fast = {
	.domain = "b.example",
	.t1_ms = FAST_T1_MS,
	.server_transactions_max = 10000,
	.client_transactions_max = 1000,
	.peer_outstanding_max = 1000,
};

/* Whether the stack has closed this TCP connection. */
static bool is_closed_within(int fd, unsigned ms)
{
	char rest[4096];
	ssize_t n;

	for (unsigned waited = 0; waited <= ms; waited += 2) {
		n = recv(fd, rest, sizeof(rest), MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			return true;
		if (n < 0)
			run_for(2);
	}
	return false;
}

static unsigned count_open(const int *fds, unsigned count)
{
	unsigned open = 0;

	for (unsigned i = 0; i < count; i++)
		open += !is_closed_within(fds[i], 0);
	return open;
}

static void close_all(const int *fds, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		close(fds[i]);
}

/* --- Silence -------------------------------------------------------------- */

static void test_silent_handshake_is_ended(void)
{
	int silent, half;

	limits.handshake_timeout_ms = 100;
	sip_tls_start(NULL);
	silent = raw_connect(TLS4, NULL);
	half = raw_connect(TLS4, NULL);
	send(half, "\26\3\1\1\0\1", 6, 0);
	CU_ASSERT(!is_closed_within(silent, 50));
	CU_ASSERT(is_closed_within(silent, 200));
	CU_ASSERT(is_closed_within(half, 50));
	CU_ASSERT_EQUAL(counter("sip.tls_handshakes_timed_out"), 2);
	CU_ASSERT_EQUAL(counter("sip.tls_handshakes"), 0);
	close(silent);
	close(half);
	limits_reset();
	fixture_stop();
}

/* A byte now and then is no progress. */
static void test_slow_handshake_is_ended(void)
{
	static const char hello[] = "\26\3\1\0\310\1\0\0\304\3\3";
	int slow;
	bool closed = false;

	limits.handshake_timeout_ms = 100;
	sip_tls_start(NULL);
	slow = raw_connect(TLS4, NULL);
	for (size_t i = 0; i < 60 && !closed; i++) {
		send(slow, hello + i % (sizeof(hello) - 1), 1, MSG_NOSIGNAL);
		closed = is_closed_within(slow, 4);
	}
	CU_ASSERT(closed);
	CU_ASSERT_EQUAL(counter("sip.tls_handshakes_timed_out"), 1);
	close(slow);
	limits_reset();
	fixture_stop();
}

static void test_silent_peer_of_ours_is_given_up(void)
{
	uint16_t port;
	int listening;

	limits.handshake_timeout_ms = 100;
	sip_tls_start(NULL);
	listening = peer_bind(TLS4, &port);
	CU_ASSERT_EQUAL(tls_message(port, A_NAME, SIP_INSIDE), 0);
	CU_ASSERT(run_until(&answered.count, 1));
	CU_ASSERT_EQUAL(answered.status, SIP_NO_ANSWER);
	CU_ASSERT_EQUAL(counter("sip.tls_handshakes_timed_out"), 1);
	CU_ASSERT_EQUAL(counter("sip.client_timed_out"), 0);
	close(listening);
	limits_reset();
	fixture_stop();
}

static void test_plain_sip_is_ended(void)
{
	int plain;

	sip_tls_start(NULL);
	plain = raw_connect(TLS4, NULL);
	send(plain, "MESSAGE sip:b SIP/2.0\r\n\r\n", 25, 0);
	CU_ASSERT(is_closed_within(plain, 100));
	CU_ASSERT_EQUAL(counter("sip.tls_handshakes_failed"), 1);
	CU_ASSERT_EQUAL(counter("sip.tls_handshakes"), 0);
	close(plain);
	fixture_stop();
}

static void test_idle_connection_is_ended(void)
{
	struct request request = { 0 };
	struct tls_peer never, once;

	sip_tls_start(&fast);
	never = tls_connect(TLS4, PEER);
	once = tls_connect(TLS4, PEER);
	run_for(IDLE_MS / 2);
	tls_send(&once, tls_request(&request));
	CU_ASSERT_EQUAL(status_of(tls_receive_text(&once)), 200);
	CU_ASSERT(tls_is_closed_within(&never, IDLE_MS));
	CU_ASSERT_EQUAL(counter("sip.tls_idle"), 1);
	CU_ASSERT_EQUAL(counter("sip.tls_connections"), 1);
	CU_ASSERT(tls_is_closed_within(&once, IDLE_MS));
	CU_ASSERT_EQUAL(counter("sip.tls_idle"), 2);
	tls_close(&never);
	tls_close(&once);
	fixture_stop();
}

static void test_unfinished_message_ends_the_connection(void)
{
	struct tls_peer peer;
	bool closed = false;
	size_t bytes;

	sip_tls_start(&fast);
	peer = tls_connect(TLS4, PEER);
	tls_send(&peer, "MESSAGE sip:b.example SIP/2.0\r\nSubject: ");
	for (unsigned i = 0; i < UNFINISHED_MS && !closed; i++) {
		tls_session_write(peer.session, "x", 1, &bytes);
		closed = tls_is_closed_within(&peer, 4);
	}
	CU_ASSERT(closed);
	CU_ASSERT_EQUAL(counter("sip.tls_unfinished"), 1);
	tls_close(&peer);
	fixture_stop();
}

/* --- Too many ------------------------------------------------------------- */

static void test_oldest_handshake_gives_way(void)
{
	enum { MAX = 5, MANY = 20 };
	struct request request = { 0 };
	struct tls_peer peer;
	int silent[MANY];

	limits.handshakes_max = MAX;
	sip_tls_start(NULL);
	for (int i = 0; i < MANY; i++)
		silent[i] = raw_connect(TLS4, NULL);
	run_for(50);
	CU_ASSERT_EQUAL(count_open(silent, MANY), MAX);
	CU_ASSERT_EQUAL(count_open(silent + MANY - MAX, MAX), MAX);
	CU_ASSERT_EQUAL(counter("sip.tls_handshakes_gave_way"), MANY - MAX);
	CU_ASSERT_EQUAL(counter("sip.tls_handshakes"), MAX);
	peer = tls_connect(TLS4, PEER);
	CU_ASSERT_PTR_NOT_NULL_FATAL(peer.session);
	tls_send(&peer, tls_request(&request));
	CU_ASSERT_EQUAL(status_of(tls_receive_text(&peer)), 200);
	tls_close(&peer);
	close_all(silent, MANY);
	limits_reset();
	fixture_stop();
}

/* Strangers who say nothing must not keep our peers out: who comes when there are
 * no descriptors left is turned away, the next one is let in. */
static void test_oldest_handshakes_give_their_descriptors(void)
{
	enum { LEFT = 4, MANY = 20 };
	struct request request = { 0 };
	struct rlimit usual, few;
	struct tls_peer peer;
	int fds[MANY];

	sip_tls_start(NULL);
	for (int i = 0; i < MANY; i++)
		fds[i] = raw_connect(TLS4, NULL);
	CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &usual), 0);
	/* accept() keeps a quarter for other uses. */
	few = usual;
	few.rlim_cur = ((rlim_t)fds[MANY - 1] + 1 + LEFT) * 4 / 3;
	CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &few), 0);
	run_for(50);
	CU_ASSERT(counter("sip.tls_accepted") >= MANY * 3 / 4);
	CU_ASSERT(counter("sip.tls_handshakes_gave_way") >= MANY / 2);
	peer = tls_connect(TLS4, PEER);
	if (!peer.session) {
		tls_close(&peer);
		peer = tls_connect(TLS4, PEER);
	}
	CU_ASSERT_PTR_NOT_NULL_FATAL(peer.session);
	tls_send(&peer, tls_request(&request));
	CU_ASSERT_EQUAL(status_of(tls_receive_text(&peer)), 200);
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &usual), 0);
	tls_close(&peer);
	close_all(fds, MANY);
	fixture_stop();
}

enum { OF_ONE_SOURCE = 12 };

/* So many are taken of one address, all of another, and after a while more. */
static void expect_bound(unsigned max, const char *refused, unsigned while_ms)
{
	int fds[OF_ONE_SOURCE], other;

	sip_tls_start(NULL);
	for (int i = 0; i < OF_ONE_SOURCE; i++)
		fds[i] = raw_connect(TLS4, NULL);
	other = raw_connect(TLS4, "127.0.0.2:0");
	run_for(50);
	CU_ASSERT_EQUAL(count_open(fds, OF_ONE_SOURCE), max);
	CU_ASSERT(!is_closed_within(other, 0));
	CU_ASSERT_EQUAL(counter(refused), OF_ONE_SOURCE - max);
	close_all(fds, OF_ONE_SOURCE);
	run_for(while_ms);
	fds[0] = raw_connect(TLS4, NULL);
	CU_ASSERT(!is_closed_within(fds[0], 30));
	close(fds[0]);
	close(other);
	limits_reset();
	fixture_stop();
}

static void test_connections_of_one_source(void)
{
	limits.source_connections_max = 4;
	expect_bound(4, "sip.tls_refused_source", 20);
}

static void test_rate_of_one_source(void)
{
	limits.source_rate = 5;
	expect_bound(5, "sip.tls_refused_rate", 400);
}

static void test_connections_in_all(void)
{
	struct tls_peer peers[2];
	int silent, refused;

	limits.connections_max = 2;
	sip_tls_start(NULL);
	/* Handshakes take no place of peers who have done theirs. */
	silent = raw_connect(TLS4, NULL);
	for (int i = 0; i < 2; i++) {
		peers[i] = tls_connect(TLS4, PEER);
		CU_ASSERT_PTR_NOT_NULL_FATAL(peers[i].session);
	}
	run_for(20);
	refused = raw_connect(TLS4, NULL);
	CU_ASSERT(is_closed_within(refused, 50));
	CU_ASSERT_EQUAL(counter("sip.tls_refused_full"), 1);
	tls_close(&peers[0]);
	run_for(20);
	peers[0] = tls_connect(TLS4, PEER);
	CU_ASSERT_PTR_NOT_NULL(peers[0].session);
	tls_close(&peers[0]);
	tls_close(&peers[1]);
	close(silent);
	close(refused);
	limits_reset();
	fixture_stop();
}

/* What a stalled handshake costs must be its place alone. */
static void test_stalled_handshakes_cost_no_cpu(void)
{
	enum { MANY = 50 };
	struct request request = { 0 };
	struct tls_peer peer;
	int silent[MANY];
	clock_t before;

	sip_tls_start(NULL);
	for (int i = 0; i < MANY; i++) {
		silent[i] = raw_connect(TLS4, NULL);
		send(silent[i], "\26\3\1\1\0\1", 6, 0);
	}
	run_for(50);
	before = clock();
	run_for(300);
	CU_ASSERT(clock() - before < CLOCKS_PER_SEC / 20);
	peer = tls_connect(TLS4, PEER);
	CU_ASSERT_PTR_NOT_NULL_FATAL(peer.session);
	tls_send(&peer, tls_request(&request));
	CU_ASSERT_EQUAL(status_of(tls_receive_text(&peer)), 200);
	tls_close(&peer);
	close_all(silent, MANY);
	fixture_stop();
}

/* --- Descriptors ---------------------------------------------------------- */

enum { DESCRIPTORS = 64 };

static bool is_nobody(void *arg, const struct sip_source *source,
		      struct sip_reply *refusal)
{
	(void)arg;
	(void)source;
	(void)refusal;
	return false;
}

/* Out of the way of the stack's. */
static int connect_high(int i)
{
	int fd = raw_connect(TLS4, NULL);
	int high = fcntl(fd, F_DUPFD, 500 + i);

	close(fd);
	return high;
}

static void limit_descriptors(struct rlimit *before, rlim_t count)
{
	struct rlimit low;

	getrlimit(RLIMIT_NOFILE, before);
	low = *before;
	low.rlim_cur = count;
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &low), 0);
}

/* Connections that say nothing take those that are left by handshakes_max, and
 * no peer's place. */
static void test_descriptors(void)
{
	enum { MANY = 100 };
	struct rlimit before;
	struct tls_peer peer = { .fd = -1 };
	int silent[MANY], own;

	limits.handshakes_max = 8;
	sip_tls_start(NULL);
	sip_set_source_handler(sip, is_nobody, NULL);
	accept_ask(stack);
	for (int i = 0; i < MANY; i++)
		silent[i] = connect_high(i);
	peer.fd = connect_high(MANY);
	limit_descriptors(&before, DESCRIPTORS);
	run_for(50);
	CU_ASSERT_EQUAL(count_open(silent, MANY), 7);
	own = open("/dev/null", O_RDONLY);
	CU_ASSERT(own >= 0);
	close(own);
	setrlimit(RLIMIT_NOFILE, &before);
	CU_ASSERT(!is_closed_within(peer.fd, 0));
	accept_ask(NULL);
	close_all(silent, MANY);
	close(peer.fd);
	limits_reset();
	fixture_stop();
}

static void test_no_descriptor_at_all(void)
{
	struct rlimit before;
	clock_t cpu;
	int peer, first;

	sip_tls_start(NULL);
	peer = connect_high(0);
	first = open("/dev/null", O_RDONLY);
	close(first);
	limit_descriptors(&before, (rlim_t)first);
	CU_ASSERT(is_closed_within(peer, 200));
	cpu = clock();
	run_for(200);
	CU_ASSERT(clock() - cpu < CLOCKS_PER_SEC / 20);
	setrlimit(RLIMIT_NOFILE, &before);
	close(peer);
	fixture_stop();
}

/* --- Who does not read ---------------------------------------------------- */

/* Requests until the stack has closed the connection, or `max` of them. */
static bool send_until_closed(struct tls_peer *peer, unsigned max)
{
	enum tls_result result = TLS_DONE;
	/* Copied into the answer. */
	char call_id[16], suffix[8000] = ";x=";
	struct request request = { .method = "OPTIONS",
				   .call_id = call_id,
				   .via_suffix = suffix };
	size_t done;

	memset(suffix + 3, 'x', sizeof(suffix) - 4);
	suffix[sizeof(suffix) - 1] = '\0';
	for (unsigned i = 0; i < max; i++) {
		const char *text;

		snprintf(call_id, sizeof(call_id), "c%u", i);
		text = tls_request(&request);
		for (size_t left = strlen(text); left; left -= done) {
			result = tls_session_write(peer->session,
						   text + strlen(text) - left,
						   left, &done);
			if (result == TLS_FAILED || result == TLS_ENDED)
				return true;
			if (result != TLS_DONE)
				run_for(1);
		}
		if (i % 16 == 0)
			run_for(1);
	}
	return false;
}

static void test_peer_who_does_not_read_is_ended(void)
{
	struct tls_peer peer;

	sip_tls_start(NULL);
	peer = tls_connect(TLS4, PEER);
	CU_ASSERT_PTR_NOT_NULL_FATAL(peer.session);
	CU_ASSERT(send_until_closed(&peer, 5000));
	CU_ASSERT_EQUAL(counter("sip.tls_not_reading"), 1);
	CU_ASSERT_EQUAL(counter("sip.tls_connections"), 0);
	tls_session_destroy(peer.session);
	close(peer.fd);
	fixture_stop();
}

static unsigned lost;

static void count_lost(void *arg, handle_t handle,
		       const struct sip_answer *answer)
{
	(void)arg;
	(void)handle;
	CU_ASSERT_EQUAL(answer->status, SIP_NO_ANSWER);
	lost++;
	loop_stop(loop);
}

static int large_message(uint16_t port, const char *body, size_t bytes)
{
	static const char *const names[] = { A_NAME };
	char hop[64];
	const struct sip_outbound message = {
		.next_hop = hop,
		.certificate_names = names,
		.certificate_name_count = 1,
		.request_uri = "sip:a.example",
		.from = "sip:b.example",
		.to = "sip:a.example",
		.content_type = "text/plain",
		.body = body,
		.body_bytes = bytes,
		.deadline_ms = 60000,
	};

	snprintf(hop, sizeof(hop), "sip:127.0.0.1:%u;transport=tls", port);
	return sip_send(sip, &message, count_lost, NULL, 0);
}

/* Requests that have no room any more fail at once; when nothing at all leaves
 * for a while, the connection is given up. */
static void test_slow_next_hop(void)
{
	enum { MANY = 200, BYTES = 60000 };
	struct tls_peer peer;
	char *body = malloc(BYTES);
	uint16_t port;
	int listening;

	sip_tls_start(&fast);
	lost = 0;
	memset(body, 'x', BYTES);
	listening = peer_bind(TLS4, &port);
	CU_ASSERT_EQUAL(large_message(port, body, BYTES), 0);
	peer = tls_accept(listening, PEER);
	CU_ASSERT_PTR_NOT_NULL_FATAL(peer.session);
	for (int i = 0; i < MANY; i++)
		CU_ASSERT_EQUAL(large_message(port, body, BYTES), 0);
	run_for(20);
	CU_ASSERT(lost > 0);
	CU_ASSERT(lost < MANY);
	CU_ASSERT_EQUAL(counter("sip.tls_connections"), 1);
	CU_ASSERT(run_until(&lost, MANY + 1));
	CU_ASSERT_EQUAL(counter("sip.tls_not_reading"), 1);
	CU_ASSERT_EQUAL(counter("sip.tls_opened"), 1);
	tls_session_destroy(peer.session);
	close(peer.fd);
	close(listening);
	free(body);
	fixture_stop();
}

static CU_TestInfo limit_tests[] = {
	{ "a silent handshake is ended", test_silent_handshake_is_ended },
	{ "a slow handshake is ended", test_slow_handshake_is_ended },
	{ "a silent next hop is given up",
	  test_silent_peer_of_ours_is_given_up },
	{ "plain SIP is ended", test_plain_sip_is_ended },
	{ "an idle connection is ended", test_idle_connection_is_ended },
	{ "an unfinished message ends it",
	  test_unfinished_message_ends_the_connection },
	{ "the oldest handshake gives way", test_oldest_handshake_gives_way },
	{ "the oldest handshakes give their descriptors",
	  test_oldest_handshakes_give_their_descriptors },
	{ "connections of one source", test_connections_of_one_source },
	{ "rate of one source", test_rate_of_one_source },
	{ "connections in all", test_connections_in_all },
	{ "stalled handshakes cost no CPU",
	  test_stalled_handshakes_cost_no_cpu },
	{ "descriptors", test_descriptors },
	{ "no descriptor at all", test_no_descriptor_at_all },
	{ "a peer who does not read is ended",
	  test_peer_who_does_not_read_is_ended },
	{ "a slow next hop", test_slow_next_hop },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "sip over TLS: limits", sip_tls_suite_create, sip_tls_suite_destroy,
	  NULL, NULL, limit_tests },
	CU_SUITE_INFO_NULL,
};

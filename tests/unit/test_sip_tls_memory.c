/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lib/sip over TLS without memory: each allocation of a connection, of either
 * direction, fails once; nothing is lost or left, and the next one works.
 */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "alloc_fail.h"
#include "sip/names.h"
#include "sip/tls_queue.h"
#include "sip_tls_fixture.h"

#define A_NAME "dns:a.example"
#define TRIES_MAX 400

/* --- Parts ---------------------------------------------------------------- */

static void test_queue(void)
{
	struct tls_queue queue = { 0 };
	long before = alloc_fail_live();
	char text[3000];

	memset(text, 'x', sizeof(text));
	CU_ASSERT_EQUAL(tls_queue_reserve(&queue, 3000, 2999), ENOBUFS);
	for (int i = 0; i < 100; i++) {
		text[0] = (char)i;
		alloc_fail_at(1);
		if (tls_queue_reserve(&queue, sizeof(text), 1000000))
			CU_ASSERT(alloc_fail_happened());
		alloc_fail_at(0);
		CU_ASSERT_EQUAL_FATAL(
		    tls_queue_reserve(&queue, sizeof(text), 1000000), 0);
		tls_queue_add(&queue, text, sizeof(text));
		if (i % 3 == 2)
			tls_queue_drop(&queue, sizeof(text));
	}
	CU_ASSERT_EQUAL(tls_queue_bytes(&queue), 67 * sizeof(text));
	for (int i = 33; i < 100; i++) {
		CU_ASSERT_EQUAL(queue.data[queue.begin], (char)i);
		tls_queue_drop(&queue, sizeof(text));
	}
	CU_ASSERT_EQUAL(tls_queue_bytes(&queue), 0);
	CU_ASSERT_PTR_NULL(queue.data);
	CU_ASSERT_EQUAL(alloc_fail_live(), before);
}

static void test_names(void)
{
	static const char *const ours[] = { "dns:a.example", "uri:sip:a" };
	static const char *const upper[] = { "dns:other", "DNS:A.EXAMPLE" };
	static const char *const quoted[] = { "uri:\"x\" y=z" };
	static const char *const others[] = { "dns:a.example.org", "uri:a" };
	struct names *names = names_copy(ours, 2);
	char text[20];

	CU_ASSERT_PTR_NOT_NULL_FATAL(names);
	CU_ASSERT(names_have_one(names, upper, 2));
	CU_ASSERT(!names_have_one(names, upper, 1));
	CU_ASSERT(!names_have_one(names, others, 2));
	CU_ASSERT(!names_have_one(names, NULL, 0));
	names_list(ours, 2, text, sizeof(text));
	CU_ASSERT(is(text, "dns:a.example, uri:"));
	names_list(quoted, 1, text, sizeof(text));
	CU_ASSERT(is(text, "uri:'x' y=z"));
	names_list(NULL, 0, text, sizeof(text));
	CU_ASSERT(is(text, ""));
	free(names);
}

/* --- Connections ---------------------------------------------------------- */

static int status_of_options(void)
{
	struct request request = { .method = "OPTIONS" };
	struct tls_peer peer = tls_connect(TLS4, PEER);
	int status = 0;

	if (peer.session) {
		tls_send(&peer, tls_request(&request));
		status = status_of(tls_receive_text(&peer));
	}
	tls_close(&peer);
	run_for(5);
	return status;
}

/* Whether an allocation of the stack's failed in it. */
static bool accept_without(long n)
{
	int fd = raw_connect(TLS4, NULL);
	bool happened;

	alloc_fail_at(n);
	run_for(2);
	happened = alloc_fail_happened();
	alloc_fail_at(0);
	close(fd);
	run_for(5);
	CU_ASSERT_EQUAL(counter("sip.tls_handshakes"), 0);
	return happened;
}

static void test_accepting(void)
{
	long before, tries = 1;

	sip_tls_start(NULL);
	CU_ASSERT_EQUAL(status_of_options(), 200);
	accept_without(0);
	before = alloc_fail_live();
	while (accept_without(tries) && tries < TRIES_MAX)
		tries++;
	CU_ASSERT(tries > 5 || !before);
	CU_ASSERT(tries < TRIES_MAX);
	CU_ASSERT_EQUAL(alloc_fail_live(), before);
	CU_ASSERT_EQUAL(status_of_options(), 200);
	fixture_stop();
}

/* Every request that was taken is answered once, whatever fails. */
static bool connect_without(long n, uint16_t port, int listening)
{
	unsigned before = answered.count;
	bool happened;
	int err, fd;

	alloc_fail_at(n);
	err = tls_message(port, A_NAME, SIP_INSIDE);
	run_for(2);
	happened = alloc_fail_happened();
	alloc_fail_at(0);
	CU_ASSERT(!err || (err == ENOMEM && happened));
	while (!peer_hears_nothing(listening, 0)) {
		fd = accept(listening, NULL, NULL);
		CU_ASSERT_FATAL(fd >= 0);
		close(fd);
	}
	if (!err)
		CU_ASSERT(run_until(&answered.count, before + 1));
	run_for(5);
	CU_ASSERT_EQUAL(answered.count, before + !err);
	CU_ASSERT_EQUAL(counter("sip.client_transactions"), 0);
	CU_ASSERT_EQUAL(counter("sip.tls_handshakes"), 0);
	return happened;
}

static void test_connecting(void)
{
	long before, tries = 1;
	uint16_t port;
	int listening;

	sip_tls_start(NULL);
	listening = peer_bind(TLS4, &port);
	connect_without(0, port, listening);
	connect_without(0, port, listening);
	before = alloc_fail_live();
	while (connect_without(tries, port, listening) && tries < TRIES_MAX)
		tries++;
	CU_ASSERT(tries > 10 || !before);
	CU_ASSERT(tries < TRIES_MAX);
	CU_ASSERT_EQUAL(alloc_fail_live(), before);
	close(listening);
	fixture_stop();
}

static int create(void)
{
	alloc_fail_install();
	return sip_tls_suite_create();
}

static CU_TestInfo memory_tests[] = {
	{ "queues", test_queue },
	{ "names", test_names },
	{ "accepting", test_accepting },
	{ "connecting", test_connecting },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "sip over TLS: memory", create, sip_tls_suite_destroy, NULL, NULL,
	  memory_tests },
	CU_SUITE_INFO_NULL,
};

/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/sip with an inside and an outside: no address of one is seen on the other. */
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sip_fixture.h"

static const struct sip_stack_config both = {
	.listen = inside_entries,
	.listen_count = 2,
	.listen_outside = outside_entries,
	.listen_outside_count = 2,
	.domain = "b.example",
	.t1_ms = T1_MS,
	.server_transactions_max = 100,
	.client_transactions_max = 100,
	.peer_outstanding_max = 2,
};

static unsigned answered;
static int last_status;

static void on_answer(void *arg, handle_t handle,
		      const struct sip_answer *answer)
{
	(void)arg;
	(void)handle;
	answered++;
	last_status = answer->status;
	loop_stop(loop);
}

static int send_on(enum sip_side side, const char *transport, uint16_t port)
{
	char next_hop[SIP_URI_SIZE];
	const struct sip_outbound message = {
		.next_hop = next_hop,
		.side = side,
		.request_uri = "sip:a.example",
		.from = "sip:b.example",
		.to = "sip:a.example",
		.deadline_ms = 500,
	};

	snprintf(next_hop, sizeof(next_hop), "sip:127.3.3.3:%u;transport=%s",
		 port, transport);
	return sip_send(sip, &message, on_answer, NULL, 1);
}

static struct sockaddr_in address_of(const char *host, uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(port) };

	inet_pton(AF_INET, host, &address.sin_addr);
	return address;
}

/* A peer at 127.3.3.3. */
static int open_peer(int type, uint16_t *port)
{
	struct sockaddr_in address = address_of("127.3.3.3", 0);
	socklen_t bytes = sizeof(address);
	int fd = socket(AF_INET, type, 0);

	CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&address, bytes), 0);
	if (type == SOCK_STREAM)
		CU_ASSERT_EQUAL_FATAL(listen(fd, 5), 0);
	getsockname(fd, (struct sockaddr *)&address, &bytes);
	*port = ntohs(address.sin_port);
	return fd;
}

static uint16_t port_of(size_t listener)
{
	return (uint16_t)atoi(strrchr(sip_stack_address(stack, listener), ':') +
			      1);
}

static int connect_to(size_t listener, int type, const char *host)
{
	struct sockaddr_in address = address_of(host, port_of(listener));
	int fd = socket(AF_INET, type, 0);

	CU_ASSERT_EQUAL_FATAL(
	    connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* What came, and from which host. */
static const char *hear(int fd, char from[INET_ADDRSTRLEN])
{
	static char text[65536];
	struct sockaddr_in address;
	socklen_t bytes = sizeof(address);
	ssize_t n = recvfrom(fd, text, sizeof(text) - 1, MSG_DONTWAIT,
			     (struct sockaddr *)&address, &bytes);

	text[n > 0 ? n : 0] = '\0';
	inet_ntop(AF_INET, &address.sin_addr, from, INET_ADDRSTRLEN);
	return text;
}

static void test_side_of_a_request(void)
{
	static const struct {
		size_t listener;
		int type;
		const char *host;
		enum sip_side side;
	} cases[] = {
		{ IN_UDP, SOCK_DGRAM, INSIDE, SIP_INSIDE },
		{ IN_TCP, SOCK_STREAM, INSIDE, SIP_INSIDE },
		{ OUT_UDP, SOCK_DGRAM, OUTSIDE, SIP_OUTSIDE },
		{ OUT_TCP, SOCK_STREAM, OUTSIDE, SIP_OUTSIDE },
	};

	fixture_start(&both);
	for (size_t i = 0; i < 4; i++) {
		struct request request = { .port = 5060 };
		int fd =
		    connect_to(cases[i].listener, cases[i].type, cases[i].host);

		request.via_suffix = ";rport";
		request.branch = cases[i].host;
		if (cases[i].type == SOCK_STREAM)
			request.transport = "TCP";
		recorded.count = 0;
		peer_send(fd, request_text(&request));
		CU_ASSERT_EQUAL(status_of(peer_receive(fd)), 200);
		CU_ASSERT_EQUAL(recorded.side, cases[i].side);
		close(fd);
	}
	CU_ASSERT_PTR_NULL(sip_stack_address(stack, 4));
	fixture_stop();
}

static void check_text(const char *text, const char *own, const char *other)
{
	char via[64];

	snprintf(via, sizeof(via), " %s:", own);
	CU_ASSERT_PTR_NOT_NULL_FATAL(header_of(text, "Via"));
	CU_ASSERT_PTR_NOT_NULL(strstr(header_of(text, "Via"), via));
	CU_ASSERT_PTR_NULL(strstr(text, other));
}

static void test_datagrams_leave_from_their_side(void)
{
	char from[INET_ADDRSTRLEN];
	const char *text;
	uint16_t port;
	int fd;

	fixture_start(&both);
	fd = open_peer(SOCK_DGRAM, &port);
	CU_ASSERT_EQUAL(send_on(SIP_OUTSIDE, "udp", port), 0);
	text = hear(fd, from);
	CU_ASSERT_STRING_EQUAL(from, OUTSIDE);
	check_text(text, OUTSIDE, INSIDE);
	CU_ASSERT_EQUAL(send_on(SIP_INSIDE, "udp", port), 0);
	text = hear(fd, from);
	CU_ASSERT_STRING_EQUAL(from, INSIDE);
	check_text(text, INSIDE, OUTSIDE);
	close(fd);
	fixture_stop();
}

static void accept_one(int listening, const char *own, const char *other)
{
	char host[INET_ADDRSTRLEN];
	struct sockaddr_in address;
	socklen_t bytes = sizeof(address);
	int fd = peer_accept(listening);

	CU_ASSERT_FATAL(fd >= 0);
	getpeername(fd, (struct sockaddr *)&address, &bytes);
	inet_ntop(AF_INET, &address.sin_addr, host, sizeof(host));
	CU_ASSERT_STRING_EQUAL(host, own);
	check_text(peer_receive(fd), own, other);
	/* Kept open by the stack: not for the other side. */
	run_for(5);
	CU_ASSERT_EQUAL(recv(fd, host, 1, MSG_DONTWAIT), -1);
	CU_ASSERT_EQUAL(errno, EAGAIN);
	close(fd);
}

static void test_connections_leave_from_their_side(void)
{
	uint16_t port;
	int listening;

	fixture_start(&both);
	listening = open_peer(SOCK_STREAM, &port);
	CU_ASSERT_EQUAL(send_on(SIP_OUTSIDE, "tcp", port), 0);
	CU_ASSERT_EQUAL(send_on(SIP_INSIDE, "tcp", port), 0);
	run_for(10);
	accept_one(listening, OUTSIDE, INSIDE);
	accept_one(listening, INSIDE, OUTSIDE);
	close(listening);
	fixture_stop();
}

/* A peer's own connection to one side serves the answers of that side alone. */
static void test_peers_connection_serves_its_side(void)
{
	struct sockaddr_in address = address_of("127.3.3.3", 0);
	socklen_t bytes = sizeof(address);
	char text[2];
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	fixture_start(&both);
	CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&address, bytes), 0);
	address = address_of(OUTSIDE, port_of(OUT_TCP));
	CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&address, bytes),
			      0);
	getsockname(fd, (struct sockaddr *)&address, &bytes);
	run_for(5);
	CU_ASSERT_EQUAL(send_on(SIP_INSIDE, "tcp", ntohs(address.sin_port)), 0);
	run_for(10);
	CU_ASSERT_EQUAL(recv(fd, text, 1, MSG_DONTWAIT), -1);
	CU_ASSERT_EQUAL(send_on(SIP_OUTSIDE, "tcp", ntohs(address.sin_port)),
			0);
	CU_ASSERT(strlen(peer_receive(fd)) > 0);
	close(fd);
	fixture_stop();
}

static void test_bounds_and_answers_are_each_sides_own(void)
{
	char from[INET_ADDRSTRLEN], answer[2048];
	struct sockaddr_in ours;
	const char *text;
	uint16_t port;
	int fd;

	fixture_start(&both);
	answered = 0;
	fd = open_peer(SOCK_DGRAM, &port);
	for (int i = 0; i < 2; i++)
		CU_ASSERT_EQUAL(send_on(SIP_OUTSIDE, "udp", port), 0);
	CU_ASSERT_EQUAL(send_on(SIP_OUTSIDE, "udp", port), EBUSY);
	CU_ASSERT_EQUAL(send_on(SIP_INSIDE, "udp", port), 0);
	text = hear(fd, from);
	snprintf(
	    answer, sizeof(answer),
	    "SIP/2.0 202 Accepted\r\nVia: %s\r\nFrom: %s\r\nTo: %s;tag=p\r\n"
	    "Call-ID: %s\r\nCSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n",
	    header_of(text, "Via"), header_of(text, "From"),
	    header_of(text, "To"), header_of(text, "Call-ID"));
	ours = address_of(OUTSIDE, port_of(OUT_UDP));
	CU_ASSERT_EQUAL_FATAL(
	    connect(fd, (struct sockaddr *)&ours, sizeof(ours)), 0);
	peer_send(fd, answer);
	CU_ASSERT(run_until(&answered, 1));
	CU_ASSERT_EQUAL(last_status, 202);
	close(fd);
	fixture_stop();
}

static void test_no_side_stands_in_for_the_other(void)
{
	struct sip_stack_config config = both;

	config.listen_outside_count = 1; /* UDP alone */
	fixture_start(&config);
	CU_ASSERT_EQUAL(send_on(SIP_OUTSIDE, "tcp", 9), EINVAL);
	CU_ASSERT_EQUAL(send_on(SIP_INSIDE, "tcp", 9), 0);
	CU_ASSERT_EQUAL(send_on(SIP_OUTSIDE, "udp", 9), 0);
	fixture_stop();
	config.listen_count = 1;
	config.listen_outside_count = 2;
	fixture_start(&config);
	CU_ASSERT_EQUAL(send_on(SIP_INSIDE, "tcp", 9), EINVAL);
	CU_ASSERT_EQUAL(send_on(SIP_OUTSIDE, "tcp", 9), 0);
	fixture_stop();
}

static void test_one_side_serves_both(void)
{
	struct sip_stack_config config = both;
	char from[INET_ADDRSTRLEN];
	uint16_t port;
	int fd;

	config.listen_outside_count = 0;
	fixture_start(&config);
	fd = open_peer(SOCK_DGRAM, &port);
	CU_ASSERT_EQUAL(send_on(SIP_OUTSIDE, "udp", port), 0);
	hear(fd, from);
	CU_ASSERT_STRING_EQUAL(from, INSIDE);
	CU_ASSERT_EQUAL(send_on(SIP_INSIDE, "udp", port), 0);
	/* One peer, whatever the side. */
	CU_ASSERT_EQUAL(send_on(SIP_OUTSIDE, "udp", port), EBUSY);
	close(fd);
	fixture_stop();
}

static void test_wildcards_have_no_side(void)
{
	static const char *const any = "udp:0.0.0.0:0", *const any6 =
							    "tcp:[::]:0";
	struct sip_stack_config config = both;
	struct sip_stack *other = NULL;

	fixture_start(NULL);
	config.listen_outside_count = 1;
	config.listen_outside = &any;
	CU_ASSERT_EQUAL(sip_stack_create(&other, loop, NULL, &config), EINVAL);
	config.listen_outside = &any6;
	CU_ASSERT_EQUAL(sip_stack_create(&other, loop, NULL, &config), EINVAL);
	config = both;
	config.listen = &any;
	config.listen_count = 1;
	CU_ASSERT_EQUAL(sip_stack_create(&other, loop, NULL, &config), EINVAL);
	fixture_stop();
}

static CU_TestInfo side_tests[] = {
	{ "the side of a request", test_side_of_a_request },
	{ "datagrams leave from their side",
	  test_datagrams_leave_from_their_side },
	{ "connections leave from their side",
	  test_connections_leave_from_their_side },
	{ "a peer's connection serves its side",
	  test_peers_connection_serves_its_side },
	{ "bounds and answers are each side's own",
	  test_bounds_and_answers_are_each_sides_own },
	{ "no side stands in for the other",
	  test_no_side_stands_in_for_the_other },
	{ "one side serves both", test_one_side_serves_both },
	{ "wildcards have no side", test_wildcards_have_no_side },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "sip sides", NULL, NULL, NULL, NULL, side_tests },
	CU_SUITE_INFO_NULL,
};

/* SPDX-License-Identifier: BSD-2-Clause */
/* Drives a stack over real loopback sockets, one thread, event by event. */
#include "sip_fixture.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "stats/stats.h"
#include "unit.h"

const char *const inside_entries[2] = { "udp:" INSIDE ":0",
					"tcp:" INSIDE ":0" };
const char *const outside_entries[2] = { "udp:" OUTSIDE ":0",
					 "tcp:" OUTSIDE ":0" };

#define HEARD_BYTES (256 * 1024)

struct loop *loop;
struct sip_stack *stack;
struct sip *sip;
struct recorded recorded;
struct sip_reply automatic;
static struct stats *stats;

static const char *const listen_entries[] = {
	"udp:127.0.0.1:0",
	"tcp:127.0.0.1:0",
	"udp:[::1]:0",
	"tcp:[::1]:0",
};
static const struct sip_stack_config usual = {
	.listen = listen_entries,
	.listen_count = 4,
	.domain = "b.example",
	.t1_ms = T1_MS,
	.server_transactions_max = 1000,
	.client_transactions_max = 100,
	.peer_outstanding_max = 10,
};

static void copy(char *target, size_t size, const char *text)
{
	snprintf(target, size, "%s", text ? text : "(null)");
}

static void record(void *arg, const struct sip_inbound *message)
{
	CU_ASSERT_PTR_EQUAL(arg, &recorded);
	recorded.count++;
	recorded.transaction = message->transaction;
	recorded.transport = message->source.transport;
	recorded.side = message->source.side;
	recorded.source_port = message->source.port;
	recorded.cseq = message->cseq;
	recorded.max_forwards = message->max_forwards;
	recorded.identity_count = message->asserted_identity_count;
	for (size_t i = 0; i < message->asserted_identity_count; i++)
		copy(recorded.identities[i], 64,
		     message->asserted_identities[i]);
	recorded.body_bytes = message->body_bytes;
	copy(recorded.source_host, SIP_HOST_SIZE, message->source.host);
	copy(recorded.sender_uri, SIP_URI_SIZE, message->sender_uri);
	copy(recorded.request_uri, 128, message->request_uri);
	copy(recorded.from_uri, 128, message->from_uri);
	copy(recorded.from_tag, 64, message->from_tag);
	copy(recorded.call_id, 128, message->call_id);
	copy(recorded.content_type, 128, message->content_type);
	if (message->body_bytes < sizeof(recorded.body)) {
		if (message->body_bytes)
			memcpy(recorded.body, message->body,
			       message->body_bytes);
		recorded.body[message->body_bytes] = '\0';
	}
	if (automatic.status)
		sip_reply(sip, message->transaction, &automatic);
	loop_stop(loop);
}

void fixture_start(const struct sip_stack_config *config)
{
	struct sip_stack_config used = config ? *config : usual;

	if (!used.listen) {
		used.listen = usual.listen;
		used.listen_count = usual.listen_count;
	}
	log_set_level(LOG_ERROR);
	recorded = (struct recorded){ 0 };
	automatic = (struct sip_reply){ .status = 200 };
	CU_ASSERT_EQUAL_FATAL(loop_create(&loop), 0);
	CU_ASSERT_EQUAL_FATAL(stats_create(&stats), 0);
	CU_ASSERT_EQUAL_FATAL(sip_stack_create(&stack, loop, stats, &used), 0);
	sip = sip_stack_sip(stack);
	sip_set_message_handler(sip, record, &recorded);
}

void fixture_stop(void)
{
	sip_stack_destroy(stack);
	CU_ASSERT_PTR_NULL(stats_first(stats));
	stats_destroy(stats);
	loop_destroy(loop);
}

static void stop_loop(void *arg)
{
	*(bool *)arg = true;
	loop_stop(loop);
}

bool run_until(const unsigned *count, unsigned wanted)
{
	struct timer timer = { 0 };
	bool late = false;

	timer_start(loop_timers(loop), &timer, PATIENCE_MS, stop_loop, &late);
	while (*count < wanted && !late)
		loop_run(loop);
	timer_stop(loop_timers(loop), &timer);
	return *count >= wanted;
}

void run_for(unsigned ms)
{
	struct timer timer = { 0 };
	bool done = false;

	timer_start(loop_timers(loop), &timer, ms, stop_loop, &done);
	while (!done)
		loop_run(loop);
}

uint64_t counter(const char *name)
{
	for (const struct statistic *each = stats_first(stats); each;
	     each = each->next)
		if (!strcmp(each->name, name))
			return each->value;
	CU_FAIL("no such counter");
	return 0;
}

/* --- Peers --------------------------------------------------------------- */

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t loopback(int i, uint16_t port, union address *address)
{
	memset(address, 0, sizeof(*address));
	if (i == UDP4 || i == TCP4) {
		address->v4.sin_family = AF_INET;
		address->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		address->v4.sin_port = htons(port);
		return sizeof(address->v4);
	}
	address->v6.sin6_family = AF_INET6;
	address->v6.sin6_addr = in6addr_loopback;
	address->v6.sin6_port = htons(port);
	return sizeof(address->v6);
}

static uint16_t own_port(int fd)
{
	union address address;
	socklen_t bytes = sizeof(address);

	CU_ASSERT_EQUAL(getsockname(fd, &address.any, &bytes), 0);
	return ntohs(address.v4.sin_port);
}

static int open_socket(int i)
{
	int family = i == UDP4 || i == TCP4 ? AF_INET : AF_INET6;
	int fd = socket(family,
			i == UDP4 || i == UDP6 ? SOCK_DGRAM : SOCK_STREAM, 0);

	CU_ASSERT_FATAL(fd >= 0);
	return fd;
}

int peer_connect(int i, uint16_t *port)
{
	const char *text = sip_stack_address(stack, (size_t)i);
	union address address;
	int fd = open_socket(i);
	socklen_t bytes =
	    loopback(i, (uint16_t)atoi(strrchr(text, ':') + 1), &address);

	CU_ASSERT_EQUAL_FATAL(connect(fd, &address.any, bytes), 0);
	*port = own_port(fd);
	return fd;
}

int peer_bind(int i, uint16_t *port)
{
	union address address;
	int fd = open_socket(i);
	socklen_t bytes = loopback(i, 0, &address);

	CU_ASSERT_EQUAL_FATAL(bind(fd, &address.any, bytes), 0);
	if (i == TCP4 || i == TCP6)
		CU_ASSERT_EQUAL_FATAL(listen(fd, 10), 0);
	*port = own_port(fd);
	return fd;
}

void peer_send(int fd, const char *text)
{
	size_t bytes = strlen(text);

	CU_ASSERT_EQUAL(send(fd, text, bytes, 0), (ssize_t)bytes);
}

static void on_readable(void *arg, uint32_t events)
{
	(void)events;
	(*(unsigned *)arg)++;
	loop_stop(loop);
}

static bool wait_readable(int fd)
{
	struct loop_watch *watch;
	unsigned ready = 0;
	bool heard;

	CU_ASSERT_EQUAL_FATAL(
	    loop_watch(loop, fd, EPOLLIN, on_readable, &ready, &watch), 0);
	heard = run_until(&ready, 1);
	loop_unwatch(watch);
	return heard;
}

int peer_accept(int listening)
{
	return wait_readable(listening) ? accept(listening, NULL, NULL) : -1;
}

const char *peer_receive(int fd)
{
	static char heard[HEARD_BYTES];
	ssize_t n = 0;

	if (wait_readable(fd))
		n = recv(fd, heard, sizeof(heard) - 1, 0);
	heard[n > 0 ? n : 0] = '\0';
	return heard;
}

bool peer_hears_nothing(int fd, unsigned ms)
{
	struct pollfd waiting = { .fd = fd, .events = POLLIN };

	run_for(ms);
	return poll(&waiting, 1, 0) == 0;
}

/* --- Messages ------------------------------------------------------------ */

const char *request_text(const struct request *request)
{
	static char text[128 * 1024];
	const char *method = request->method ? request->method : "MESSAGE";
	const char *body = request->body ? request->body : "";
	unsigned cseq = request->cseq ? request->cseq : 1;

	snprintf(text, sizeof(text),
		 "%s %s SIP/2.0\r\n"
		 "Via: SIP/2.0/%s %s:%u;branch=z9hG4bK%s%s\r\n"
		 "From: %s\r\n"
		 "To: %s\r\n"
		 "Call-ID: %s\r\n"
		 "CSeq: %u %s\r\n"
		 "%s"
		 "Content-Length: %zu\r\n\r\n%s",
		 method, request->uri ? request->uri : "sip:b.example",
		 request->transport ? request->transport : "UDP",
		 request->v6 ? "[::1]" : "127.0.0.1", request->port,
		 request->branch ? request->branch : "1",
		 request->via_suffix ? request->via_suffix : "",
		 request->from ? request->from
			       : "<sip:visitor1@b.example>;tag=f1",
		 request->to ? request->to : "<sip:b.example>",
		 request->call_id ? request->call_id : "call-1", cseq, method,
		 request->lines ? request->lines : "Max-Forwards: 70\r\n",
		 strlen(body), body);
	return text;
}

const char *header_of(const char *text, const char *name)
{
	static char values[4][1024];
	static unsigned turn;
	char *value = values[turn++ % 4];
	size_t bytes = strlen(name);
	const char *line = text;

	while ((line = strstr(line, "\r\n")) && line[2] != '\r') {
		line += 2;
		if (strncasecmp(line, name, bytes) || line[bytes] != ':')
			continue;
		line += bytes + 1 + strspn(line + bytes + 1, " ");
		snprintf(value, 1024, "%.*s", (int)strcspn(line, "\r"), line);
		return value;
	}
	return NULL;
}

int status_of(const char *text)
{
	int status = 0;

	return sscanf(text, "SIP/2.0 %d", &status) == 1 ? status : 0;
}

bool is(const char *value, const char *expected)
{
	if (value && !strcmp(value, expected))
		return true;
	printf("\n    got \"%s\", expected \"%s\"", value ? value : "nothing",
	       expected);
	return false;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPU per message of the SIP stack, both sides, UDP and TCP: no test, run it
 * by hand. A child process is the peer, 64 requests are under way at a time.
 *   measure_sip [MESSAGES]
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "loop/loop.h"
#include "sip/stack.h"

#define WINDOW 64
#define BODY_BYTES 1143
#define STREAM_BYTES (1024 * 1024)

static struct loop *loop;
static struct sip_stack *stack;
static unsigned wanted, done;
static char body[BODY_BYTES + 1];

/* --- The peer, in a process of its own ------------------------------------ */

static int connect_peer(int type, uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(port) };
	int fd = socket(AF_INET, type, 0), bytes = 4 * 1024 * 1024;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
		exit(1);
	return fd;
}

static void send_all(int fd, const char *text, size_t bytes)
{
	while (bytes) {
		ssize_t n = send(fd, text, bytes, 0);

		if (n <= 0)
			exit(1);
		text += n;
		bytes -= (size_t)n;
	}
}

static void send_request(int fd, const char *transport, unsigned number)
{
	static const char *const header =
	    "MESSAGE sip:b.example SIP/2.0\r\n"
	    "Via: SIP/2.0/%s 127.0.0.1:5999;rport;branch=z9hG4bK%u\r\n"
	    "Max-Forwards: 70\r\n"
	    "From: <sip:visitor17@b.example>;tag=0123456789\r\n"
	    "To: <sip:b.example>\r\n"
	    "Call-ID: 0123456789abcdef0123456789abcdef\r\n"
	    "CSeq: %u MESSAGE\r\n"
	    "P-Preferred-Identity: <sip:visitor17@b.example>\r\n"
	    "P-Preferred-Service: urn:urn-7:3gpp-service.ims.icsi.mcptt\r\n"
	    "Accept-Contact: *;+g.3gpp.mcptt;require;explicit\r\n"
	    "Content-Type: application/vnd.3gpp.mcptt-info+xml\r\n"
	    "Content-Length: %d\r\n\r\n%s";
	char text[4096];
	int n = snprintf(text, sizeof(text), header, transport, number, number,
			 BODY_BYTES, body);

	send_all(fd, text, (size_t)n);
}

/* Sends requests; each answer lets the next one go. */
static void generate(int fd, const char *transport)
{
	static char heard[STREAM_BYTES];
	unsigned sent = 0, answered = 0;

	while (answered < wanted) {
		ssize_t n;

		while (sent < wanted && sent - answered < WINDOW)
			send_request(fd, transport, ++sent);
		n = recv(fd, heard, sizeof(heard) - 1, 0);
		if (n <= 0)
			exit(1);
		heard[n] = '\0';
		for (const char *at = heard; (at = strstr(at, "SIP/2.0 2"));
		     at++)
			answered++;
	}
	exit(0);
}

static void copy_line(char **out, const char *text, const char *name)
{
	const char *line = strstr(text, name) + 2;
	size_t bytes = strcspn(line, "\n") + 1;

	memcpy(*out, line, bytes);
	*out += bytes;
}

static void send_answer(int fd, const char *text, const struct sockaddr *to,
			socklen_t to_bytes)
{
	char answer[2048], *end = answer;

	end += sprintf(end, "SIP/2.0 200 OK\r\n");
	copy_line(&end, text, "\r\nVia:");
	copy_line(&end, text, "\r\nFrom:");
	copy_line(&end, text, "\r\nTo:");
	end -= 2;
	end += sprintf(end, ";tag=1\r\n");
	copy_line(&end, text, "\r\nCall-ID:");
	copy_line(&end, text, "\r\nCSeq:");
	end += sprintf(end, "Content-Length: 0\r\n\r\n");
	if (sendto(fd, answer, (size_t)(end - answer), 0, to, to_bytes) < 0)
		exit(1);
}

static void answer_udp(int fd)
{
	char text[8192];

	for (;;) {
		struct sockaddr_in from;
		socklen_t bytes = sizeof(from);
		ssize_t n = recvfrom(fd, text, sizeof(text) - 1, 0,
				     (struct sockaddr *)&from, &bytes);

		if (n <= 0)
			exit(1);
		text[n] = '\0';
		send_answer(fd, text, (struct sockaddr *)&from, bytes);
	}
}

static void answer_tcp(int listening)
{
	static char text[STREAM_BYTES];
	size_t used = 0;
	int fd = accept(listening, NULL, NULL);

	for (;;) {
		ssize_t n = recv(fd, text + used, sizeof(text) - 1 - used, 0);
		char *at = text, *end;

		if (n <= 0)
			exit(0);
		used += (size_t)n;
		text[used] = '\0';
		while ((end = strstr(at, "\r\n\r\n")) &&
		       end + 4 + BODY_BYTES <= text + used) {
			send_answer(fd, at, NULL, 0);
			at = end + 4 + BODY_BYTES;
		}
		used -= (size_t)(at - text);
		memmove(text, at, used);
	}
}

/* --- Our side -------------------------------------------------------------- */

static void on_message(void *arg, const struct sip_inbound *message)
{
	static const struct sip_reply ok = { .status = 200 };

	(void)arg;
	sip_reply(sip_stack_sip(stack), message->transaction, &ok);
	if (++done == wanted)
		loop_stop(loop);
}

static void send_next(void *arg, handle_t handle,
		      const struct sip_answer *answer)
{
	static const struct sip_header headers[] = {
		{ "P-Asserted-Identity", "<sip:b.example>" },
		{ "P-Asserted-Service",
		  "urn:urn-7:3gpp-service.ims.icsi.mcptt" },
		{ "Accept-Contact", "*;+g.3gpp.mcptt;require;explicit" },
	};
	const struct sip_outbound message = {
		.next_hop = arg,
		.request_uri = "sip:a.example",
		.from = "sip:b.example",
		.to = "sip:a.example",
		.headers = headers,
		.header_count = 3,
		.content_type = "application/vnd.3gpp.mcptt-info+xml",
		.body = body,
		.body_bytes = BODY_BYTES,
		.deadline_ms = 10000,
	};

	if (answer && answer->status != 200)
		exit(1);
	if (answer && ++done == wanted) {
		loop_stop(loop);
		return;
	}
	if (handle <= wanted)
		sip_send(sip_stack_sip(stack), &message, send_next, arg,
			 handle + WINDOW);
}

static double seconds(const struct timeval *time)
{
	return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

static long resident_kb(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	long pages = 0;

	if (file && fscanf(file, "%*d %ld", &pages) != 1)
		pages = 0;
	if (file)
		fclose(file);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void run_measured(const char *what, pid_t peer)
{
	struct rusage before, after;
	struct timeval began, ended;
	long before_kb = resident_kb();
	double user, system;

	getrusage(RUSAGE_SELF, &before);
	gettimeofday(&began, NULL);
	loop_run(loop);
	gettimeofday(&ended, NULL);
	getrusage(RUSAGE_SELF, &after);
	user = seconds(&after.ru_utime) - seconds(&before.ru_utime);
	system = seconds(&after.ru_stime) - seconds(&before.ru_stime);
	printf("%-11s %7.1f us CPU a message (%.1f + %.1f), %6.0f/s, "
	       "%ld kB more\n",
	       what, (user + system) / wanted * 1e6, user / wanted * 1e6,
	       system / wanted * 1e6,
	       wanted / (seconds(&ended) - seconds(&began)),
	       resident_kb() - before_kb);
	kill(peer, 15);
	waitpid(peer, NULL, 0);
}

static void start_stack(void)
{
	static const char *const listen_entries[] = { "udp:127.0.0.1:0",
						      "tcp:127.0.0.1:0" };
	const struct sip_stack_config config = {
		.listen = listen_entries,
		.listen_count = 2,
		.domain = "b.example",
		.t1_ms = 500,
		.server_transactions_max = 1000000,
		.client_transactions_max = 10000,
		.peer_outstanding_max = 1000,
	};

	done = 0;
	if (loop_create(&loop) || sip_stack_create(&stack, loop, NULL, &config))
		exit(1);
	sip_set_message_handler(sip_stack_sip(stack), on_message, NULL);
}

static void stop_stack(void)
{
	sip_stack_destroy(stack);
	loop_destroy(loop);
}

static void measure_server(const char *what, size_t i, int type)
{
	const char *address;
	pid_t peer;

	start_stack();
	address = sip_stack_address(stack, i);
	peer = fork();
	if (!peer)
		generate(connect_peer(
			     type, (uint16_t)atoi(strrchr(address, ':') + 1)),
			 i ? "TCP" : "UDP");
	run_measured(what, peer);
	stop_stack();
}

static uint16_t bind_peer(int fd)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t bytes = sizeof(address);
	int size = 4 * 1024 * 1024;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (bind(fd, (struct sockaddr *)&address, bytes) ||
	    getsockname(fd, (struct sockaddr *)&address, &bytes))
		exit(1);
	return ntohs(address.sin_port);
}

static void measure_client(const char *what, int type)
{
	int fd = socket(AF_INET, type, 0);
	char next_hop[64];
	pid_t peer;

	snprintf(next_hop, sizeof(next_hop), "sip:127.0.0.1:%u;transport=%s",
		 bind_peer(fd), type == SOCK_DGRAM ? "udp" : "tcp");
	if (type == SOCK_STREAM && listen(fd, 5))
		exit(1);
	peer = fork();
	if (!peer && type == SOCK_DGRAM)
		answer_udp(fd);
	if (!peer)
		answer_tcp(fd);
	start_stack();
	for (handle_t i = 1; i <= WINDOW; i++)
		send_next(next_hop, i, NULL);
	run_measured(what, peer);
	stop_stack();
	close(fd);
}

int main(int argc, char **argv)
{
	wanted = argc > 1 ? (unsigned)atoi(argv[1]) : 200000;
	memset(body, 'x', BODY_BYTES);
	setvbuf(stdout, NULL, _IOLBF, 0);
	log_set_level(LOG_ERROR);
	measure_server("server UDP", 0, SOCK_DGRAM);
	measure_server("server TCP", 1, SOCK_STREAM);
	measure_client("client UDP", SOCK_DGRAM);
	measure_client("client TCP", SOCK_STREAM);
	return 0;
}

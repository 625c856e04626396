/* SPDX-License-Identifier: BSD-2-Clause */
/* One thread, one connection after the other. */
#include "config.h"

#include "http_server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SILENT_MAX 16

struct http_server {
	pthread_t thread;
	pthread_mutex_t lock;
	int listening, wake[2];
	unsigned port, requests;
	char *answer; /* NULL: none */
	int silent[SILENT_MAX];
	unsigned silent_count;
};

/* The requests have no body: the blank line is their end. */
static int read_request(int fd)
{
	char text[4096];
	size_t used = 0;

	while (used < sizeof(text) - 1) {
		ssize_t n = read(fd, text + used, sizeof(text) - 1 - used);

		if (n <= 0)
			return 0;
		used += (size_t)n;
		text[used] = '\0';
		if (strstr(text, "\r\n\r\n"))
			return 1;
	}
	return 0;
}

static void serve_one(struct http_server *server, int fd)
{
	char *answer;

	if (!read_request(fd)) {
		close(fd);
		return;
	}
	pthread_mutex_lock(&server->lock);
	server->requests++;
	answer = server->answer ? strdup(server->answer) : NULL;
	if (!answer && server->silent_count < SILENT_MAX) {
		server->silent[server->silent_count++] = fd;
		fd = -1;
	}
	pthread_mutex_unlock(&server->lock);
	for (size_t sent = 0; answer && sent < strlen(answer);) {
		ssize_t n = send(fd, answer + sent, strlen(answer) - sent,
				 MSG_NOSIGNAL);

		if (n <= 0)
			break;
		sent += (size_t)n;
	}
	free(answer);
	if (fd >= 0)
		close(fd);
}

static void *serve(void *arg)
{
	struct http_server *server = arg;

	for (;;) {
		struct pollfd polled[] = {
			{ .fd = server->listening, .events = POLLIN },
			{ .fd = server->wake[0], .events = POLLIN },
		};
		int fd;

		poll(polled, 2, -1);
		if (polled[1].revents)
			return NULL;
		fd = accept(server->listening, NULL, NULL);
		if (fd >= 0)
			serve_one(server, fd);
	}
}

struct http_server *http_server_create(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	struct http_server *server = calloc(1, sizeof(*server));
	socklen_t bytes = sizeof(address);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	pthread_mutex_init(&server->lock, NULL);
	server->listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(server->listening, (struct sockaddr *)&address, bytes) ||
	    listen(server->listening, 16) ||
	    getsockname(server->listening, (struct sockaddr *)&address,
			&bytes) ||
	    pipe(server->wake) ||
	    pthread_create(&server->thread, NULL, serve, server))
		abort();
	server->port = ntohs(address.sin_port);
	return server;
}

void http_server_destroy(struct http_server *server)
{
	if (write(server->wake[1], "", 1) != 1)
		abort();
	pthread_join(server->thread, NULL);
	for (unsigned i = 0; i < server->silent_count; i++)
		close(server->silent[i]);
	close(server->listening);
	close(server->wake[0]);
	close(server->wake[1]);
	pthread_mutex_destroy(&server->lock);
	free(server->answer);
	free(server);
}

unsigned http_server_port(const struct http_server *server)
{
	return server->port;
}

void http_server_answer(struct http_server *server, const char *status,
			const char *headers, const char *body)
{
	char *answer = NULL;

	if (status && asprintf(&answer,
			       "HTTP/1.1 %s\r\nContent-Length: %zu\r\n"
			       "Connection: close\r\n%s\r\n%s",
			       status, strlen(body), headers, body) < 0)
		abort();
	pthread_mutex_lock(&server->lock);
	free(server->answer);
	server->answer = answer;
	pthread_mutex_unlock(&server->lock);
}

unsigned http_server_requests(struct http_server *server)
{
	unsigned requests;

	pthread_mutex_lock(&server->lock);
	requests = server->requests;
	pthread_mutex_unlock(&server->lock);
	return requests;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* An HTTP server on loopback that gives one answer to whoever asks. */
#ifndef MCMIG_TESTS_HTTP_SERVER_H
#define MCMIG_TESTS_HTTP_SERVER_H

#include <stddef.h>

struct http_server;

struct http_server *http_server_create(void);
void http_server_destroy(struct http_server *server);
unsigned http_server_port(const struct http_server *server);

/*
 * From now on: the status line's text ("200 OK"), further header lines and a
 * body, all copied. NULL status: it takes the request and says nothing.
 */
void http_server_answer(struct http_server *server, const char *status,
			const char *headers, const char *body);
/* Requests so far. */
unsigned http_server_requests(struct http_server *server);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* TLS on the connections of tcp.c: OpenSSL alone, nothing of the servers'. */
#ifndef MCMIG_BENCH_TLS_H
#define MCMIG_BENCH_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct load_tls { /* PEM files */
	const char *certificate;
	const char *key;
	const char *ca;
};

struct ssl_ctx_st;
struct ssl_st;

/* NULL: said on standard error. Free it with SSL_CTX_free(). */
struct ssl_ctx_st *tls_context(const struct load_tls *files);
/* On a blocking socket: the handshake is done, or NULL. */
struct ssl_st *tls_connect(struct ssl_ctx_st *context, int fd);
/* On one that does not block: reading goes on with the handshake. */
struct ssl_st *tls_accept(struct ssl_ctx_st *context, int fd);
/* As send() and recv() with MSG_DONTWAIT. */
ssize_t tls_send(struct ssl_st *session, const void *data, size_t bytes);
ssize_t tls_recv(struct ssl_st *session, void *data, size_t size);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* TLS on the connections of tcp.c. */
#include "bench/tls.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>

SSL_CTX *tls_context(const struct load_tls *files)
{
	SSL_CTX *context = SSL_CTX_new(TLS_method());

	if (!context)
		return NULL;
	SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_verify(
	    context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	if (SSL_CTX_use_certificate_chain_file(context, files->certificate) !=
		1 ||
	    SSL_CTX_use_PrivateKey_file(context, files->key,
					SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_load_verify_file(context, files->ca) != 1) {
		ERR_print_errors_fp(stderr);
		SSL_CTX_free(context);
		return NULL;
	}
	return context;
}

static SSL *create(SSL_CTX *context, int fd)
{
	SSL *session = SSL_new(context);

	if (session && SSL_set_fd(session, fd) != 1) {
		SSL_free(session);
		return NULL;
	}
	return session;
}

SSL *tls_connect(SSL_CTX *context, int fd)
{
	SSL *session = create(context, fd);

	if (session && SSL_connect(session) != 1) {
		ERR_print_errors_fp(stderr);
		SSL_free(session);
		return NULL;
	}
	return session;
}

SSL *tls_accept(SSL_CTX *context, int fd)
{
	SSL *session = create(context, fd);

	if (session)
		SSL_set_accept_state(session);
	return session;
}

static ssize_t result_of(SSL *session, int count)
{
	if (count > 0)
		return count;
	switch (SSL_get_error(session, count)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	default:
		ERR_clear_error();
		errno = ECONNRESET;
		return -1;
	}
}

static int int_of(size_t bytes)
{
	return bytes < INT_MAX ? (int)bytes : INT_MAX;
}

ssize_t tls_send(SSL *session, const void *data, size_t bytes)
{
	return result_of(session, SSL_write(session, data, int_of(bytes)));
}

ssize_t tls_recv(SSL *session, void *data, size_t size)
{
	return result_of(session, SSL_read(session, data, int_of(size)));
}

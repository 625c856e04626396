/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TLS on OpenSSL, always mutual (RFC 3261 26.3.2.1, RFC 5922; profile of
 * RFC 9325): contexts from files, sessions on non-blocking sockets. Knows
 * nothing of SIP.
 */
#ifndef MCMIG_TLS_TLS_H
#define MCMIG_TLS_TLS_H

#include "base/export.h"
#include "conf/conf.h"

/*
 * Sections `tls` (of `listen`) and `tls_outside` (of `listen_outside`; where it
 * names no certificate, `tls` counts): a gateway's certificate towards others
 * need not have a name of the inside.
 */
struct tls_settings {
	char *certificate;  /* PEM, own first, then its chain; "": no TLS */
	char *key;	    /* PEM; not readable by others */
	char *ca;	    /* PEM: who signs our peers */
	char *crl;	    /* PEM: of each CA of a peer's chain; "": none */
	char *ciphers;	    /* of TLS 1.2, in OpenSSL's words */
	uint32_t chain_max; /* CA certificates above the peer's own */
	uint32_t handshake_timeout_ms;
	uint32_t handshakes_max;	 /* under way; the oldest gives way */
	uint32_t connections_max;	 /* accepted, of this side */
	uint32_t source_connections_max; /* of one address */
	uint32_t source_rate; /* connections a second of one address */
};
/* A section of this name; no variable, which a program would export again. */
MCMIG_API struct conf_section tls_section(const char *name);

struct tls_context;

/*
 * Reads and checks all files. 0; EINVAL or the errno of a file, logged with
 * setting and remedy (`section`: "tls"); ENOMEM.
 */
MCMIG_API int tls_context_create(struct tls_context **contextp,
				 const char *section,
				 const struct tls_settings *settings);
MCMIG_API struct tls_context *tls_context_hold(struct tls_context *context);
MCMIG_API void
tls_context_release(struct tls_context *context); /* NULL: fine */
/* When our own certificate, or one of its chain, expires first: UTC seconds. */
MCMIG_API int64_t tls_context_expires(const struct tls_context *context);
/* When its first revocation list does; INT64_MAX without any. */
MCMIG_API int64_t tls_context_crl_expires(const struct tls_context *context);
/* Subject alternative names of our own certificate, "dns:...", "uri:...". */
MCMIG_API const char *const *
tls_context_names(const struct tls_context *context, size_t *count);

/* --- One connection ------------------------------------------------------ */

enum tls_role { TLS_ACCEPTS, TLS_CONNECTS };

enum tls_result {
	TLS_DONE,	/* done; of a read or write: so many bytes */
	TLS_WANT_READ,	/* go on when the socket is readable */
	TLS_WANT_WRITE, /* ... writable */
	TLS_ENDED,	/* the peer has closed in good order */
	TLS_FAILED,	/* tls_session_fault() says why */
};

struct tls_session;

/*
 * On a connected non-blocking socket, which stays the caller's; SIGPIPE is
 * ignored. 0, ENOMEM.
 */
MCMIG_API int tls_session_create(struct tls_session **sessionp,
				 struct tls_context *context,
				 enum tls_role role, int fd);
/* Frees; sends nothing. NULL is fine. */
MCMIG_API void tls_session_destroy(struct tls_session *session);
/* TLS_DONE: the peer's certificate is valid, and it has a name. */
MCMIG_API enum tls_result tls_session_handshake(struct tls_session *session);
/* After TLS_DONE `*bytes` > 0. Renegotiation and key updates without end are
 * faults. */
MCMIG_API enum tls_result tls_session_read(struct tls_session *session,
					   void *data, size_t size,
					   size_t *bytes);
/* May write a part. After TLS_WANT_* call again with the same bytes first. */
MCMIG_API enum tls_result tls_session_write(struct tls_session *session,
					    const void *data, size_t size,
					    size_t *bytes);
/*
 * Decrypted bytes that wait: no socket event will tell of them. All else does,
 * where the socket is watched for its level, not for edges.
 */
MCMIG_API bool tls_session_has_pending(const struct tls_session *session);
/* close_notify, if it can leave at once. */
MCMIG_API void tls_session_close(struct tls_session *session);
/* Of the last TLS_FAILED: a text for the log, without anything secret. */
MCMIG_API const char *tls_session_fault(const struct tls_session *session);

/*
 * After the handshake: subject alternative names of the peer's certificate,
 * "dns:NAME" (lower case) and "uri:URI"; what has a wildcard or a NUL is left
 * out (RFC 5922 7.2). Alive as long as the session.
 */
MCMIG_API const char *const *
tls_session_names(const struct tls_session *session, size_t *count);
/* When the peer's chain expires first: UTC seconds. */
MCMIG_API int64_t tls_session_expires(const struct tls_session *session);
/* "TLSv1.3 TLS_AES_256_GCM_SHA384" */
MCMIG_API const char *tls_session_cipher(const struct tls_session *session);
/* Whether `context` (after a reload) would still take this peer, now. */
MCMIG_API bool tls_session_is_valid(const struct tls_session *session,
				    struct tls_context *context);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Two ends of one connection, and the files of a temporary folder. */
#ifndef MCMIG_TESTS_TLS_FIXTURE_H
#define MCMIG_TESTS_TLS_FIXTURE_H

#include <openssl/ssl.h>

#include "tls/tls.h"
#include "tls_maker.h"

int folder_create(void); /* as a suite's set-up */
int folder_destroy(void);
/* The path of a file in it; the eighth call after this writes over it. */
const char *folder_file(const char *name);
void folder_write(const char *name, const char *text);

/* Settings that name a.pem, a.key and ca.pem of the folder if `who` is "a". */
struct tls_settings settings_of(const char *who);
/* The same as a context; aborts if it cannot be. */
struct tls_context *context_of(const char *who);
/* Writes WHO.pem (with `chain` unless NULL) and WHO.key. */
void identity_write(const char *who, const struct cert *cert,
		    const struct cert *chain);

struct ends {
	int fds[2];
	struct tls_session *accepts, *connects;
	enum tls_result accepted, connected; /* of the handshake */
};

/* Connects and shakes hands until both ends know how it ended. */
void ends_open(struct ends *ends, struct tls_context *accepts,
	       struct tls_context *connects);
void ends_close(struct ends *ends);

/* --- A peer by OpenSSL alone, which may be anything ---------------------- */

struct raw {
	SSL_CTX *context;
	SSL *library;
	int fds[2]; /* of the session, of the raw peer */
	struct tls_session *session;
	enum tls_result result; /* of the session's handshake */
};

/*
 * `role` is that of our session. The peer shows `chain` (own first, closed by
 * NULL; none if it is NULL) with the first one's key, and asks for nothing.
 */
void raw_create(struct raw *raw, struct tls_context *context,
		enum tls_role role, const struct cert *const *chain);
/* Until our session knows. */
void raw_shake_hands(struct raw *raw);
void raw_destroy(struct raw *raw);

/* --- The log ------------------------------------------------------------ */

/* Between both stderr goes to a file, whose text the second one returns. */
void log_catch(void);
const char *log_caught(void);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* A SIP stack on TLS, and peers that speak TLS over loopback sockets. */
#ifndef MCMIG_TESTS_SIP_TLS_FIXTURE_H
#define MCMIG_TESTS_SIP_TLS_FIXTURE_H

#include "sip_fixture.h"
#include "tls_fixture.h"

/* Listeners of sip_tls_start(), as those of fixture_start(). */
enum { TLS4 = TCP4, TLS6 = TCP6 };

/* Identities, by the name of their files: each is dns:NAME.example. */
#define OURS "b"
#define PEER "a"
#define OTHER "c"

/* A suite's set-up: a folder with a CA and these identities. */
int sip_tls_suite_create(void);
int sip_tls_suite_destroy(void);
/* Another one, which ends in so many seconds, of a CA that signs itself in the
 * file `ca` if that is not NULL. */
void identity_make(const char *who, int64_t ends_s, const char *ca);

/* Limits of the stack, changed by tests before sip_tls_start(). */
extern struct tls_settings limits;
/* Puts the usual limits back. */
void limits_reset(void);
void sip_tls_start(const struct sip_stack_config *config);

struct tls_peer {
	int fd;
	struct tls_session *session; /* NULL: TCP alone */
};

/* TCP to listener `i`, nothing more; from 127.0.0.1 unless `from` is given. */
int raw_connect(int i, const char *from);
/* As `who`; its session is NULL when the handshake fails. */
struct tls_peer tls_connect(int i, const char *who);
/* The handshake, on a TCP connection. */
struct tls_peer tls_shake(int fd, enum tls_role role, const char *who);
/* The next connection to it, as `who`. */
struct tls_peer tls_accept(int listening, const char *who);
void tls_close(struct tls_peer *peer);

void tls_send(struct tls_peer *peer, const char *text);
void tls_send_bytes(struct tls_peer *peer, const char *text, size_t bytes);
/* All that is there, "" when nothing comes, or it has ended. */
const char *tls_receive_text(struct tls_peer *peer);
/* Whether the stack has closed it, within this time. */
bool tls_is_closed_within(struct tls_peer *peer, unsigned ms);
/* Of a request over TLS from the peer's address. */
const char *tls_request(struct request *request);

/* Answers of sip_send(). */
struct answered {
	unsigned count;
	int status;
};
extern struct answered answered;
/* A MESSAGE to 127.0.0.1:PORT, whose certificate has to have `name`. */
int tls_message(uint16_t port, const char *name, enum sip_side side);

#endif

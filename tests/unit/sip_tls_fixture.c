/* SPDX-License-Identifier: BSD-2-Clause */
/* Peers of one thread: each waits in the stack's own loop. */
#include "sip_tls_fixture.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sofia-sip/su.h>

#include "unit.h"

#define HEARD_BYTES (256 * 1024)
#define STEP_MS 2
#define DAY_S 86400

struct tls_settings limits;
struct answered answered;

static struct cert *authority;

static const char *const tls_entries[] = {
	"udp:127.0.0.1:0",
	"tls:127.0.0.1:0",
	"udp:[::1]:0",
	"tls:[::1]:0",
};
static const struct sip_stack_config usual = {
	.listen = tls_entries,
	.listen_count = 4,
	.domain = "b.example",
	.t1_ms = T1_MS,
	.server_transactions_max = 1000,
	.client_transactions_max = 100,
	.peer_outstanding_max = 10,
};

/* --- Identities ----------------------------------------------------------- */

static const struct cert_wish ca_wish = { .subject = "ca", .is_ca = true };

static void make_identity(const char *who, const struct cert *issuer,
			  int64_t ends_s)
{
	char names[64];
	struct cert_wish wish = { .subject = who,
				  .names = names,
				  .starts_s = -60,
				  .ends_s = ends_s };
	struct cert *cert;

	snprintf(names, sizeof(names), "DNS:%s.example", who);
	cert = cert_create(issuer, &wish);
	identity_write(who, cert, NULL);
	cert_destroy(cert);
}

void identity_make(const char *who, int64_t ends_s, const char *ca)
{
	struct cert *other = ca ? cert_create(NULL, &ca_wish) : NULL;

	if (other)
		cert_write(folder_file(ca), other, NULL);
	make_identity(who, other ? other : authority, ends_s);
	if (other)
		cert_destroy(other);
}

int sip_tls_suite_create(void)
{
	if (folder_create())
		return 1;
	authority = cert_create(NULL, &ca_wish);
	cert_write(folder_file("ca.pem"), authority, NULL);
	make_identity(OURS, authority, DAY_S);
	make_identity(PEER, authority, DAY_S);
	make_identity(OTHER, authority, DAY_S);
	limits_reset();
	return 0;
}

int sip_tls_suite_destroy(void)
{
	cert_destroy(authority);
	return folder_destroy();
}

/* --- The stack ------------------------------------------------------------ */

void limits_reset(void)
{
	limits = (struct tls_settings){
		.handshake_timeout_ms = PATIENCE_MS,
		.handshakes_max = 100,
		.connections_max = 100,
		.source_connections_max = 100,
		.source_rate = 1000,
	};
}

void sip_tls_start(const struct sip_stack_config *config)
{
	struct sip_stack_config used = config ? *config : usual;
	struct tls_context *ours = context_of(OURS);

	if (!used.listen) {
		used.listen = usual.listen;
		used.listen_count = usual.listen_count;
	}
	if (!used.tls.context)
		used.tls.context = ours;
	if (!used.tls.settings)
		used.tls.settings = &limits;
	if (used.tls_outside.context && !used.tls_outside.settings)
		used.tls_outside.settings = &limits;
	answered = (struct answered){ 0 };
	fixture_start(&used);
	tls_context_release(ours);
}

/* --- Peers ---------------------------------------------------------------- */

/* What the stack listens on: "HOST:PORT", IPv6 in brackets. */
static socklen_t address_of(const char *text, su_sockaddr_t *address)
{
	char host[SIP_HOST_SIZE];
	const char *port = strrchr(text, ':') + 1;
	bool v6 = *text == '[';

	snprintf(host, sizeof(host), "%.*s", (int)(port - text) - 1 - 2 * v6,
		 text + v6);
	*address = (su_sockaddr_t){ 0 };
	address->su_family = v6 ? AF_INET6 : AF_INET;
	address->su_port = htons((uint16_t)atoi(port));
	CU_ASSERT_EQUAL(inet_pton(address->su_family, host, SU_ADDR(address)),
			1);
	return su_sockaddr_size(address);
}

int raw_connect(int i, const char *from)
{
	su_sockaddr_t address, own;
	socklen_t bytes =
	    address_of(sip_stack_address(stack, (size_t)i), &address);
	int fd = socket(address.su_family, SOCK_STREAM, 0);

	CU_ASSERT_FATAL(fd >= 0);
	if (from) {
		address_of(from, &own);
		CU_ASSERT_EQUAL_FATAL(
		    bind(fd, &own.su_sa, su_sockaddr_size(&own)), 0);
	}
	CU_ASSERT_EQUAL_FATAL(connect(fd, &address.su_sa, bytes), 0);
	CU_ASSERT_EQUAL(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

struct tls_peer tls_shake(int fd, enum tls_role role, const char *who)
{
	struct tls_peer peer = { .fd = fd };
	struct tls_context *context = context_of(who);
	enum tls_result result = TLS_WANT_READ;
	int no_delay = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof(no_delay));
	CU_ASSERT_EQUAL(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	CU_ASSERT_EQUAL_FATAL(
	    tls_session_create(&peer.session, context, role, fd), 0);
	tls_context_release(context);
	for (unsigned waited = 0; waited < PATIENCE_MS; waited += STEP_MS) {
		result = tls_session_handshake(peer.session);
		if (result == TLS_DONE || result == TLS_FAILED ||
		    result == TLS_ENDED)
			break;
		run_for(STEP_MS);
	}
	if (result != TLS_DONE) {
		tls_session_destroy(peer.session);
		peer.session = NULL;
	}
	return peer;
}

struct tls_peer tls_connect(int i, const char *who)
{
	return tls_shake(raw_connect(i, NULL), TLS_CONNECTS, who);
}

struct tls_peer tls_accept(int listening, const char *who)
{
	int fd = peer_accept(listening);

	CU_ASSERT_FATAL(fd >= 0);
	return tls_shake(fd, TLS_ACCEPTS, who);
}

void tls_close(struct tls_peer *peer)
{
	if (peer->session)
		tls_session_close(peer->session);
	tls_session_destroy(peer->session);
	close(peer->fd);
	*peer = (struct tls_peer){ .fd = -1 };
}

void tls_send_bytes(struct tls_peer *peer, const char *text, size_t bytes)
{
	size_t done, left = bytes;

	for (unsigned waited = 0; left && waited < PATIENCE_MS;
	     waited += STEP_MS) {
		switch (tls_session_write(peer->session, text, left, &done)) {
		case TLS_DONE:
			text += done;
			left -= done;
			waited = 0;
			break;
		case TLS_WANT_READ:
		case TLS_WANT_WRITE:
			run_for(STEP_MS);
			break;
		default:
			CU_FAIL("the stack has closed the connection");
			return;
		}
	}
	CU_ASSERT_EQUAL(left, 0);
}

void tls_send(struct tls_peer *peer, const char *text)
{
	tls_send_bytes(peer, text, strlen(text));
}

/* Whether there is more to come. */
static bool receive_some(struct tls_peer *peer, char *heard, size_t *bytes)
{
	size_t some;
	enum tls_result result = tls_session_read(
	    peer->session, heard + *bytes, HEARD_BYTES - 1 - *bytes, &some);

	if (result == TLS_DONE)
		*bytes += some;
	return result == TLS_DONE || result == TLS_WANT_READ;
}

const char *tls_receive_text(struct tls_peer *peer)
{
	static char heard[HEARD_BYTES];
	size_t bytes = 0, before;

	for (unsigned waited = 0; waited < PATIENCE_MS; waited += STEP_MS) {
		before = bytes;
		if (!receive_some(peer, heard, &bytes) ||
		    (bytes && bytes == before))
			break;
		run_for(STEP_MS);
	}
	heard[bytes] = '\0';
	return heard;
}

bool tls_is_closed_within(struct tls_peer *peer, unsigned ms)
{
	char rest[4096];
	size_t bytes;

	for (unsigned waited = 0; waited <= ms; waited += STEP_MS) {
		enum tls_result result =
		    tls_session_read(peer->session, rest, sizeof(rest), &bytes);

		if (result == TLS_ENDED || result == TLS_FAILED)
			return true;
		run_for(STEP_MS);
	}
	return false;
}

const char *tls_request(struct request *request)
{
	request->transport = "TLS";
	if (!request->port)
		request->port = 5061;
	return request_text(request);
}

/* --- Requests of the stack ------------------------------------------------ */

static void record_answer(void *arg, handle_t handle,
			  const struct sip_answer *answer)
{
	(void)arg;
	(void)handle;
	answered.count++;
	answered.status = answer->status;
	loop_stop(loop);
}

int tls_message(uint16_t port, const char *name, enum sip_side side)
{
	const char *const names[] = { name };
	char hop[64];
	const struct sip_outbound message = {
		.next_hop = hop,
		.side = side,
		.certificate_names = names,
		.certificate_name_count = name ? 1 : 0,
		.request_uri = "sip:a.example",
		.from = "sip:b.example",
		.to = "sip:a.example",
		.content_type = "text/plain",
		.body = "hello",
		.body_bytes = 5,
		.deadline_ms = PATIENCE_MS / 2,
	};

	snprintf(hop, sizeof(hop), "sip:127.0.0.1:%u;transport=tls", port);
	return sip_send(sip, &message, record_answer, NULL, 0);
}

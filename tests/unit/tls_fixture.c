/* SPDX-License-Identifier: BSD-2-Clause */
/* A folder with identities, and sessions over a socket pair. */
#include "tls_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATHS 8
#define PATH_BYTES 128
#define TURNS_MAX 1000

static char folder[] = "/tmp/mcmig-tls-XXXXXX";

static void must(bool done)
{
	if (!done)
		abort();
}

/* --- Files -------------------------------------------------------------- */

int folder_create(void)
{
	signal(SIGPIPE, SIG_IGN);
	return mkdtemp(folder) ? 0 : 1;
}

int folder_destroy(void)
{
	char command[PATH_BYTES];

	snprintf(command, sizeof(command), "rm -r %s", folder);
	must(!system(command));
	strcpy(folder + sizeof(folder) - 7, "XXXXXX");
	return 0;
}

const char *folder_file(const char *name)
{
	static char paths[PATHS][PATH_BYTES];
	static unsigned next;
	char *path = paths[next++ % PATHS];

	snprintf(path, PATH_BYTES, "%s/%s", folder, name);
	return path;
}

void folder_write(const char *name, const char *text)
{
	FILE *file = fopen(folder_file(name), "w");

	must(file && fputs(text, file) >= 0 && !fclose(file));
}

static const char *file_of(const char *who, const char *suffix)
{
	char name[64];

	snprintf(name, sizeof(name), "%s.%s", who, suffix);
	return folder_file(name);
}

struct tls_settings settings_of(const char *who)
{
	return (struct tls_settings){
		.certificate = (char *)file_of(who, "pem"),
		.key = (char *)file_of(who, "key"),
		.ca = (char *)folder_file("ca.pem"),
		.crl = "",
		.ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20",
		.chain_max = 3,
	};
}

struct tls_context *context_of(const char *who)
{
	const struct tls_settings settings = settings_of(who);
	struct tls_context *context = NULL;

	must(!tls_context_create(&context, "tls", &settings));
	return context;
}

void identity_write(const char *who, const struct cert *cert,
		    const struct cert *chain)
{
	cert_write(file_of(who, "pem"), cert, chain, NULL);
	cert_write_key(file_of(who, "key"), cert);
}

/* --- Ends --------------------------------------------------------------- */

static bool goes_on(enum tls_result result)
{
	return result == TLS_WANT_READ || result == TLS_WANT_WRITE;
}

/* Both are done, or one failed and the other has heard of it. */
static void shake_hands(struct ends *ends)
{
	ends->accepted = ends->connected = TLS_WANT_READ;
	for (int i = 0; i < TURNS_MAX; i++) {
		if (goes_on(ends->connected))
			ends->connected = tls_session_handshake(ends->connects);
		if (goes_on(ends->accepted))
			ends->accepted = tls_session_handshake(ends->accepts);
		if (!goes_on(ends->connected) && !goes_on(ends->accepted))
			return;
	}
	abort();
}

void ends_open(struct ends *ends, struct tls_context *accepts,
	       struct tls_context *connects)
{
	must(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends->fds));
	must(!tls_session_create(&ends->accepts, accepts, TLS_ACCEPTS,
				 ends->fds[0]) &&
	     !tls_session_create(&ends->connects, connects, TLS_CONNECTS,
				 ends->fds[1]));
	shake_hands(ends);
}

void ends_close(struct ends *ends)
{
	tls_session_destroy(ends->accepts);
	tls_session_destroy(ends->connects);
	close(ends->fds[0]);
	close(ends->fds[1]);
}

/* --- A peer by OpenSSL alone -------------------------------------------- */

static void show_chain(SSL_CTX *context, const struct cert *const *chain)
{
	must(SSL_CTX_use_certificate(context, (*chain)->x509) &&
	     SSL_CTX_use_PrivateKey(context, (*chain)->key));
	for (chain++; *chain; chain++)
		must(SSL_CTX_add1_chain_cert(context, (*chain)->x509));
}

void raw_create(struct raw *raw, struct tls_context *context,
		enum tls_role role, const struct cert *const *chain)
{
	*raw = (struct raw){ .context = SSL_CTX_new(TLS_method()) };
	must(raw->context);
	SSL_CTX_set_security_level(raw->context, 0);
	must(SSL_CTX_set_min_proto_version(raw->context, 0));
	SSL_CTX_set_verify(raw->context, SSL_VERIFY_NONE, NULL);
	if (chain)
		show_chain(raw->context, chain);
	must(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, raw->fds));
	must(!tls_session_create(&raw->session, context, role, raw->fds[0]));
	raw->library = SSL_new(raw->context);
	must(raw->library && SSL_set_fd(raw->library, raw->fds[1]));
	if (role == TLS_ACCEPTS)
		SSL_set_connect_state(raw->library);
	else
		SSL_set_accept_state(raw->library);
}

void raw_shake_hands(struct raw *raw)
{
	raw->result = TLS_WANT_READ;
	for (int i = 0; goes_on(raw->result); i++) {
		must(i < TURNS_MAX);
		SSL_do_handshake(raw->library);
		raw->result = tls_session_handshake(raw->session);
	}
	SSL_do_handshake(raw->library);
}

void raw_destroy(struct raw *raw)
{
	tls_session_destroy(raw->session);
	SSL_free(raw->library);
	SSL_CTX_free(raw->context);
	close(raw->fds[0]);
	close(raw->fds[1]);
}

/* --- The log ------------------------------------------------------------ */

#define LOG_BYTES 65536

static int stderr_before = -1;

void log_catch(void)
{
	int fd = open(folder_file("log"), O_RDWR | O_CREAT | O_TRUNC, 0600);

	stderr_before = dup(STDERR_FILENO);
	must(fd >= 0 && stderr_before >= 0 && dup2(fd, STDERR_FILENO) >= 0);
	close(fd);
}

const char *log_caught(void)
{
	static char text[LOG_BYTES];
	ssize_t bytes = pread(STDERR_FILENO, text, sizeof(text) - 1, 0);

	must(bytes >= 0 && dup2(stderr_before, STDERR_FILENO) >= 0);
	close(stderr_before);
	text[bytes] = '\0';
	return text;
}

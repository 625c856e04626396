/* SPDX-License-Identifier: BSD-2-Clause */
/* A folder with identities, and sessions over a socket pair. */
#include "tls_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
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

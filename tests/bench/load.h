/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mcmig-load: plays partner MC servers or MC service clients and measures what
 * the server under test does; or the primary MC server behind a relay. Its SIP
 * is its own (no Sofia), so that it costs little and checks the server with
 * other eyes.
 */
#ifndef MCMIG_BENCH_LOAD_H
#define MCMIG_BENCH_LOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "bench/tls.h"

/* Whom we play. */
enum load_mode {
	LOAD_PRIMARY, /* a partner server, toward a primary server */
	LOAD_CLIENT,  /* clients, toward a partner server */
	LOAD_SINK,    /* a primary server, toward a relay */
};

struct load_options {
	enum load_mode mode;
	bool tcp;
	bool is_tls; /* on TCP */
	struct load_tls tls;
	struct sockaddr_storage server;
	struct sockaddr_storage local; /* response flows come here */
	uint32_t users;
	uint32_t first_user;
	uint32_t window; /* closed loop: procedures under way; 0: open loop */
	double rate;	 /* open loop: procedures per second */
	double seconds;	 /* measured */
	double warmup;	 /* before that, not measured */
	bool alternate;	 /* authorize and de-authorize, else authorize only */
	const char *partner_system;
	const char *primary_system;
	const char *completed_file; /* NULL: none */
	const char *times_file;	    /* likewise */
};

/* As Via names it. */
static inline const char *load_transport(const struct load_options *options)
{
	return options->is_tls ? "TLS" : options->tcp ? "TCP" : "UDP";
}

static inline bool load_is_client(const struct load_options *options)
{
	return options->mode == LOAD_CLIENT;
}

#endif

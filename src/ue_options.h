/* SPDX-License-Identifier: BSD-2-Clause */
/* What the command line of mcmig-ue asks for. */
#ifndef MCMIG_UE_OPTIONS_H
#define MCMIG_UE_OPTIONS_H

#include "mcinfo/mcinfo.h"
#include "sip/sip.h"
#include "ue_tls.h"

struct ue_server {
	enum sip_transport transport;
	char next_hop[SIP_URI_SIZE]; /* sip:IP:PORT;transport=udp|tcp|tls */
	/* "IP:PORT" of ours with port 0: as the server's answers can reach it */
	char local_host[SIP_HOST_SIZE + 2]; /* with brackets around IPv6 */
};

struct ue_options {
	struct ue_server server;
	struct ue_tls tls;     /* where that is the server's transport */
	struct mcinfo request; /* with its token; mcinfo_clear() frees it */
	const char *login;     /* URL of an identity management; NULL: none */
	const char *user;      /* name there */
	uint32_t timeout_ms;
	bool json;
	bool print_body;
	bool verbose;
};

/* What the program's exit status says. */
enum ue_exit {
	UE_SUCCESS = 0,	  /* the response flow says success */
	UE_FAILURE = 1,	  /* it says failure */
	UE_REFUSED = 2,	  /* a final SIP answer has refused the request */
	UE_SILENCE = 3,	  /* no response flow came in time */
	UE_USAGE = 64,	  /* EX_USAGE: nothing was sent */
	UE_NO_TOKEN = 69, /* EX_UNAVAILABLE: no login, nothing was sent */
	UE_INTERNAL = 70, /* EX_SOFTWARE: no memory, no socket */
};

/*
 * 0; EINVAL with the reason on stderr; EAGAIN when help or version was asked
 * for and printed.
 */
int ue_options_parse(struct ue_options *options, int argc, char **argv);
void ue_options_clear(struct ue_options *options);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line of mcmig-ue. */
#include "config.h"

#include "ue_options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ue_server.h"

#define TIMEOUT_DEFAULT_S 35
#define TIMEOUT_MAX_S 3600

enum option_key {
	OPT_SERVER = 1,
	OPT_CERTIFICATE,
	OPT_KEY,
	OPT_CA,
	OPT_SERVER_NAME,
	OPT_PARTNER_ID,
	OPT_PRIMARY_ID,
	OPT_PROFILE,
	OPT_SERVICE,
	OPT_PROCEDURE,
	OPT_TOKEN,
	OPT_LOGIN,
	OPT_USER,
	OPT_TIMEOUT,
	OPT_JSON,
	OPT_PRINT_BODY,
	OPT_VERBOSE,
	OPT_HELP,
	OPT_VERSION,
};

static const struct option option_table[] = {
	{ "server", required_argument, NULL, OPT_SERVER },
	{ "certificate", required_argument, NULL, OPT_CERTIFICATE },
	{ "key", required_argument, NULL, OPT_KEY },
	{ "ca", required_argument, NULL, OPT_CA },
	{ "server-name", required_argument, NULL, OPT_SERVER_NAME },
	{ "partner-id", required_argument, NULL, OPT_PARTNER_ID },
	{ "primary-id", required_argument, NULL, OPT_PRIMARY_ID },
	{ "profile", required_argument, NULL, OPT_PROFILE },
	{ "service", required_argument, NULL, OPT_SERVICE },
	{ "procedure", required_argument, NULL, OPT_PROCEDURE },
	{ "token", required_argument, NULL, OPT_TOKEN },
	{ "login", required_argument, NULL, OPT_LOGIN },
	{ "user", required_argument, NULL, OPT_USER },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "print-body", no_argument, NULL, OPT_PRINT_BODY },
	{ "verbose", no_argument, NULL, OPT_VERBOSE },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ 0 },
};

static const char help_text[] =
    "Usage: mcmig-ue authorize|deauthorize OPTION...\n"
    "An MC service client: asks a partner MC system for migration service\n"
    "authorization or de-authorization and waits for the response flow.\n"
    "\n"
    "  --server URI        sip:HOST:PORT[;transport=udp|tcp|tls] of the "
    "server\n"
    "  --certificate FILE  on TLS our own, with its chain (PEM)\n"
    "  --key FILE          its private key\n"
    "  --ca FILE           who signs the server's\n"
    "  --server-name NAME  dns:NAME or uri:URI that it must have\n"
    "  --partner-id ID     MC service ID in the partner MC system\n"
    "  --primary-id ID     MC service ID at home\n"
    "  --profile N         index of the user profile (authorize)\n"
    "  --service NAME      mcptt (default), mcvideo or mcdata\n"
    "  --procedure UUID    procedure ID (default: a new one)\n"
    "  --token FILE        access token, sent as it is\n"
    "  --login URL         gets one from this identity management (lab)\n"
    "  --user NAME         user name there (default: the partner ID)\n"
    "  --timeout SECONDS   wait so long for the response (default 35)\n"
    "  --json              one JSON object a line for each step\n"
    "  --print-body        show the document; send nothing\n"
    "  --verbose           log what the SIP stack does\n"
    "\n"
    "Exit status: 0 success, 1 failure response, 2 refused by SIP,\n"
    "3 nothing heard in time, 69 no access token.\n";

static int refuse(const char *option, const char *value, const char *reason)
{
	fprintf(stderr, "mcmig-ue: %s %s: %s\n", option, value, reason);
	return EINVAL;
}

static int parse_number(const char *option, const char *value,
			unsigned long max, unsigned long *number)
{
	char *end;

	errno = 0;
	*number = strtoul(value, &end, 10);
	if (*value < '0' || *value > '9' || *end || errno || *number > max) {
		fprintf(stderr, "mcmig-ue: %s %s: expected 0 to %lu\n", option,
			value, max);
		return EINVAL;
	}
	return 0;
}

static int parse_id(const char *option, const char *value,
		    char given[MCID_SIZE], char canonical[MCID_SIZE])
{
	if (strlen(value) >= MCID_SIZE || mcid_canonical(value, canonical))
		return refuse(option, value,
			      "no MC service ID; expected sip:USER@DOMAIN");
	strcpy(given, value);
	return 0;
}

static int parse_procedure(struct mcinfo *request, const char *value)
{
	if (uuid_from_text(value, &request->procedure_id))
		return refuse("--procedure", value, "no UUID");
	request->has_procedure_id = true;
	return 0;
}

static int read_token(struct mcinfo *request, const char *file)
{
	FILE *stream;
	size_t bytes;

	if (request->access_token)
		return refuse("--token", file, "given twice");
	stream = fopen(file, "re");
	if (!stream)
		return refuse("--token", file, strerror(errno));
	request->access_token = calloc(1, MCINFO_TOKEN_MAX + 2);
	bytes = request->access_token ? fread(request->access_token, 1,
					      MCINFO_TOKEN_MAX + 1, stream)
				      : 0;
	fclose(stream);
	if (!bytes || bytes > MCINFO_TOKEN_MAX)
		return refuse("--token", file, "empty or too long");
	/* Editors end the file with a newline, which is no part of a token. */
	request->access_token[strcspn(request->access_token, "\r\n")] = '\0';
	return 0;
}

static int parse_tls(struct ue_tls *tls, int key, char *value)
{
	switch (key) {
	case OPT_CERTIFICATE:
		tls->certificate = value;
		return 0;
	case OPT_KEY:
		tls->key = value;
		return 0;
	case OPT_CA:
		tls->ca = value;
		return 0;
	}
	if (strncmp(value, "dns:", 4) && strncmp(value, "uri:", 4))
		return refuse("--server-name", value,
			      "expected dns:NAME or uri:URI");
	tls->server_name = value;
	return 0;
}

static int parse_value(struct ue_options *options, int key, char *value)
{
	struct mcinfo *request = &options->request;
	unsigned long number;
	int err;

	switch (key) {
	case OPT_SERVER:
		return ue_server_parse(&options->server, value);
	case OPT_CERTIFICATE:
	case OPT_KEY:
	case OPT_CA:
	case OPT_SERVER_NAME:
		return parse_tls(&options->tls, key, value);
	case OPT_PARTNER_ID:
		return parse_id("--partner-id", value, request->partner_id,
				request->partner_id_canonical);
	case OPT_PRIMARY_ID:
		return parse_id("--primary-id", value, request->primary_id,
				request->primary_id_canonical);
	case OPT_PROFILE:
		err = parse_number("--profile", value, MCINFO_PROFILE_INDEX_MAX,
				   &number);
		request->has_profile_index = !err;
		request->profile_index = number;
		return err;
	case OPT_SERVICE:
		if (mc_service_from_name(value, &request->service))
			return refuse("--service", value,
				      "expected mcptt, mcvideo or mcdata");
		return 0;
	case OPT_PROCEDURE:
		return parse_procedure(request, value);
	case OPT_TOKEN:
		return read_token(request, value);
	case OPT_LOGIN:
		options->login = value;
		return 0;
	case OPT_USER:
		options->user = value;
		return 0;
	case OPT_TIMEOUT:
		err = parse_number("--timeout", value, TIMEOUT_MAX_S, &number);
		options->timeout_ms = number * 1000;
		return err;
	}
	return EINVAL;
}

static int parse_flag(struct ue_options *options, int key)
{
	switch (key) {
	case OPT_JSON:
		options->json = true;
		return 0;
	case OPT_PRINT_BODY:
		options->print_body = true;
		return 0;
	case OPT_VERBOSE:
		options->verbose = true;
		return 0;
	case OPT_HELP:
		fputs(help_text, stdout);
		return EAGAIN;
	case OPT_VERSION:
		puts("mcmig-ue " PACKAGE_VERSION);
		return EAGAIN;
	}
	return EINVAL; /* getopt_long has said why */
}

static int parse_verb(struct mcinfo *request, const char *verb)
{
	if (!strcmp(verb, "authorize"))
		request->verb = MCINFO_AUTHORIZATION;
	else if (!strcmp(verb, "deauthorize"))
		request->verb = MCINFO_DEAUTHORIZATION;
	else
		return refuse("command", verb,
			      "expected authorize or deauthorize");
	return 0;
}

static int check_complete(const struct ue_options *options)
{
	const struct mcinfo *request = &options->request;
	const char *missing = NULL;

	if (!request->verb)
		missing = "authorize or deauthorize";
	else if (!options->server.next_hop[0] && !options->print_body)
		missing = "--server";
	else if (!request->partner_id[0])
		missing = "--partner-id";
	else if (!request->primary_id[0])
		missing = "--primary-id";
	else if (request->verb == MCINFO_AUTHORIZATION &&
		 !request->has_profile_index)
		missing = "--profile";
	if (!missing)
		return 0;
	fprintf(stderr, "mcmig-ue: %s is missing; see mcmig-ue --help\n",
		missing);
	return EINVAL;
}

static int check_login(struct ue_options *options)
{
	if (options->user && !options->login)
		return refuse("--user", options->user, "needs --login");
	if (options->login && options->request.access_token)
		return refuse("--login", options->login,
			      "cannot go with --token");
	if (!options->user)
		options->user = options->request.partner_id;
	return 0;
}

static void complete(struct mcinfo *request)
{
	if (!request->has_procedure_id)
		uuid_random(&request->procedure_id);
	request->has_procedure_id = true;
	/* The profile says how to serve a user who comes, not one who goes. */
	if (request->verb == MCINFO_DEAUTHORIZATION)
		request->has_profile_index = false;
	request->order = clock_utc_ms();
}

int ue_options_parse(struct ue_options *options, int argc, char **argv)
{
	int err = 0;
	int key;

	memset(options, 0, sizeof(*options));
	options->timeout_ms = TIMEOUT_DEFAULT_S * 1000;
	options->request.service = MC_SERVICE_MCPTT;

	while (!err &&
	       (key = getopt_long(argc, argv, "", option_table, NULL)) != -1)
		err = optarg ? parse_value(options, key, optarg)
			     : parse_flag(options, key);
	for (; !err && optind < argc; optind++)
		err = options->request.verb
			  ? refuse("argument", argv[optind], "unexpected")
			  : parse_verb(&options->request, argv[optind]);
	if (!err)
		err = check_complete(options);
	if (!err)
		err = check_login(options);
	if (!err && options->server.transport == SIP_TLS)
		err = ue_tls_check(&options->tls);
	if (err)
		return err;
	complete(&options->request);
	return 0;
}

void ue_options_clear(struct ue_options *options)
{
	mcinfo_clear(&options->request);
}

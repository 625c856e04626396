/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line of mcmigctl token inspect. */
#include "ctl_token_options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SKEW_DEFAULT_S 30

static const struct option long_options[] = {
	{ "jwks", required_argument, NULL, 'k' },
	{ "issuer", required_argument, NULL, 'i' },
	{ "audience", required_argument, NULL, 'a' },
	{ "client", required_argument, NULL, 'c' },
	{ "scope", required_argument, NULL, 'o' },
	{ "algorithm", required_argument, NULL, 'g' },
	{ "clock-skew", required_argument, NULL, 't' },
	{ "service", required_argument, NULL, 's' },
	{ "partner-id", required_argument, NULL, 'p' },
	{ "primary-id", required_argument, NULL, 'q' },
	{ "primary-id-claim", required_argument, NULL, 'm' },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static const char help_text[] =
    "usage: mcmigctl token inspect [OPTION]... [FILE]\n"
    "Explains an access token, from FILE or standard input: what it says, and\n"
    "each check of the module auth_token. Asks no daemon.\n"
    "\n"
    "  --jwks FILE             public keys of the identity management\n"
    "  --issuer ISSUER         what iss has to be; not asked without\n"
    "  --audience AUDIENCE...  one of them in aud; not asked without\n"
    "  --client CLIENT...      allowed client_id; any without\n"
    "  --service NAME          mcptt (default), mcvideo or mcdata\n"
    "  --scope SCOPE...        one of them in scope; default: the standard's\n"
    "  --algorithm NAME...     allowed; default RS256 and ES256\n"
    "  --clock-skew SECONDS    default 30\n"
    "  --partner-id ID         whom it has to name; not asked without\n"
    "  --primary-id ID         whom --primary-id-claim has to name\n"
    "  --primary-id-claim CLAIM\n"
    "  --json                  for programs\n"
    "\n"
    "Options with \"...\" may be given more than once.\n"
    "exit: 0 valid, 1 not valid, 2 wrong use\n";

static int refuse(const char *option, const char *value, const char *why)
{
	fprintf(stderr, "mcmigctl: --%s %s: %s\n", option, value, why);
	return EINVAL;
}

static int add_name(struct names *names, const char *option, const char *value)
{
	if (names->count == NAMES_MAX)
		return refuse(option, value, "too many of them");
	names->values[names->count++] = value;
	return 0;
}

static int add_algorithm(struct ctl_token_options *options, const char *value)
{
	enum token_algorithm algorithm;

	if (token_algorithm_from_name(value, &algorithm))
		return refuse("algorithm", value,
			      "no signature with a public key");
	options->algorithms |= 1u << algorithm;
	return 0;
}

static int set_skew(struct ctl_token_options *options, const char *value)
{
	char *end;
	unsigned long seconds = strtoul(value, &end, 10);

	if (*value < '0' || *value > '9' || *end || seconds > TOKEN_SKEW_MAX_S)
		return refuse("clock-skew", value, "expected 0 to 300");
	options->clock_skew_s = (uint32_t)seconds;
	return 0;
}

static int set_id(char canonical[MCID_SIZE], const char *option,
		  const char *value)
{
	return mcid_canonical(value, canonical)
		   ? refuse(option, value,
			    "no MC service ID; expected sip:USER@DOMAIN")
		   : 0;
}

static int set_option(struct ctl_token_options *options, int key,
		      const char *value)
{
	switch (key) {
	case 'k':
		options->jwks = value;
		return 0;
	case 'i':
		options->issuer = value;
		return 0;
	case 'a':
		return add_name(&options->audiences, "audience", value);
	case 'c':
		return add_name(&options->clients, "client", value);
	case 'o':
		return add_name(&options->scopes, "scope", value);
	case 'g':
		return add_algorithm(options, value);
	case 't':
		return set_skew(options, value);
	case 's':
		return mc_service_from_name(value, &options->service)
			   ? refuse("service", value,
				    "expected mcptt, mcvideo or mcdata")
			   : 0;
	case 'p':
		return set_id(options->partner_id, "partner-id", value);
	case 'q':
		return set_id(options->primary_id, "primary-id", value);
	case 'm':
		options->primary_id_claim = value;
		return 0;
	case 'j':
		options->json = true;
		return 0;
	case 'h':
		fputs(help_text, stdout);
		return EAGAIN;
	}
	return EINVAL; /* getopt_long has said why */
}

static int take_words(struct ctl_token_options *options, int count,
		      char **words)
{
	if (!count || strcmp(words[0], "inspect") != 0 || count > 2) {
		fputs("mcmigctl: expected token inspect [FILE]: see mcmigctl "
		      "token --help\n",
		      stderr);
		return EINVAL;
	}
	if (count == 2 && strcmp(words[1], "-") != 0)
		options->file = words[1];
	return 0;
}

/* As auth_token has it by default. */
static void fill_in(struct ctl_token_options *options)
{
	static const char *const scopes[MC_SERVICE_END] = {
		[MC_SERVICE_MCPTT] = "3gpp:mc:ptt_service",
		[MC_SERVICE_MCVIDEO] = "3gpp:mc:video_service",
		[MC_SERVICE_MCDATA] = "3gpp:mc:data_service",
	};

	if (!options->algorithms)
		options->algorithms = 1u << TOKEN_RS256 | 1u << TOKEN_ES256;
	if (options->scopes.count)
		return;
	add_name(&options->scopes, "scope", scopes[options->service]);
	if (options->service == MC_SERVICE_MCPTT)
		add_name(&options->scopes, "scope", "3gpp:mcptt:ptt_server");
}

int ctl_token_options(struct ctl_token_options *options, int argc, char **argv)
{
	static char program[] = "mcmigctl"; /* who complains */
	int err = 0, key;

	*options = (struct ctl_token_options){
		.service = MC_SERVICE_MCPTT,
		.clock_skew_s = SKEW_DEFAULT_S,
	};
	argv[0] = program;
	while (!err &&
	       (key = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		err = set_option(options, key, optarg);
	if (!err)
		err = take_words(options, argc - optind, argv + optind);
	if (!err)
		fill_in(options);
	return err;
}

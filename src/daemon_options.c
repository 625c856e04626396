/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line of mcmigd. */
#include "daemon.h"

#include <errno.h>
#include <getopt.h>

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "check", no_argument, NULL, 'k' },
	{ "dump-config", no_argument, NULL, 'd' },
	{ "help-config", no_argument, NULL, 's' },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	/* Ours alone: daemon_start_anew() hands it over. */
	{ "recycled", required_argument, NULL, 'r' },
	{ 0 },
};

static const enum daemon_mode modes[] = {
	['k'] = MODE_CHECK,	  ['d'] = MODE_DUMP_CONFIG,
	['s'] = MODE_HELP_CONFIG, ['V'] = MODE_VERSION,
	['h'] = MODE_HELP,
};

void daemon_print_usage(FILE *out)
{
	fputs("usage: mcmigd -c FILE [--check | --dump-config]\n"
	      "       mcmigd [-c FILE] --help-config\n"
	      "\n"
	      "  -c, --config FILE  configuration, see mcmigd.conf(5)\n"
	      "      --check        check FILE and its modules, then exit\n"
	      "      --dump-config  print FILE with all defaults, then exit\n"
	      "      --help-config  print every setting, then exit\n"
	      "  -V, --version      print the version\n"
	      "  -h, --help         print this\n",
	      out);
}

static int complain(const char *what)
{
	fprintf(stderr, "mcmigd: %s: see mcmigd --help\n", what);
	return EINVAL;
}

static bool needs_file(enum daemon_mode mode)
{
	return mode == MODE_RUN || mode == MODE_CHECK ||
	       mode == MODE_DUMP_CONFIG;
}

int daemon_read_options(struct daemon *daemon, int argc, char **argv)
{
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "c:Vh", long_options, NULL)) !=
	       -1) {
		if (option == '?')
			return complain(optopt == 'c' ? "-c needs a FILE"
						      : "unknown option");
		if (option == 'c')
			daemon->file = optarg;
		else if (option == 'r')
			recycle_read_history(optarg, &daemon->recycle.history);
		else
			daemon->mode = modes[option];
	}
	if (optind < argc)
		return complain("too many arguments");
	if (needs_file(daemon->mode) && !daemon->file)
		return complain("no configuration: name it with -c FILE");
	return 0;
}

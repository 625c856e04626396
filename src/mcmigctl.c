/* SPDX-License-Identifier: BSD-2-Clause */
/* mcmigctl: asks a running mcmigd, over its ctl socket. */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "columns.h"
#include "ctl_connection.h"
#include "ctl_token.h"
#include "table.h"

#define DEFAULT_SOCKET "/run/mcmig/ctl.sock"

enum exit_code {
	EXIT_DONE = 0,
	EXIT_COMMAND_FAILED = 1,
	EXIT_NOT_ASKED = 2, /* usage, connection */
};

struct options {
	const char *socket;
	bool json;
	bool wide;
	char **words; /* the command and its arguments */
	int word_count;
};

static const struct option long_options[] = {
	{ "socket", required_argument, NULL, 's' },
	{ "json", no_argument, NULL, 'j' },
	{ "wide", no_argument, NULL, 'w' },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static void print_usage(FILE *out)
{
	fputs("usage: mcmigctl [-s SOCKET] [--json | --wide] COMMAND "
	      "[ARGUMENT]...\n"
	      "\n"
	      "  -s, --socket SOCKET  ctl.socket of the daemon (" DEFAULT_SOCKET
	      ")\n"
	      "      --json           the answer as JSON, for programs\n"
	      "      --wide           all columns of procedures and "
	      "migrations\n"
	      "  -V, --version        print the version\n"
	      "  -h, --help           print this\n"
	      "\n"
	      "mcmigctl help lists the commands of a running daemon.\n"
	      "mcmigctl token inspect explains an access token, without one: "
	      "see\n"
	      "mcmigctl token --help.\n"
	      "exit: 0 done, 1 the command failed, 2 it could not be asked\n",
	      out);
}

static int complain(const char *what)
{
	fprintf(stderr, "mcmigctl: %s: see mcmigctl --help\n", what);
	return EXIT_NOT_ASKED;
}

/* Exits by itself after --help and --version. */
static int read_options(struct options *options, int argc, char **argv)
{
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "s:jVh", long_options,
				     NULL)) != -1) {
		switch (option) {
		case 's':
			options->socket = optarg;
			break;
		case 'j':
			options->json = true;
			break;
		case 'w':
			options->wide = true;
			break;
		case 'V':
			printf("mcmigctl %s\n", PACKAGE_VERSION);
			exit(EXIT_DONE);
		case 'h':
			print_usage(stdout);
			exit(EXIT_DONE);
		default:
			return complain(optopt == 's' ? "-s needs a SOCKET"
						      : "unknown option");
		}
	}
	options->words = argv + optind;
	options->word_count = argc - optind;
	return options->word_count ? 0 : complain("no command");
}

/* NULL: a word is no UTF-8. */
static json_t *make_request(const struct options *options)
{
	json_t *args = json_array();

	for (int i = 1; i < options->word_count; i++) {
		if (json_array_append_new(args,
					  json_string(options->words[i]))) {
			json_decref(args);
			return NULL;
		}
	}
	return json_pack("{s:s, s:o}", "command", options->words[0], "args",
			 args);
}

/* 0: no terminal, any width. */
static size_t terminal_width(void)
{
	struct winsize size = { 0 };

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size))
		return 0;
	return size.ws_col;
}

static int print_for_people(json_t *result, const struct options *options)
{
	json_t *rows = options->wide
			   ? json_incref(result)
			   : columns_choose(options->words[0], result);

	if (!rows) {
		fputs("mcmigctl: out of memory\n", stderr);
		return EXIT_COMMAND_FAILED;
	}
	table_print(rows, terminal_width(), stdout);
	json_decref(rows);
	return EXIT_DONE;
}

static int print_answer(const json_t *answer, const struct options *options)
{
	json_t *result = json_object_get(answer, "result");
	int code = EXIT_DONE;

	if (!result) {
		fprintf(stderr, "mcmigctl: %s\n",
			json_string_value(json_object_get(answer, "error")));
		return EXIT_COMMAND_FAILED;
	}
	if (options->json) {
		json_dumpf(result, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
		putchar('\n');
	} else {
		code = print_for_people(result, options);
	}
	return fflush(stdout) ? EXIT_COMMAND_FAILED : code;
}

int main(int argc, char **argv)
{
	struct options options = { .socket = DEFAULT_SOCKET };
	json_t *request, *answer;
	char why[256];
	int code;

	/* It has options of its own, and asks no daemon. */
	if (argc > 1 && !strcmp(argv[1], "token"))
		return ctl_token(argc - 1, argv + 1);
	code = read_options(&options, argc, argv);
	if (code)
		return code;
	request = make_request(&options);
	if (!request)
		return complain("an argument is no UTF-8");
	if (ctl_ask(options.socket, request, &answer, why, sizeof(why))) {
		fprintf(stderr, "mcmigctl: %s\n", why);
		code = EXIT_NOT_ASKED;
	} else {
		code = print_answer(answer, &options);
		json_decref(answer);
	}
	json_decref(request);
	return code;
}

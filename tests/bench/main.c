/* SPDX-License-Identifier: BSD-2-Clause */
/* mcmig-load: the command line, and the figures at the end as key=value. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/run.h"
#include "bench/sink.h"

static const char usage_text[] =
    "usage: mcmig-load primary|client|sink --server HOST:PORT\n"
    "                  --listen HOST:PORT [OPTION...]\n"
    "\n"
    "primary: plays a partner MC server toward a primary one.\n"
    "client:  plays MC service clients toward a partner MC server.\n"
    "sink:    plays the primary MC server behind a relay until SIGTERM: takes\n"
    "         each request and sends its response to --server.\n"
    "Users are sip:userNNNNN@PRIMARY and sip:visitorNNNNN@PARTNER, profile 0.\n"
    "\n"
    "  --server HOST:PORT   the server under test (an IP literal)\n"
    "  --listen HOST:PORT   where requests leave from and response flows come\n"
    "  --transport udp|tcp|tls  (udp)\n"
    "  --certificate FILE   of TLS, with its chain; PEM\n"
    "  --key FILE\n"
    "  --ca FILE\n"
    "  --window N           closed loop: N procedures under way (64)\n"
    "  --rate R             open loop: R procedures a second\n"
    "  --seconds S          measured time (10)\n"
    "  --warmup S           before it (2)\n"
    "  --users N            how many users take turns (2000)\n"
    "  --first-user N       number of the first (1)\n"
    "  --verbs authorize|alternate   (authorize)\n"
    "  --partner-system NAME  (b.example)\n"
    "  --primary-system NAME  (a.example)\n"
    "  --completed FILE     writes the procedures that ended with success\n"
    "  --times FILE         writes of each procedure when it was due (ms), "
    "and\n"
    "                       how long its 200 took (us)\n"
    "\n"
    "Prints key=value lines. Exit status: 0; 1 if anything was refused, lost\n"
    "or wrong; 2 if the run could not be made.\n";

enum option_id {
	OPTION_SERVER = 1,
	OPTION_LISTEN,
	OPTION_TRANSPORT,
	OPTION_CERTIFICATE,
	OPTION_KEY,
	OPTION_CA,
	OPTION_WINDOW,
	OPTION_RATE,
	OPTION_SECONDS,
	OPTION_WARMUP,
	OPTION_USERS,
	OPTION_FIRST_USER,
	OPTION_VERBS,
	OPTION_PARTNER_SYSTEM,
	OPTION_PRIMARY_SYSTEM,
	OPTION_COMPLETED,
	OPTION_TIMES,
	OPTION_HELP,
};

static const struct option option_table[] = {
	{ "server", required_argument, NULL, OPTION_SERVER },
	{ "listen", required_argument, NULL, OPTION_LISTEN },
	{ "transport", required_argument, NULL, OPTION_TRANSPORT },
	{ "certificate", required_argument, NULL, OPTION_CERTIFICATE },
	{ "key", required_argument, NULL, OPTION_KEY },
	{ "ca", required_argument, NULL, OPTION_CA },
	{ "window", required_argument, NULL, OPTION_WINDOW },
	{ "rate", required_argument, NULL, OPTION_RATE },
	{ "seconds", required_argument, NULL, OPTION_SECONDS },
	{ "warmup", required_argument, NULL, OPTION_WARMUP },
	{ "users", required_argument, NULL, OPTION_USERS },
	{ "first-user", required_argument, NULL, OPTION_FIRST_USER },
	{ "verbs", required_argument, NULL, OPTION_VERBS },
	{ "partner-system", required_argument, NULL, OPTION_PARTNER_SYSTEM },
	{ "primary-system", required_argument, NULL, OPTION_PRIMARY_SYSTEM },
	{ "completed", required_argument, NULL, OPTION_COMPLETED },
	{ "times", required_argument, NULL, OPTION_TIMES },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ NULL, 0, NULL, 0 },
};

static int parse_address(const char *text, struct sockaddr_storage *address)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
				  .ai_socktype = SOCK_DGRAM };
	struct addrinfo *found;
	char host[INET6_ADDRSTRLEN + 2];
	const char *colon = strrchr(text, ':');
	size_t length = colon ? (size_t)(colon - text) : 0;

	if (!length || length >= sizeof(host))
		return EINVAL;
	if (*text == '[' && text[length - 1] == ']') {
		text++;
		length -= 2;
	}
	snprintf(host, sizeof(host), "%.*s", (int)length, text);
	if (getaddrinfo(host, colon + 1, &hints, &found))
		return EINVAL;
	memcpy(address, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return 0;
}

static int parse_number(const char *text, uint32_t *numberp)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (*end || end == text || !number || number > UINT32_MAX)
		return EINVAL;
	*numberp = (uint32_t)number;
	return 0;
}

static int parse_decimal(const char *text, double *decimalp)
{
	char *end;

	*decimalp = strtod(text, &end);
	return *end || end == text || *decimalp < 0 ? EINVAL : 0;
}

static int parse_choice(const char *text, const char *no, const char *yes,
			bool *choicep)
{
	if (strcmp(text, no) && strcmp(text, yes))
		return EINVAL;
	*choicep = !strcmp(text, yes);
	return 0;
}

static int parse_mode(const char *text, enum load_mode *modep)
{
	static const char *const names[] = {
		[LOAD_PRIMARY] = "primary",
		[LOAD_CLIENT] = "client",
		[LOAD_SINK] = "sink",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (!strcmp(text, names[i])) {
			*modep = (enum load_mode)i;
			return 0;
		}
	}
	return EINVAL;
}

static int parse_option(struct load_options *options, int id, const char *value)
{
	switch (id) {
	case OPTION_SERVER:
		return parse_address(value, &options->server);
	case OPTION_LISTEN:
		return parse_address(value, &options->local);
	case OPTION_TRANSPORT:
		options->is_tls = !strcmp(value, "tls");
		return parse_choice(options->is_tls ? "tcp" : value, "udp",
				    "tcp", &options->tcp);
	case OPTION_CERTIFICATE:
		options->tls.certificate = value;
		return 0;
	case OPTION_KEY:
		options->tls.key = value;
		return 0;
	case OPTION_CA:
		options->tls.ca = value;
		return 0;
	case OPTION_WINDOW:
		return parse_number(value, &options->window);
	case OPTION_RATE:
		options->window = 0;
		return parse_decimal(value, &options->rate);
	case OPTION_SECONDS:
		return parse_decimal(value, &options->seconds);
	case OPTION_WARMUP:
		return parse_decimal(value, &options->warmup);
	case OPTION_USERS:
		return parse_number(value, &options->users);
	case OPTION_FIRST_USER:
		return parse_number(value, &options->first_user);
	case OPTION_VERBS:
		return parse_choice(value, "authorize", "alternate",
				    &options->alternate);
	case OPTION_PARTNER_SYSTEM:
		options->partner_system = value;
		return 0;
	case OPTION_PRIMARY_SYSTEM:
		options->primary_system = value;
		return 0;
	case OPTION_COMPLETED:
		options->completed_file = value;
		return 0;
	case OPTION_TIMES:
		options->times_file = value;
		return 0;
	default:
		return EINVAL;
	}
}

static int parse_command_line(int argc, char **argv,
			      struct load_options *options)
{
	int id, index = 0;

	while ((id = getopt_long(argc, argv, "", option_table, &index)) != -1) {
		if (id == OPTION_HELP) {
			fputs(usage_text, stdout);
			exit(0);
		}
		if (id == '?')
			return EINVAL;
		if (parse_option(options, id, optarg)) {
			fprintf(stderr, "mcmig-load: --%s: bad value '%s'\n",
				option_table[index].name, optarg);
			return EINVAL;
		}
	}
	if (optind + 1 != argc || parse_mode(argv[optind], &options->mode))
		return EINVAL;
	if (!options->server.ss_family || !options->local.ss_family ||
	    (!options->window && options->rate <= 0))
		return EINVAL;
	if (options->is_tls && (!options->tls.certificate ||
				!options->tls.key || !options->tls.ca))
		return EINVAL;
	return 0;
}

static int print_quantiles(const char *name, const struct history *history,
			   enum sample sample)
{
	struct quantiles quantiles;
	int err = history_quantiles(history, sample, &quantiles);

	if (err)
		return err;
	printf("%s_count=%" PRIu32 "\n%s_p50_ms=%.3f\n%s_p99_ms=%.3f\n"
	       "%s_max_ms=%.3f\n",
	       name, quantiles.count, name, quantiles.p50_ms, name,
	       quantiles.p99_ms, name, quantiles.max_ms);
	return 0;
}

static void print_result(const struct run_result *result)
{
	printf("procedures_per_second=%.1f\n",
	       (double)result->completed / result->seconds);
	printf("completed=%" PRIu64 "\nfailures=%" PRIu64 "\n",
	       result->completed, result->failures);
	printf("started=%" PRIu64 "\nrefused_503=%" PRIu64
	       "\nrefused_other=%" PRIu64 "\nsilent=%" PRIu64 "\n",
	       result->started, result->refused_503, result->refused_other,
	       result->silent);
	printf("retransmissions=%" PRIu64 "\nrepeated=%" PRIu64
	       "\nstray=%" PRIu64 "\nwrong=%" PRIu64 "\nstarved=%" PRIu64 "\n",
	       result->retransmissions, result->repeated, result->stray,
	       result->wrong, result->starved);
	printf("users_migrated=%" PRIu32 "\nusers_unknown=%" PRIu32 "\n",
	       result->migrated, result->unknown);
	printf("load_cpu_percent=%.1f\nload_cpu_us_per_procedure=%.2f\n",
	       100 * result->cpu_seconds / result->seconds,
	       result->completed
		   ? result->cpu_seconds * 1e6 / (double)result->completed
		   : 0);
	if (*result->last_cause)
		printf("last_cause=%s\n", result->last_cause);
	if (*result->last_wrong)
		printf("last_wrong=%s\n", result->last_wrong);
}

static int report(const struct load_options *options,
		  const struct history *history,
		  const struct run_result *result)
{
	int err;

	print_result(result);
	err = print_quantiles("request_to_200", history, SAMPLE_ANSWER);
	if (!err)
		err = print_quantiles("request_to_response", history,
				      SAMPLE_RESPONSE);
	if (!err && options->completed_file)
		err = history_write_completed(history, options->completed_file);
	if (!err && options->times_file)
		err = history_write_times(history, options->times_file);
	return err;
}

static int sink_and_report(const struct load_options *options)
{
	struct sink_result result;
	int err = sink(options, &result);

	printf("taken=%" PRIu64 "\ndelivered=%" PRIu64 "\nrefused=%" PRIu64
	       "\nwrong=%" PRIu64 "\nothers=%" PRIu64 "\n",
	       result.taken, result.delivered, result.refused, result.wrong,
	       result.others);
	if (*result.last_refused)
		printf("last_refused=%s\n", result.last_refused);
	if (err) {
		fprintf(stderr, "mcmig-load: %s\n", strerror(err));
		return 2;
	}
	return result.refused || result.wrong;
}

int main(int argc, char **argv)
{
	struct load_options options = {
		.users = 2000,
		.first_user = 1,
		.window = 64,
		.seconds = 10,
		.warmup = 2,
		.partner_system = "b.example",
		.primary_system = "a.example",
	};
	struct run_result result;
	struct history history;
	int err;

	if (parse_command_line(argc, argv, &options)) {
		fputs(usage_text, stderr);
		return 2;
	}
	if (options.mode == LOAD_SINK)
		return sink_and_report(&options);
	err = history_init(&history);
	if (!err)
		err = run(&options, &history, &result);
	if (!err)
		err = report(&options, &history, &result);
	history_free(&history);
	if (err) {
		fprintf(stderr, "mcmig-load: %s\n", strerror(err));
		return 2;
	}
	return result.failures || result.refused_503 || result.refused_other ||
	       result.silent || result.wrong || result.starved;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs the simulation over many seeds; a seed that violates what must hold is
 * made smaller, printed, and can be replayed as a ladder.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "quiet_log.h"
#include "simulation.h"

static const struct {
	const char *name;
	unsigned bit;
} faults[] = {
	{ "loss", FAULT_LOSS },	      { "double", FAULT_DOUBLE },
	{ "delay", FAULT_DELAY },     { "crash", FAULT_CRASH },
	{ "outage", FAULT_OUTAGE },   { "commit", FAULT_COMMIT },
	{ "between", FAULT_BETWEEN }, { "provision", FAULT_PROVISION },
	{ "cut", FAULT_CUT },	      { "rogue", FAULT_ROGUE },
	{ "token", FAULT_TOKEN },     { "intrude", FAULT_INTRUDE },
};
#define FAULTS (sizeof(faults) / sizeof(*faults))

static int usage(FILE *out)
{
	fputs("usage: simulate [--first SEED] [--runs N] [--seed SEED]\n"
	      "                [--actions N] [--without FAULT,...] [--ladder]\n"
	      "                [--shrink]\n"
	      "  --first    the first seed (1)\n"
	      "  --runs     how many seeds (1800)\n"
	      "  --seed     only this one\n"
	      "  --actions  of the users, instead of what the seed draws\n"
	      "  --without  loss, double, delay, crash, outage, commit,\n"
	      "             between, provision, cut, rogue, token, intrude\n"
	      "  --with-late-commits  commits that outlive their connection\n"
	      "  --ladder   prints who says what to whom and what is stored\n"
	      "  --shrink   looks for the smallest run of a violating seed\n",
	      out);
	return out == stderr ? 2 : 0;
}

static int parse_without(char *list, unsigned *allowed)
{
	for (char *name = strtok(list, ","); name; name = strtok(NULL, ",")) {
		size_t i = 0;

		while (i < FAULTS && strcmp(faults[i].name, name))
			i++;
		if (i == FAULTS)
			return -1;
		*allowed &= ~faults[i].bit;
	}
	return 0;
}

static void print_command(const struct sim_options *options)
{
	const char *separator = " --without ";

	printf("  simulate --seed %llu", (unsigned long long)options->seed);
	if (options->actions)
		printf(" --actions %u", options->actions);
	for (size_t i = 0; i < FAULTS; i++) {
		if (!(options->faults & faults[i].bit)) {
			printf("%s%s", separator, faults[i].name);
			separator = ",";
		}
	}
	printf(" --ladder\n");
}

/* Fewer kinds of faults, then fewer actions, as long as it still fails. */
static void shrink(struct sim *sim, struct sim_options *options)
{
	unsigned actions = sim->plan.actions;

	for (size_t i = 0; i < FAULTS; i++) {
		struct sim_options fewer = *options;

		fewer.faults &= ~faults[i].bit;
		if (fewer.faults != options->faults && !sim_run(sim, &fewer))
			*options = fewer;
	}
	for (unsigned n = 1; n < actions; n++) {
		struct sim_options fewer = *options;

		fewer.actions = n;
		if (!sim_run(sim, &fewer)) {
			*options = fewer;
			break;
		}
	}
	sim_run(sim, options);
}

static void report(struct sim *sim, const struct sim_options *options,
		   bool smaller)
{
	struct sim_options found = *options;

	printf("seed %llu: %s\n", (unsigned long long)options->seed,
	       sim->violation);
	print_command(&found);
	if (!smaller)
		return;
	found.ladder = false;
	shrink(sim, &found);
	printf("smaller: %s\n", sim->violation);
	print_command(&found);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "first", required_argument, NULL, 'f' },
		{ "runs", required_argument, NULL, 'r' },
		{ "seed", required_argument, NULL, 's' },
		{ "actions", required_argument, NULL, 'a' },
		{ "without", required_argument, NULL, 'w' },
		{ "ladder", no_argument, NULL, 'l' },
		{ "shrink", no_argument, NULL, 'k' },
		{ "with-late-commits", no_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct sim_options options = { .seed = 1, .faults = FAULT_ALL };
	unsigned long long runs = 1800, run, violations = 0;
	bool smaller = false;
	double begun_s = seconds(), took_s;
	struct sim *sim;
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (c) {
		case 's':
			runs = 1;
			/* fall through */
		case 'f':
			options.seed = strtoull(optarg, NULL, 10);
			break;
		case 'r':
			runs = strtoull(optarg, NULL, 10);
			break;
		case 'a':
			options.actions = (unsigned)atoi(optarg);
			break;
		case 'w':
			if (parse_without(optarg, &options.faults))
				return usage(stderr);
			break;
		case 'l':
			options.ladder = true;
			break;
		case 'c':
			options.faults |= FAULT_LATE_COMMIT;
			break;
		case 'k':
			smaller = true;
			break;
		default:
			return usage(c == 'h' ? stdout : stderr);
		}
	}
	quiet_log_show(options.ladder);
	sim = sim_create();
	for (run = 0; run < runs && violations < 10; run++, options.seed++) {
		if (!sim_run(sim, &options)) {
			violations++;
			report(sim, &options, smaller);
		}
	}
	took_s = seconds() - begun_s;
	printf("%llu seeds, %llu steps, %.1f s, %.0f seeds/s, longest way to "
	       "rest %.0f s, %llu violations\n",
	       run, (unsigned long long)sim->steps, took_s,
	       (double)run / took_s, (double)sim->longest_rest_us / 1e6,
	       violations);
	sim_destroy(sim);
	return violations != 0;
}

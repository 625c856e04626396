/* SPDX-License-Identifier: BSD-2-Clause */
/* Starting anew because of grown memory: what is decided and handed over. */
#include "recycle.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPTION_AT 1 /* of the arguments */

static const char option[] = "--recycled=";

enum recycle_verdict recycle_judge(const struct recycle_bound *bound,
				   const struct recycle_history *history,
				   uint64_t rss_bytes, uint64_t now_ms)
{
	if (!bound->memory_max_bytes || rss_bytes <= bound->memory_max_bytes)
		return RECYCLE_NO;
	if (history->times && now_ms - history->closed_ms < bound->interval_ms)
		return RECYCLE_TOO_SOON;
	return RECYCLE_NOW;
}

int recycle_read_statm(const char *text, uint64_t page_bytes,
		       uint64_t *rss_bytesp)
{
	uint64_t resident;

	if (sscanf(text, "%*u %" SCNu64, &resident) != 1)
		return EINVAL;
	*rss_bytesp = resident * page_bytes;
	return 0;
}

int recycle_read_history(const char *text, struct recycle_history *history)
{
	struct recycle_history read;
	int end = 0;

	if (sscanf(text, "%" SCNu64 ",%" SCNu64 "%n", &read.times,
		   &read.closed_ms, &end) != 2 ||
	    text[end] || !read.times)
		return EINVAL;
	*history = read;
	return 0;
}

static bool is_history(const char *argument)
{
	return !strncmp(argument, option, sizeof(option) - 1);
}

static char *print_history(const struct recycle_history *history)
{
	char text[64];

	snprintf(text, sizeof(text), "%s%" PRIu64 ",%" PRIu64, option,
		 history->times, history->closed_ms);
	return strdup(text);
}

/* Before the others: behind "--" it would be no option. */
char **recycle_arguments(char *const *argv,
			 const struct recycle_history *history)
{
	char **arguments;
	size_t count = 0, kept = OPTION_AT + 1;

	while (argv[count])
		count++;
	arguments = calloc(count + 2, sizeof(*arguments));
	if (!arguments)
		return NULL;
	arguments[0] = argv[0];
	for (size_t i = 1; i < count; i++)
		if (!is_history(argv[i]))
			arguments[kept++] = argv[i];
	arguments[OPTION_AT] = print_history(history);
	if (arguments[OPTION_AT])
		return arguments;
	free(arguments);
	return NULL;
}

void recycle_free_arguments(char **arguments)
{
	if (!arguments)
		return;
	free(arguments[OPTION_AT]);
	free(arguments);
}

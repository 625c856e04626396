/* SPDX-License-Identifier: BSD-2-Clause */
/* Prints what parsing and building an information document costs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mcinfo/mcinfo.h"

#define ROUNDS 200000

static double cpu_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

int main(void)
{
	char token[421] = "";
	struct mcinfo info = {
		.service = MC_SERVICE_MCPTT,
		.verb = MCINFO_AUTHORIZATION,
		.has_procedure_id = true,
		.has_profile_index = true,
		.profile_index = 1,
		.sequence = 1795423123456789,
		.order = 1795423123001,
		.partner_id = "sip:visitor00001@b.example",
		.primary_id = "sip:user00001@a.example",
		.access_token = token,
	};
	struct mcinfo_error error;
	struct mcinfo_parser *parser;
	const char *type = mc_service_info(info.service)->content_type;
	double begin, parsed, built;
	size_t bytes;
	char *body;
	int err;

	memset(token, 'x', sizeof(token) - 1);
	err = mcinfo_parser_create(&parser);
	if (err || mcinfo_build(&info, &body, &bytes))
		return 1;

	begin = cpu_us();
	for (int i = 0; i < ROUNDS && !err; i++) {
		struct mcinfo again;

		err = mcinfo_parse(parser, type, body, bytes, &again, &error);
		mcinfo_clear(&again);
	}
	parsed = cpu_us();
	for (int i = 0; i < ROUNDS && !err; i++) {
		free(body);
		err = mcinfo_build(&info, &body, &bytes);
	}
	built = cpu_us();
	if (err)
		return 1;
	printf("%zu bytes: parse %.2f us, build %.2f us (CPU, mean of %d)\n",
	       bytes, (parsed - begin) / ROUNDS, (built - parsed) / ROUNDS,
	       ROUNDS);
	free(body);
	mcinfo_parser_destroy(parser);
	return 0;
}

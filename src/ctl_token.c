/* SPDX-License-Identifier: BSD-2-Clause */
/* Explains an access token with the very checks of the auth_token module. */
#include "config.h"

#include "ctl_token.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl_token_options.h"

enum exit_code {
	EXIT_VALID = 0,
	EXIT_NOT_VALID = 1,
	EXIT_WRONG_USE = 2,
};

/* --- Files -------------------------------------------------------------- */

/* The caller's; NULL with the reason on stderr. One byte more than `max` is
 * kept, so that what is too long shows. */
static char *read_stream(FILE *stream, const char *name, size_t max,
			 size_t *bytesp)
{
	char *text = malloc(max + 2);

	if (!text) {
		fputs("mcmigctl: no memory\n", stderr);
		return NULL;
	}
	*bytesp = fread(text, 1, max + 1, stream);
	text[*bytesp] = '\0';
	if (ferror(stream)) {
		fprintf(stderr, "mcmigctl: %s: %s\n", name, strerror(errno));
		free(text);
		return NULL;
	}
	return text;
}

static char *read_file(const char *name, size_t max, size_t *bytesp)
{
	FILE *stream = fopen(name, "re");
	char *text;

	if (!stream) {
		fprintf(stderr, "mcmigctl: %s: %s\n", name, strerror(errno));
		return NULL;
	}
	text = read_stream(stream, name, max, bytesp);
	fclose(stream);
	return text;
}

static char *read_token(const char *file)
{
	/* Some room for blanks and newlines behind it. */
	size_t max = TOKEN_BYTES_MAX + 64, bytes;
	char *token = file ? read_file(file, max, &bytes)
			   : read_stream(stdin, "standard input", max, &bytes);

	while (token && bytes && isspace((unsigned char)token[bytes - 1]))
		token[--bytes] = '\0';
	/* Behind a NUL nothing would be looked at. */
	if (token && strlen(token) != bytes) {
		fputs("mcmigctl: the token has a NUL character\n", stderr);
		free(token);
		return NULL;
	}
	return token;
}

static int read_keys(const char *file, struct token_keys **keysp)
{
	const char *reason = "no memory";
	size_t bytes;
	char *text;
	int err;

	if (!file)
		return 0;
	text = read_file(file, TOKEN_JWKS_BYTES_MAX, &bytes);
	if (!text)
		return EINVAL;
	err = token_keys_parse(text, bytes, keysp, &reason);
	if (err)
		fprintf(stderr, "mcmigctl: %s: %s\n", file, reason);
	free(text);
	return err;
}

/* --- For people --------------------------------------------------------- */

static void print_json(const char *title, const json_t *value)
{
	printf("%s\n", title);
	if (value)
		/* In ASCII: what a token says must not speak to a terminal. */
		json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	else
		printf("not readable");
	printf("\n\n");
}

static void print_time(const json_t *payload, const char *name, time_t now)
{
	const json_t *claim = json_object_get(payload, name);
	time_t at = (time_t)json_integer_value(claim);
	char text[32];
	struct tm utc;

	if (!json_is_integer(claim) || !gmtime_r(&at, &utc) ||
	    !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc))
		return;
	printf("%s is %s, %lld s %s\n", name, text,
	       (long long)(at > now ? at - now : now - at),
	       at > now ? "from now" : "ago");
}

static void print_key(void *arg, const char *id, const char *type,
		      const char *reason)
{
	json_t *name = json_string(id ? id : "");
	char *quoted = json_dumps(name, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);

	(void)arg;
	printf("%s  %s%s%s\n", quoted ? quoted : "?", type ? type : "",
	       reason ? (type ? ": not for us: " : "not for us: ") : "",
	       reason ? reason : "");
	free(quoted);
	json_decref(name);
}

static void print_finding(const struct token_finding *finding)
{
	static const char *const results[] = {
		[TOKEN_PASSED] = "pass",
		[TOKEN_FAILED] = "FAIL",
		[TOKEN_NOT_CHECKED] = "----",
	};
	const char *text = finding->sentence;
	size_t length = strlen(text);

	printf("%s  %-11s %c%s%s\n", results[finding->result], finding->check,
	       toupper((unsigned char)text[0]), text + 1,
	       text[length - 1] == '.' ? "" : ".");
}

/* --- The inspection ----------------------------------------------------- */

struct findings {
	struct token_finding list[64];
	size_t count;
};

static void keep(void *arg, const struct token_finding *finding)
{
	struct findings *findings = arg;

	if (findings->count < sizeof(findings->list) / sizeof(*findings->list))
		findings->list[findings->count++] = *finding;
}

static void show(const struct ctl_token_options *options,
		 const struct token_keys *keys,
		 const struct token_inspection *inspection,
		 const struct findings *findings, time_t now, bool valid)
{
	print_json("header", inspection->header);
	print_json("payload", inspection->payload);
	print_time(inspection->payload, "iat", now);
	print_time(inspection->payload, "nbf", now);
	print_time(inspection->payload, "exp", now);
	if (keys) {
		printf("\nkeys\n");
		token_keys_visit(keys, print_key, NULL);
	}
	printf("\nchecks for %s\n", mc_service_info(options->service)->name);
	for (size_t i = 0; i < findings->count; i++)
		print_finding(&findings->list[i]);
	if (!*options->partner_id)
		printf("----  partner-id  Not asked without --partner-id.\n");
	printf("\n%s\n", valid ? "valid" : "not valid");
}

static void show_json(const struct token_inspection *inspection,
		      const struct findings *findings, bool valid)
{
	json_t *checks = json_array(), *all;

	for (size_t i = 0; i < findings->count; i++) {
		const struct token_finding *finding = &findings->list[i];

		if (finding->result == TOKEN_NOT_CHECKED)
			continue;
		json_array_append_new(checks,
				      json_pack("{s:s, s:b, s:s}", "check",
						finding->check, "passed",
						finding->result == TOKEN_PASSED,
						"sentence", finding->sentence));
	}
	all = json_pack("{s:b, s:O?, s:O?, s:o}", "valid", valid, "header",
			inspection->header, "payload", inspection->payload,
			"checks", checks);
	json_dumpf(all, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(all);
}

static bool inspect(const struct ctl_token_options *options,
		    const struct token_keys *keys, const char *token)
{
	const struct token_issuer issuer = {
		.name = options->issuer,
		.audiences = { options->audiences.values,
			       options->audiences.count },
		.clients = { options->clients.values, options->clients.count },
		.keys = keys,
	};
	struct token_policy policy = {
		.issuers = &issuer,
		.issuer_count = 1,
		.algorithms = options->algorithms,
		.clock_skew_s = options->clock_skew_s,
		.primary_id_claim = options->primary_id_claim,
	};
	const struct authorizer_request request = {
		.service = options->service,
		.token = token,
		.partner_id = *options->partner_id ? options->partner_id : NULL,
		.primary_id = *options->primary_id ? options->primary_id : NULL,
	};
	struct token_inspection inspection;
	struct findings findings = { .count = 0 };
	time_t now = time(NULL);
	bool valid;

	policy.scopes[options->service] =
	    (struct token_names){ options->scopes.values,
				  options->scopes.count };
	valid = token_inspect(&policy, token, &request, now, &inspection, keep,
			      &findings);
	if (options->json)
		show_json(&inspection, &findings, valid);
	else
		show(options, keys, &inspection, &findings, now, valid);
	token_inspection_clear(&inspection);
	return valid;
}

int ctl_token(int argc, char **argv)
{
	struct ctl_token_options options;
	struct token_keys *keys = NULL;
	char *token = NULL;
	int code = EXIT_WRONG_USE;
	int err = ctl_token_options(&options, argc, argv);

	if (err)
		return err == EAGAIN ? EXIT_VALID : EXIT_WRONG_USE;
	if (read_keys(options.jwks, &keys))
		goto out;
	token = read_token(options.file);
	if (token)
		code = inspect(&options, keys, token) ? EXIT_VALID
						      : EXIT_NOT_VALID;
	if (fflush(stdout))
		code = EXIT_WRONG_USE;
out:
	free(token);
	token_keys_destroy(keys);
	return code;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* A token by one POST. */
#include "config.h"

#include "ue_login.h"

#include <curl/curl.h>
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mcinfo/mcinfo.h"

#define TIMEOUT_MS 10000L
#define CLIENT "mcmig-ue"
/* The token stands in JSON, perhaps with others beside it. */
#define ANSWER_BYTES_MAX (4 * (size_t)MCINFO_TOKEN_MAX)

/* TS 33.180 B.4.2.2 */
static const char *const scopes[MC_SERVICE_END] = {
	[MC_SERVICE_MCPTT] = "openid 3gpp:mc:ptt_service",
	[MC_SERVICE_MCVIDEO] = "openid 3gpp:mc:video_service",
	[MC_SERVICE_MCDATA] = "openid 3gpp:mc:data_service",
};

static int complain(const char *url, const char *why, int err)
{
	fprintf(stderr, "mcmig-ue: --login %s: %s\n", url, why);
	return err;
}

/* --- The request -------------------------------------------------------- */

static char *endpoint_of(const char *text)
{
	CURLU *url = curl_url();
	char *path = NULL, *whole = NULL, *copy = NULL;

	if (!url || curl_url_set(url, CURLUPART_URL, text, 0) ||
	    curl_url_get(url, CURLUPART_PATH, &path, 0))
		goto out;
	if (!strcmp(path, "/") &&
	    curl_url_set(url, CURLUPART_PATH, "/token", 0))
		goto out;
	if (!curl_url_get(url, CURLUPART_URL, &whole, 0))
		copy = strdup(whole);
out:
	curl_free(whole);
	curl_free(path);
	curl_url_cleanup(url);
	return copy;
}

static char *form_of(CURL *easy, const char *user, enum mc_service service)
{
	char *name = curl_easy_escape(easy, user, 0);
	char *scope = curl_easy_escape(easy, scopes[service], 0);
	char *form = NULL;

	if (name && scope &&
	    asprintf(&form,
		     "grant_type=password&client_id=" CLIENT
		     "&username=%s&scope=%s",
		     name, scope) < 0)
		form = NULL;
	curl_free(name);
	curl_free(scope);
	return form;
}

struct answer {
	char text[ANSWER_BYTES_MAX];
	size_t bytes;
};

static size_t take(char *data, size_t size, size_t count, void *arg)
{
	struct answer *answer = arg;
	size_t bytes = size * count;

	if (bytes > sizeof(answer->text) - answer->bytes)
		return CURL_WRITEFUNC_ERROR;
	memcpy(answer->text + answer->bytes, data, bytes);
	answer->bytes += bytes;
	return bytes;
}

static CURLcode post(CURL *easy, const char *endpoint, const char *form,
		     struct answer *answer, long *statusp)
{
	CURLcode code;

	curl_easy_setopt(easy, CURLOPT_URL, endpoint);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, form);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, answer);
	code = curl_easy_perform(easy);
	if (!code)
		code = curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, statusp);
	return code;
}

/* --- The answer --------------------------------------------------------- */

static int read_answer(const char *url, const struct answer *answer,
		       long status, char **tokenp)
{
	json_t *document = json_loadb(answer->text, answer->bytes, 0, NULL);
	const char *token =
	    json_string_value(json_object_get(document, "access_token"));
	const char *error =
	    json_string_value(json_object_get(document, "error"));
	char why[128];
	int err = 0;

	if (status != 200) {
		snprintf(why, sizeof(why), "HTTP status %ld%s%.64s", status,
			 error ? ", error " : "", error ? error : "");
		err = complain(url, why, EIO);
	} else if (!token || !*token || strlen(token) > MCINFO_TOKEN_MAX) {
		err = complain(url, "no access_token in the answer", EIO);
	} else {
		*tokenp = strdup(token);
		err = *tokenp ? 0 : ENOMEM;
	}
	json_decref(document);
	return err;
}

static int ask(CURL *easy, const char *url, const char *user,
	       enum mc_service service, struct answer *answer, char **tokenp)
{
	char *endpoint = endpoint_of(url);
	char *form = form_of(easy, user, service);
	long status = 0;
	CURLcode code;
	int err;

	if (!endpoint) {
		err = complain(url, "no URL", EINVAL);
		goto out;
	}
	if (!form) {
		err = complain(url, "no memory", ENOMEM);
		goto out;
	}
	code = post(easy, endpoint, form, answer, &status);
	err = code ? complain(url, curl_easy_strerror(code), EIO)
		   : read_answer(url, answer, status, tokenp);
out:
	free(form);
	free(endpoint);
	return err;
}

int ue_login(const char *url, const char *user, enum mc_service service,
	     char **tokenp)
{
	struct answer *answer = calloc(1, sizeof(*answer));
	CURL *easy = NULL;
	int err = ENOMEM;

	if (answer && !curl_global_init(CURL_GLOBAL_DEFAULT))
		easy = curl_easy_init();
	if (easy)
		err = ask(easy, url, user, service, answer, tokenp);
	curl_easy_cleanup(easy);
	free(answer);
	return err;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* GET by libcurl's multi interface, which another thread can wake up. */
#include "auth_token/fetch.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define POLL_MS 1000

struct fetch {
	CURLM *multi;
	CURL *easy;
	struct curl_slist *headers;
	atomic_bool cancelled;
	char *text;
	size_t bytes, bytes_max;
	bool too_long;
};

/* --- The URL ------------------------------------------------------------ */

static bool is_loopback(const char *host)
{
	struct in_addr address;

	if (!strcmp(host, "localhost") || !strcmp(host, "[::1]"))
		return true;
	return inet_pton(AF_INET, host, &address) == 1 &&
	       ntohl(address.s_addr) >> 24 == 127;
}

static bool has(CURLU *url, CURLUPart part)
{
	char *text = NULL;
	bool found = !curl_url_get(url, part, &text, 0);

	curl_free(text);
	return found;
}

static const char *refuse_scheme(CURLU *url)
{
	char *scheme = NULL, *host = NULL;
	const char *reason = "is no https URL";

	if (curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) ||
	    curl_url_get(url, CURLUPART_HOST, &host, 0))
		goto out;
	if (!strcmp(scheme, "https"))
		reason = NULL;
	else if (!strcmp(scheme, "http"))
		reason = is_loopback(host)
			     ? NULL
			     : "is http, and not on this host: who is on the "
			       "way could give keys of his own; use https";
out:
	curl_free(scheme);
	curl_free(host);
	return reason;
}

const char *fetch_refuse_url(const char *text)
{
	CURLU *url = curl_url();
	const char *reason = NULL;

	if (!url)
		return "cannot be read: no memory";
	if (curl_url_set(url, CURLUPART_URL, text, 0))
		reason = "is no URL";
	else if (has(url, CURLUPART_USER) || has(url, CURLUPART_PASSWORD))
		reason = "has a user or a password, which are not supported";
	else
		reason = refuse_scheme(url);
	curl_url_cleanup(url);
	return reason;
}

/* --- The transfer ------------------------------------------------------- */

static size_t take(char *data, size_t size, size_t count, void *arg)
{
	struct fetch *fetch = arg;
	size_t bytes = size * count;
	char *longer;

	fetch->too_long = bytes > fetch->bytes_max - fetch->bytes;
	if (fetch->too_long)
		return CURL_WRITEFUNC_ERROR;
	longer = realloc(fetch->text, fetch->bytes + bytes + 1);
	if (!longer)
		return CURL_WRITEFUNC_ERROR;
	fetch->text = longer;
	memcpy(fetch->text + fetch->bytes, data, bytes);
	fetch->bytes += bytes;
	return bytes;
}

static bool set_options(struct fetch *fetch, const char *url,
			const char *ca_file, uint32_t timeout_ms)
{
	CURL *easy = fetch->easy;
	const char *scheme = strncasecmp(url, "https:", 6) ? "http" : "https";

	/* The peer's certificate and name are checked: libcurl's default. */
	return !curl_easy_setopt(easy, CURLOPT_URL, url) &&
	       !curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, scheme) &&
	       !curl_easy_setopt(easy, CURLOPT_SSLVERSION,
				 (long)CURL_SSLVERSION_TLSv1_2) &&
	       (!*ca_file ||
		!curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file)) &&
	       !curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) &&
	       !curl_easy_setopt(easy, CURLOPT_PROXY, "") &&
	       !curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) &&
	       /* A resolver that hangs does not hold up our end. */
	       !curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) &&
	       !curl_easy_setopt(easy, CURLOPT_HTTPHEADER, fetch->headers) &&
	       !curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms) &&
	       !curl_easy_setopt(easy, CURLOPT_MAXFILESIZE,
				 (long)fetch->bytes_max) &&
	       !curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take) &&
	       !curl_easy_setopt(easy, CURLOPT_WRITEDATA, fetch);
}

int fetch_create(struct fetch **fetchp, const char *url, const char *ca_file,
		 uint32_t timeout_ms, size_t bytes_max)
{
	struct fetch *fetch = calloc(1, sizeof(*fetch));

	if (!fetch)
		return ENOMEM;
	fetch->bytes_max = bytes_max;
	fetch->multi = curl_multi_init();
	fetch->easy = curl_easy_init();
	fetch->headers = curl_slist_append(NULL, "Accept: application/json");
	if (!fetch->multi || !fetch->easy || !fetch->headers ||
	    !set_options(fetch, url, ca_file, timeout_ms)) {
		fetch_destroy(fetch);
		return ENOMEM;
	}
	*fetchp = fetch;
	return 0;
}

void fetch_destroy(struct fetch *fetch)
{
	if (!fetch)
		return;
	curl_easy_cleanup(fetch->easy);
	curl_multi_cleanup(fetch->multi);
	curl_slist_free_all(fetch->headers);
	free(fetch->text);
	free(fetch);
}

void fetch_cancel(struct fetch *fetch)
{
	atomic_store(&fetch->cancelled, true);
	curl_multi_wakeup(fetch->multi);
}

/* The transfer's end; CURLE_ABORTED_BY_CALLBACK: it was cancelled. */
static CURLcode transfer(struct fetch *fetch)
{
	int running = 1, left;
	CURLMsg *message;

	while (running) {
		if (atomic_load(&fetch->cancelled))
			return CURLE_ABORTED_BY_CALLBACK;
		if (curl_multi_perform(fetch->multi, &running) ||
		    (running &&
		     curl_multi_poll(fetch->multi, NULL, 0, POLL_MS, NULL)))
			return CURLE_OUT_OF_MEMORY;
	}
	message = curl_multi_info_read(fetch->multi, &left);
	return message ? message->data.result : CURLE_OUT_OF_MEMORY;
}

static int judge(struct fetch *fetch, CURLcode code,
		 struct fetch_answer *answer)
{
	long status = 0;

	if (code == CURLE_ABORTED_BY_CALLBACK)
		return ECANCELED;
	curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
	answer->status = (int)status;
	if (fetch->too_long || code == CURLE_FILESIZE_EXCEEDED) {
		answer->failure = "the answer is too long";
		return EMSGSIZE;
	}
	if (code) {
		answer->failure = curl_easy_strerror(code);
		return EIO;
	}
	if (status != 200 || !fetch->text) {
		answer->failure = "no answer of status 200 with a body";
		return EPROTO;
	}
	return 0;
}

int fetch_run(struct fetch *fetch, struct fetch_answer *answer)
{
	CURLcode code;
	int err;

	*answer = (struct fetch_answer){ .failure = "no memory" };
	if (curl_multi_add_handle(fetch->multi, fetch->easy))
		return ENOMEM;
	code = transfer(fetch);
	curl_multi_remove_handle(fetch->multi, fetch->easy);
	err = judge(fetch, code, answer);
	if (err) {
		free(fetch->text);
	} else {
		answer->text = fetch->text;
		answer->bytes = fetch->bytes;
	}
	fetch->text = NULL;
	fetch->bytes = 0;
	fetch->too_long = false;
	return err;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The thread that looks after one identity management's keys, in rounds. What
 * it shares with the loop stands under one lock, held for a few instructions.
 */
#include "auth_token/source.h"

#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "auth_token/fetch.h"
#include "auth_token/file.h"

#define FILE_REFRESH_MS 1000
#define FILE_REFETCH_MS 100
#define RETRY_MS 1000
#define RETRY_DOUBLINGS_MAX 6
/* The cache holds the URL and some more besides the JWKS. */
#define CACHE_BYTES_MAX (2 * TOKEN_JWKS_BYTES_MAX)

struct source {
	struct source_options options; /* strings are copies, in `strings` */
	char *strings;
	int wake_fd;
	struct fetch *fetch;   /* of a URL */
	struct file_mark mark; /* of a file */
	bool file_is_good;

	pthread_t thread;
	bool started;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Under the lock: */
	bool stopping, asked;
	uint64_t begun; /* rounds */
	struct source_news news;
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t now_s(void)
{
	return (uint64_t)time(NULL);
}

static bool is_file(const struct source *source)
{
	return *source->options.file;
}

/* --- One round ---------------------------------------------------------- */

/* What a round has found: keys unless they are as they were. */
struct finding {
	struct token_keys *keys;
	const char *failure; /* NULL: all is well */
	int detail;
	uint64_t seen_s;
};

static void parse(const char *text, size_t bytes, struct finding *finding)
{
	int err =
	    token_keys_parse(text, bytes, &finding->keys, &finding->failure);

	if (err == ENOMEM)
		finding->failure = "no memory";
	else if (!err)
		finding->seen_s = now_s();
}

static void read_file(struct source *source, struct finding *finding)
{
	char *text = NULL;
	size_t bytes;

	/* One that was wrong is read again: perhaps it was half written. */
	if (!source->file_is_good)
		source->mark = (struct file_mark){ 0 };
	finding->detail =
	    file_read(source->options.file, TOKEN_JWKS_BYTES_MAX, &source->mark,
		      &text, &bytes, &finding->failure);
	if (!finding->detail) {
		finding->failure = NULL;
		finding->seen_s = now_s();
		if (text)
			parse(text, bytes, finding);
	}
	source->file_is_good = !finding->failure;
	free(text);
}

/* The cache says of which URL it is: another's keys are not to be believed. */
static void write_cache(const struct source *source, const char *text,
			size_t bytes)
{
	json_t *jwks = json_loadb(text, bytes, 0, NULL);
	json_t *cache = json_pack("{s:s, s:I, s:o}", "url", source->options.url,
				  "fetched", (json_int_t)now_s(), "jwks", jwks);
	char *document = json_dumps(cache, JSON_COMPACT);

	/* Without it the next start has to wait for the first fetch: no more. */
	if (document)
		(void)!file_write(source->options.cache_file, document,
				  strlen(document));
	free(document);
	json_decref(cache);
}

static void read_cache(const struct source *source, struct finding *finding)
{
	struct file_mark mark = { 0 };
	const char *url = "", *ignored;
	char *text = NULL, *keys_text = NULL;
	json_int_t fetched = 0;
	json_t *cache = NULL, *jwks = NULL;
	size_t bytes;

	if (file_read(source->options.cache_file, CACHE_BYTES_MAX, &mark, &text,
		      &bytes, &ignored))
		return;
	cache = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, NULL);
	if (json_unpack(cache, "{s:s, s:I, s:o}", "url", &url, "fetched",
			&fetched, "jwks", &jwks) ||
	    strcmp(url, source->options.url) != 0)
		goto out;
	keys_text = json_dumps(jwks, JSON_COMPACT);
	if (!keys_text)
		goto out;
	parse(keys_text, strlen(keys_text), finding);
	finding->seen_s = fetched > 0 ? (uint64_t)fetched : 0;
out:
	free(keys_text);
	json_decref(cache);
	free(text);
}

static void fetch_url(struct source *source, struct finding *finding)
{
	struct fetch_answer answer;

	if (fetch_run(source->fetch, &answer)) {
		finding->failure = answer.failure;
		finding->detail = answer.status;
		return;
	}
	parse(answer.text, answer.bytes, finding);
	if (!finding->failure && *source->options.cache_file)
		write_cache(source, answer.text, answer.bytes);
	free(answer.text);
}

/* --- Telling the loop --------------------------------------------------- */

/* Under the lock. `round` is 0 for what a cache says. */
static void add_news(struct source *source, struct finding *finding,
		     uint64_t round)
{
	struct source_news *news = &source->news;

	news->failure = finding->failure;
	news->detail = finding->detail;
	if (finding->failure) {
		news->failures++;
		return;
	}
	news->good_round = round;
	news->good_s = finding->seen_s;
	if (!finding->keys)
		return;
	token_keys_destroy(news->keys);
	news->keys = finding->keys;
}

static void wake_loop(const struct source *source)
{
	/* It fails only if the counter is full: then the loop wakes anyway. */
	(void)!eventfd_write(source->wake_fd, 1);
}

void source_take_news(struct source *source, struct source_news *news)
{
	pthread_mutex_lock(&source->lock);
	*news = source->news;
	source->news.keys = NULL;
	source->news.failures = 0;
	pthread_mutex_unlock(&source->lock);
}

uint64_t source_ask(struct source *source)
{
	uint64_t next;

	pthread_mutex_lock(&source->lock);
	source->asked = true;
	next = source->begun + 1;
	pthread_cond_signal(&source->changed);
	pthread_mutex_unlock(&source->lock);
	return next;
}

/* --- The thread --------------------------------------------------------- */

struct schedule {
	uint64_t begun_ms; /* the last round */
	unsigned failed;   /* in a row */
};

static uint64_t refetch_ms(const struct source *source)
{
	return is_file(source) ? FILE_REFETCH_MS : source->options.refetch_ms;
}

/* A file costs nothing; a server that is away is asked less and less often. */
static uint64_t refresh_ms(const struct source *source,
			   const struct schedule *schedule)
{
	uint64_t delay;
	unsigned doublings = schedule->failed;

	if (is_file(source))
		return FILE_REFRESH_MS;
	if (!schedule->failed)
		return source->options.refresh_ms;
	if (doublings > RETRY_DOUBLINGS_MAX)
		doublings = RETRY_DOUBLINGS_MAX;
	delay = (uint64_t)RETRY_MS << doublings;
	return delay < source->options.refresh_ms ? delay
						  : source->options.refresh_ms;
}

/* Under the lock. */
static uint64_t delay_ms(const struct source *source,
			 const struct schedule *schedule)
{
	uint64_t refresh = refresh_ms(source, schedule);
	uint64_t refetch = refetch_ms(source);

	return source->asked && refetch < refresh ? refetch : refresh;
}

/* Under the lock, which waiting gives up. False: it is to end. */
static bool wait_for_round(struct source *source,
			   const struct schedule *schedule)
{
	while (!source->stopping) {
		uint64_t due = schedule->begun_ms;
		struct timespec until;

		if (due)
			due += delay_ms(source, schedule);
		if (now_ms() >= due)
			return true;
		until.tv_sec = (time_t)(due / 1000);
		until.tv_nsec = (long)(due % 1000) * 1000000;
		pthread_cond_timedwait(&source->changed, &source->lock, &until);
	}
	return false;
}

static void *run(void *arg)
{
	struct source *source = arg;
	struct schedule schedule = { 0 };

	pthread_mutex_lock(&source->lock);
	while (wait_for_round(source, &schedule)) {
		struct finding finding = { 0 };
		uint64_t round = ++source->begun;

		source->asked = false;
		schedule.begun_ms = now_ms();
		pthread_mutex_unlock(&source->lock);
		if (is_file(source))
			read_file(source, &finding);
		else
			fetch_url(source, &finding);
		schedule.failed = finding.failure ? schedule.failed + 1 : 0;
		pthread_mutex_lock(&source->lock);
		add_news(source, &finding, round);
		wake_loop(source);
	}
	pthread_mutex_unlock(&source->lock);
	return NULL;
}

/* --- Life --------------------------------------------------------------- */

static size_t length(const char *text)
{
	return strlen(text) + 1;
}

static const char *copy_to(char **to, const char *text)
{
	char *copy = *to;

	*to = stpcpy(copy, text) + 1;
	return copy;
}

static int copy_options(struct source *source,
			const struct source_options *options)
{
	char *to =
	    malloc(length(options->file) + length(options->url) +
		   length(options->ca_file) + length(options->cache_file));

	if (!to)
		return ENOMEM;
	source->strings = to;
	source->options = *options;
	source->options.file = copy_to(&to, options->file);
	source->options.url = copy_to(&to, options->url);
	source->options.ca_file = copy_to(&to, options->ca_file);
	source->options.cache_file = copy_to(&to, options->cache_file);
	return 0;
}

static void init_lock(struct source *source)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&source->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	pthread_mutex_init(&source->lock, NULL);
}

static int load(struct source *source)
{
	struct finding finding = { 0 };

	if (is_file(source))
		read_file(source, &finding);
	else if (*source->options.cache_file)
		read_cache(source, &finding);
	if (finding.keys || finding.failure)
		add_news(source, &finding, 0);
	return is_file(source) && finding.failure ? EINVAL : 0;
}

int source_create(struct source **sourcep, const struct source_options *options,
		  int wake_fd, struct source_news *news)
{
	struct source *source = calloc(1, sizeof(*source));
	int err;

	*news = (struct source_news){ .failure = "no memory" };
	if (!source)
		return ENOMEM;
	init_lock(source);
	source->wake_fd = wake_fd;
	err = copy_options(source, options);
	if (!err && *options->url)
		err =
		    fetch_create(&source->fetch, options->url, options->ca_file,
				 options->timeout_ms, TOKEN_JWKS_BYTES_MAX);
	if (!err)
		err = load(source);
	if (!err || err == EINVAL)
		source_take_news(source, news);
	if (err) {
		source_destroy(source);
		return err;
	}
	*sourcep = source;
	return 0;
}

int source_start(struct source *source)
{
	sigset_t all, before;
	int err;

	sigfillset(&all); /* signals are the loop's business */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&source->thread, NULL, run, source);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	source->started = !err;
	return err;
}

void source_destroy(struct source *source)
{
	if (!source)
		return;
	if (source->started) {
		pthread_mutex_lock(&source->lock);
		source->stopping = true;
		pthread_cond_signal(&source->changed);
		pthread_mutex_unlock(&source->lock);
		if (source->fetch)
			fetch_cancel(source->fetch);
		pthread_join(source->thread, NULL);
	}
	fetch_destroy(source->fetch);
	token_keys_destroy(source->news.keys);
	pthread_cond_destroy(&source->changed);
	pthread_mutex_destroy(&source->lock);
	free(source->strings);
	free(source);
}

bool source_is_same(const struct source *source,
		    const struct source_options *options)
{
	const struct source_options *ours = &source->options;

	return !strcmp(ours->file, options->file) &&
	       !strcmp(ours->url, options->url) &&
	       !strcmp(ours->ca_file, options->ca_file) &&
	       !strcmp(ours->cache_file, options->cache_file) &&
	       ours->refresh_ms == options->refresh_ms &&
	       ours->refetch_ms == options->refetch_ms &&
	       ours->timeout_ms == options->timeout_ms;
}

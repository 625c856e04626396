/* SPDX-License-Identifier: BSD-2-Clause */
/* What has been seen to end, by kind and name. */
#include "config.h"

#include "daemon_expiry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

#define uthash_nonfatal_oom(element) ((element)->lost = true)
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define HOUR_S INT64_C(3600)
#define DAY_S (24 * HOUR_S)
/* Peers come and go: a system that has not called for a day may be no more. */
#define KEPT_S DAY_S
#define WATCHED_MAX 1024
#define KEY_BYTES 320

#define THRESHOLDS 4

static const struct kind {
	const char *gauge, *help;
	const char *soon, *ended; /* for the log */
	int64_t thresholds[THRESHOLDS];
} kinds[] = {
	[EXPIRY_OWN] = {
		.gauge = "tls.certificate_expires_in",
		.help = "Seconds until our own certificate expires",
		.soon = "our certificate expires soon: put a new one in its "
			"place and reload",
		.ended = "our certificate has expired: peers refuse it",
		.thresholds = { 30 * DAY_S, 7 * DAY_S, DAY_S, 0 },
	},
	/* Many a CA issues them for a day. */
	[EXPIRY_CRL] = {
		.gauge = "tls.crl_expires_in",
		.help = "Seconds until our first revocation list is out of date",
		.soon = "a revocation list is out of date soon: fetch the new "
			"one and reload",
		.ended = "a revocation list is out of date: peers of its CA "
			 "are refused",
		.thresholds = { 12 * HOUR_S, 2 * HOUR_S, HOUR_S / 2, 0 },
	},
	[EXPIRY_PEER] = {
		.gauge = "tls.peer_certificate_expires_in",
		.help = "Seconds until the first certificate of a peer expires",
		.soon = "a peer's certificate expires soon: tell who runs it",
		.ended = "a peer's certificate has expired: it is refused",
		.thresholds = { 30 * DAY_S, 7 * DAY_S, DAY_S, 0 },
	},
};

struct watched {
	char key[KEY_BYTES]; /* kind and name */
	enum expiry_kind kind;
	int64_t ends, seen;
	int64_t first;	 /* that was seen in this look */
	unsigned look;	 /* the last one that has seen it */
	unsigned passed; /* thresholds, warned of */
	bool lost;	 /* uthash could not take it */
	UT_hash_handle hh;
};

struct expiry {
	struct stats *stats;
	struct statistic gauges[EXPIRY_KINDS];
	bool shown[EXPIRY_KINDS];
	unsigned look; /* from one expiry_show() to the next */
	struct watched *watched;
};

static int64_t now_s(void)
{
	return (int64_t)(clock_utc_us() / 1000000);
}

struct expiry_time expiry_time_of(int64_t seconds)
{
	struct expiry_time time = { .text = "never" };
	time_t at = (time_t)seconds;
	struct tm utc;

	if (seconds != INT64_MAX && gmtime_r(&at, &utc))
		strftime(time.text, sizeof(time.text), "%Y-%m-%dT%H:%M:%SZ",
			 &utc);
	return time;
}

/* --- Warnings ----------------------------------------------------------- */

static unsigned count_passed(const struct watched *watched, int64_t now)
{
	unsigned passed = 0;

	while (passed < THRESHOLDS &&
	       watched->ends - now <= kinds[watched->kind].thresholds[passed])
		passed++;
	return passed;
}

static void warn(const struct watched *watched)
{
	static struct log_rate rate;
	const struct kind *kind = &kinds[watched->kind];
	bool ended = watched->passed == THRESHOLDS;

	log_write_limited(&rate, ended ? LOG_ERROR : LOG_WARNING, "tls",
			  "msg=\"%s\" name=\"%s\" expires=%s",
			  ended ? kind->ended : kind->soon,
			  strchr(watched->key, ' ') + 1,
			  expiry_time_of(watched->ends).text);
}

/* --- Watching ----------------------------------------------------------- */

static void forget(struct expiry *expiry, struct watched *watched)
{
	HASH_DEL(expiry->watched, watched);
	free(watched);
}

static struct watched *add(struct expiry *expiry, enum expiry_kind kind,
			   const char *key)
{
	struct watched *watched;

	if (HASH_COUNT(expiry->watched) >= WATCHED_MAX)
		return NULL;
	watched = calloc(1, sizeof(*watched));
	if (!watched)
		return NULL;
	watched->kind = kind;
	watched->look = expiry->look - 1;
	snprintf(watched->key, sizeof(watched->key), "%s", key);
	HASH_ADD_STR(expiry->watched, key, watched);
	if (!watched->lost)
		return watched;
	free(watched);
	return NULL;
}

static struct watched *find(struct expiry *expiry, enum expiry_kind kind,
			    const char *name)
{
	struct watched *watched;
	char key[KEY_BYTES];

	/* Names that differ only after this share their warnings. */
	snprintf(key, sizeof(key), "%d %s", (int)kind, name);
	HASH_FIND_STR(expiry->watched, key, watched);
	return watched ? watched : add(expiry, kind, key);
}

/* A peer may have another certificate on each connection: the first to end
 * counts. */
void expiry_see(struct expiry *expiry, enum expiry_kind kind, const char *name,
		int64_t ends)
{
	struct watched *watched = find(expiry, kind, name);

	if (!watched)
		return;
	watched->seen = now_s();
	if (watched->look == expiry->look && watched->first <= ends)
		return;
	watched->look = expiry->look;
	watched->first = ends;
}

static void judge(struct watched *watched, int64_t now)
{
	unsigned passed;

	if (watched->ends != watched->first)
		watched->passed = 0;
	watched->ends = watched->first;
	passed = count_passed(watched, now);
	if (passed <= watched->passed)
		return;
	watched->passed = passed;
	warn(watched);
}

/* --- Gauges ------------------------------------------------------------- */

static void show(struct expiry *expiry, enum expiry_kind kind, int64_t first)
{
	struct statistic *gauge = &expiry->gauges[kind];
	int64_t left = first - now_s();
	bool there = first != INT64_MAX;

	/* 0 would be an alarm where there is nothing that could end. */
	if (there && !expiry->shown[kind])
		stats_add(expiry->stats, gauge);
	if (!there && expiry->shown[kind])
		stats_remove(expiry->stats, gauge);
	expiry->shown[kind] = there;
	stat_set(gauge, there && left > 0 ? (uint64_t)left : 0);
}

void expiry_show(struct expiry *expiry)
{
	int64_t first[] = { INT64_MAX, INT64_MAX, INT64_MAX };
	struct watched *watched, *next;
	int64_t now = now_s();

	HASH_ITER(hh, expiry->watched, watched, next)
	{
		if (watched->look == expiry->look)
			judge(watched, now);
		/* Ours are seen each time, so they are gone at once. */
		int64_t kept = watched->kind == EXPIRY_PEER ? KEPT_S : 0;

		if (now - watched->seen > kept)
			forget(expiry, watched);
		else if (watched->ends < first[watched->kind])
			first[watched->kind] = watched->ends;
	}
	for (unsigned kind = 0; kind < EXPIRY_KINDS; kind++)
		show(expiry, kind, first[kind]);
	expiry->look++;
}

/* --- Life --------------------------------------------------------------- */

int expiry_create(struct expiry **expiryp, struct stats *stats)
{
	struct expiry *expiry = calloc(1, sizeof(*expiry));

	if (!expiry)
		return ENOMEM;
	expiry->stats = stats;
	for (unsigned kind = 0; kind < EXPIRY_KINDS; kind++)
		expiry->gauges[kind] = (struct statistic){
			.name = kinds[kind].gauge,
			.help = kinds[kind].help,
			.kind = STATS_GAUGE,
		};
	*expiryp = expiry;
	return 0;
}

void expiry_destroy(struct expiry *expiry)
{
	struct watched *watched, *next;

	if (!expiry)
		return;
	HASH_ITER(hh, expiry->watched, watched, next)
	{
		forget(expiry, watched);
	}
	for (unsigned kind = 0; kind < EXPIRY_KINDS; kind++)
		if (expiry->shown[kind])
			stats_remove(expiry->stats, &expiry->gauges[kind]);
	free(expiry);
}

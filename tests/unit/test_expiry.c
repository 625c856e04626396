/* SPDX-License-Identifier: BSD-2-Clause */
/* When mcmigd warns of what expires, and what its gauges say. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon_expiry.h"

#define HOUR_S INT64_C(3600)
#define DAY_S (24 * HOUR_S)
#define START_S INT64_C(1795000000)

static int64_t now_s;
static struct stats *stats;
static struct expiry *expiry;
static FILE *log_file;
static int stderr_before;

static uint64_t monotonic_ms(void)
{
	return (uint64_t)now_s * 1000;
}

static uint64_t utc_us(void)
{
	return (uint64_t)now_s * 1000000;
}

static const struct clock_source source = { monotonic_ms, utc_us };

static void begin(void)
{
	now_s = START_S;
	clock_override(&source);
	log_file = tmpfile();
	stderr_before = dup(STDERR_FILENO);
	if (!log_file || dup2(fileno(log_file), STDERR_FILENO) < 0 ||
	    stats_create(&stats) || expiry_create(&expiry, stats))
		abort();
}

static void end(void)
{
	expiry_destroy(expiry);
	CU_ASSERT_PTR_NULL(stats_first(stats));
	stats_destroy(stats);
	dup2(stderr_before, STDERR_FILENO);
	close(stderr_before);
	fclose(log_file);
	clock_override(NULL);
}

/* How many lines the log has got since the last time that have this. */
static unsigned count_lines(const char *text)
{
	char line[512];
	unsigned count = 0;

	rewind(log_file);
	while (fgets(line, sizeof(line), log_file))
		count += strstr(line, text) != NULL;
	if (ftruncate(fileno(log_file), 0))
		abort();
	rewind(log_file);
	return count;
}

static int64_t gauge(const char *name)
{
	for (const struct statistic *stat = stats_first(stats); stat;
	     stat = stat->next)
		if (!strcmp(stat->name, name))
			return (int64_t)stat->value;
	return -1;
}

static void see(enum expiry_kind kind, const char *name, int64_t ends)
{
	expiry_see(expiry, kind, name, ends);
	expiry_show(expiry);
}

static void test_thresholds(void)
{
	static const struct {
		int64_t left_s;
		const char *line; /* NULL: none */
	} steps[] = {
		{ 31 * DAY_S, NULL },
		{ 30 * DAY_S, "level=warning" },
		{ 30 * DAY_S - 10, NULL },
		{ 7 * DAY_S, "level=warning" },
		{ 2 * DAY_S, NULL },
		{ DAY_S, "our certificate expires soon" },
		{ 10, NULL },
		{ 0, "level=error" },
		{ -DAY_S, NULL },
	};
	int64_t ends = START_S + 40 * DAY_S;

	begin();
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		now_s = ends - steps[i].left_s;
		see(EXPIRY_OWN, "inside", ends);
		CU_ASSERT_EQUAL(count_lines(steps[i].line ? steps[i].line
							  : "level="),
				steps[i].line != NULL);
		CU_ASSERT_EQUAL(gauge("tls.certificate_expires_in"),
				steps[i].left_s > 0 ? steps[i].left_s : 0);
	}
	end();
}

/* One line, not one for each threshold that lies behind. */
static void test_late_start(void)
{
	begin();
	see(EXPIRY_OWN, "inside", START_S + HOUR_S);
	CU_ASSERT_EQUAL(count_lines("expires soon"), 1);
	see(EXPIRY_OWN, "inside", START_S + HOUR_S);
	CU_ASSERT_EQUAL(count_lines("level="), 0);
	end();
}

static void test_renewed(void)
{
	begin();
	see(EXPIRY_OWN, "inside", START_S + HOUR_S);
	CU_ASSERT_EQUAL(count_lines("name=\"inside\""), 1);
	see(EXPIRY_OWN, "inside", START_S + 90 * DAY_S);
	CU_ASSERT_EQUAL(count_lines("level="), 0);
	now_s += 61 * DAY_S;
	see(EXPIRY_OWN, "inside", START_S + 90 * DAY_S);
	CU_ASSERT_EQUAL(count_lines("expires=2027-02-16T11:06:40Z"), 1);
	end();
}

/* A connection keeps the certificate that it began with: beside the renewed one
 * it is told of once, whichever of both is seen first. */
static void test_renewed_on_another_connection(void)
{
	int64_t old = START_S + 5 * DAY_S, new = START_S + 90 * DAY_S;

	begin();
	for (int i = 0; i < 10; i++) {
		expiry_see(expiry, EXPIRY_PEER, "dns:a", i & 1 ? old : new);
		expiry_see(expiry, EXPIRY_PEER, "dns:a", i & 1 ? new : old);
		expiry_show(expiry);
		CU_ASSERT_EQUAL(count_lines("level="), i == 0);
		CU_ASSERT_EQUAL(gauge("tls.peer_certificate_expires_in"),
				old - now_s);
		now_s += 10;
	}
	see(EXPIRY_PEER, "dns:a", new);
	CU_ASSERT_EQUAL(gauge("tls.peer_certificate_expires_in"), new - now_s);
	CU_ASSERT_EQUAL(count_lines("level="), 0);
	end();
}

static void test_soonest(void)
{
	begin();
	expiry_see(expiry, EXPIRY_PEER, "dns:a", START_S + 90 * DAY_S);
	expiry_see(expiry, EXPIRY_PEER, "dns:b", START_S + 60 * DAY_S);
	expiry_see(expiry, EXPIRY_OWN, "inside", START_S + 50 * DAY_S);
	expiry_see(expiry, EXPIRY_OWN, "outside", START_S + 70 * DAY_S);
	expiry_show(expiry);
	CU_ASSERT_EQUAL(gauge("tls.peer_certificate_expires_in"), 60 * DAY_S);
	CU_ASSERT_EQUAL(gauge("tls.certificate_expires_in"), 50 * DAY_S);
	CU_ASSERT_EQUAL(gauge("tls.crl_expires_in"), -1);
	end();
}

/* A peer that has left counts for a day, ours only while they are in use. */
static void test_gone(void)
{
	begin();
	expiry_see(expiry, EXPIRY_PEER, "dns:a", START_S + 10 * DAY_S);
	expiry_see(expiry, EXPIRY_OWN, "outside", START_S + 10 * DAY_S);
	expiry_show(expiry);
	now_s += HOUR_S;
	expiry_show(expiry);
	CU_ASSERT_EQUAL(gauge("tls.certificate_expires_in"), -1);
	CU_ASSERT_TRUE(gauge("tls.peer_certificate_expires_in") > 0);
	now_s += DAY_S;
	expiry_show(expiry);
	CU_ASSERT_EQUAL(gauge("tls.peer_certificate_expires_in"), -1);
	CU_ASSERT_EQUAL(count_lines("a peer's certificate expires soon"), 1);
	end();
}

static void test_crl(void)
{
	begin();
	see(EXPIRY_CRL, "inside", INT64_MAX);
	CU_ASSERT_EQUAL(gauge("tls.crl_expires_in"), -1);
	see(EXPIRY_CRL, "inside", START_S + DAY_S);
	CU_ASSERT_EQUAL(gauge("tls.crl_expires_in"), DAY_S);
	CU_ASSERT_EQUAL(count_lines("level="), 0);
	see(EXPIRY_CRL, "inside", START_S + HOUR_S);
	CU_ASSERT_EQUAL(count_lines("a revocation list is out of date soon"),
			1);
	CU_ASSERT_STRING_EQUAL(expiry_time_of(INT64_MAX).text, "never");
	end();
}

/* Peers cannot make it grow without bound. */
static void test_many(void)
{
	char name[32];

	begin();
	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "dns:%d", i);
		expiry_see(expiry, EXPIRY_PEER, name, START_S + 90 * DAY_S - i);
	}
	expiry_show(expiry);
	CU_ASSERT_EQUAL(gauge("tls.peer_certificate_expires_in"),
			90 * DAY_S - 1023);
	end();
}

static CU_TestInfo tests[] = {
	{ "thresholds", test_thresholds },
	{ "late start", test_late_start },
	{ "renewed", test_renewed },
	{ "renewed on another connection", test_renewed_on_another_connection },
	{ "soonest", test_soonest },
	{ "gone", test_gone },
	{ "crl", test_crl },
	{ "many", test_many },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "expiry", NULL, NULL, NULL, NULL, tests },
	CU_SUITE_INFO_NULL,
};

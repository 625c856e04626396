/* SPDX-License-Identifier: BSD-2-Clause */
/* The log: one logfmt line an event, in one write(). */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define LINES_A_SECOND 10

static const char *const level_names[] = {
	[LOG_ERROR] = "error",
	[LOG_WARNING] = "warning",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};
static enum log_level current_level = LOG_INFO;

void log_set_level(enum log_level level)
{
	current_level = level;
}

enum log_level log_get_level(void)
{
	return current_level;
}

int log_level_parse(const char *name, enum log_level *levelp)
{
	for (unsigned i = 0; i <= LOG_DEBUG; i++) {
		if (!strcmp(name, level_names[i])) {
			*levelp = i;
			return 0;
		}
	}
	return EINVAL;
}

/* A line stays a line, and a terminal is safe from what peers send. */
static void make_printable(char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20 || c == 0x7f)
			*text = '?';
	}
}

static size_t put_prefix(char *line, size_t size, enum log_level level,
			 const char *subject)
{
	uint64_t now_us = clock_utc_us();
	time_t seconds = (time_t)(now_us / 1000000);
	struct tm utc;
	char time_text[32];

	gmtime_r(&seconds, &utc);
	strftime(time_text, sizeof(time_text), "%Y-%m-%dT%H:%M:%S", &utc);
	return (size_t)snprintf(line, size, "%s.%06uZ level=%s subject=%s ",
				time_text, (unsigned)(now_us % 1000000),
				level_names[level], subject);
}

__attribute__((format(printf, 4, 0))) static void
write_line(enum log_level level, const char *subject, const char *suffix,
	   const char *format, va_list args)
{
	char line[1024];
	size_t used = put_prefix(line, sizeof(line), level, subject);
	int n = vsnprintf(line + used, sizeof(line) - used - 40, format, args);

	make_printable(line + used);
	used += n < 0 ? 0 : strlen(line + used);
	n = snprintf(line + used, sizeof(line) - used, "%s\n", suffix);
	used += (size_t)n;
	/* A log that cannot be written must not stop the service. */
	if (write(STDERR_FILENO, line, used) < 0)
		return;
}

void log_write(enum log_level level, const char *subject, const char *format,
	       ...)
{
	va_list args;

	if (level > current_level)
		return;
	va_start(args, format);
	write_line(level, subject, "", format, args);
	va_end(args);
}

void log_write_limited(struct log_rate *rate, enum log_level level,
		       const char *subject, const char *format, ...)
{
	uint64_t second = clock_monotonic_ms() / 1000;
	char suffix[40] = "";
	va_list args;

	if (level > current_level)
		return;
	if (rate->second != second) {
		if (rate->suppressed)
			snprintf(suffix, sizeof(suffix), " suppressed=%u",
				 rate->suppressed);
		*rate = (struct log_rate){ .second = second };
	}
	if (rate->written >= LINES_A_SECOND) {
		rate->suppressed++;
		return;
	}
	rate->written++;
	va_start(args, format);
	write_line(level, subject, suffix, format, args);
	va_end(args);
}

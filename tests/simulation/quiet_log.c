/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Takes the place of libmcmig's log: what the servers say stands in the ladder,
 * in virtual time, and costs nothing when nobody wants one.
 */
#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "quiet_log.h"

static bool wanted;

void quiet_log_show(bool show)
{
	wanted = show;
	log_set_level(LOG_INFO);
}

__attribute__((format(printf, 2, 0))) static void
put(const char *subject, const char *format, va_list args)
{
	printf("          [%s] ", subject);
	vprintf(format, args);
	putchar('\n');
}

void log_write(enum log_level level, const char *subject, const char *format,
	       ...)
{
	va_list args;

	if (!wanted || level > LOG_WARNING)
		return;
	va_start(args, format);
	put(subject, format, args);
	va_end(args);
}

void log_write_limited(struct log_rate *rate, enum log_level level,
		       const char *subject, const char *format, ...)
{
	va_list args;

	(void)rate;
	if (!wanted || level > LOG_WARNING)
		return;
	va_start(args, format);
	put(subject, format, args);
	va_end(args);
}

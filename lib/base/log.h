/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log: a time and logfmt, one line an event, on stderr, for people and
 * journald.
 *   2026-01-31T23:59:59.123456Z level=warning subject=store msg="..." key=...
 * The caller's text ends in key=value pairs where it has any. In all of it
 * control characters are replaced, so that a line stays one line; tokens never
 * reach a log.
 */
#ifndef MCMIG_BASE_LOG_H
#define MCMIG_BASE_LOG_H

#include "base/export.h"

enum log_level {
	LOG_ERROR,   /* service is impaired: somebody has to act */
	LOG_WARNING, /* unexpected, handled; worth a look */
	LOG_INFO,    /* start, stop, reload, state of peers */
	LOG_DEBUG,   /* every procedure's steps */
};

MCMIG_API void log_set_level(enum log_level level);
MCMIG_API enum log_level log_get_level(void);
/* 0, or EINVAL: the names are error, warning, info, debug. */
MCMIG_API int log_level_parse(const char *name, enum log_level *levelp);

/* `subject` is the folder of lib or modules that speaks. */
MCMIG_API void log_write(enum log_level level, const char *subject,
			 const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * At most ten lines a second for each call site (the caller's static state);
 * what was left out is counted into the next line.
 */
struct log_rate {
	uint64_t second;
	unsigned written;
	unsigned suppressed;
};
MCMIG_API void log_write_limited(struct log_rate *rate, enum log_level level,
				 const char *subject, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#define log_error(subject, ...) log_write(LOG_ERROR, subject, __VA_ARGS__)
#define log_warning(subject, ...) log_write(LOG_WARNING, subject, __VA_ARGS__)
#define log_info(subject, ...) log_write(LOG_INFO, subject, __VA_ARGS__)
#define log_debug(subject, ...)                                     \
	do {                                                        \
		if (log_get_level() >= LOG_DEBUG)                   \
			log_write(LOG_DEBUG, subject, __VA_ARGS__); \
	} while (0)

#endif

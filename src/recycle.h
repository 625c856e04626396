/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starting anew because of grown memory: what is decided and handed over.
 * Pure: src/daemon_recycle.c looks, drains and executes.
 */
#ifndef MCMIG_SRC_RECYCLE_H
#define MCMIG_SRC_RECYCLE_H

#include <stdint.h>

/* Of this process ID, over all programs that it has run. */
struct recycle_history {
	uint64_t times;
	uint64_t
	    closed_ms; /* monotonic, when the last one closed its sockets */
};

struct recycle_bound {
	uint64_t memory_max_bytes; /* 0: none */
	uint64_t interval_ms;	   /* between two */
};

enum recycle_verdict {
	RECYCLE_NO,
	RECYCLE_TOO_SOON, /* above the bound, and just recycled: say so */
	RECYCLE_NOW,
};

enum recycle_verdict recycle_judge(const struct recycle_bound *bound,
				   const struct recycle_history *history,
				   uint64_t rss_bytes, uint64_t now_ms);

/* Resident memory by the text of /proc/PID/statm. 0 or EINVAL. */
int recycle_read_statm(const char *text, uint64_t page_bytes,
		       uint64_t *rss_bytesp);

/* The value of the option --recycled=, of our own making. 0 or EINVAL. */
int recycle_read_history(const char *text, struct recycle_history *history);

/*
 * `argv` for the next one: its option --recycled= is replaced. The strings stay
 * the caller's but for that option; recycle_free_arguments(). NULL: no memory.
 */
char **recycle_arguments(char *const *argv,
			 const struct recycle_history *history);
void recycle_free_arguments(char **arguments);

#endif

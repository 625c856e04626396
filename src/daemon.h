/* SPDX-License-Identifier: BSD-2-Clause */
/* mcmigd: what its files share. Each lists its functions in one block below. */
#ifndef MCMIG_SRC_DAEMON_H
#define MCMIG_SRC_DAEMON_H

#include <limits.h>
#include <sys/types.h>

#include "base/timer.h"
#include "module/loader.h"
#include "recycle.h"
#include "sip/stack.h"
#include "stats/stats.h"
#include "store/store.h"
#include "tls/tls.h"

struct daemon_settings {
	struct setting_list modules;
	char *module_directory;
	char *system;
	char *node;
	struct setting_list listen;
	struct setting_list listen_outside;
	char *log_level;
	uint32_t drain_timeout_ms;
	uint32_t memory_max_mib; /* 0: no bound */
	uint32_t memory_recycle_interval_ms;
	uint32_t sip_t1_ms;
	uint32_t sip_server_transactions_max;
	uint32_t sip_client_transactions_max;
	uint32_t sip_peer_outstanding_max;
	uint32_t sip_breaker_failures;
	uint32_t sip_probe_interval_ms;
	uint32_t store_queue_max;
	uint32_t store_batch_max;
	uint32_t store_cache_max;
	uint32_t store_commit_deadline_ms;
	uint32_t store_retention_ms;
};

struct daemon_recycle {
	/* As this program was started, before anything was changed. */
	char **arguments;
	char **environment;
	char program[PATH_MAX];
	struct recycle_history history;
	struct statistic rss, times, uptime;
	int statm_fd;
	struct timer timer;
	uint64_t quiet_until_ms;
	pid_t checker; /* 0: none runs */
	struct timer check_timer;
	uint64_t check_until_ms;
	uint64_t check_not_before_ms;
	bool wanted; /* the end of this drain is a new start */
	uint64_t closed_ms;
};

enum daemon_mode {
	MODE_RUN,
	MODE_CHECK,
	MODE_DUMP_CONFIG,
	MODE_HELP_CONFIG,
	MODE_HELP,
	MODE_VERSION,
};

#define DAEMON_SIDES 2 /* enum sip_side */

struct daemon_tls {
	struct tls_context *contexts[DAEMON_SIDES]; /* NULL: no certificate */
};

struct expiry;

struct daemon {
	enum daemon_mode mode;
	const char *file; /* NULL: none given */
	struct conf *conf;
	/* Modules without a reload() keep their settings of this one. */
	struct conf *first_conf;
	struct loader *loader;
	struct loop *loop;
	struct stats *stats;
	struct daemon_tls tls;
	struct expiry *expiry;
	struct timer expiry_timer;
	struct sip_stack *sip;
	struct store *store; /* NULL: no module needs one, none is there */
	struct core core;
	struct core_program program;
	char node[256];
	uint64_t started_ms;
	struct timer ready_timer;
	bool draining;
	struct timer drain_timer;
	uint64_t drain_until_ms;
	struct daemon_recycle recycle;
};

/* --- daemon_options.c --- */
/* 0 or EINVAL, said on stderr. */
int daemon_read_options(struct daemon *daemon, int argc, char **argv);
void daemon_print_usage(FILE *out);

/* --- daemon_settings.c --- */
extern const struct conf_section daemon_section;
const struct daemon_settings *daemon_settings(const struct daemon *daemon);

/* --- daemon_load.c: configuration and modules --- */
int daemon_load(struct daemon *daemon);
void daemon_unload(struct daemon *daemon);
int daemon_help_config(struct daemon *daemon);
/* 0, or an errno with the reason in `why`: then nothing has changed. */
int daemon_reload(struct daemon *daemon, char *why, size_t why_bytes);

/* --- daemon_tls.c: certificates --- */
/* From the files that `conf` names. 0, or an errno, logged. */
int daemon_tls_create(const struct daemon *daemon, const struct conf *conf,
		      struct daemon_tls *tls);
void daemon_tls_release(struct daemon_tls *tls);
struct sip_tls daemon_tls_of(const struct daemon *daemon, enum sip_side side);
/* Takes the place of what is in use; `conf` counts by then. */
void daemon_tls_use(struct daemon *daemon, struct daemon_tls *tls);

/* --- daemon_tls_watch.c: certificates in use --- */
/* Looks what expires soon; again and again from then on. */
void daemon_tls_look(void *arg);
json_t *daemon_tls_status(const struct daemon *daemon);

/* --- daemon_serve.c: start and end of service --- */
int daemon_init(struct daemon *daemon);
int daemon_start(struct daemon *daemon);
void daemon_stop(struct daemon *daemon);

/* --- daemon_signals.c: drain and reload --- */
/* From here on none ends the process: they wait for daemon_take_signals(), of
 * the program executed next perhaps. */
void daemon_hold_signals(void);
int daemon_take_signals(struct daemon *daemon);
size_t daemon_pending(const struct daemon *daemon);
void daemon_drain(struct daemon *daemon);

/* --- daemon_recycle.c: the bound on memory --- */
void daemon_watch_memory(struct daemon *daemon);
void daemon_unwatch_memory(struct daemon *daemon);
/* Executes the program anew, when all has stopped: an errno, or no return. */
int daemon_start_anew(struct daemon *daemon);

/* --- daemon_program.c: what ctl shows --- */
void daemon_offer_program(struct daemon *daemon);
/* One side's bound addresses: "udp:192.0.2.1:5060", ... NULL: no memory. */
json_t *daemon_addresses(const struct daemon *daemon, enum sip_side side);

#endif

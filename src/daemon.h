/* SPDX-License-Identifier: BSD-2-Clause */
/* mcmigd: what its files share. Each lists its functions in one block below. */
#ifndef MCMIG_SRC_DAEMON_H
#define MCMIG_SRC_DAEMON_H

#include "base/timer.h"
#include "module/loader.h"
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

/* --- daemon_serve.c: start and end of service --- */
int daemon_init(struct daemon *daemon);
int daemon_start(struct daemon *daemon);
void daemon_stop(struct daemon *daemon);

/* --- daemon_signals.c: drain and reload --- */
int daemon_take_signals(struct daemon *daemon);
size_t daemon_pending(const struct daemon *daemon);

/* --- daemon_program.c: what ctl shows --- */
void daemon_offer_program(struct daemon *daemon);
/* One side's bound addresses: "udp:192.0.2.1:5060", ... NULL: no memory. */
json_t *daemon_addresses(const struct daemon *daemon, enum sip_side side);

#endif

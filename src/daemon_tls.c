/* SPDX-License-Identifier: BSD-2-Clause */
/* Certificates: read at the start and at each reload, for each side. */
#include "daemon.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

static const char *const section_names[] = {
	[SIP_INSIDE] = "tls",
	[SIP_OUTSIDE] = "tls_outside",
};

static const struct tls_settings *settings_of(const struct conf *conf,
					      enum sip_side side)
{
	return conf_values(conf, section_names[side]);
}

/* The outside without a certificate of its own shows that of the inside. */
static enum sip_side certified_side(const struct conf *conf, enum sip_side side)
{
	return *settings_of(conf, side)->certificate ? side : SIP_INSIDE;
}

/* --- Listeners ---------------------------------------------------------- */

static const char *find_tls(const struct setting_list *listen)
{
	for (size_t i = 0; i < listen->count; i++) {
		if (!strncmp(listen->values[i], "tls:", strlen("tls:")))
			return listen->values[i];
	}
	return NULL;
}

static int check_side(const struct daemon *daemon, const struct conf *conf,
		      enum sip_side side, const struct setting_list *listen)
{
	const char *entry = find_tls(listen);

	if (!entry ||
	    *settings_of(conf, certified_side(conf, side))->certificate)
		return 0;
	log_error("mcmigd",
		  "msg=\"%s: TLS needs a certificate: name certificate, key "
		  "and ca in the section %s\" entry=\"%s\"",
		  daemon->file, section_names[side], entry);
	return EINVAL;
}

static int check_listeners(const struct daemon *daemon, const struct conf *conf)
{
	const struct daemon_settings *settings = daemon_settings(daemon);
	int err = check_side(daemon, conf, SIP_INSIDE, &settings->listen);

	return err ? err
		   : check_side(daemon, conf, SIP_OUTSIDE,
				&settings->listen_outside);
}

/* --- Contexts ----------------------------------------------------------- */

static int make_context(const struct conf *conf, enum sip_side side,
			struct daemon_tls *tls)
{
	int err;

	if (!*settings_of(conf, side)->certificate) {
		tls->contexts[side] = tls_context_hold(tls->contexts[0]);
		return 0;
	}
	err = tls_context_create(&tls->contexts[side], section_names[side],
				 settings_of(conf, side));
	if (err == ENOMEM)
		log_error("tls", "msg=\"%s: %s\"", section_names[side],
			  strerror(err));
	return err;
}

/* A reload has nothing to gain by that. */
static int compare(const struct daemon *daemon, const struct daemon_tls *tls,
		   unsigned side)
{
	const struct tls_context *old = daemon->tls.contexts[side];
	int64_t now = (int64_t)(clock_utc_us() / 1000000);

	if (!old || !tls->contexts[side] || tls_context_expires(old) <= now ||
	    tls_context_expires(tls->contexts[side]) > now)
		return 0;
	log_error("tls",
		  "msg=\"%s.certificate: the new one has expired, and the old "
		  "one has not\"",
		  section_names[side]);
	return EINVAL;
}

int daemon_tls_create(const struct daemon *daemon, const struct conf *conf,
		      struct daemon_tls *tls)
{
	int err = check_listeners(daemon, conf);

	*tls = (struct daemon_tls){ 0 };
	for (unsigned side = 0; side < DAEMON_SIDES && !err; side++) {
		err = make_context(conf, side, tls);
		if (!err)
			err = compare(daemon, tls, side);
	}
	if (err)
		daemon_tls_release(tls);
	return err;
}

void daemon_tls_release(struct daemon_tls *tls)
{
	for (unsigned side = 0; side < DAEMON_SIDES; side++) {
		tls_context_release(tls->contexts[side]);
		tls->contexts[side] = NULL;
	}
}

struct sip_tls daemon_tls_of(const struct daemon *daemon, enum sip_side side)
{
	return (struct sip_tls){
		.context = daemon->tls.contexts[side],
		.settings = settings_of(daemon->conf,
					certified_side(daemon->conf, side)),
	};
}

/* --- Reload ------------------------------------------------------------- */

/* Nothing listens there for TLS, nor may anything leave from there. */
static void drop_new_sides(const struct daemon *daemon, struct daemon_tls *tls)
{
	for (unsigned side = 0; side < DAEMON_SIDES; side++) {
		if (daemon->tls.contexts[side] || !tls->contexts[side])
			continue;
		log_warning("tls",
			    "msg=\"%s: a certificate where there was none "
			    "needs a restart\"",
			    section_names[side]);
		tls_context_release(tls->contexts[side]);
		tls->contexts[side] = NULL;
	}
}

void daemon_tls_use(struct daemon *daemon, struct daemon_tls *tls)
{
	struct sip_tls inside, outside;

	drop_new_sides(daemon, tls);
	daemon_tls_release(&daemon->tls);
	daemon->tls = *tls;
	inside = daemon_tls_of(daemon, SIP_INSIDE);
	outside = daemon_tls_of(daemon, SIP_OUTSIDE);
	if (sip_stack_set_tls(daemon->sip, &inside, &outside))
		log_error("tls", "msg=\"the new certificates cannot be used: "
				 "restart\"");
	daemon_tls_look(daemon);
}

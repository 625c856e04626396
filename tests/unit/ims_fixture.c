/* SPDX-License-Identifier: BSD-2-Clause */
#include "ims_fixture.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

static uint64_t now_ms = 1000000;

static uint64_t monotonic_ms(void)
{
	return now_ms;
}

static uint64_t utc_us(void)
{
	return now_ms * 1000;
}

static const struct clock_source fake_clock = { monotonic_ms, utc_us };

struct wire wire;

static void set_register_handler(struct sip *sip, sip_register_h *handler,
				 void *arg)
{
	(void)sip;
	wire.handler = handler;
	wire.arg = arg;
}

static void take_reply(struct sip *sip, handle_t transaction,
		       const struct sip_reply *reply)
{
	(void)sip;
	(void)transaction;
	wire.replies++;
	wire.status = reply->status;
	CU_ASSERT_EQUAL(reply->stateless, reply->status != 200);
	snprintf(wire.warning, sizeof(wire.warning), "%s",
		 reply->warn_text ? reply->warn_text : "");
}

static bool listens_on(struct sip *sip, const char *host, uint16_t port)
{
	(void)sip;
	return (!strcmp(host, "198.51.100.1") ||
		!strcmp(host, "[2001:db8::1]")) &&
	       port == 5060;
}

static const struct sip_ops wire_ops = {
	.set_register_handler = set_register_handler,
	.reply = take_reply,
	.listens_on = listens_on,
};

struct core core;
void *module;
struct ims_settings settings;
char *peers[4], *hops[4], *names[4];

void ims_put(struct setting_list *list, char **values, const char *value)
{
	list->values = values;
	values[list->count++] = (char *)value;
}

void ims_prepare(void)
{
	settings = (struct ims_settings){ .registrations_max = 100 };
	ims_put(&settings.peers, peers, PEER);
	ims_put(&settings.peers, peers, "192.0.2.12");
	ims_put(&settings.next_hops, hops, OTHER_HOP);
	memset(&wire, 0, sizeof(wire));
	wire.sip.ops = &wire_ops;
	core = (struct core){ .sip = &wire.sip, .system = "b.example" };
	CU_ASSERT_FATAL(!timers_create(&core.timers));
	CU_ASSERT_FATAL(!stats_create(&core.stats));
	clock_override(&fake_clock);
	log_set_level(LOG_ERROR);
}

void ims_start(void)
{
	CU_ASSERT_FATAL(!mcmig_module.init(&core, &settings, &module));
	CU_ASSERT_FATAL(!mcmig_module.start(module));
	CU_ASSERT_PTR_NOT_NULL_FATAL(core.ims);
}

void ims_end(void)
{
	if (module)
		mcmig_module.stop(module);
	module = NULL;
	CU_ASSERT_PTR_NULL(core.ims);
	CU_ASSERT_PTR_NULL(wire.handler);
	CU_ASSERT_EQUAL(timers_count(core.timers), 0);
	CU_ASSERT_PTR_NULL(stats_first(core.stats));
	stats_destroy(core.stats);
	timers_destroy(core.timers);
	clock_override(NULL);
}

uint64_t ims_statistic(const char *name)
{
	for (const struct statistic *each = stats_first(core.stats); each;
	     each = each->next)
		if (!strcmp(each->name, name))
			return each->value;
	CU_FAIL("no such statistic");
	return 0;
}

void ims_wait_s(unsigned s)
{
	now_ms += s * UINT64_C(1000);
	timers_run(core.timers);
}

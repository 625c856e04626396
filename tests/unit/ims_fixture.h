/* SPDX-License-Identifier: BSD-2-Clause */
/* What the ims module runs on in its tests: a wire, a clock, settings. */
#ifndef MCMIG_TESTS_IMS_FIXTURE_H
#define MCMIG_TESTS_IMS_FIXTURE_H

#include "ims/ims.h"
#include "unit.h"

#define PEER "192.0.2.11"
#define HOP "sip:192.0.2.11:6060;transport=tcp"
#define OTHER_HOP "sip:192.0.2.12:6060;transport=tcp"
#define ALICE "sip:alice@b.example"
#define SCSCF "sip:scscf.b.example:6060"
#define CERTIFIED "dns:scscf.b.example"

struct wire {
	struct sip sip;
	sip_register_h *handler;
	void *arg;
	int status;
	char warning[128];
	unsigned replies;
};

extern struct wire wire;
extern struct core core;
extern void *module;
extern struct ims_settings settings;
extern char *peers[4], *hops[4], *names[4];

void ims_put(struct setting_list *list, char **values, const char *value);
void ims_prepare(void);
void ims_start(void);
void ims_end(void);
uint64_t ims_statistic(const char *name);
void ims_wait_s(unsigned s);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* libconfuse's callbacks for one parse, between take_begin() and take_end(). */
#ifndef MCMIG_CONF_TAKE_H
#define MCMIG_CONF_TAKE_H

#include <confuse.h>

#include "conf/conf_private.h"

void take_begin(struct conf *conf, cfg_t *root, const char *text,
		bool core_only, const struct conf_begins *begins);
/* 0; EINVAL: there were faults, logged; ENOMEM. */
int take_end(void);

int take_value(cfg_t *cfg, cfg_opt_t *opt, const char *text, void *result);
/* A titled section of `parent` has ended. */
int take_titled(cfg_t *parent, cfg_opt_t *opt);
void take_empty_lists(struct conf_section_values *section, cfg_t *cfg);
__attribute__((format(printf, 2, 0))) void
take_error(cfg_t *cfg, const char *format, va_list args);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether Sofia-SIP calls what src/overrides.c has in place of its own. */
#ifndef MCMIG_SRC_OVERRIDES_H
#define MCMIG_SRC_OVERRIDES_H

/* 0; ENOTSUP: this build of the library calls its own functions; ENOMEM. */
int overrides_check(void);

#endif

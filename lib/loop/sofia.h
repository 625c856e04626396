/* SPDX-License-Identifier: BSD-2-Clause */
/* What Sofia-SIP's global state needs before its first su_root. */
#ifndef MCMIG_LOOP_SOFIA_H
#define MCMIG_LOOP_SOFIA_H

#include <sofia-sip/su_wait.h>

/*
 * Environment, log and clock are ours from now on; then su_init(). 0 or EIO.
 * sofia_deinit() undoes su_init() only.
 */
int sofia_init(void);
void sofia_deinit(void);

/*
 * A su_root of this thread, and the epoll descriptor that it waits with (the
 * root's own). 0, or EIO when that cannot be found.
 */
int sofia_root_create(su_root_t **rootp, int *epoll_fd);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lets the n-th allocation of the process fail. Under ASan, which owns malloc,
 * only those of libxml2 fail, and its leak check counts in place of ours.
 */
#ifndef MCMIG_TESTS_ALLOC_FAIL_H
#define MCMIG_TESTS_ALLOC_FAIL_H

#include <stdbool.h>

void alloc_fail_install(void); /* first of all in main or the suite */
void alloc_fail_at(long n);    /* 1: the next; 0: none */
bool alloc_fail_happened(void);
long alloc_fail_live(void); /* blocks in use; 0 under ASan */

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lets the n-th allocation of the process fail. Under ASan, which owns malloc,
 * only those of libxml2 fail, and its leak check counts in place of ours.
 */
#ifndef MCMIG_TESTS_ALLOC_FAIL_H
#define MCMIG_TESTS_ALLOC_FAIL_H

#include <stdbool.h>
#include <stddef.h>

void alloc_fail_install(void);	     /* first of all in main or the suite */
void alloc_fail_at(long n);	     /* 1: the next; 0: none */
void alloc_fail_from(long n);	     /* that one and all after it */
void alloc_fail_above(size_t bytes); /* all that are larger */
/* Between true and false nothing fails or is counted. */
void alloc_fail_spare(bool spare);
bool alloc_fail_happened(void);
long alloc_fail_live(void); /* blocks in use; 0 under ASan */

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* A SQLite file in a folder of its own in TMPDIR, for a suite's init and cleanup. */
#ifndef MCMIG_TESTS_STORE_SQLITE_TARGET_H
#define MCMIG_TESTS_STORE_SQLITE_TARGET_H

extern char sqlite_target_file[256];

int sqlite_target_init(void);
int sqlite_target_clean(void);
void sqlite_target_remove(void); /* the file and what belongs to it */

#endif

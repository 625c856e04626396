/* SPDX-License-Identifier: BSD-2-Clause */
/* Files that hold keys: read as a whole if they changed, written at once. */
#ifndef MCMIG_AUTH_TOKEN_FILE_H
#define MCMIG_AUTH_TOKEN_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/* What tells one content of a file from the next. */
struct file_mark {
	dev_t device;
	ino_t inode;
	off_t bytes;
	struct timespec changed;
};

/*
 * Reads the file unless `mark` says that it is as it was. 0 with the text, the
 * caller's, or with NULL: unchanged; ENOMEM; else an errno, in `*failurep` a
 * constant text.
 */
int file_read(const char *name, size_t bytes_max, struct file_mark *mark,
	      char **textp, size_t *bytesp, const char **failurep);
/* Replaces it, so that it is whole at any time; nobody else may write it. */
int file_write(const char *name, const char *text, size_t bytes);

#endif

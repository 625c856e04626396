/* SPDX-License-Identifier: BSD-2-Clause */
/* Files that hold keys. */
#include "config.h"

#include "auth_token/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/*
 * Changed again in the same tick of the kernel's clock it would look the same,
 * so one that was changed a moment ago is taken as unknown.
 */
static struct file_mark mark_of(const struct stat *status)
{
	struct file_mark mark = { 0 };

	if (time(NULL) - status->st_ctim.tv_sec < 2)
		return mark;
	mark.device = status->st_dev;
	mark.inode = status->st_ino;
	mark.bytes = status->st_size;
	mark.changed = status->st_ctim;
	return mark;
}

static bool is_same(const struct file_mark *a, const struct file_mark *b)
{
	return a->inode && a->device == b->device && a->inode == b->inode &&
	       a->bytes == b->bytes && a->changed.tv_sec == b->changed.tv_sec &&
	       a->changed.tv_nsec == b->changed.tv_nsec;
}

static int refuse(const struct stat *status, size_t bytes_max,
		  const char **failurep)
{
	if (!S_ISREG(status->st_mode)) {
		*failurep = "it is no regular file";
		return EINVAL;
	}
	/* Whoever can write it decides who is let in. */
	if (status->st_mode & S_IWOTH) {
		*failurep = "everybody may write it";
		return EPERM;
	}
	if (status->st_size < 0 || (size_t)status->st_size > bytes_max) {
		*failurep = "it is too long";
		return EFBIG;
	}
	return 0;
}

/* The file may grow or shrink meanwhile: what is there counts. */
static int read_all(int fd, size_t bytes_max, char **textp, size_t *bytesp)
{
	char *text = malloc(bytes_max + 1);
	size_t used = 0;
	ssize_t n = 1;

	if (!text)
		return ENOMEM;
	while (n > 0 && used < bytes_max) {
		n = read(fd, text + used, bytes_max - used);
		used += n > 0 ? (size_t)n : 0;
	}
	if (n < 0) {
		int err = errno;

		free(text);
		return err;
	}
	text[used] = '\0';
	*textp = text;
	*bytesp = used;
	return 0;
}

static int read_changed(int fd, size_t bytes_max, struct file_mark *mark,
			char **textp, size_t *bytesp, const char **failurep)
{
	struct file_mark now;
	struct stat status;
	int err;

	if (fstat(fd, &status))
		return errno;
	err = refuse(&status, bytes_max, failurep);
	if (err)
		return err;
	now = mark_of(&status);
	if (is_same(&now, mark))
		return 0;
	err = read_all(fd, bytes_max, textp, bytesp);
	if (!err)
		*mark = now;
	return err;
}

int file_read(const char *name, size_t bytes_max, struct file_mark *mark,
	      char **textp, size_t *bytesp, const char **failurep)
{
	/* A FIFO would hold us up until somebody writes to it. */
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int err;

	*failurep = "it cannot be read";
	if (fd < 0)
		return errno;
	*textp = NULL;
	err = read_changed(fd, bytes_max, mark, textp, bytesp, failurep);
	close(fd);
	return err;
}

static int write_all(int fd, const char *text, size_t bytes)
{
	while (bytes) {
		ssize_t n = write(fd, text, bytes);

		if (n < 0)
			return errno;
		text += n;
		bytes -= (size_t)n;
	}
	return fsync(fd) ? errno : 0;
}

int file_write(const char *name, const char *text, size_t bytes)
{
	char *other;
	int fd, err;

	if (asprintf(&other, "%s.XXXXXX", name) < 0)
		return ENOMEM;
	fd = mkostemp(other, O_CLOEXEC); /* its mode is 0600 */
	if (fd < 0) {
		err = errno;
		free(other);
		return err;
	}
	err = write_all(fd, text, bytes);
	if (close(fd) && !err)
		err = errno;
	if (!err && rename(other, name))
		err = errno;
	if (err)
		unlink(other);
	free(other);
	return err;
}

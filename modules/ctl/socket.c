/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The unix socket's file. A lock beside it, held for life, keeps two daemons
 * apart; under it, a socket that nobody answers on is a dead daemon's.
 */
#include "ctl/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

#define MODE 0660
#define BACKLOG 16

static int fail(const char *path, const char *what, int err)
{
	log_error("ctl", "msg=\"%s: %s: %s\"", path, what, strerror(err));
	return err;
}

static int make_address(const char *path, struct sockaddr_un *address)
{
	size_t length = strlen(path);

	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (!length || length >= sizeof(address->sun_path)) {
		log_error("ctl",
			  "msg=\"ctl.socket = '%s': a socket's path has 1 to "
			  "%zu characters\"",
			  path, sizeof(address->sun_path) - 1);
		return EINVAL;
	}
	memcpy(address->sun_path, path, length);
	return 0;
}

static int take_lock(struct ctl_socket *sock)
{
	char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 8];

	strcpy(stpcpy(path, sock->path), ".lock");
	sock->lock_fd =
	    open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (sock->lock_fd < 0)
		return fail(path,
			    "cannot open: does its directory exist, and "
			    "may we write there?",
			    errno);
	if (!flock(sock->lock_fd, LOCK_EX | LOCK_NB))
		return 0;
	if (errno != EWOULDBLOCK)
		return fail(path, "cannot lock", errno);
	log_error("ctl",
		  "msg=\"%s: another mcmigd has this socket: stop it, or give "
		  "this one another ctl.socket\"",
		  sock->path);
	return EADDRINUSE;
}

/* 0: nobody answers. */
static int try_connect(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return errno;
	err = connect(fd, (const struct sockaddr *)address, sizeof(*address))
		  ? errno
		  : 0;
	close(fd);
	return err == ECONNREFUSED ? 0 : EADDRINUSE;
}

static int remove_stale(const struct ctl_socket *sock,
			const struct sockaddr_un *address)
{
	struct stat status;
	int err;

	if (lstat(sock->path, &status))
		return errno == ENOENT ? 0 : fail(sock->path, "stat", errno);
	if (!S_ISSOCK(status.st_mode))
		return fail(sock->path,
			    "is no socket: remove it, or give another "
			    "ctl.socket",
			    EEXIST);
	err = try_connect(address);
	if (err)
		return fail(sock->path, "another process answers on it", err);
	return unlink(sock->path) ? fail(sock->path, "unlink", errno) : 0;
}

static int bind_and_listen(struct ctl_socket *sock,
			   const struct sockaddr_un *address)
{
	struct stat status;

	sock->fd =
	    socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (sock->fd < 0)
		return fail(sock->path, "socket", errno);
	/* Linux makes the file with these bits, less the umask: never more. */
	if (fchmod(sock->fd, MODE) ||
	    bind(sock->fd, (const struct sockaddr *)address, sizeof(*address)))
		return fail(sock->path, "bind", errno);
	if (chmod(sock->path, MODE) || lstat(sock->path, &status))
		return fail(sock->path, "chmod", errno);
	sock->device = status.st_dev;
	sock->inode = status.st_ino;
	if (listen(sock->fd, BACKLOG))
		return fail(sock->path, "listen", errno);
	return 0;
}

int ctl_socket_open(struct ctl_socket *sock, const char *path)
{
	struct sockaddr_un address;
	int err;

	*sock = (struct ctl_socket){ .path = path, .lock_fd = -1, .fd = -1 };
	err = make_address(path, &address);
	if (!err)
		err = take_lock(sock);
	if (!err)
		err = remove_stale(sock, &address);
	if (!err)
		err = bind_and_listen(sock, &address);
	if (err)
		ctl_socket_close(sock);
	return err;
}

void ctl_socket_close(struct ctl_socket *sock)
{
	struct stat status;

	if (!sock->path)
		return;
	if (sock->inode && !lstat(sock->path, &status) &&
	    status.st_dev == sock->device && status.st_ino == sock->inode)
		unlink(sock->path);
	if (sock->fd >= 0)
		close(sock->fd);
	/* The lock's file stays: removing it would let two hold "the" lock. */
	if (sock->lock_fd >= 0)
		close(sock->lock_fd);
	*sock = (struct ctl_socket){ 0 };
}

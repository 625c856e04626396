/* SPDX-License-Identifier: BSD-2-Clause */
/* The unix socket's file: one daemon has it, stale ones are removed. */
#ifndef MCMIG_CTL_SOCKET_H
#define MCMIG_CTL_SOCKET_H

#include <stdint.h>

struct ctl_socket {
	const char *path;
	int lock_fd;
	int fd;
	uint64_t device, inode; /* of the file: only ours is removed */
};

/* 0, or an errno, logged: EADDRINUSE when another daemon has it. */
int ctl_socket_open(struct ctl_socket *socket, const char *path);
/* Closing what is not open is fine; a zeroed struct counts as not open. */
void ctl_socket_close(struct ctl_socket *socket);

#endif

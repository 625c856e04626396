/* SPDX-License-Identifier: BSD-2-Clause */
/* mcmigctl's side of the ctl socket: one request, one answer. */
#include "ctl_connection.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Longer than the daemon lets a command last by default. */
#define WAIT_S 60

static const char *remedy(int err)
{
	switch (err) {
	case ENOENT:
		return "no such socket: is mcmigd running, with the module "
		       "ctl? Name its ctl.socket with -s";
	case ECONNREFUSED:
		return "nobody answers: mcmigd is not running";
	case EACCES:
		return "not permitted: use the user or group of mcmigd";
	case ENAMETOOLONG:
		return "too long for a socket's path";
	case EAGAIN:
		return "no answer in time: is mcmigd stopped or very busy?";
	case EPROTO:
		return "the answer is no JSON: is this mcmigd's ctl.socket?";
	case ECONNRESET:
	case EPIPE:
		return "mcmigd closed the connection without an answer";
	default:
		return strerror(err);
	}
}

static int connect_to(const char *path, int *fdp)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const struct timeval wait = { .tv_sec = WAIT_S };
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno;
	*fdp = fd;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return errno;
	return 0;
}

static int send_all(int fd, const char *text, size_t bytes)
{
	while (bytes) {
		ssize_t n = send(fd, text, bytes, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		/* What is refused at once has its answer waiting. */
		if (n < 0)
			return errno == EPIPE ? 0 : errno;
		text += n;
		bytes -= (size_t)n;
	}
	return 0;
}

static int send_request(int fd, const json_t *request)
{
	char *text = json_dumps(request, JSON_COMPACT);
	int err;

	if (!text)
		return EILSEQ;
	err = send_all(fd, text, strlen(text));
	if (!err)
		err = send_all(fd, "\n", 1);
	free(text);
	return err;
}

struct input {
	int fd;
	int error;
};

static size_t read_some(void *buffer, size_t bytes, void *data)
{
	struct input *input = data;
	ssize_t n;

	do
		n = recv(input->fd, buffer, bytes, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		input->error = errno;
	else if (!n)
		input->error = ECONNRESET;
	return n < 0 ? (size_t)-1 : (size_t)n;
}

static int read_answer(int fd, json_t **answerp)
{
	struct input input = { .fd = fd };
	json_t *answer =
	    json_load_callback(read_some, &input, JSON_DISABLE_EOF_CHECK, NULL);

	if (!answer)
		return input.error ? input.error : EPROTO;
	if (!json_object_get(answer, "result") &&
	    !json_is_string(json_object_get(answer, "error"))) {
		json_decref(answer);
		return EPROTO;
	}
	*answerp = answer;
	return 0;
}

int ctl_ask(const char *path, const json_t *request, json_t **answerp,
	    char *why, size_t why_bytes)
{
	int fd = -1;
	int err = connect_to(path, &fd);

	if (!err)
		err = send_request(fd, request);
	if (!err)
		err = read_answer(fd, answerp);
	if (fd >= 0)
		close(fd);
	if (err == EWOULDBLOCK)
		err = EAGAIN;
	if (err)
		snprintf(why, why_bytes, "%s: %s", path, remedy(err));
	return err;
}

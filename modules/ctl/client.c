/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client: reads a line, runs it, writes the answer, and only then looks at
 * the next line. So it has one command and one answer at most at a time, and
 * what it sends meanwhile waits in its socket.
 */
#include "ctl/ctl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utlist.h>

#include "base/log.h"
#include "loop/loop.h"

#define REQUEST_MAX_BYTES 65536
#define ANSWER_MAX_BYTES (8 * 1024 * 1024)

enum client_state {
	CLIENT_READING, /* waits for a line */
	CLIENT_RUNNING, /* its command is under way */
	CLIENT_WRITING, /* its answer is not yet taken */
	/* Gone while its command is under way: freed when that ends. */
	CLIENT_GONE,
};

struct ctl_client {
	struct command_call call;
	struct ctl *ctl;
	enum client_state state;
	int fd;
	struct loop_watch *watch;
	struct timer timer;
	bool advancing; /* a command that ends now returns to advance() */
	bool input_ended;
	char *answer;
	size_t answer_bytes, answer_sent;
	size_t input_bytes;
	struct ctl_client *prev, *next;
	char input[REQUEST_MAX_BYTES];
};

static void destroy(struct ctl_client *client)
{
	struct ctl *ctl = client->ctl;

	timer_stop(ctl->core->timers, &client->timer);
	loop_unwatch(client->watch);
	if (client->fd >= 0)
		close(client->fd);
	DL_DELETE(ctl->clients, client);
	ctl->client_count--;
	free(client->answer);
	free(client);
}

/* --- State -------------------------------------------------------------- */

/* Closed now, freed when nothing refers to it any more. */
static void leave(struct ctl_client *client)
{
	if (client->state != CLIENT_RUNNING) {
		destroy(client);
		return;
	}
	client->state = CLIENT_GONE;
	timer_stop(client->ctl->core->timers, &client->timer);
	loop_unwatch(client->watch);
	client->watch = NULL;
	close(client->fd);
	client->fd = -1;
}

static void take_timeout(void *arg)
{
	static const char late[] = "{\"error\":\"no answer in time: see "
				   "ctl.command_timeout\"}\n";
	struct ctl_client *client = arg;

	if (client->state == CLIENT_WRITING) {
		stat_increment(&client->ctl->dropped);
		log_warning("ctl", "msg=\"a client does not read its answer: "
				   "dropped\"");
	}
	if (client->state == CLIENT_RUNNING &&
	    send(client->fd, late, sizeof(late) - 1,
		 MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("ctl", "msg=\"a client left before its answer\"");
	leave(client);
}

static void enter(struct ctl_client *client, enum client_state state)
{
	const struct ctl_settings *settings = client->ctl->settings;
	const uint32_t timeout_ms[] = {
		[CLIENT_READING] = settings->idle_timeout_ms,
		[CLIENT_RUNNING] = settings->command_timeout_ms,
		[CLIENT_WRITING] = settings->answer_timeout_ms,
	};
	static const uint32_t events[] = {
		[CLIENT_READING] = EPOLLIN,
		[CLIENT_RUNNING] = 0,
		[CLIENT_WRITING] = EPOLLOUT,
	};

	client->state = state;
	loop_watch_events(client->watch, events[state]);
	timer_start(client->ctl->core->timers, &client->timer,
		    timeout_ms[state], take_timeout, client);
}

/* --- Answers ------------------------------------------------------------ */

static void set_answer(struct ctl_client *client, json_t *answer)
{
	char *text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
	size_t length = text ? strlen(text) : 0;

	json_decref(answer);
	if (!text || length > ANSWER_MAX_BYTES) {
		free(text);
		text = strdup("{\"error\":\"the answer is too large, or there "
			      "is no memory for it\"}");
		length = text ? strlen(text) : 0;
	}
	if (text)
		text[length] = '\n'; /* in place of its NUL */
	client->answer = text;
	client->answer_bytes = text ? length + 1 : 0;
	client->answer_sent = 0;
}

static void advance(struct ctl_client *client);

static void call_done(struct command_call *call, json_t *result,
		      const char *failure)
{
	struct ctl_client *client = (struct ctl_client *)call;

	if (client->state == CLIENT_GONE) {
		json_decref(result);
		destroy(client);
		return;
	}
	if (failure) {
		stat_increment(&client->ctl->failures);
		set_answer(client, json_pack("{s:s}", "error", failure));
	} else {
		set_answer(client, json_pack("{s:o}", "result", result));
	}
	enter(client, CLIENT_WRITING);
	if (!client->advancing)
		advance(client);
}

/* 0; EAGAIN: the client is slow; another errno: it is gone. */
static int send_answer(struct ctl_client *client)
{
	while (client->answer_sent < client->answer_bytes) {
		ssize_t n =
		    send(client->fd, client->answer + client->answer_sent,
			 client->answer_bytes - client->answer_sent,
			 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EWOULDBLOCK ? EAGAIN : errno;
		client->answer_sent += (size_t)n;
	}
	free(client->answer);
	client->answer = NULL;
	enter(client, CLIENT_READING);
	return 0;
}

/* --- Requests ----------------------------------------------------------- */

/* The first line's length without its newline; false: there is none yet. */
static bool has_line(const struct ctl_client *client, size_t *lengthp)
{
	const char *end = memchr(client->input, '\n', client->input_bytes);

	if (!end && client->input_ended && client->input_bytes)
		end = client->input + client->input_bytes;
	if (!end)
		return false;
	*lengthp = (size_t)(end - client->input);
	return true;
}

static void consume(struct ctl_client *client, size_t bytes)
{
	if (bytes > client->input_bytes)
		bytes = client->input_bytes;
	client->input_bytes -= bytes;
	memmove(client->input, client->input + bytes, client->input_bytes);
}

static bool is_blank(const char *line, size_t length)
{
	size_t i = 0;

	while (i < length && (line[i] == ' ' || line[i] == '\r'))
		i++;
	return i == length;
}

/* A request that does not fit is answered, and is the last one. */
static void refuse_long_line(struct ctl_client *client)
{
	client->input_ended = true;
	client->input_bytes = 0;
	enter(client, CLIENT_RUNNING);
	command_fail(&client->call, "the request is longer than 64 kB");
}

static void run_line(struct ctl_client *client, size_t length)
{
	if (!is_blank(client->input, length)) {
		enter(client, CLIENT_RUNNING);
		ctl_request_run(client->ctl, client->input, length,
				&client->call);
	}
	consume(client, length + 1);
}

/* Goes on until it has to wait: for input, the command, or the reader. */
static void advance(struct ctl_client *client)
{
	size_t length;
	int err = 0;

	client->advancing = true;
	while (!err) {
		if (client->state == CLIENT_WRITING)
			err = send_answer(client);
		else if (client->state == CLIENT_RUNNING)
			err = EAGAIN;
		else if (has_line(client, &length))
			run_line(client, length);
		else if (client->input_bytes == REQUEST_MAX_BYTES)
			refuse_long_line(client);
		else
			err = client->input_ended ? ENOTCONN : EAGAIN;
	}
	client->advancing = false;
	if (err != EAGAIN)
		leave(client);
}

static void read_input(struct ctl_client *client)
{
	ssize_t n = recv(client->fd, client->input + client->input_bytes,
			 REQUEST_MAX_BYTES - client->input_bytes, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		client->input_ended = true;
	else
		client->input_bytes += (size_t)n;
	advance(client);
}

static void take_event(void *arg, uint32_t events)
{
	struct ctl_client *client = arg;

	if (client->state == CLIENT_READING)
		read_input(client);
	else if (events & (EPOLLHUP | EPOLLERR))
		leave(client);
	else
		advance(client);
}

/* --- Public ------------------------------------------------------------- */

int ctl_client_create(struct ctl *ctl, int fd)
{
	struct ctl_client *client = malloc(sizeof(*client));
	int err;

	if (!client) {
		close(fd);
		return ENOMEM;
	}
	memset(client, 0, offsetof(struct ctl_client, input));
	client->call.done = call_done;
	client->ctl = ctl;
	client->fd = fd;
	DL_APPEND(ctl->clients, client);
	ctl->client_count++;
	err = loop_watch(ctl->core->loop, fd, EPOLLIN, take_event, client,
			 &client->watch);
	if (err)
		destroy(client);
	else
		enter(client, CLIENT_READING);
	return err;
}

void ctl_clients_destroy(struct ctl *ctl)
{
	while (ctl->clients)
		destroy(ctl->clients);
}

/* The client that asks is not what a drain waits for. */
static bool is_busy(const struct ctl_client *client)
{
	return !client->advancing && (client->state == CLIENT_RUNNING ||
				      client->state == CLIENT_WRITING);
}

size_t ctl_clients_busy(const struct ctl *ctl)
{
	const struct ctl_client *client;
	size_t busy = 0;

	DL_FOREACH(ctl->clients, client)
	{
		busy += is_busy(client);
	}
	return busy;
}

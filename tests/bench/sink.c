/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The next hop behind a relay. It keeps nothing: a request that comes twice is
 * answered twice, and a response flow that is lost stays lost, which the source
 * counts.
 */
#include "bench/sink.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "bench/request.h"
#include "bench/sip_text.h"
#include "bench/transport.h"

#define WAIT_US 1000000ULL

struct sinker {
	struct sink_result *result;
	struct transport *transport;
	struct request_maker maker;
	uint32_t number; /* of the next response flow */
	int err;
};

static volatile sig_atomic_t told_to_end;

static void on_signal(int number)
{
	(void)number;
	told_to_end = 1;
}

static void watch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
}

static void queue(struct sinker *sinker, const struct path *path,
		  const char *text, size_t bytes)
{
	if (bytes && !sinker->err)
		sinker->err =
		    transport_send(sinker->transport, path, text, bytes);
}

static void send_answer(struct sinker *sinker, const struct path *from,
			const struct sip_view *view, const char *status_line)
{
	char text[TRANSPORT_MESSAGE_MAX];

	queue(sinker, from, text,
	      sip_answer(text, sizeof(text), view, status_line, "mcmig-load"));
}

static void take_request_flow(struct sinker *sinker, const struct path *from,
			      const struct sip_view *view)
{
	char text[TRANSPORT_MESSAGE_MAX];
	size_t bytes = response_write(&sinker->maker, view, sinker->number,
				      text, sizeof(text));

	if (!bytes) {
		sinker->result->wrong++;
		send_answer(sinker, from, view, "400 Bad Request");
		return;
	}
	sinker->number++;
	sinker->result->taken++;
	send_answer(sinker, from, view, "200 OK");
	queue(sinker, NULL, text, bytes);
}

static void take_answer(struct sinker *sinker, const struct sip_view *view,
			const char *text)
{
	struct sink_result *result = sinker->result;

	if (view->status < 200)
		return;
	if (view->status < 300) {
		result->delivered++;
		return;
	}
	result->refused++;
	snprintf(result->last_refused, sizeof(result->last_refused), "%.*s",
		 (int)strcspn(text, "\r\n"), text);
}

static void on_message(const struct path *from, const char *text, size_t bytes,
		       void *arg)
{
	struct sinker *sinker = arg;
	struct sip_view view;

	if (bytes == 2)
		return;
	if (sip_view(text, bytes, &view)) {
		sinker->result->wrong++;
	} else if (view.status) {
		take_answer(sinker, &view, text);
	} else if (view.is_message) {
		take_request_flow(sinker, from, &view);
	} else {
		sinker->result->others++;
		send_answer(sinker, from, &view, "200 OK");
	}
}

int sink(const struct load_options *options, struct sink_result *result)
{
	struct sinker sinker = { .result = result };

	memset(result, 0, sizeof(*result));
	watch_signals();
	request_maker_init(&sinker.maker, options);
	sinker.err =
	    transport_create(&sinker.transport, options, on_message, &sinker);
	while (!sinker.err && !told_to_end)
		sinker.err = transport_poll(sinker.transport, WAIT_US);
	transport_destroy(sinker.transport);
	return sinker.err;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The event loop: one epoll that holds Sofia's epoll, our descriptors, timers. */
#include "loop/loop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <utlist.h>

#include "base/clock.h"
#include "base/log.h"
#include "loop/sofia.h"

#define EVENTS_A_TURN 64
/*
 * Sofia serves a datagram a step: so many before our own descriptors, timers
 * and the end-of-turn work (a commit) get their turn.
 */
#define SOFIA_STEPS_A_TURN 64
/* Below that Sofia's timers would make us spin (su_duration() truncates). */
#define SOFIA_WAIT_MIN_MS 2
/* A send outside of a step may start a timer of Sofia's that we do not see. */
#define SOFIA_WAIT_MAX_MS 1000

struct loop_watch {
	struct loop *loop;
	int fd;
	loop_watch_h *handler;
	void *arg;
	struct loop_watch *prev, *next;
};

struct loop_signal {
	loop_signal_h *handler;
	void *arg;
};

struct loop {
	int epoll_fd;
	int signal_fd;
	sigset_t signals;
	sigset_t blocked_before;
	struct loop_signal signal_handlers[NSIG];
	struct timers *timers;
	su_root_t *root;
	bool sofia_ready; /* a step would find work */
	uint64_t sofia_due_ms;
	struct loop_watch *watches;
	struct loop_work *work;
	bool stopped;
	/* Events of this turn that are not handled yet. */
	struct epoll_event *pending;
	int pending_count;
};

static _Thread_local bool is_loop_thread;

bool loop_is_current_thread(void)
{
	return is_loop_thread;
}

struct timers *loop_timers(struct loop *loop)
{
	return loop->timers;
}

void *loop_su_root(struct loop *loop)
{
	return loop->root;
}

/* --- Descriptors --------------------------------------------------------- */

int loop_watch(struct loop *loop, int fd, uint32_t events,
	       loop_watch_h *handler, void *arg, struct loop_watch **watchp)
{
	struct loop_watch *watch = calloc(1, sizeof(*watch));
	struct epoll_event event = { .events = events, .data.ptr = watch };

	if (!watch)
		return ENOMEM;
	*watch = (struct loop_watch){
		.loop = loop, .fd = fd, .handler = handler, .arg = arg
	};
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		int err = errno;

		free(watch);
		return err;
	}
	DL_APPEND(loop->watches, watch);
	*watchp = watch;
	return 0;
}

int loop_watch_events(struct loop_watch *watch, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };

	if (epoll_ctl(watch->loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event) <
	    0)
		return errno;
	return 0;
}

void loop_unwatch(struct loop_watch *watch)
{
	struct loop *loop;

	if (!watch)
		return;
	loop = watch->loop;
	for (int i = 0; i < loop->pending_count; i++)
		if (loop->pending[i].data.ptr == watch)
			loop->pending[i].data.ptr = NULL;
	/* Fails when the caller has closed the descriptor: then it is gone. */
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
	DL_DELETE(loop->watches, watch);
	free(watch);
}

static void dispatch(struct loop *loop, struct epoll_event *events, int count)
{
	for (int i = 0; i < count; i++) {
		struct loop_watch *watch = events[i].data.ptr;

		loop->pending = events + i + 1;
		loop->pending_count = count - i - 1;
		if (watch)
			watch->handler(watch->arg, events[i].events);
	}
	loop->pending_count = 0;
}

/* --- Signals ------------------------------------------------------------- */

static void read_signals(void *arg, uint32_t events)
{
	struct loop *loop = arg;
	struct signalfd_siginfo info;

	(void)events;
	while (read(loop->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		struct loop_signal *handler =
		    &loop->signal_handlers[info.ssi_signo];

		if (handler->handler)
			handler->handler(handler->arg, (int)info.ssi_signo);
	}
}

int loop_signal(struct loop *loop, int signal_number, loop_signal_h *handler,
		void *arg)
{
	struct loop_watch *watch;
	int fd;

	if (signal_number <= 0 || signal_number >= NSIG)
		return EINVAL;
	sigaddset(&loop->signals, signal_number);
	fd = signalfd(loop->signal_fd, &loop->signals,
		      SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return errno;
	loop->signal_handlers[signal_number] =
	    (struct loop_signal){ .handler = handler, .arg = arg };
	pthread_sigmask(SIG_BLOCK, &loop->signals,
			loop->signal_fd < 0 ? &loop->blocked_before : NULL);
	if (loop->signal_fd >= 0)
		return 0;
	loop->signal_fd = fd;
	return loop_watch(loop, fd, EPOLLIN, read_signals, loop, &watch);
}

/* --- Work at the end of a turn ------------------------------------------- */

void loop_work_queue(struct loop *loop, struct loop_work *work)
{
	if (work->queued)
		return;
	work->queued = true;
	DL_APPEND(loop->work, work);
}

void loop_work_cancel(struct loop *loop, struct loop_work *work)
{
	if (!work->queued)
		return;
	work->queued = false;
	DL_DELETE(loop->work, work);
}

/* What the work itself queues is done in the next turn. */
static void run_work(struct loop *loop)
{
	struct loop_work last = { .queued = true };

	if (!loop->work)
		return;
	DL_APPEND(loop->work, &last);
	while (loop->work != &last) {
		struct loop_work *work = loop->work;

		loop_work_cancel(loop, work);
		work->handler(work->arg);
	}
	DL_DELETE(loop->work, &last);
}

/* --- Sofia --------------------------------------------------------------- */

static void sofia_is_ready(void *arg, uint32_t events)
{
	struct loop *loop = arg;

	(void)events;
	loop->sofia_ready = true;
}

static void note_sofia_wait(struct loop *loop, su_duration_t wait_ms)
{
	if (wait_ms < SOFIA_WAIT_MIN_MS)
		wait_ms = SOFIA_WAIT_MIN_MS;
	if (wait_ms > SOFIA_WAIT_MAX_MS)
		wait_ms = SOFIA_WAIT_MAX_MS;
	loop->sofia_due_ms = clock_monotonic_ms() + (uint64_t)wait_ms;
}

/* 0 from a step: it had work, or a timer is due in less than a millisecond. */
static void step_sofia(struct loop *loop)
{
	su_duration_t wait_ms = 0;

	for (int i = 0; i < SOFIA_STEPS_A_TURN && !wait_ms; i++)
		wait_ms = su_root_step(loop->root, 0);
	loop->sofia_ready = false;
	note_sofia_wait(loop, wait_ms);
}

/* --- The turn ------------------------------------------------------------ */

static int next_wait_ms(const struct loop *loop)
{
	uint64_t now_ms = clock_monotonic_ms();
	int wait_ms = timers_next_ms(loop->timers);
	int sofia_ms;

	if (loop->work || now_ms >= loop->sofia_due_ms)
		return 0;
	sofia_ms = (int)(loop->sofia_due_ms - now_ms);
	return wait_ms < 0 || sofia_ms < wait_ms ? sofia_ms : wait_ms;
}

static void turn(struct loop *loop)
{
	struct epoll_event events[EVENTS_A_TURN];
	int count = epoll_wait(loop->epoll_fd, events, EVENTS_A_TURN,
			       next_wait_ms(loop));

	if (count < 0 && errno != EINTR)
		log_error("loop", "msg=\"epoll_wait fails\" error=\"%s\"",
			  strerror(errno));
	dispatch(loop, events, count);
	if (loop->sofia_ready || clock_monotonic_ms() >= loop->sofia_due_ms)
		step_sofia(loop);
	timers_run(loop->timers);
	run_work(loop);
}

void loop_run(struct loop *loop)
{
	loop->stopped = false;
	while (!loop->stopped)
		turn(loop);
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
}

/* --- Life ---------------------------------------------------------------- */

static int open_root(struct loop *loop)
{
	struct loop_watch *watch;
	int fd, err;

	err = sofia_root_create(&loop->root, &fd);
	if (err)
		return err;
	return loop_watch(loop, fd, EPOLLIN, sofia_is_ready, loop, &watch);
}

int loop_create(struct loop **loopp)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	int err;

	if (!loop)
		return ENOMEM;
	err = sofia_init();
	if (err) {
		free(loop);
		return err;
	}
	is_loop_thread = true;
	loop->signal_fd = -1;
	sigemptyset(&loop->signals);
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0)
		err = errno;
	if (!err)
		err = timers_create(&loop->timers);
	if (!err)
		err = open_root(loop);
	if (!err) {
		*loopp = loop;
		return 0;
	}
	loop_destroy(loop);
	return err;
}

void loop_destroy(struct loop *loop)
{
	if (!loop)
		return;
	while (loop->watches)
		loop_unwatch(loop->watches);
	if (loop->root)
		su_root_destroy(loop->root);
	if (loop->signal_fd >= 0) {
		close(loop->signal_fd);
		pthread_sigmask(SIG_SETMASK, &loop->blocked_before, NULL);
	}
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	timers_destroy(loop->timers);
	sofia_deinit();
	is_loop_thread = false;
	free(loop);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes that wait to be written: bounded, and nothing while there are none. */
#ifndef MCMIG_SIP_TLS_QUEUE_H
#define MCMIG_SIP_TLS_QUEUE_H

#include "base/export.h"

struct tls_queue {
	char *data;
	size_t begin, end, size;
};

/* Room for `bytes` more. 0, ENOBUFS: more than `max` would wait; ENOMEM. */
int tls_queue_reserve(struct tls_queue *queue, size_t bytes, size_t max);
/* Into the room that was reserved. */
void tls_queue_add(struct tls_queue *queue, const void *data, size_t bytes);
/* The first bytes have been written. */
void tls_queue_drop(struct tls_queue *queue, size_t bytes);
void tls_queue_clear(struct tls_queue *queue);

static inline size_t tls_queue_bytes(const struct tls_queue *queue)
{
	return queue->end - queue->begin;
}

#endif

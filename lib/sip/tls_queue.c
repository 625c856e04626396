/* SPDX-License-Identifier: BSD-2-Clause */
/* One piece of memory, so that many short messages make full TLS records. */
#include "sip/tls_queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_MIN 4096

static void move_to_front(struct tls_queue *queue)
{
	memmove(queue->data, queue->data + queue->begin,
		tls_queue_bytes(queue));
	queue->end -= queue->begin;
	queue->begin = 0;
}

int tls_queue_reserve(struct tls_queue *queue, size_t bytes, size_t max)
{
	size_t used = tls_queue_bytes(queue), size = queue->size;
	char *data;

	if (bytes > max || used > max - bytes)
		return ENOBUFS;
	if (queue->size - queue->end >= bytes)
		return 0;
	if (queue->begin)
		move_to_front(queue);
	if (size < SIZE_MIN)
		size = SIZE_MIN;
	while (size < used + bytes)
		size *= 2;
	if (size == queue->size)
		return 0;
	data = realloc(queue->data, size);
	if (!data)
		return ENOMEM;
	queue->data = data;
	queue->size = size;
	return 0;
}

void tls_queue_add(struct tls_queue *queue, const void *data, size_t bytes)
{
	memcpy(queue->data + queue->end, data, bytes);
	queue->end += bytes;
}

void tls_queue_drop(struct tls_queue *queue, size_t bytes)
{
	queue->begin += bytes;
	if (queue->begin == queue->end)
		tls_queue_clear(queue);
}

void tls_queue_clear(struct tls_queue *queue)
{
	free(queue->data);
	*queue = (struct tls_queue){ 0 };
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* jansson and cjose allocate as before, and we hear when they could not. */
#include "token/memory.h"

#include <cjose/cjose.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "token/token.h"

static _Thread_local bool failed;

static void *allocate(size_t bytes)
{
	void *block = malloc(bytes);

	if (!block)
		failed = true;
	return block;
}

/* --- cjose's reserve ---------------------------------------------------- */

/*
 * cjose keeps the parts of a token as text and decoded: 7/4 of its length. The
 * rest is for its own structures, a digest and an RSA block of 1 kB.
 */
#define RESERVE_BYTES (2 * TOKEN_BYTES_MAX)

static struct {
	alignas(max_align_t) unsigned char bytes[RESERVE_BYTES];
	size_t used;   /* from the beginning */
	size_t blocks; /* when the last one is back, all of it is free again */
	pthread_mutex_t lock;
} reserve = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void *take_reserve(size_t bytes)
{
	const size_t step = alignof(max_align_t);
	void *block = NULL;

	pthread_mutex_lock(&reserve.lock);
	if (bytes <= RESERVE_BYTES - reserve.used) {
		block = reserve.bytes + reserve.used;
		reserve.used += (bytes + step - 1) / step * step;
		reserve.blocks++;
	}
	pthread_mutex_unlock(&reserve.lock);
	return block;
}

static bool is_reserve(const void *block)
{
	uintptr_t first = (uintptr_t)reserve.bytes;

	return (uintptr_t)block - first < RESERVE_BYTES;
}

static void *allocate_surely(size_t bytes)
{
	void *block = allocate(bytes);

	return block ? block : take_reserve(bytes);
}

static void give_back(void *block)
{
	if (!is_reserve(block)) {
		free(block);
		return;
	}
	pthread_mutex_lock(&reserve.lock);
	if (!--reserve.blocks)
		reserve.used = 0;
	pthread_mutex_unlock(&reserve.lock);
}

/* --- Hooks -------------------------------------------------------------- */

/*
 * cjose would hand its functions on to OpenSSL, which takes none any more once
 * it has allocated: it is libcurl's and libpq's too, and keeps blocks for good.
 * jansson bears a NULL. Nothing is ever lengthened.
 */
static void hook(void)
{
	OPENSSL_free(OPENSSL_malloc(1));
	cjose_set_alloc_funcs(allocate_surely, NULL, give_back);
	json_set_alloc_funcs(allocate, give_back);
}

void token_memory_begin(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, hook);
	failed = false;
}

bool token_memory_failed(void)
{
	return failed;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The process's key, drawn when it is first needed. */
#include "base/keyed_hash.h"

#include <pthread.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/siphash.h"

static struct siphash_key process_key;

/* A kernel without randomness: better a key of little use than none at all. */
static void draw_key(void)
{
	if (getrandom(&process_key, sizeof(process_key), 0) ==
	    sizeof(process_key))
		return;
	process_key.k0 = (uintptr_t)&process_key;
	process_key.k1 = clock_utc_us();
}

unsigned keyed_hash(const void *key, size_t bytes)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct siphash hash;

	pthread_once(&once, draw_key);
	siphash_start(&hash, &process_key);
	siphash_add(&hash, key, bytes);
	return (unsigned)siphash_end(&hash);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* jansson allocates as before, and we hear when it could not. */
#include "token/memory.h"

#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>

static _Thread_local bool failed;

static void *allocate(size_t bytes)
{
	void *block = malloc(bytes);

	if (!block)
		failed = true;
	return block;
}

static void hook(void)
{
	json_set_alloc_funcs(allocate, free);
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

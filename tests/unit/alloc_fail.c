/* SPDX-License-Identifier: BSD-2-Clause */
/* malloc and its family, replaced for the whole process or for libxml2. */
#include "alloc_fail.h"

#include <errno.h>
#include <libxml/xmlmemory.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/export.h"

#if defined(__SANITIZE_ADDRESS__)
#define UNDER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ASAN 1
#endif
#endif

static long countdown;
static bool lasting, sparing;
static size_t above = SIZE_MAX;
static bool happened;
static long live;

static bool is_its_turn(void)
{
	if (!countdown)
		return false;
	if (countdown == 1 && lasting)
		return true;
	return !--countdown;
}

static bool must_fail(size_t bytes)
{
	if (sparing || (bytes <= above && !is_its_turn()))
		return false;
	happened = true;
	errno = ENOMEM;
	return true;
}

void alloc_fail_at(long n)
{
	countdown = n;
	lasting = false;
	above = SIZE_MAX;
	happened = false;
}

void alloc_fail_from(long n)
{
	alloc_fail_at(n);
	lasting = true;
}

void alloc_fail_above(size_t bytes)
{
	alloc_fail_at(0);
	above = bytes;
}

void alloc_fail_spare(bool spare)
{
	sparing = spare;
}

bool alloc_fail_happened(void)
{
	return happened;
}

long alloc_fail_live(void)
{
	return live;
}

#ifdef UNDER_ASAN
static void *failing_malloc(size_t bytes)
{
	return must_fail(bytes) ? NULL : malloc(bytes);
}

static void *failing_realloc(void *block, size_t bytes)
{
	return must_fail(bytes) ? NULL : realloc(block, bytes);
}

static char *failing_strdup(const char *text)
{
	return must_fail(strlen(text)) ? NULL : strdup(text);
}

void alloc_fail_install(void)
{
	xmlMemSetup(free, failing_malloc, failing_realloc, failing_strdup);
}
#else
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *block, size_t bytes);
void __libc_free(void *block);

MCMIG_API void *malloc(size_t bytes)
{
	void *block = must_fail(bytes) ? NULL : __libc_malloc(bytes);

	live += block != NULL;
	return block;
}

MCMIG_API void *calloc(size_t count, size_t bytes)
{
	void *block =
	    must_fail(count * bytes) ? NULL : __libc_calloc(count, bytes);

	live += block != NULL;
	return block;
}

MCMIG_API void *realloc(void *block, size_t bytes)
{
	void *moved = must_fail(bytes) ? NULL : __libc_realloc(block, bytes);

	live += !block && moved;
	return moved;
}

MCMIG_API void free(void *block)
{
	live -= block != NULL;
	__libc_free(block);
}

void alloc_fail_install(void)
{
}
#endif

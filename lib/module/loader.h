/* SPDX-License-Identifier: BSD-2-Clause */
/* Loads modules: dlopen, ABI check, and their life in order. */
#ifndef MCMIG_MODULE_LOADER_H
#define MCMIG_MODULE_LOADER_H

#include "module/core.h"

struct loader;

/* `directory`: where NAME.so lies. 0 or ENOMEM. */
MCMIG_API int loader_create(struct loader **loaderp, const char *directory);
/* Stops what runs, last started first, and unloads. NULL is fine. */
MCMIG_API void loader_destroy(struct loader *loader);

/*
 * 0; ENOENT no such file; ENOEXEC no mcmig_module or another ABI; EEXIST loaded
 * already; EINVAL a name with a slash. Logged with file and remedy.
 */
MCMIG_API int loader_load(struct loader *loader, const char *name);

MCMIG_API size_t loader_count(const struct loader *loader);
MCMIG_API const struct module *loader_module(const struct loader *loader,
					     size_t i);
MCMIG_API void *loader_context(const struct loader *loader, size_t i);

/* All modules in the order of loading; the first error ends it. */
MCMIG_API int loader_init(struct loader *loader, struct core *core,
			  const struct conf *conf);
MCMIG_API int loader_start(struct loader *loader);
/* An error: all have what they had, but see loader_uses(). */
MCMIG_API int loader_reload(struct loader *loader, const struct conf *conf);
/* Whether a module works with settings of this one: it must not be freed. */
MCMIG_API bool loader_uses(const struct loader *loader,
			   const struct conf *conf);
MCMIG_API void loader_drain(struct loader *loader);
MCMIG_API size_t loader_pending(const struct loader *loader);
/* Stop in reverse order; what was not started or inited is passed over. */
MCMIG_API void loader_stop(struct loader *loader);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Modules in the order of loading, and how far each has got in its life. */
#include "module/loader.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

enum loaded_state {
	LOADED,	 /* the ABI fits; nothing was called */
	INITED,	 /* init() has returned 0 */
	STARTED, /* start() has returned 0 */
};

struct loaded {
	struct loaded *next;
	void *library;
	const struct module *module;
	enum loaded_state state;
	void *context;
	const void *settings; /* those in use */
};

struct loader {
	char *directory;
	struct loaded *first;
};

int loader_create(struct loader **loaderp, const char *directory)
{
	struct loader *loader = calloc(1, sizeof(*loader));

	if (!loader)
		return ENOMEM;
	loader->directory = strdup(directory);
	if (!loader->directory) {
		free(loader);
		return ENOMEM;
	}
	*loaderp = loader;
	return 0;
}

/* The last one first: a module may lean on those before it. */
static void unload(struct loaded *loaded)
{
	if (!loaded)
		return;
	unload(loaded->next);
	dlclose(loaded->library);
	free(loaded);
}

void loader_destroy(struct loader *loader)
{
	if (!loader)
		return;
	loader_stop(loader);
	unload(loader->first);
	free(loader->directory);
	free(loader);
}

/* --- Loading ------------------------------------------------------------ */

static bool is_loaded(const struct loader *loader, const char *name)
{
	for (const struct loaded *l = loader->first; l; l = l->next) {
		if (!strcmp(l->module->name, name))
			return true;
	}
	return false;
}

static int check_name(const struct loader *loader, const char *name)
{
	if (!*name || strchr(name, '/')) {
		log_error("module",
			  "msg=\"'%s' is no module name: write it without a "
			  "path, and set module_directory\"",
			  name);
		return EINVAL;
	}
	if (is_loaded(loader, name)) {
		log_error("module",
			  "msg=\"%s stands twice in modules: remove one\"",
			  name);
		return EEXIST;
	}
	return 0;
}

static int open_library(const char *path, void **libraryp)
{
	if (access(path, F_OK)) {
		log_error("module",
			  "msg=\"%s: no such module: check modules and "
			  "module_directory\"",
			  path);
		return ENOENT;
	}
	*libraryp = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!*libraryp) {
		log_error("module", "msg=\"cannot load: %s\"", dlerror());
		return ENOEXEC;
	}
	return 0;
}

static int check_module(const struct module *module, const char *path,
			const char *name)
{
	if (!module) {
		log_error("module",
			  "msg=\"%s is no module: it has no mcmig_module\"",
			  path);
		return ENOEXEC;
	}
	if (module->abi != MODULE_ABI) {
		log_error("module",
			  "msg=\"%s is built for module ABI %u, this is %u: "
			  "install the module of this version\"",
			  path, (unsigned)module->abi, (unsigned)MODULE_ABI);
		return ENOEXEC;
	}
	if (!module->name || strcmp(module->name, name)) {
		log_error("module", "msg=\"%s is another module: '%s'\"", path,
			  module->name ? module->name : "");
		return ENOEXEC;
	}
	return 0;
}

static int append(struct loader *loader, void *library,
		  const struct module *module)
{
	struct loaded **link = &loader->first;
	struct loaded *loaded = calloc(1, sizeof(*loaded));

	if (!loaded)
		return ENOMEM;
	loaded->library = library;
	loaded->module = module;
	while (*link)
		link = &(*link)->next;
	*link = loaded;
	return 0;
}

int loader_load(struct loader *loader, const char *name)
{
	char path[4096];
	void *library = NULL;
	const struct module *module;
	int err = check_name(loader, name);

	if (err)
		return err;
	if ((size_t)snprintf(path, sizeof(path), "%s/%s.so", loader->directory,
			     name) >= sizeof(path))
		return EINVAL;
	err = open_library(path, &library);
	if (err)
		return err;
	module = dlsym(library, "mcmig_module");
	err = check_module(module, path, name);
	if (!err)
		err = append(loader, library, module);
	if (err)
		dlclose(library);
	return err;
}

/* --- Looking ------------------------------------------------------------ */

size_t loader_count(const struct loader *loader)
{
	size_t n = 0;

	for (const struct loaded *l = loader->first; l; l = l->next)
		n++;
	return n;
}

static const struct loaded *loaded_at(const struct loader *loader, size_t i)
{
	const struct loaded *loaded = loader->first;

	while (loaded && i--)
		loaded = loaded->next;
	return loaded;
}

const struct module *loader_module(const struct loader *loader, size_t i)
{
	const struct loaded *loaded = loaded_at(loader, i);

	return loaded ? loaded->module : NULL;
}

void *loader_context(const struct loader *loader, size_t i)
{
	const struct loaded *loaded = loaded_at(loader, i);

	return loaded ? loaded->context : NULL;
}

/* --- Life --------------------------------------------------------------- */

static int fail(const struct loaded *loaded, const char *what, int err)
{
	log_error("module", "msg=\"module %s could not %s: %s\"",
		  loaded->module->name, what, strerror(err));
	return err;
}

int loader_init(struct loader *loader, struct core *core,
		const struct conf *conf)
{
	for (struct loaded *l = loader->first; l; l = l->next) {
		int err = 0;

		l->settings = conf_values(conf, l->module->name);
		if (l->module->init)
			err = l->module->init(core, l->settings, &l->context);
		if (err)
			return fail(l, "be initialised", err);
		l->state = INITED;
	}
	return 0;
}

int loader_start(struct loader *loader)
{
	for (struct loaded *l = loader->first; l; l = l->next) {
		int err = l->module->start ? l->module->start(l->context) : 0;

		if (err)
			return fail(l, "start", err);
		l->state = STARTED;
	}
	return 0;
}

static int reload_one(struct loaded *loaded, const void *settings)
{
	int err = 0;

	if (loaded->module->reload)
		err = loaded->module->reload(loaded->context, settings);
	return err ? fail(loaded, "reload", err) : 0;
}

/*
 * Those before `failed` go back to what they had: all reload, or none. Who
 * cannot, as a file that it had is gone, stays with what it has now.
 */
static void undo_reload(struct loader *loader, const struct loaded *failed,
			const struct conf *conf)
{
	for (struct loaded *l = loader->first; l != failed; l = l->next) {
		if (!reload_one(l, l->settings))
			continue;
		l->settings = conf_values(conf, l->module->name);
		log_error("module",
			  "msg=\"%s cannot go back and keeps its new "
			  "settings: mend the configuration and reload\"",
			  l->module->name);
	}
}

int loader_reload(struct loader *loader, const struct conf *conf)
{
	for (struct loaded *l = loader->first; l; l = l->next) {
		int err = reload_one(l, conf_values(conf, l->module->name));

		if (err) {
			undo_reload(loader, l, conf);
			return err;
		}
	}
	for (struct loaded *l = loader->first; l; l = l->next)
		l->settings = conf_values(conf, l->module->name);
	return 0;
}

bool loader_uses(const struct loader *loader, const struct conf *conf)
{
	for (const struct loaded *l = loader->first; l; l = l->next) {
		if (l->settings &&
		    l->settings == conf_values(conf, l->module->name))
			return true;
	}
	return false;
}

void loader_drain(struct loader *loader)
{
	for (struct loaded *l = loader->first; l; l = l->next) {
		if (l->state == STARTED && l->module->drain)
			l->module->drain(l->context);
	}
}

size_t loader_pending(const struct loader *loader)
{
	size_t pending = 0;

	for (const struct loaded *l = loader->first; l; l = l->next) {
		if (l->state == STARTED && l->module->pending)
			pending += l->module->pending(l->context);
	}
	return pending;
}

static void stop_from(struct loaded *loaded)
{
	if (!loaded)
		return;
	stop_from(loaded->next);
	if (loaded->state != LOADED && loaded->module->stop)
		loaded->module->stop(loaded->context);
	loaded->state = LOADED;
	loaded->context = NULL;
}

void loader_stop(struct loader *loader)
{
	stop_from(loader->first);
}

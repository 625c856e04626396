/* SPDX-License-Identifier: BSD-2-Clause */
/* Configuration and modules: which are loaded gives which sections there are. */
#include "daemon.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

#define CORE_SECTIONS 3

static size_t section_count(const struct loader *loader)
{
	return CORE_SECTIONS + loader_count(loader);
}

/* The core's, then each module's. free() it; NULL: no memory. */
static struct conf_section *sections_of(const struct loader *loader)
{
	size_t count = loader_count(loader);
	struct conf_section *sections =
	    calloc(section_count(loader), sizeof(*sections));

	if (!sections)
		return NULL;
	sections[0] = daemon_section;
	sections[1] = tls_section("tls");
	sections[2] = tls_section("tls_outside");
	for (size_t i = 0; i < count; i++) {
		const struct module *module = loader_module(loader, i);

		sections[CORE_SECTIONS + i] = (struct conf_section){
			.name = module->name,
			.settings = module->settings,
			.values_bytes = module->settings_bytes,
		};
	}
	return sections;
}

static int parse(const struct daemon *daemon, struct conf **confp)
{
	struct conf_section *sections = sections_of(daemon->loader);
	int err = ENOMEM;

	if (sections)
		err = conf_parse(daemon->file, sections,
				 section_count(daemon->loader), confp);
	free(sections);
	return err;
}

static int load_modules(struct daemon *daemon,
			const struct daemon_settings *settings)
{
	int err = loader_create(&daemon->loader, settings->module_directory);

	for (size_t i = 0; i < settings->modules.count && !err; i++)
		err = loader_load(daemon->loader, settings->modules.values[i]);
	return err;
}

static void set_log_level(const struct daemon_settings *settings)
{
	enum log_level level;

	if (!log_level_parse(settings->log_level, &level))
		log_set_level(level);
}

static int set_names(struct daemon *daemon,
		     const struct daemon_settings *settings)
{
	daemon->core.system = settings->system;
	daemon->core.node = settings->node;
	if (!*settings->system) {
		log_error("mcmigd",
			  "msg=\"%s: system is empty: name our own MC "
			  "system\"",
			  daemon->file);
		return EINVAL;
	}
	if (*settings->node)
		return 0;
	if (gethostname(daemon->node, sizeof(daemon->node) - 1) ||
	    !*daemon->node) {
		log_error("mcmigd", "msg=\"this host has no name: set node\"");
		return EINVAL;
	}
	daemon->core.node = daemon->node;
	return 0;
}

static int check_listen(const struct setting_list *listen, bool has_sides)
{
	int err = 0;

	for (size_t i = 0; i < listen->count && !err; i++)
		err = sip_listen_check(listen->values[i], has_sides);
	return err;
}

static int check(struct daemon *daemon, const struct daemon_settings *settings)
{
	bool has_sides = settings->listen_outside.count > 0;
	int err = set_names(daemon, settings);

	if (!err)
		err = check_listen(&settings->listen, has_sides);
	if (!err)
		err = check_listen(&settings->listen_outside, has_sides);
	return err;
}

int daemon_load(struct daemon *daemon)
{
	struct conf *peeked = NULL;
	int err = conf_peek(daemon->file, &daemon_section, &peeked);

	if (!err)
		err = load_modules(daemon, conf_values(peeked, ""));
	if (!err)
		err = parse(daemon, &daemon->conf);
	conf_free(peeked);
	if (err)
		return err;
	daemon->first_conf = daemon->conf;
	set_log_level(daemon_settings(daemon));
	return check(daemon, daemon_settings(daemon));
}

void daemon_unload(struct daemon *daemon)
{
	loader_destroy(daemon->loader);
	if (daemon->conf != daemon->first_conf)
		conf_free(daemon->conf);
	conf_free(daemon->first_conf);
}

/* --- Reload ------------------------------------------------------------- */

/* Another list means other sections, which this process cannot read. */
static int check_modules(struct daemon *daemon, char *why, size_t why_bytes)
{
	const struct setting_list *now = &daemon_settings(daemon)->modules,
				  *new;
	struct conf *peeked;
	bool same;

	if (conf_peek(daemon->file, &daemon_section, &peeked)) {
		snprintf(why, why_bytes, "%s is not valid: see the log",
			 daemon->file);
		return EINVAL;
	}
	new =
	    &((const struct daemon_settings *)conf_values(peeked, ""))->modules;
	same = now->count == new->count;
	for (size_t i = 0; same && i < now->count; i++)
		same = !strcmp(now->values[i], new->values[i]);
	conf_free(peeked);
	if (same)
		return 0;
	snprintf(why, why_bytes,
		 "modules has changed: that needs a restart, and nothing was "
		 "reloaded");
	return EINVAL;
}

static void replace_conf(struct daemon *daemon, struct conf *conf)
{
	if (daemon->conf != daemon->first_conf)
		conf_free(daemon->conf);
	daemon->conf = conf;
	set_log_level(daemon_settings(daemon));
}

int daemon_reload(struct daemon *daemon, char *why, size_t why_bytes)
{
	struct conf *conf = NULL;
	struct daemon_tls tls;
	size_t kept;
	int err = check_modules(daemon, why, why_bytes);

	if (err)
		return err;
	err = parse(daemon, &conf);
	if (err) {
		snprintf(why, why_bytes, "%s is not valid: see the log",
			 daemon->file);
		return err;
	}
	kept = conf_keep_fixed(daemon->conf, conf);
	err = daemon_tls_create(daemon, conf, &tls);
	if (err) {
		conf_free(conf);
		snprintf(why, why_bytes,
			 "the certificates are not valid, the old ones stay: "
			 "see the log");
		return err;
	}
	err = loader_reload(daemon->loader, conf);
	if (err) {
		daemon_tls_release(&tls);
		if (loader_uses(daemon->loader, conf))
			conf_keep(daemon->conf, conf);
		else
			conf_free(conf);
		snprintf(why, why_bytes,
			 "a module did not take its settings: see the log");
		return err;
	}
	replace_conf(daemon, conf);
	daemon_tls_use(daemon, &tls);
	if (daemon->store && store_is_up(daemon->store))
		store_reload_directory(daemon->store);
	log_info("mcmigd", "msg=\"reloaded\" need_restart=%zu", kept);
	return 0;
}

/* --- Every setting ------------------------------------------------------ */

static void load_found(struct loader *loader, const char *path)
{
	const char *slash = strrchr(path, '/');
	char *name = strdup(slash ? slash + 1 : path);

	if (!name)
		return;
	name[strlen(name) - strlen(".so")] = '\0';
	loader_load(loader, name);
	free(name);
}

/* All modules there are, in use or not. */
static int load_directory(struct daemon *daemon, const char *directory)
{
	char pattern[4096];
	glob_t found;
	int err = loader_create(&daemon->loader, directory);

	if (err)
		return err;
	snprintf(pattern, sizeof(pattern), "%s/*.so", directory);
	if (glob(pattern, 0, NULL, &found))
		return 0;
	for (size_t i = 0; i < found.gl_pathc; i++)
		load_found(daemon->loader, found.gl_pathv[i]);
	globfree(&found);
	return 0;
}

int daemon_help_config(struct daemon *daemon)
{
	struct conf *peeked = NULL;
	const struct daemon_settings *settings = NULL;
	struct conf_section *sections = NULL;
	int err = 0;

	if (daemon->file)
		err = conf_peek(daemon->file, &daemon_section, &peeked);
	if (err)
		return err;
	settings = peeked ? conf_values(peeked, "") : NULL;
	err = load_directory(daemon, settings ? settings->module_directory
					      : MODULE_DIR);
	if (!err)
		sections = sections_of(daemon->loader);
	if (sections)
		conf_help(sections, section_count(daemon->loader), stdout);
	free(sections);
	conf_free(peeked);
	daemon_unload(daemon);
	return err;
}

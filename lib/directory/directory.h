/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The directory of MC systems: which domains they own and how their servers
 * are reached. Built whole from the store, then read-only; swapped whole.
 */
#ifndef MCMIG_DIRECTORY_DIRECTORY_H
#define MCMIG_DIRECTORY_DIRECTORY_H

#include "base/export.h"

#define SYSTEM_NAME_SIZE 64
#define DIRECTORY_URI_SIZE 128

struct directory_server {
	char uri[DIRECTORY_URI_SIZE]; /* sip:IP:PORT;transport=udp|tcp */
	unsigned priority;	      /* lower first */
	unsigned weight;	      /* share among equal priority */
};

struct directory_system {
	char name[SYSTEM_NAME_SIZE];
	bool enabled;
	struct directory_server *servers; /* by priority, then URI */
	size_t server_count;
};

struct directory;

MCMIG_API int directory_create(struct directory **directoryp);
MCMIG_API void directory_destroy(struct directory *directory);

/* Each: 0, ENOMEM, EEXIST doubled, ENOENT unknown system, EINVAL bad value. */
MCMIG_API int directory_add_system(struct directory *directory,
				   const char *name, bool enabled);
MCMIG_API int directory_add_domain(struct directory *directory,
				   const char *system, const char *domain);
MCMIG_API int directory_add_server(struct directory *directory,
				   const char *system, const char *uri,
				   unsigned priority, unsigned weight);

MCMIG_API size_t directory_system_count(const struct directory *directory);
MCMIG_API const struct directory_system *
directory_system_at(const struct directory *directory, size_t i);
/* NULL if unknown. Domains compare case-insensitively; no subdomains. */
MCMIG_API const struct directory_system *
directory_find_system(const struct directory *directory, const char *name);
MCMIG_API const struct directory_system *
directory_find_domain(const struct directory *directory, const char *domain);

/* Whether one of the system's servers has this IP literal. */
MCMIG_API bool directory_has_host(const struct directory_system *system,
				  const char *host);

#endif

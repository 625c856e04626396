/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The MC services. Every procedure exists once, parametrised by a row of this
 * table (TS 24.379, TS 24.281, TS 24.282 annexes D to F).
 */
#ifndef MCMIG_MCINFO_SERVICE_H
#define MCMIG_MCINFO_SERVICE_H

#include "base/export.h"

enum mc_service { /* the values are stored */
		  MC_SERVICE_MCPTT = 1,
		  MC_SERVICE_MCVIDEO = 2,
		  MC_SERVICE_MCDATA = 3,
};
#define MC_SERVICE_END 4

struct mc_service_info {
	const char *name;	   /* "mcptt": configuration, tables, tools */
	const char *xml_namespace; /* "urn:3gpp:ns:mcpttInfo:1.0" */
	const char *root;	   /* "mcpttinfo" */
	const char *params;	   /* "mcptt-Params" */
	const char *access_token;  /* "mcptt-access-token" */
	const char *string;	   /* "mcpttString" */
	const char *content_type;  /* "application/vnd.3gpp.mcptt-info+xml" */
	const char *icsi;	   /* P-Asserted-Service, P-Preferred-Service */
	const char
	    *accept_contact; /* whole value of the Accept-Contact header */
};

/* NULL for a value that names no service. */
MCMIG_API const struct mc_service_info *
mc_service_info(enum mc_service service);
/* 0, or ENOENT. */
MCMIG_API int mc_service_from_name(const char *name, enum mc_service *servicep);

#endif

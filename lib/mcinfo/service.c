/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of the MC services. */
#include "mcinfo/service.h"

#include <errno.h>
#include <string.h>

/* ICSI and feature tag: annex D of TS 24.379, TS 24.281 and TS 24.282. */
#define SERVICE(word)                                                      \
	{                                                                  \
		.name = #word,                                             \
		.xml_namespace = "urn:3gpp:ns:" #word "Info:1.0",          \
		.root = #word "info", .params = #word "-Params",           \
		.access_token = #word "-access-token",                     \
		.string = #word "String",                                  \
		.content_type = "application/vnd.3gpp." #word "-info+xml", \
		.icsi = "urn:urn-7:3gpp-service.ims.icsi." #word,          \
		.accept_contact = "*;+g.3gpp." #word ";require;explicit",  \
	}

static const struct mc_service_info services[MC_SERVICE_END] = {
	[MC_SERVICE_MCPTT] = SERVICE(mcptt),
	[MC_SERVICE_MCVIDEO] = SERVICE(mcvideo),
	[MC_SERVICE_MCDATA] = SERVICE(mcdata),
};

const struct mc_service_info *mc_service_info(enum mc_service service)
{
	if ((unsigned)service >= MC_SERVICE_END || !services[service].name)
		return NULL;
	return &services[service];
}

int mc_service_from_name(const char *name, enum mc_service *servicep)
{
	for (int i = 1; i < MC_SERVICE_END; i++) {
		if (!strcmp(name, services[i].name)) {
			*servicep = (enum mc_service)i;
			return 0;
		}
	}
	return ENOENT;
}

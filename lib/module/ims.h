/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The IMS in front (TS 24.229 5.7): a module sets core.ims; the migration
 * module asks it whose P- headers count and how a client is reached.
 */
#ifndef MCMIG_MODULE_IMS_H
#define MCMIG_MODULE_IMS_H

#include "base/export.h"
#include "sip/sip.h"

struct ims_hop {	   /* borrowed until the next question */
	const char *uri;   /* sip:IP:PORT;transport=... of an IMS peer */
	const char *route; /* value of the Route header: "<...;lr>" */
	/* What the peer's certificate has to say on TLS. */
	const char *const *certificate_names;
	size_t certificate_name_count;
};

/*
 * A third-party REGISTER says that this identity (a canonical SIP URI) is here.
 * True: the handler answers the request itself, once it is durable.
 */
typedef bool ims_registered_h(void *arg, const char *identity,
			      handle_t transaction);

struct ims {
	/*
	 * Whether this is one of our IMS's nodes: only of such is anything
	 * believed that P- headers and Privacy say.
	 */
	bool (*trusts)(struct ims *ims, const struct sip_source *source);
	/*
	 * Whether the topmost Route (NULL: none) ends here, so that we may act
	 * as the application server it names; else it would want a proxy.
	 */
	bool (*is_ours)(struct ims *ims, const char *route);
	/*
	 * The `attempt`th way (from 0) for a terminating request to `identity`:
	 * the S-CSCF that registered it, then `asked_by` (sip:... of who sent
	 * the request, "": none), then the configured ones; whether they are
	 * down or not, so that their order stays. False: there is none after.
	 */
	bool (*next_hop)(struct ims *ims, const char *identity,
			 const char *asked_by, unsigned attempt,
			 struct ims_hop *hop);
	/* One handler; NULL: nobody asks. */
	void (*set_registered_handler)(struct ims *ims,
				       ims_registered_h *handler, void *arg);
};

#endif

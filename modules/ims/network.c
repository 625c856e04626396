/* SPDX-License-Identifier: BSD-2-Clause */
/* The settings, made ready. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ims/ims.h"

#define SYSTEM "ims" /* of the directory: it has no other */

static int add_peer(struct ims_network *network, const char *peer)
{
	int err = sources_add(&network->peers, peer);

	if (err == EINVAL)
		log_error("ims",
			  "msg=\"ims.peers: '%s' is no address, network "
			  "(192.0.2.0/28) or name of a certificate "
			  "(dns:NAME)\"",
			  peer);
	return err;
}

static int add_hop(struct ims_network *network, const char *text)
{
	struct directory_server hop;
	int err = directory_parse_hop(text, &hop);

	if (!err)
		err = directory_add_server(network->directory, SYSTEM, hop.uri,
					   hop.priority, hop.weight);
	if (err == EINVAL)
		log_error("ims",
			  "msg=\"ims.next_hops: '%s' is not as "
			  "'sip:192.0.2.1:5060;transport=tcp 1 1' (an address, "
			  "not a name; priority and weight may be left out)\"",
			  text);
	if (err == EEXIST) {
		log_error("ims",
			  "msg=\"ims.next_hops: '%s' is given twice: leave one "
			  "out\"",
			  text);
		err = EINVAL;
	}
	return err;
}

/* A next hop on TLS would never be taken for one. */
static int check_hops(const struct ims_network *network)
{
	struct place place;

	for (size_t i = 0; i < network->hops->count; i++) {
		const char *uri = network->hops->servers[i].uri;

		if (place_read(uri, &place) || place.transport != SIP_TLS ||
		    network->peers.name_count)
			continue;
		log_error("ims",
			  "msg=\"ims.next_hops: '%s' is on TLS, but no name of "
			  "a certificate is in ims.peers: add 'dns:NAME'\"",
			  uri);
		return EINVAL;
	}
	return 0;
}

static int check_names(const struct setting_list *names)
{
	struct place place;
	char uri[300];

	for (size_t i = 0; i < names->count; i++) {
		if ((size_t)snprintf(uri, sizeof(uri), "sip:%s",
				     names->values[i]) < sizeof(uri) &&
		    !strpbrk(names->values[i], "@;?") &&
		    !place_read(uri, &place))
			continue;
		log_error("ims",
			  "msg=\"ims.names: '%s' is no host or HOST:PORT\"",
			  names->values[i]);
		return EINVAL;
	}
	return 0;
}

static int fill(struct ims_network *network,
		const struct ims_settings *settings)
{
	int err = directory_create(&network->directory);

	if (!err)
		err = directory_add_system(network->directory, SYSTEM, true,
					   false);
	for (size_t i = 0; i < settings->peers.count && !err; i++)
		err = add_peer(network, settings->peers.values[i]);
	for (size_t i = 0; i < settings->next_hops.count && !err; i++)
		err = add_hop(network, settings->next_hops.values[i]);
	if (err)
		return err;
	network->hops =
	    &directory_find_system(network->directory, SYSTEM)->hops;
	network->names = &settings->names;
	err = check_hops(network);
	return err ? err : check_names(&settings->names);
}

int network_create(struct ims_network **networkp,
		   const struct ims_settings *settings)
{
	struct ims_network *network = calloc(1, sizeof(*network));
	int err;

	if (!network)
		return ENOMEM;
	err = fill(network, settings);
	if (err)
		network_destroy(network);
	else
		*networkp = network;
	return err;
}

void network_destroy(struct ims_network *network)
{
	if (!network)
		return;
	directory_destroy(network->directory);
	sources_clear(&network->peers);
	free(network);
}

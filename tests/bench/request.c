/* SPDX-License-Identifier: BSD-2-Clause */
/* Writing request flows: document first, then the headers of who sends it. */
#include "bench/request.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define ICSI "urn:urn-7:3gpp-service.ims.icsi.mcptt"

void request_maker_init(struct request_maker *maker,
			const struct load_options *options)
{
	char host[INET6_ADDRSTRLEN], port[8];
	bool ipv6 = options->local.ss_family == AF_INET6;

	maker->options = options;
	getnameinfo((const struct sockaddr *)&options->local,
		    sizeof(options->local), host, sizeof(host), port,
		    sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(maker->local, sizeof(maker->local), "%s%s%s:%s",
		 ipv6 ? "[" : "", host, ipv6 ? "]" : "", port);
	if (getrandom(&maker->run, sizeof(maker->run), 0) < 0)
		maker->run = (uintptr_t)maker;
}

static int body_write(const struct request_maker *maker,
		      const struct request *request, char *out, size_t size)
{
	const struct load_options *options = maker->options;
	const struct record *record = request->record;
	const char *prefix = record->deauthorization ? "de" : "";
	char uuid[UUID_TEXT_SIZE], sequence[40] = "", profile[48] = "";

	uuid_text(record->uuid, uuid);
	if (!load_is_client(options))
		snprintf(sequence, sizeof(sequence),
			 " sequence=\"%" PRIu64 "\"", request->sequence);
	if (!record->deauthorization)
		strcpy(profile, "<profile-index>0</profile-index>");
	return snprintf(
	    out, size,
	    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	    "<mcpttinfo xmlns=\"urn:3gpp:ns:mcpttInfo:1.0\">"
	    "<mcptt-Params><anyExt><migration "
	    "xmlns=\"urn:uuid:5fec72a9-f7d2-40d2-a6ec-5e5a7fd7607b\">"
	    "<%sauthorization-request procedure=\"%s\"%s order=\"%" PRIu64
	    "\"><partner-mc-service-id>sip:visitor%05" PRIu32
	    "@%s</partner-mc-service-id><primary-mc-service-id>"
	    "sip:user%05" PRIu32 "@%s</primary-mc-service-id>%s"
	    "</%sauthorization-request></migration></anyExt>"
	    "</mcptt-Params></mcpttinfo>\n",
	    prefix, uuid, sequence, request->order, record->user,
	    options->partner_system, record->user, options->primary_system,
	    profile, prefix);
}

/* Request-URI, From and identity: of the client or of its partner server. */
static int start_write(const struct request_maker *maker,
		       const struct request *request, char *out, size_t size)
{
	const struct load_options *options = maker->options;
	bool client = load_is_client(options);
	const char *to =
	    client ? options->partner_system : options->primary_system;
	char own[300];

	if (client)
		snprintf(own, sizeof(own), "sip:visitor%05" PRIu32 "@%s",
			 request->record->user, options->partner_system);
	else
		snprintf(own, sizeof(own), "sip:%s", options->partner_system);
	return snprintf(out, size,
			"MESSAGE sip:%s SIP/2.0\r\n"
			"Via: SIP/2.0/%s %s;rport;branch=z9hG4bK%016" PRIx64
			"-%" PRIx32 "\r\n"
			"Max-Forwards: 70\r\n"
			"From: <%s>;tag=%" PRIx32 "\r\n"
			"To: <sip:%s>\r\n"
			"Call-ID: %" PRIx64 "-%" PRIx32 "\r\n"
			"CSeq: 1 MESSAGE\r\n"
			"P-%s-Identity: <%s>\r\n"
			"P-%s-Service: " ICSI "\r\n"
			"Accept-Contact: *;+g.3gpp.mcptt;require;explicit\r\n",
			to, load_transport(options), maker->local, maker->run,
			request->number, own, request->number, to, maker->run,
			request->number, client ? "Preferred" : "Asserted", own,
			client ? "Preferred" : "Asserted");
}

size_t request_write(const struct request_maker *maker,
		     const struct request *request, char *out, size_t size)
{
	char body[2048];
	int body_bytes = body_write(maker, request, body, sizeof(body));
	int used = start_write(maker, request, out, size);

	if (body_bytes >= (int)sizeof(body) || used >= (int)size)
		return 0;
	used += snprintf(out + used, size - (size_t)used,
			 "Content-Type: application/vnd.3gpp.mcptt-info+xml\r\n"
			 "Content-Length: %d\r\n\r\n%s",
			 body_bytes, body);
	return used < (int)size ? (size_t)used : 0;
}

int request_number(const struct request_maker *maker, const char *branch,
		   uint32_t *numberp)
{
	uint64_t run;

	if (sscanf(branch, "z9hG4bK%16" SCNx64 "-%" SCNx32, &run, numberp) !=
		2 ||
	    run != maker->run)
		return ENOENT;
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Writing the response flow of a primary MC server. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bench/request.h"

#define ICSI "urn:urn-7:3gpp-service.ims.icsi.mcptt"

static int body_write(const struct sip_view *request, char *out, size_t size)
{
	const char *prefix =
	    strstr(request->body, "<deauthorization-request ") ? "de" : "";
	char procedure[UUID_TEXT_SIZE], sequence[24];
	char partner_id[256], primary_id[256];

	body_value(request, "procedure=\"", '"', procedure, sizeof(procedure));
	body_value(request, "sequence=\"", '"', sequence, sizeof(sequence));
	body_value(request, "<partner-mc-service-id>", '<', partner_id,
		   sizeof(partner_id));
	body_value(request, "<primary-mc-service-id>", '<', primary_id,
		   sizeof(primary_id));
	return snprintf(
	    out, size,
	    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	    "<mcpttinfo xmlns=\"urn:3gpp:ns:mcpttInfo:1.0\">"
	    "<mcptt-Params><anyExt><migration "
	    "xmlns=\"urn:uuid:5fec72a9-f7d2-40d2-a6ec-5e5a7fd7607b\">"
	    "<%sauthorization-response procedure=\"%s\" sequence=\"%s\">"
	    "<partner-mc-service-id>%s</partner-mc-service-id>"
	    "<primary-mc-service-id>%s</primary-mc-service-id>"
	    "<result>success</result></%sauthorization-response>"
	    "</migration></anyExt></mcptt-Params></mcpttinfo>\n",
	    prefix, procedure, sequence, partner_id, primary_id, prefix);
}

size_t response_write(const struct request_maker *maker,
		      const struct sip_view *request, uint32_t number,
		      char *out, size_t size)
{
	const struct load_options *options = maker->options;
	char body[2048];
	int body_bytes = body_write(request, body, sizeof(body));
	int used;

	if (body_bytes >= (int)sizeof(body))
		return 0;
	used =
	    snprintf(out, size,
		     "MESSAGE sip:%s SIP/2.0\r\n"
		     "Via: SIP/2.0/%s %s;rport;branch=z9hG4bK%016" PRIx64
		     "-%" PRIx32 "\r\n"
		     "Max-Forwards: 70\r\n"
		     "From: <sip:%s>;tag=%" PRIx32 "\r\n"
		     "To: <sip:%s>\r\n"
		     "Call-ID: %" PRIx64 "-%" PRIx32 "\r\n"
		     "CSeq: 1 MESSAGE\r\n"
		     "P-Asserted-Identity: <sip:%s>\r\n"
		     "P-Asserted-Service: " ICSI "\r\n"
		     "Accept-Contact: *;+g.3gpp.mcptt;require;explicit\r\n"
		     "Content-Type: application/vnd.3gpp.mcptt-info+xml\r\n"
		     "Content-Length: %d\r\n\r\n%s",
		     options->partner_system, load_transport(options),
		     maker->local, maker->run, number, options->primary_system,
		     number, options->partner_system, maker->run, number,
		     options->primary_system, body_bytes, body);
	return used < (int)size ? (size_t)used : 0;
}

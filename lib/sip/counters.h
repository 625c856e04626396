/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What lib/sip counts: a line a counter, registered in this order. Without
 * stats.h, whose struct statistic is another one in Sofia's headers.
 */
#ifndef MCMIG_SIP_COUNTERS_H
#define MCMIG_SIP_COUNTERS_H

#include "base/export.h"

struct stats;

/* C: counter, G: gauge; identifier (its name after "sip."), help. */
#define SIP_COUNTERS(C, G)                                                     \
	C(requests_message, "MESSAGE requests received, without repeats")      \
	C(requests_options, "OPTIONS requests received")                       \
	C(requests_register, "REGISTER requests received, without repeats")    \
	C(requests_other, "requests of other methods received")                \
	C(retransmissions, "repeated MESSAGE requests received")               \
	C(retransmissions_absorbed, "repeats absorbed: the answer is not due") \
	C(replies_1xx, "provisional answers sent")                             \
	C(replies_2xx, "2xx answers sent")                                     \
	C(replies_3xx, "3xx answers sent")                                     \
	C(replies_4xx, "4xx answers sent")                                     \
	C(replies_5xx, "5xx answers sent")                                     \
	C(replies_6xx, "6xx answers sent")                                     \
	C(dropped_maddr, "requests dropped: maddr in the top Via")             \
	C(dropped_connection_gone, "answers dropped: connection closed")       \
	C(dropped_send_failed, "answers dropped: could not be sent")           \
	C(dropped_unanswered, "requests dropped: no answer after 64*T1")       \
	C(dropped_stray_response, "responses dropped: match no request")       \
	C(silent_connections, "connections ended: nothing ever came")          \
	C(refused_table_full, "503: server transaction table full")            \
	C(refused_draining, "503: draining")                                   \
	C(refused_source, "refused: not from a source that may send")          \
	C(refused_identity, "400: P-Asserted-Identity is malformed")           \
	C(refused_network, "400: a header that a network adds is malformed")   \
	C(refused_loop, "482: MESSAGE requests of our own, come back")         \
	C(client_sent, "MESSAGE requests sent, without repeats")               \
	C(client_retransmitted, "MESSAGE requests repeated on UDP")            \
	C(client_answered, "MESSAGE requests answered by a peer")              \
	C(client_timed_out, "MESSAGE requests without an answer in time")      \
	C(client_transport_failed, "MESSAGE requests lost with a connection")  \
	C(client_refused, "MESSAGE requests not sent: too many outstanding")   \
	C(hops_gone_down, "next hops found to be down")                        \
	C(hops_come_up, "next hops that were down and answered again")         \
	C(probes_sent, "OPTIONS requests sent to next hops that are down")     \
	C(probes_answered, "of these, those that were answered")               \
	C(tls_accepted, "TLS connections accepted")                            \
	C(tls_opened, "TLS connections that we have opened")                   \
	C(tls_handshakes_done, "TLS handshakes done")                          \
	C(tls_handshakes_failed, "TLS handshakes that failed")                 \
	C(tls_handshakes_timed_out, "TLS handshakes not done in time")         \
	C(tls_handshakes_gave_way, "TLS handshakes ended for a newcomer's")    \
	C(tls_refused_rate, "TLS connections refused: source's rate")          \
	C(tls_refused_source, "TLS connections refused: source has too many")  \
	C(tls_refused_full, "TLS connections refused: connections_max")        \
	C(tls_other_name, "requests not sent: certificate has other names")    \
	C(tls_idle, "TLS connections ended: idle")                             \
	C(tls_unfinished, "TLS connections ended: message not whole in time")  \
	C(tls_damaged, "TLS connections ended: damaged message")               \
	C(tls_not_reading, "TLS connections ended: the peer does not read")    \
	C(tls_expired, "TLS connections ended: certificate has expired")       \
	C(tls_broken, "TLS connections ended: a fault, or without a word")     \
	C(tls_not_valid, "TLS connections ended: not valid after a reload")    \
	G(tls_connections, "TLS connections, handshake done")                  \
	G(tls_handshakes, "TLS handshakes under way")                          \
	G(hops_down, "next hops that are down")                                \
	G(server_pending, "server transactions that wait for our answer")      \
	G(server_transactions, "server transactions remembered")               \
	G(client_transactions, "client transactions outstanding")              \
	G(answer_templates, "different answers remembered")

enum sip_counter {
#define SIP_COUNTER_ID(name, help) SIP_COUNT_##name,
	SIP_COUNTERS(SIP_COUNTER_ID, SIP_COUNTER_ID)
#undef SIP_COUNTER_ID
	    SIP_COUNT_END
};

struct sip_counters;

/* `stats` may be NULL: counted, shown nowhere. 0 or ENOMEM. */
int sip_counters_create(struct sip_counters **countersp, struct stats *stats);
void sip_counters_destroy(struct sip_counters *counters);
void sip_count(struct sip_counters *counters, enum sip_counter counter);
void sip_gauge(struct sip_counters *counters, enum sip_counter gauge,
	       uint64_t value);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* The sections `tls` and `tls_outside`: one table, for each side once. */
#include <stddef.h>

#include "tls/tls.h"

#define AT(member) offsetof(struct tls_settings, member)

static const struct setting settings[] = {
	{ .name = "certificate",
	  .type = SETTING_STRING,
	  .default_value = "",
	  .reloadable = true,
	  .offset = AT(certificate),
	  .help = "File of our own certificate and, after it, its chain (PEM); "
		  "empty: no TLS, or in tls_outside: what tls says." },
	{ .name = "key",
	  .type = SETTING_STRING,
	  .default_value = "",
	  .reloadable = true,
	  .offset = AT(key),
	  .help = "File of its private key (PEM, no passphrase), not readable "
		  "by others." },
	{ .name = "ca",
	  .type = SETTING_STRING,
	  .default_value = "",
	  .reloadable = true,
	  .offset = AT(ca),
	  .help = "File of the CA certificates that sign our peers' (PEM); no "
		  "others are trusted." },
	{ .name = "crl",
	  .type = SETTING_STRING,
	  .default_value = "",
	  .reloadable = true,
	  .offset = AT(crl),
	  .help = "File of revocation lists (PEM), one of each CA in a peer's "
		  "chain; empty: none is asked for." },
	{ .name = "ciphers",
	  .type = SETTING_STRING,
	  .default_value = "ECDHE+AESGCM:ECDHE+CHACHA20",
	  .reloadable = true,
	  .offset = AT(ciphers),
	  .help = "Cipher suites of TLS 1.2, as openssl-ciphers(1) writes "
		  "them; those of TLS 1.3 are fixed." },
	{ .name = "chain_max",
	  .type = SETTING_UNSIGNED,
	  .default_value = "3",
	  .min = 1,
	  .max = 10,
	  .reloadable = true,
	  .offset = AT(chain_max),
	  .help = "CA certificates above a peer's own, the root included." },
	{ .name = "handshake_timeout",
	  .type = SETTING_DURATION,
	  .default_value = "10s",
	  .min = 100,
	  .max = 60000,
	  .reloadable = true,
	  .offset = AT(handshake_timeout_ms),
	  .help = "A handshake that takes longer is given up." },
	{ .name = "handshakes_max",
	  .type = SETTING_UNSIGNED,
	  .default_value = "256",
	  .min = 1,
	  .max = 65536,
	  .reloadable = true,
	  .offset = AT(handshakes_max),
	  .help = "Handshakes of peers under way; the oldest gives way to a "
		  "newcomer." },
	{ .name = "connections_max",
	  .type = SETTING_UNSIGNED,
	  .default_value = "4096",
	  .min = 1,
	  .max = 1000000,
	  .reloadable = true,
	  .offset = AT(connections_max),
	  .help = "Connections accepted on this side; more are closed at "
		  "once." },
	{ .name = "source_connections_max",
	  .type = SETTING_UNSIGNED,
	  .default_value = "64",
	  .min = 1,
	  .max = 1000000,
	  .reloadable = true,
	  .offset = AT(source_connections_max),
	  .help = "Of these, from one address." },
	{ .name = "source_rate",
	  .type = SETTING_UNSIGNED,
	  .default_value = "50",
	  .min = 1,
	  .max = 1000000,
	  .reloadable = true,
	  .offset = AT(source_rate),
	  .help = "New connections a second from one address." },
	{ 0 },
};

struct conf_section tls_section(const char *name)
{
	return (struct conf_section){
		.name = name,
		.settings = settings,
		.values_bytes = sizeof(struct tls_settings),
	};
}

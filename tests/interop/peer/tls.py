# SPDX-License-Identifier: BSD-2-Clause
"""Contexts of TLS with certificates on both ends. Who somebody is tell the names
in the certificate alone (RFC 5922): whoever uses a connection looks at them."""

import ssl


def contexts(certificate, key, ca, crl=None):
    """Of the server and of the client, from PEM files. `crl`: of each CA."""
    made = []
    for protocol in (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT):
        context = ssl.SSLContext(protocol)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(certificate, key)
        context.load_verify_locations(ca)
        if crl:
            context.load_verify_locations(crl)
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
        made.append(context)
    return tuple(made)

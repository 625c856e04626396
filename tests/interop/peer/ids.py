# SPDX-License-Identifier: BSD-2-Clause
"""MC service IDs (doc/protocol.md section 3): what is one, and when two are
the same."""

import re

USER = re.compile(r"(?:[\w.!~*'()&=+$,;?/-]|%[0-9A-Fa-f]{2})+\Z", re.ASCII)
LABEL = r'[0-9A-Za-z](?:[0-9A-Za-z-]*[0-9A-Za-z])?'
HOST = re.compile(rf'(?:({LABEL}(?:\.{LABEL})*)|\[[0-9A-Fa-f:.]+\])'
                  r'(?::(\d{1,5}))?\Z')
UNRESERVED = re.compile(r"[\w.!~*'()-]\Z", re.ASCII)
BYTES_MAX = 255


def decode_escape(found):
    character = chr(int(found[1], 16))
    if UNRESERVED.match(character):
        return character
    return '%' + found[1].upper()


def canonical(text):
    """The one form in which IDs are compared; None if it is no ID."""
    scheme, colon, rest = text.partition(':')
    user, at, host = rest.rpartition('@')
    if scheme.lower() != 'sip' or not colon or not at or \
            len(text.encode()) > BYTES_MAX:
        return None
    if not USER.match(user) or not HOST.match(host):
        return None
    if re.search(r'%(?:[01][0-9A-Fa-f]|7[Ff])', user):
        return None
    port = HOST.match(host)[2]
    if port and not 0 < int(port) < 65536:
        return None
    user = re.sub(r'%([0-9A-Fa-f]{2})', decode_escape, user)
    return f'sip:{user}@{host.lower()}'


def domain(identity):
    """Of a canonical ID, without a port."""
    host = identity.rpartition('@')[2]
    return re.sub(r':\d+\Z', '', host)

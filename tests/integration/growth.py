# SPDX-License-Identifier: BSD-2-Clause
"""Makes a daemon's memory grow by a few MB: that is what it keeps of the
requests that it has refused."""

import contextlib
import itertools
import secrets
import socket
import time

BURST = 50  # no more than its socket holds


def request(address, system):
    branch = 'z9hG4bK' + secrets.token_hex(8)
    return '\r\n'.join((
        f'MESSAGE sip:{system.name} SIP/2.0',
        f'Via: SIP/2.0/UDP {address};branch={branch}', 'Max-Forwards: 70',
        f'From: <sip:{system.name}>;tag={branch}', f'To: <sip:{system.name}>',
        f'Call-ID: {branch}', 'CSeq: 1 MESSAGE', 'Content-Type: text/plain',
        'Content-Length: 4', '', 'none')).encode()


def grow(system, until, seconds=60):
    deadline = time.monotonic() + seconds
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((system.host, 0))
        sock.settimeout(0.2)
        address = '%s:%d' % sock.getsockname()
        for _ in itertools.takewhile(lambda _: not until(),
                                     itertools.count()):
            assert time.monotonic() < deadline, 'does not grow'
            for _ in range(BURST):
                with contextlib.suppress(ConnectionError):
                    sock.sendto(request(address, system),
                                (system.host, system.port))
            with contextlib.suppress(ConnectionError, TimeoutError):
                for _ in range(BURST):
                    sock.recv(65536)

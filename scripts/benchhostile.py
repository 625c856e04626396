# SPDX-License-Identifier: BSD-2-Clause
"""What a gateway does under those who mean harm: garbage, wrong documents,
unknown peers, half messages, connections opened and closed."""

import collections
import contextlib
import itertools
import multiprocessing
import os
import random
import socket
import time

import benchlib
from benchrelay import SINK_HOST, Ours, relay_between

RATE = 5000             # hostile acts a second, a sixth of them each kind
GOOD_RATE = 200         # procedures a second that must get through meanwhile
HELD = 200              # connections with half a message, open at a time
CONNECT_S = 0.02        # an attacker does not wait
TICK_S = 0.01
SETTLE_S = 5
STRANGER = '127.2.9.9'
KNOWN = SINK_HOST.format(1)     # the address of a true peer: it is not enough

MESSAGE = (
    'MESSAGE sip:mcgateway@b.example SIP/2.0\r\n'
    'Via: SIP/2.0/{transport} {host}:5060;rport;branch=z9hG4bK{number}\r\n'
    'Max-Forwards: 70\r\nFrom: <sip:mcgateway@a.example>;tag={number}\r\n'
    'To: <sip:mcgateway@b.example>\r\nCall-ID: {number}\r\n'
    'CSeq: 1 MESSAGE\r\n'
    'Content-Type: application/vnd.3gpp.mcptt-info+xml\r\n'
    'Content-Length: {bytes}\r\n\r\n{body}')
BODY = '<?xml version="1.0"?><mcpttinfo xmlns="urn:3gpp:ns:mcpttInfo:1.0">'


class Attacker:
    """One kind of act after the other, against the outside of a gateway."""

    def __init__(self, address):
        host, port = address.rsplit(':', 1)
        self._to = (host, int(port))
        self._random = random.Random(1)
        self._numbers = itertools.count(os.getpid() << 32)
        self._held = collections.deque()
        self._datagrams = {host: self._udp(host) for host in (STRANGER, KNOWN)}
        self._acts = itertools.cycle((
            self.garbage, self.wrong_document, self.stranger,
            self.open_and_close, self.half_message, self.garbage_on_tcp))

    @staticmethod
    def _udp(host):
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((host, 0))
        made.setblocking(False)
        return made

    def _message(self, transport, host):
        return MESSAGE.format(transport=transport, host=host, body=BODY,
                              number=next(self._numbers),
                              bytes=len(BODY)).encode()

    def _send(self, host, data):
        with contextlib.suppress(OSError):
            self._datagrams[host].sendto(data, self._to)

    def _connect(self, host):
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        made.settimeout(CONNECT_S)
        made.bind((host, 0))
        made.connect(self._to)
        return made

    def garbage(self):
        """A message with some bytes changed, or nothing like one."""
        data = bytearray(self._message('UDP', KNOWN))
        for _ in range(self._random.randrange(1, 20)):
            data[self._random.randrange(len(data))] = \
                self._random.randrange(256)
        self._send(KNOWN, data if self._random.random() < 0.8
                   else self._random.randbytes(500))

    def wrong_document(self):
        self._send(KNOWN, self._message('UDP', KNOWN))

    def stranger(self):
        self._send(STRANGER, self._message('UDP', STRANGER))

    def open_and_close(self):
        self._connect(STRANGER).close()

    def half_message(self):
        """Left open until as many others are."""
        connection = self._connect(KNOWN)
        self._held.append(connection)
        data = self._message('TCP', KNOWN)
        connection.send(data[:self._random.randrange(1, len(data))])
        if len(self._held) > HELD:
            self._held.popleft().close()

    def garbage_on_tcp(self):
        with self._connect(STRANGER) as connection:
            connection.send(self._message('TCP', STRANGER)
                            + self._random.randbytes(300))

    def run(self, seconds, done, failed):
        """As many acts as are due; counts them, and those that the kernel
        did not let happen."""
        end = time.monotonic() + seconds
        due = 0
        while (now := time.monotonic()) < end:
            due = max(due + TICK_S, now)
            for _ in range(int(RATE * TICK_S)):
                try:
                    next(self._acts)()
                except OSError:
                    failed.value += 1
                done.value += 1
            time.sleep(max(0, due + TICK_S - time.monotonic()))


def attack(address, seconds, done, failed):
    Attacker(address).run(seconds, done, failed)


def measure_gateway_hostile(bench):
    """As long as gateway-memory, 60 s unless told."""
    seconds = bench.memory_seconds or 60
    relay = Ours(bench, bench.folder / 'gateway-hostile', 'tcp')
    done, failed = (multiprocessing.Value('L', 0, lock=False)
                    for _ in range(2))
    with relay_between(bench, relay):
        sampler = benchlib.Sampler(relay.pid)
        sampler.start()
        attacker = multiprocessing.Process(
            target=attack, args=(relay.outside, seconds, done, failed),
            daemon=True)
        attacker.start()
        cpu = relay.cpu_seconds()
        figures = bench.load('primary', relay.inside, listen=relay.source,
                             transport='tcp', rate=GOOD_RATE,
                             seconds=seconds - 1, warmup=1)
        cpu = relay.cpu_seconds() - cpu
        attacker.join()
        time.sleep(SETTLE_S)    # what it has left open is closed by then
        sampler.stop()
        counted = relay.statistics()
    print(f'  {done.value / seconds:.0f} hostile acts/s of {RATE} for '
          f'{seconds} s, {failed.value} of them without a connection; mcmigd '
          f'{100 * cpu / seconds:.0f} % of a core; beside them '
          f'{figures["completed"]} good procedures, p99 '
          f'{figures["request_to_response_p99_ms"]} ms')
    print(f'  refused: {counted["gateway.unknown_peers"]} unknown peers, '
          f'{counted["gateway.refused_document"]} documents')
    print('  ' + sampler.text())

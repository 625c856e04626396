# SPDX-License-Identifier: BSD-2-Clause
"""What Sofia-SIP's own TLS keeps of connections that are gone: the reason why
ours does not use it."""

import socket
import ssl
import subprocess
import time

import labca
from labproc import free_port, run

HOST = '127.0.0.1'
CONNECTIONS = 500       # a batch; Sofia's timers want a pause between two
BATCHES = 4
SETTLE_S = 3            # its idle connections are closed by then
CONNECT_S = 10


class Server:
    """measure_sofia_tls."""

    def __init__(self, program, folder):
        self.port = free_port(HOST)
        self._process = subprocess.Popen(
            [program, folder, str(self.port)], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)    # a line a connection
        self.version = self._process.stdout.readline().partition(' ')[2]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.communicate(timeout=CONNECT_S)

    def bytes_used(self):
        """Of its heap, and of the process."""
        self._process.stdin.write('\n')
        self._process.stdin.flush()
        return [int(word) for word in self._process.stdout.readline().split()]

    def connect(self):
        return socket.create_connection((HOST, self.port), CONNECT_S)


def complete(server, context):
    with context.wrap_socket(server.connect()) as connection:
        connection.unwrap()


def abort(server, _):
    server.connect().close()


def batch(server, context, act):
    """So many times; what is left in the heap, and how much it grew."""
    for _ in range(CONNECTIONS):
        try:
            act(server, context)
        except OSError:
            continue    # it takes too long: counted all the same
    time.sleep(SETTLE_S)
    return server.bytes_used()


def make_files(folder):
    """As Sofia wants them: no chain, and the key in the same file."""
    folder.mkdir()
    authority = labca.Authority()
    key_file = folder / 'agent-key.pem'
    authority.issue(['dns:sofia.example']).save(folder / 'agent')
    (folder / 'agent.pem').write_bytes(
        key_file.read_bytes() + (folder / 'agent.pem').read_bytes())
    (folder / 'cafile.pem').write_bytes(authority.trusted())
    authority.issue(['dns:peer.example']).save(folder / 'peer')
    context = ssl.create_default_context(cafile=folder / 'cafile.pem')
    context.check_hostname = False
    context.load_cert_chain(folder / 'peer.pem', folder / 'peer-key.pem')
    return context


def measure_tls_sofia(bench):
    program = bench.build / 'tests/unit/measure_sofia_tls'
    run(['make', '-s', '-C', bench.build, 'tests/unit/measure_sofia_tls'],
        timeout=600)
    folder = bench.folder / 'sofia'
    context = make_files(folder)
    for text, act in (('complete connections', complete),
                      ('connections closed before the handshake', abort)):
        with Server(program, folder) as server:
            print(f'  {server.version.strip()}, {text}:')
            batch(server, context, act)     # what it takes once for all
            before = server.bytes_used()
            heap, resident = zip(*(batch(server, context, act)
                                   for _ in range(BATCHES)))
        count = BATCHES * CONNECTIONS
        print(f'    {(heap[-1] - before[0]) / count / 1024:.1f} kB of heap, '
              f'{(resident[-1] - before[1]) / count / 1024:.1f} kB of the '
              'process each that never come back; RSS in MB after each '
              f'{CONNECTIONS}: ' + ', '.join(
                  f'{number / 2 ** 20:.1f}' for number in
                  (before[1], *resident)))


MEASUREMENTS = {'tls-sofia': measure_tls_sofia}

# SPDX-License-Identifier: BSD-2-Clause
"""What TLS costs a gateway: CPU a relayed message over kept connections against
TCP, CPU a handshake, and memory after many connections that are gone."""

import contextlib
import itertools
import multiprocessing
import socket
import ssl
import statistics
import struct
import time

import benchlib
from benchgateway import PACED_RATE, WINDOW, relay_once
from benchrelay import Ours, relay_between

CLIENTS = 2             # processes that open connections
STEPS = 10              # of a series
CONNECT_S = 10
SETTLE_S = 3
PEER = 'dns:gateway.a.example'
# Whom nothing is kept from: the bounds have measurements of their own.
UNBOUNDED = {'source_rate': 1000000, 'source_connections_max': 1000000,
             'connections_max': 1000000, 'handshakes_max': 65536,
             'handshake_timeout': '5s'}
# Whom the bounds keep out: as many connections as a side takes by default.
BOUNDED = {name: value for name, value in UNBOUNDED.items()
           if name not in ('connections_max', 'handshakes_max')}
HELD = 5000
RESET = struct.pack('ii', 1, 0)


folder_numbers = itertools.count(1)


def new_folder(bench):
    """Certificates are made in it, once."""
    return bench.folder / f'tls{next(folder_numbers)}'


def context_of(files):
    context = ssl.create_default_context(cafile=files['ca'])
    context.check_hostname = False
    context.load_cert_chain(files['certificate'], files['key'])
    return context


def hello_of(context):
    """The first that a client says."""
    outgoing = ssl.MemoryBIO()
    session = context.wrap_bio(ssl.MemoryBIO(), outgoing)
    with contextlib.suppress(ssl.SSLWantReadError):
        session.do_handshake()
    return outgoing.read()


class Opener:
    """Connections to a TLS listener, one after the other."""

    def __init__(self, address, files):
        host, port = address.rsplit(':', 1)
        self._to = (host, int(port))
        self._context = context_of(files)
        self._hello = hello_of(self._context)

    def _connect(self):
        """Without delay: the server has nothing to say after a handshake, and
        would be waited for."""
        connection = socket.create_connection(self._to, CONNECT_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def complete(self):
        """Until both sides have said good-bye."""
        with self._context.wrap_socket(self._connect()) as connection:
            connection.unwrap().close()

    def close_at_once(self):
        self._connect().close()

    def reset(self):
        with self._connect() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    def half(self):
        """Gone when the other side has sent its certificate."""
        with self._connect() as connection:
            connection.sendall(self._hello)
            connection.recv(1)

    def half_a_hello(self):
        with self._connect() as connection:
            connection.sendall(self._hello[:100])


    def kept(self):
        """One that says nothing more."""
        return self._context.wrap_socket(self._connect())

    def stalled(self):
        connection = self._connect()
        connection.sendall(self._hello[:100])
        return connection


COMPLETE = ('complete',)
ABORTED = ('close_at_once', 'reset', 'half', 'half_a_hello')


def open_many(address, files, kinds, count, failed):
    opener = Opener(address, files)
    for _, kind in zip(range(count), itertools.cycle(kinds)):
        try:
            getattr(opener, kind)()
        except OSError:
            failed.value += 1


def open_in_parallel(address, files, kinds, count):
    """How many have failed."""
    failed = [multiprocessing.Value('L', 0, lock=False)
              for _ in range(CLIENTS)]
    clients = [multiprocessing.Process(
        target=open_many, daemon=True,
        args=(address, files, kinds, count // CLIENTS, each))
        for each in failed]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return sum(each.value for each in failed)


def hold_many(address, files, kind, opened, release):
    opener = Opener(address, files)
    held = []
    for _ in range(HELD // CLIENTS):
        with contextlib.suppress(OSError):
            held.append(getattr(opener, kind)())
    opened.release()
    release.wait()


@contextlib.contextmanager
def held_in_parallel(address, files, kind):
    opened = multiprocessing.Semaphore(0)
    release = multiprocessing.Event()
    clients = [multiprocessing.Process(
        target=hold_many, daemon=True,
        args=(address, files, kind, opened, release))
        for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    for _ in clients:
        opened.acquire()
    yield
    release.set()
    for client in clients:
        client.join()


# ------------------------------------------------------------------- messages

def compare(bench, title, **load):
    """Pairs of runs, one after the other; the ratio of the medians."""
    costs = {'tcp': [], 'tls': []}
    for _ in range(bench.runs):
        for transport, values in costs.items():
            relay = Ours(bench, new_folder(bench), transport)
            cost, rate, figures = relay_once(bench, relay, bench.seconds,
                                             **load)
            values.append(cost)
            print(f'  {title}: {transport} {cost:5.1f} us a message at '
                  f'{rate:.0f} messages/s; request to 200 p50 '
                  f'{figures["request_to_200_p50_ms"]} p99 '
                  f'{figures["request_to_200_p99_ms"]} ms')
    pairs = [tls / tcp for tls, tcp in zip(costs['tls'], costs['tcp'])]
    ratio = statistics.median(costs['tls']) / statistics.median(costs['tcp'])
    print(f'  {title}: TLS {benchlib.spread(costs["tls"], 1)} us, TCP '
          f'{benchlib.spread(costs["tcp"], 1)} us; ratio of the medians '
          f'{ratio:.2f}, of the pairs {benchlib.spread(pairs, 2)}')


def measure_handshakes(bench):
    """Full ones, both sides with a certificate (ECDSA P-256)."""
    rates, costs = [], []
    relay = Ours(bench, new_folder(bench), 'tls', tls=UNBOUNDED)
    with relay_between(bench, relay):
        files = relay.outside_files(PEER, 'opener')
        count = 200 * bench.seconds
        open_in_parallel(relay.outside, files, COMPLETE, count // 10)
        for _ in range(bench.runs):
            meter = benchlib.CpuMeter(relay=relay.cpu_seconds)
            started = time.monotonic()
            failed = open_in_parallel(relay.outside, files, COMPLETE, count)
            elapsed = time.monotonic() - started
            costs.append(1e6 * meter.stop()['relay'] / count)
            rates.append(count / elapsed)
            if failed:
                print(f'  {failed} of {count} connections FAILED')
    print(f'  handshakes/s with {CLIENTS} clients that share the machine '
          f'{benchlib.spread(rates)}; CPU of mcmigd each '
          f'{benchlib.spread(costs)} us, so a core takes '
          f'{1e6 / statistics.median(costs):.0f}/s')


def measure_tls(bench):
    compare(bench, f'window {WINDOW}', window=WINDOW)
    compare(bench, f'{PACED_RATE} procedures/s', rate=PACED_RATE)
    measure_handshakes(bench)


# --------------------------------------------------------------------- memory

def series(relay, files, kinds, count):
    """RSS before, and after each of the steps; and what has failed."""
    rss, failed = [benchlib.rss_mb(relay.pid)], 0
    for _ in range(STEPS):
        failed += open_in_parallel(relay.outside, files, kinds,
                                   count // STEPS)
        rss.append(benchlib.rss_mb(relay.pid))
    time.sleep(SETTLE_S)
    return rss, failed


def measure_gone(bench, relay, files):
    """Nothing is left of them."""
    for title, kinds, count in (
            ('connections opened and closed', COMPLETE, bench.connections),
            ('handshakes aborted in four ways', ABORTED,
             bench.connections // 10)):
        descriptors = benchlib.descriptors(relay.pid)
        started = time.monotonic()
        rss, failed = series(relay, files, kinds, count)
        print(f'  {count} {title} in {time.monotonic() - started:.0f} s, '
              f'{failed} failed: RSS in MB '
              + ', '.join(f'{value:.1f}' for value in rss)
              + f'; {1024 * (rss[-1] - rss[0]) / count:+.3f} kB each; '
              f'descriptors {descriptors} before, '
              f'{benchlib.descriptors(relay.pid)} after')


def measure_held(relay, files):
    """How the bounds act: so many at most, and what they take."""
    for title, kind, gauge in (
            ('handshakes held', 'stalled', 'sip.tls_handshakes'),
            ('connections held', 'kept', 'sip.tls_connections')):
        before = benchlib.rss_mb(relay.pid)
        with held_in_parallel(relay.outside, files, kind):
            there = relay.statistics()[gauge]
            rss = benchlib.rss_mb(relay.pid)
        time.sleep(SETTLE_S)
        print(f'  {HELD} {title}: {there} are there, RSS in MB '
              f'{before:.1f} before, {rss:.1f} with them, '
              f'{1024 * (rss - before) / there:.1f} kB each, '
              f'{benchlib.rss_mb(relay.pid):.1f} when they are gone')


def counted(relay):
    statistics_now = relay.statistics()
    return 'counted: ' + ', '.join(
        f'{name.removeprefix("sip.")} {value}'
        for name, value in statistics_now.items()
        if name.startswith('sip.tls_') and value)


def measure_tls_connections(bench):
    for bounds, measure in (
            (UNBOUNDED, lambda *found: measure_gone(bench, *found)),
            (BOUNDED, measure_held)):
        relay = Ours(bench, new_folder(bench), 'tls', tls=bounds)
        with relay_between(bench, relay):
            files = relay.outside_files(PEER, 'opener')
            # What is there once for all: tables, the allocator's arenas.
            series(relay, files, COMPLETE, STEPS * CLIENTS * 10)
            measure(relay, files)
            print('  ' + counted(relay))


MEASUREMENTS = {'tls': measure_tls,
                'tls-connections': measure_tls_connections}

# SPDX-License-Identifier: BSD-2-Clause
"""What a dead next hop costs: the first of two refuses, or is silent; from the
start, or from one moment on while requests come."""

import itertools
import signal
import statistics
import threading

from benchrelay import Ours, relay_between

RATE = 100              # requests a second while the hop dies
DIES_AFTER_S = 3
LATE_MS = 200           # more than the median: a request was held up
FAULTS = {'refuses': signal.SIGKILL, 'is silent': signal.SIGSTOP}


def read_times(file):
    """Of each procedure: when it was due, and how long its 200 took, ms."""
    return [(int(due), int(answer) / 1000) for due, answer in
            (line.split(',') for line in file.read_text().splitlines())]


def describe(times):
    """Extra delay, over the median, of the longest; how many were held up and
    for how long others followed them; and of all after these."""
    usual = statistics.median(answer for _, answer in times)
    extra = [(due, answer - usual) for due, answer in times]
    late = [(due, delay) for due, delay in extra if delay > LATE_MS]
    if not late:
        longest = max(delay for _, delay in extra)
        return f'none held up, longest extra delay {longest:.0f} ms'
    last_answered = max(due + delay for due, delay in late)
    after = max((delay for due, delay in extra if due > last_answered),
                default=0)
    return (f'{len(late)} of {len(times)} held up within '
            f'{(late[-1][0] - late[0][0]) / 1000:.1f} s, the first by '
            f'{late[0][1]:.0f} ms, the longest by '
            f'{max(delay for _, delay in late):.0f} ms; the following by '
            f'{after:.0f} ms at most')


def from_the_start(bench, transport, number, times):
    """One request after the other, the first hop dead before them."""
    relay = Ours(bench, bench.folder / 'failover', transport)
    with relay_between(bench, relay, sink_count=2) as sinks:
        sinks[0].signal(number)
        return bench.load('primary', relay.inside, listen=relay.source,
                          transport=transport, window=1, seconds=8,
                          warmup=0, times=times)


def under_way(bench, transport, number, times):
    relay = Ours(bench, bench.folder / 'failover', transport)
    with relay_between(bench, relay, sink_count=2) as sinks:
        dies = threading.Timer(DIES_AFTER_S, sinks[0].signal, (number,))
        dies.start()
        figures = bench.load('primary', relay.inside, listen=relay.source,
                             transport=transport, rate=RATE, seconds=10,
                             warmup=0, times=times)
        dies.join()
        return figures


def measure_failover(bench):
    times = bench.folder / 'times.csv'
    for transport, (fault, number) in itertools.product(('tcp', 'udp'),
                                                        FAULTS.items()):
        for title, case in (('from the start', from_the_start),
                            (f'at {RATE}/s', under_way)):
            figures = case(bench, transport, number, times)
            lost = sum(int(figures[name]) for name in
                       ('silent', 'refused_503', 'refused_other'))
            print(f'  {transport}, the first {fault} {title}: '
                  f'{describe(read_times(times))}; {lost} failed')

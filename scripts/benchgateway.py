# SPDX-License-Identifier: BSD-2-Clause
"""What scripts/bench measures of the gateway. A relayed message is a MESSAGE
with its answer; a procedure is two of them, one each way."""

import statistics
import time

import benchlib
import lablib
from benchrelay import Kamailio, Ours, relay_between

TRANSPORTS = ('udp', 'tcp')
MESSAGES_A_PROCEDURE = 2
WINDOW = 64
PACED_RATE = 1000       # procedures a second
CHILDREN = (1, 2, 4)    # of Kamailio: the best is taken
WARMUP_S = 3
AIM = 1.5


def relay_once(bench, relay, seconds, **load):
    """CPU of the relay, us a relayed message; its rate; and the load's
    figures."""
    with relay_between(bench, relay):
        def run(duration):
            return bench.load('primary', relay.inside, listen=relay.source,
                              transport=relay.transport, seconds=duration,
                              warmup=0.1, **load)
        run(WARMUP_S)
        meter = benchlib.CpuMeter(relay=relay.cpu_seconds)
        started = time.monotonic()
        figures = run(seconds)
        elapsed = time.monotonic() - started
        cpu = meter.stop()['relay']
    count = MESSAGES_A_PROCEDURE * int(figures['started'])
    return 1e6 * cpu / count, count / elapsed, figures


def best_children(bench, transport):
    """With how many children Kamailio needs least."""
    cost = {}
    for children in CHILDREN:
        relay = Kamailio(bench.folder / 'kamailio', transport, children)
        cost[children] = relay_once(bench, relay, max(bench.seconds / 3, 2),
                                    window=WINDOW)[0]
    best = min(cost, key=cost.get)
    print(f'  {transport}: Kamailio with ' + ', '.join(
        f'{children} children {us:.1f} us' for children, us in cost.items())
        + f': {best} taken')
    return best


def compare(bench, transport, children, title, **load):
    """Pairs of runs, one after the other; the ratio of the medians."""
    costs = {'mcmigd': [], 'kamailio': []}
    folder = bench.folder
    for _ in range(bench.runs):
        for relay in (Ours(bench, folder / 'mcmigd', transport),
                      Kamailio(folder / 'kamailio', transport, children)):
            cost, rate, figures = relay_once(bench, relay, bench.seconds,
                                             **load)
            costs[relay.name].append(cost)
            print(f'  {transport}, {title}: {relay.name:8} {cost:5.1f} us a '
                  f'message at {rate:.0f} messages/s; request to 200 p50 '
                  f'{figures["request_to_200_p50_ms"]} p99 '
                  f'{figures["request_to_200_p99_ms"]} ms')
    pairs = [ours / theirs
             for ours, theirs in zip(costs['mcmigd'], costs['kamailio'])]
    ratio = (statistics.median(costs['mcmigd'])
             / statistics.median(costs['kamailio']))
    print(f'  {transport}, {title}: mcmigd '
          f'{benchlib.spread(costs["mcmigd"], 1)} us, kamailio '
          f'{benchlib.spread(costs["kamailio"], 1)} us; ratio of the medians '
          f'{ratio:.2f}, of the pairs {benchlib.spread(pairs, 2)}; aim: at '
          f'most {AIM}')


def measure_gateway(bench):
    print('  ' + lablib.run(['kamailio', '-v']).split('\n', maxsplit=1)[0])
    for transport in TRANSPORTS:
        children = best_children(bench, transport)
        compare(bench, transport, children, f'window {WINDOW}', window=WINDOW)
        compare(bench, transport, children, f'{PACED_RATE} procedures/s',
                rate=PACED_RATE)


def measure_gateway_memory(bench):
    """At 1,000 procedures a second: 2,000 relayed messages."""
    seconds = bench.memory_seconds or 600
    relay = Ours(bench, bench.folder / 'gateway-memory', 'tcp')
    with relay_between(bench, relay):
        sampler = benchlib.Sampler(relay.pid)
        sampler.start()
        figures = bench.load('primary', relay.inside, listen=relay.source,
                             transport='tcp', rate=PACED_RATE,
                             seconds=seconds - 1, warmup=1)
        sampler.stop()
    print(f'  {float(figures["procedures_per_second"]):.0f} procedures/s, '
          f'{figures["started"]} in all, over TCP')
    print('  ' + sampler.text())


MEASUREMENTS = {
    'gateway': measure_gateway,
    'gateway-memory': measure_gateway_memory,
}

# SPDX-License-Identifier: BSD-2-Clause
"""What scripts/bench measures of the gateway. A relayed message is a MESSAGE
with its answer; a procedure is two of them, one each way."""

import contextlib
import itertools
import statistics
import time

import benchlib
import lablib
from benchfailover import measure_failover
from benchhostile import measure_gateway_hostile
from benchrelay import Kamailio, NoRelay, Ours, relay_between

TRANSPORTS = ('udp', 'tcp')
MESSAGES_A_PROCEDURE = 2
WINDOW = 64
PACED_RATE = 1000       # procedures a second
CHILDREN = (1, 2, 4)    # of Kamailio: the best is taken
WARMUP_S = 3
AIM = 1.5
LATENCY_RATE = 500      # procedures a second
PASSAGES = 4
QUANTILES = ('p50', 'p99', 'max')


def relay_once(bench, relay, seconds, **load):
    """CPU of the relay, us a relayed message; its rate; and the load's
    figures."""
    with relay_between(bench, relay):
        def run(duration):
            return bench.load('primary', relay.inside, listen=relay.source,
                              transport=relay.transport, seconds=duration,
                              warmup=0.1, **relay.source_files, **load)
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



@contextlib.contextmanager
def direct_or_gateways(bench):
    """Two labs on one cluster, the second with a gateway in each system."""
    cluster = lablib.Cluster(bench.folder / 'gateway-latency-cluster')
    labs = {}
    try:
        cluster.start()
        for name, gateways in (('direct', 0), ('gateways', 1)):
            labs[name] = lablib.Lab(
                bench.folder / f'latency-{name}', users=bench.users,
                build=bench.build, cluster=cluster, databases=name,
                gateways=gateways, tokens=False)
            labs[name].start()
        yield labs
    finally:
        for lab in labs.values():
            lab.stop()
        cluster.stop()


def latency_once(bench, lab):
    host = '127.0.0.1'
    busy = benchlib.machine_busy_seconds()
    figures = bench.load('client', lab.b.server, rate=LATENCY_RATE,
                         listen=f'{host}:{lablib.free_port(host)}',
                         seconds=bench.seconds, warmup=3, verbs='alternate')
    busy = benchlib.machine_busy_seconds() - busy
    percent = 100 * busy / (bench.seconds + 3) / benchlib.CPUS
    return {name: float(figures[f'request_to_response_{name}_ms'])
            for name in QUANTILES}, percent


def print_added(title, direct, through, passages):
    """What the gateways add to the median run, and to each passage."""
    for name in ('p50', 'p99'):
        without = [result[name] for result in direct]
        with_them = [result[name] for result in through]
        added = statistics.median(with_them) - statistics.median(without)
        print(f'  {title}, {name}: direct {benchlib.spread(without, 2)} ms, '
              f'through gateways {benchlib.spread(with_them, 2)} ms; added '
              f'{added:.2f} ms, in each of {passages} passages '
              f'{added / passages:.2f} ms')


def measure_gateway_alone(bench):
    """Source and sink, with and without one gateway: nothing else runs."""
    results = {'direct': [], 'mcmigd': []}
    for _ in range(bench.runs):
        for relay in (NoRelay('tcp'),
                      Ours(bench, bench.folder / 'mcmigd', 'tcp')):
            figures = relay_once(bench, relay, bench.seconds,
                                 rate=LATENCY_RATE)[2]
            results[relay.name].append(
                {name: float(figures[f'request_to_response_{name}_ms'])
                 for name in QUANTILES})
    print_added('one gateway alone', results['direct'], results['mcmigd'],
                MESSAGES_A_PROCEDURE)


def measure_gateway_latency(bench):
    """A procedure passes four times through a gateway: two systems, two
    ways."""
    measure_gateway_alone(bench)
    results = {'direct': [], 'gateways': []}
    with direct_or_gateways(bench) as labs:
        for _, (name, lab) in itertools.product(range(bench.runs),
                                                labs.items()):
            result, percent = latency_once(bench, lab)
            results[name].append(result)
            print(f'  client to client, {name:8} p50 {result["p50"]:.2f} ms  '
                  f'p99 {result["p99"]:.2f} ms  max {result["max"]:.2f} ms  '
                  f'(machine {percent:.0f} % busy)')
    print_added('client to client', results['direct'], results['gateways'],
                PASSAGES)


MEASUREMENTS = {
    'gateway': measure_gateway,
    'gateway-memory': measure_gateway_memory,
    'gateway-latency': measure_gateway_latency,
    'gateway-hostile': measure_gateway_hostile,
    'failover': measure_failover,
}

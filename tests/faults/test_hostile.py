# SPDX-License-Identifier: BSD-2-Clause
"""A gateway under thousands of hostile acts a second: it serves, and keeps
nothing of them. At length: scripts/bench gateway-hostile."""

import multiprocessing
import time
import types

import pytest

import benchhostile
import benchlib
import lablib
from benchrelay import Ours, relay_between

RATE = 100              # procedures a second that must get through
GROWTH_MB = 4           # once it has seen every kind of act
SETTLE_S = 10


@pytest.fixture
def bench(folder, store_kind):
    if store_kind != 'sqlite':
        pytest.skip('a gateway has no store')
    build = lablib.build_folder().absolute()
    return types.SimpleNamespace(
        build=build, folder=folder,
        program=lambda name: str(build / 'src' / name))


def wait_until_closed(pid, descriptors):
    deadline = time.monotonic() + SETTLE_S
    while benchlib.descriptors(pid) > descriptors:
        assert time.monotonic() < deadline, 'descriptors are left open'
        time.sleep(0.1)


def test_gateway_keeps_nothing_of_hostile_acts(bench, seconds):
    relay = Ours(bench, bench.folder / 'hostile', 'tcp')
    done, failed = (multiprocessing.Value('L', 0, lock=False)
                    for _ in range(2))

    def load(duration):
        return benchlib.run_load(bench.build, 'primary', relay.inside,
                                 listen=relay.source, transport='tcp',
                                 rate=RATE, seconds=duration, warmup=0)

    with relay_between(bench, relay):
        load(1)
        descriptors = benchlib.descriptors(relay.pid)
        attacker = multiprocessing.Process(
            target=benchhostile.attack, daemon=True,
            args=(relay.outside, 2 * seconds, done, failed))
        attacker.start()
        figures = [load(seconds)]
        settled = benchlib.rss_mb(relay.pid)
        figures.append(load(seconds))
        attacker.join()
        wait_until_closed(relay.pid, descriptors)
        grown = benchlib.rss_mb(relay.pid) - settled
        counted = relay.statistics()
    assert done.value > 100
    assert not any(int(each[name]) for each in figures
                   for name in benchlib.LOAD_FAILURES)
    assert counted['gateway.unknown_peers']
    assert counted['gateway.refused_document']
    assert grown < GROWTH_MB

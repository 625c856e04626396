# SPDX-License-Identifier: BSD-2-Clause
"""Daemons that start anew under load because of their memory: the process
stays the same, whatever got a 200 gets its response flow, and both stores agree
about every user."""

import contextlib
import itertools
import re
import signal
import socket
import threading
import time

import pytest

import agreement
import growth
import lablib

GAP_S = 5  # without a listener: milliseconds, but for a sanitizer's start
LEAK_BYTES = 3 << 20


@pytest.fixture
def lab_settings(request):
    """Marked so, all start anew every second."""
    if not request.node.get_closest_marker('restless'):
        return {}
    return {'': {'memory_max': 1, 'memory_recycle_interval': '500ms',
                 'log_level': 'info'}}


def memory(daemon):
    """None while it cannot be asked."""
    with contextlib.suppress(lablib.LabError):
        return daemon.ctl('status')['memory']
    return None


def closed_ms(daemon):
    """How long it was without its sockets, each time."""
    return [int(ms) for ms in re.findall(
        r'msg="started anew" recycled=\d+ closed_ms=(\d+)',
        daemon.log.read_text())]


class Prober:
    """Connects by TCP again and again: for how long was it refused?"""

    def __init__(self, system):
        self.longest_s = 0
        self._address = (system.host, system.port)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _run(self):
        refused_at = None
        while not self._over.wait(0.002):
            now = time.monotonic()
            try:
                socket.create_connection(self._address, 5).close()
            except ConnectionError:
                refused_at = refused_at or now
                self.longest_s = max(self.longest_s,
                                     time.monotonic() - refused_at)
            else:
                refused_at = None


@pytest.mark.restless
@pytest.mark.parametrize('lab', (0, 1), indirect=True,
                         ids=('direct', 'gateways'))
def test_recycled_again_and_again(lab, people, seconds, wait_until):
    pids = [daemon.pid for daemon in lab.daemons]
    with Prober(lab.b) as prober:
        time.sleep(seconds)
        wait_until(lambda: all(len(closed_ms(daemon)) > 2
                               for daemon in lab.daemons), 60)
    agreement.check_all(lab, people, wait_until)
    assert not any(daemon.process.poll() for daemon in lab.daemons)
    assert pids == [daemon.pid for daemon in lab.daemons]
    gaps = list(itertools.chain(*map(closed_ms, lab.daemons)))
    print(f'{len(gaps)} times anew, without sockets at most {max(gaps)} ms, '
          f'TCP refused at most {prober.longest_s * 1000:.0f} ms')
    assert max(gaps) < GAP_S * 1000
    assert prober.longest_s < GAP_S


def test_recycled_once_for_a_leak(lab, people, wait_until):
    """Above the bound again at once, it only says so."""
    before = memory(lab.b)
    bound = before['rss_bytes'] + LEAK_BYTES
    lab.b.adjust({'': {'memory_max': bound >> 20}})
    lab.b.process.send_signal(signal.SIGHUP)
    growth.grow(lab.b, lambda: closed_ms(lab.b))
    wait_until(lambda: memory(lab.b))
    after = memory(lab.b)
    assert after['recycled'] == 1
    assert after['max_bytes'] == bound >> 20 << 20
    growth.grow(lab.b, lambda: 'too soon' in lab.b.log.read_text())
    agreement.check_all(lab, people, wait_until)
    assert memory(lab.b)['recycled'] == 1
    assert lab.b.log.read_text().count('too soon') == 1

# SPDX-License-Identifier: BSD-2-Clause
"""kill -9 of any daemon at random moments under load: whatever got a 200 gets
its response flow, and both stores agree about every user."""

import signal
import time

import pytest

import agreement


either_path = pytest.mark.parametrize('lab', (0, 1), indirect=True,
                                      ids=('direct', 'gateways'))


def trouble(seconds):
    """Moments until the time is over."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        yield


@either_path
def test_kill_daemons(lab, people, rng, seconds, wait_until):
    for _ in trouble(seconds):
        time.sleep(rng.uniform(0.05, 0.8))
        victims = rng.sample(lab.daemons, rng.randint(1, len(lab.daemons)))
        for daemon in victims:
            daemon.kill()
        for daemon in victims:
            daemon.start()
    agreement.check_all(lab, people, wait_until)


@either_path
def test_silent_daemons(lab, people, rng, seconds, wait_until):
    """SIGSTOP: the peer's connections stay, and nobody answers."""
    for _ in trouble(seconds):
        time.sleep(rng.uniform(0.1, 0.5))
        victim = rng.choice(lab.daemons)
        victim.process.send_signal(signal.SIGSTOP)
        try:
            time.sleep(rng.uniform(0.1, seconds / 2))
        finally:
            victim.process.send_signal(signal.SIGCONT)
    agreement.check_all(lab, people, wait_until)


@either_path
def test_orderly_restarts(lab, people, rng, seconds, wait_until):
    """SIGTERM under load drains and exits with 0."""
    for _ in trouble(seconds):
        time.sleep(rng.uniform(0.1, 0.5))
        victim = rng.choice(lab.daemons)
        status = victim.stop()
        assert status == 0, victim.log.read_text()[-2000:]
        victim.start()
    agreement.check_all(lab, people, wait_until)


@pytest.fixture
def postgres(cluster):
    if not cluster:
        pytest.skip('for PostgreSQL')
    return cluster


def test_kill_postgres(postgres, lab, people, rng, seconds, wait_until):
    for _ in trouble(seconds):
        time.sleep(rng.uniform(0.1, 1.0))
        postgres.stop('--immediate')
        time.sleep(rng.uniform(0, 0.5))
        postgres.start()
    agreement.check_all(lab, people, wait_until)


def test_terminated_backends(postgres, lab, people, rng, seconds,
                             wait_until):
    for _ in trouble(seconds):
        time.sleep(rng.uniform(0.05, 0.5))
        rng.choice(lab.systems).store.query(
            'SELECT pg_terminate_backend(pid) FROM pg_stat_activity '
            'WHERE datname = current_database() '
            'AND pid <> pg_backend_pid()')
    agreement.check_all(lab, people, wait_until)

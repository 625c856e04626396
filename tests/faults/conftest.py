# SPDX-License-Identifier: BSD-2-Clause
"""Fixtures: labs of both kinds of store (MCMIG_STORE) whose daemons, peers and
databases are then killed. MCMIG_FAULT_SECONDS: how long each test makes
trouble; MCMIG_FAULT_SEED repeats its choices."""

import itertools
import os
import pathlib
import random
import shutil
import sys
import tempfile
import time

import pytest

sys.dont_write_bytecode = True
TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / 'faults'), str(TESTS / 'integration'),
                str(TESTS.parent / 'scripts')]

import crowd  # noqa: E402
import lablib  # noqa: E402

STORE = os.environ.get('MCMIG_STORE', 'sqlite')
SECONDS = float(os.environ.get('MCMIG_FAULT_SECONDS', '2'))
USERS = 40
lab_numbers = itertools.count(1)
# A crashed peer is tried again soon: the tests wait for all that is owed.
IMPATIENT = {'migration': {'retry_min': '100ms', 'retry_max': '1s',
                           'attempt_deadline': '2s'},
             'gateway': {'attempt_deadline': '500ms', 'entry_deadline': '1s',
                         'exit_deadline': '1500ms'}}


def pytest_configure(config):
    config.addinivalue_line('markers', 'restless: for ever recycled')


@pytest.fixture(scope='session')
def store_kind():
    return STORE


@pytest.fixture
def seconds():
    return SECONDS


@pytest.fixture
def rng():
    """Says its seed, which pytest shows when the test fails."""
    seed = int(os.environ.get('MCMIG_FAULT_SEED', time.time_ns() % 1000000))
    print(f'MCMIG_FAULT_SEED={seed}')
    return random.Random(seed)


@pytest.fixture(scope='session')
def folder():
    """Short (a socket's path has a limit), and open to the cluster's user."""
    path = pathlib.Path(tempfile.mkdtemp(prefix='mcmig-fault.', dir='/tmp'))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope='session')
def cluster(folder):
    if STORE != 'postgres':
        yield None
        return
    cluster = lablib.Cluster(folder / 'postgres', fast=True)
    cluster.start()
    yield cluster
    cluster.stop()


@pytest.fixture
def lab_settings():
    """What a module's tests set besides, in every daemon."""
    return {}


@pytest.fixture
def lab(folder, cluster, request, lab_settings):
    """At the end its daemons drain and exit with 0. Its parameter: gateways
    in front of each system."""
    name = f'lab{next(lab_numbers)}'
    lab = lablib.Lab(folder / name, cluster=cluster, databases=name,
                     users=USERS, settings={**IMPATIENT, **lab_settings},
                     tokens=False, gateways=getattr(request, 'param', 0))
    lab.start()
    yield lab
    statuses = [daemon.stop() for daemon in lab.daemons]
    logs = [daemon.log.read_text(errors='replace')[-3000:]
            for daemon in lab.daemons]
    lab.stop()
    assert not any(statuses), logs


@pytest.fixture
def people(lab, rng):
    """Users of each system who visit the other one."""
    clients = [crowd.Client(lab.a, lab.b, number)
               for number in range(1, USERS // 2 + 1)]
    clients += [crowd.Client(lab.b, lab.a, number)
                for number in range(1, USERS // 2 + 1)]
    everybody = crowd.Crowd(clients, rng)
    yield everybody
    everybody.close()


@pytest.fixture
def wait_until():
    """For what becomes true without an event that a test could see."""
    def wait(condition, seconds=20):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, 'does not become true'
            time.sleep(0.02)

    return wait

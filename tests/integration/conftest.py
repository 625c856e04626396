# SPDX-License-Identifier: BSD-2-Clause
"""Fixtures: systems a.example and b.example as processes, on SQLite or on
PostgreSQL (MCMIG_STORE), from the build in MCMIG_BUILD."""

import itertools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import pytest

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / 'scripts')]

import documents  # noqa: E402
import gateways  # noqa: E402
import imsue  # noqa: E402
import lablib  # noqa: E402
import labtoken  # noqa: E402
import sippeer  # noqa: E402

STORE = os.environ.get('MCMIG_STORE', 'sqlite')
USERS = 400
lab_numbers = itertools.count(1)


# For tests in which it does not matter which store there is.
once = pytest.mark.skipif(STORE != 'sqlite', reason='once is enough')


def pytest_configure(config):
    config.addinivalue_line('markers', 'smoke: the whole path, briefly')


@pytest.fixture(scope='session')
def store_kind():
    return STORE


@pytest.fixture(scope='session')
def folder():
    """Short (a socket's path has a limit), and open to the cluster's user."""
    path = pathlib.Path(tempfile.mkdtemp(prefix='mcmig-test.', dir='/tmp'))
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


class SoloLab(lablib.Lab):
    """Only b.example runs; a.example is the test's own peer."""

    def __init__(self, folder, peer, **options):
        super().__init__(folder, transport=peer.transport, **options)
        self.a.host, self.a.port = peer.host, peer.port
        self.systems = (self.b,)

    def stop(self):
        """Not in order: that would wait for what the peer leaves undone."""
        self.b.kill()
        super().stop()


def lab_options(cluster, options):
    number = next(lab_numbers)
    options.setdefault('users', USERS)
    options.setdefault('settings', {'': {'log_level': 'debug'}})
    if options.pop('own_store', False):
        options['store'] = STORE
    else:
        options['cluster'] = cluster
    return {'databases': f'lab{number}', **options}, f'lab{number}'


def lab_factory(folder, cluster):
    labs = []

    def make(kind=lablib.Lab, *arguments, start=True, **options):
        options, name = lab_options(cluster, options)
        labs.append(kind(folder / name, *arguments, **options))
        if start:
            labs[-1].start()
        return labs[-1]

    yield make
    for lab in labs:
        stop_in_order(lab)


@pytest.fixture
def make_lab(folder, cluster):
    """A factory of labs; `own_store`: on a PostgreSQL cluster of its own."""
    yield from lab_factory(folder, cluster)


def stop_in_order(lab):
    """Daemons that still run end with 0; a sanitizer would say otherwise."""
    statuses = [daemon.stop() for daemon in lab.daemons
                if not isinstance(lab, (SoloLab, gateways.BorderLab))]
    lab.stop()
    assert not any(statuses), [daemon.log.read_text()[-3000:]
                               for daemon in lab.daemons]


@pytest.fixture
def make_solo(make_lab):
    def make(peer, **options):
        return make_lab(SoloLab, peer, **options)

    return make


@pytest.fixture(scope='module')
def module_lab(folder, cluster):
    """The same for all tests of a module."""
    yield from lab_factory(folder, cluster)


@pytest.fixture(scope='module')
def lab(module_lab):
    """One for all tests of a module, which each take users of their own."""
    return module_lab()


user_numbers = itertools.cycle(range(1, USERS + 1))


class Pair:
    """A user of a.example with an admitted ID at b.example."""

    def __init__(self):
        number = next(user_numbers)
        self.primary_id = f'sip:user{number:05}@a.example'
        self.partner_id = f'sip:visitor{number:05}@b.example'


@pytest.fixture
def pair():
    return Pair()


@pytest.fixture
def make_pair():
    return Pair


@pytest.fixture
def make_peer():
    peers = []

    def make(*arguments, **options):
        peers.append(sippeer.Peer(*arguments, **options))
        return peers[-1]

    yield make
    for peer in peers:
        peer.close()


@pytest.fixture
def make_ue():
    """A client that has registered at the S-CSCF of a system."""
    clients = []

    def make(system, identity, *, transport='tcp', host='127.4.2.1'):
        clients.append(imsue.Ue(
            f'sip:{system.ims.address};transport={transport}', identity, host))
        assert clients[-1].register().status == 200
        return clients[-1]

    yield make
    for client in clients:
        client.peer.close()


@pytest.fixture
def ue():
    """Runs mcmig-ue: its exit status and its steps."""
    def run(verb, server, pair, *options, profile=1, transport='udp'):
        done = subprocess.run(
            [lablib.build_folder() / 'src/mcmig-ue', verb, '--json',
             '--server', f'sip:{server};transport={transport}',
             '--partner-id', pair.partner_id, '--primary-id', pair.primary_id,
             '--profile', str(profile), *options],
            stdout=subprocess.PIPE, text=True, timeout=60, check=False)
        return done.returncode, [json.loads(line)
                                 for line in done.stdout.splitlines()]

    return run


class Idms:
    """An identity management that serves a JWKS, which tests may change."""

    def __init__(self, folder):
        self.key = folder / 'idms-key.pem'
        self.jwks = folder / 'idms-jwks.json'
        self.process = None
        self.port = 0
        labtoken.make_key(self.key, self.jwks)

    @property
    def url(self):
        return f'http://127.0.0.1:{self.port}'

    def start(self):
        """Again at the same port."""
        self.process = subprocess.Popen(
            [lablib.ROOT / 'scripts/idms', 'serve', '--key', self.key,
             '--jwks', self.jwks, '--port', str(self.port)],
            stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().rpartition(':')[2])

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def idms(tmp_path):
    server = Idms(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def user(ue):
    """A client with a token of its partner system's identity management."""
    def run(system, verb, pair, *options, service='mcptt', **settings):
        return ue(verb, system.server, pair, '--service', service,
                  *system.credentials(pair.partner_id), *options, **settings)

    return run


@pytest.fixture
def asks(user):
    """The same in the background."""
    def run(*arguments, **options):
        return gateways.Background(lambda: user(*arguments, **options))

    return run


STATE_TABLES = ('procedure', 'user_state', 'partner_mapping',
                'primary_migration')


def count_rows(system):
    """Of every table that a request may change."""
    return {table: int(system.store.query(f'SELECT count(*) FROM {table}')
                       [0][0]) for table in STATE_TABLES}


@pytest.fixture
def rows():
    return count_rows


@pytest.fixture
def client_request():
    """Sends a client's document to a partner system; the SIP answer."""
    def send(peer, system, body, *, service='mcptt', identity='sip:x@b.example',
             **options):
        options.setdefault('content_type', documents.content_type(service))
        return peer.ask(system.server, f'sip:{system.name}', body,
                        sender=identity,
                        headers=documents.service_headers(service, identity,
                                                          'Preferred'),
                        **options)

    return send


@pytest.fixture
def server_request():
    """Sends a document as the server of `sender`; the SIP answer."""
    def send(peer, system, body, *, service='mcptt', sender='a.example',
             **options):
        options.setdefault('content_type', documents.content_type(service))
        return peer.ask(system.server, f'sip:{system.name}', body,
                        sender=f'sip:{sender}',
                        headers=documents.service_headers(
                            service, f'sip:{sender}', 'Asserted'),
                        **options)

    return send


@pytest.fixture
def wait_until():
    """For what becomes true without an event that a test could see."""
    def wait(condition, seconds=20):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, 'does not become true'
            time.sleep(0.02)

    return wait

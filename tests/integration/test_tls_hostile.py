# SPDX-License-Identifier: BSD-2-Clause
"""Peers on TLS that mean harm, with a certificate or without: each is got rid
of in bounded time, counted, and a good peer is served meanwhile."""

import contextlib
import itertools
import os
import resource
import select
import shutil
import ssl
import subprocess
import time

import pytest

import conftest
import gateways
import tlspeer

pytestmark = conftest.once
T1_S = 0.02
IDLE_S = 256 * T1_S
UNFINISHED_S = 64 * T1_S
HANDSHAKE_S = 1
THOUSAND = 1000
DESCRIPTORS_MIN = 4096  # strangers get half of them
SETTINGS = {'': {'log_level': 'debug', 'sip_t1': f'{int(T1_S * 1000)}ms'},
            'tls': {'handshake_timeout': f'{HANDSHAKE_S}s',
                    'handshakes_max': 2000, 'source_rate': 1000}}
LATE_S = 10     # what has a bound is over by then, on a slow machine too


@pytest.fixture(scope='module')
def lab(module_lab):
    """With room in this process for a thousand peers."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < DESCRIPTORS_MIN:
        pytest.skip(f'needs {DESCRIPTORS_MIN} descriptors (ulimit -Hn)')
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield module_lab(tlspeer.SoloLab, settings=SETTINGS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(autouse=True)
def nothing_is_kept(lab, rows):
    before = rows(lab.b)
    yield
    assert lab.serves()
    assert rows(lab.b) == before


@pytest.fixture
def counters(lab):
    return gateways.Counters(lab.b)


def gauge(lab, name):
    return next(row['value'] for row in lab.b.ctl('stats')
                if row['name'] == name)


def strangers():
    """Addresses, each for a few connections."""
    return itertools.cycle(f'127.0.{i}.{j}' for i in range(1, 9)
                           for j in range(1, 9))


def is_closed(connection, seconds=LATE_S):
    """By the other side, with or without a word, in that time."""
    connection.settimeout(seconds)
    try:
        while connection.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


# ------------------------------------------------------- versions and ciphers

OLD = {'set_ciphers': 'ALL:@SECLEVEL=0'}


@pytest.mark.parametrize('settings, seen', (
    ({'minimum_version': ssl.TLSVersion.TLSv1,
      'maximum_version': ssl.TLSVersion.TLSv1},
     'TLSV1_ALERT_PROTOCOL_VERSION'),
    ({'minimum_version': ssl.TLSVersion.TLSv1_1,
      'maximum_version': ssl.TLSVersion.TLSv1_1},
     'TLSV1_ALERT_PROTOCOL_VERSION'),
    ({'maximum_version': ssl.TLSVersion.TLSv1_2,
      'set_ciphers': 'AES128-SHA'}, 'SSLV3_ALERT_HANDSHAKE_FAILURE'),
    ({'maximum_version': ssl.TLSVersion.TLSv1_2,
      'set_ciphers': 'ADH:AECDH:NULL:@SECLEVEL=0'},
     'SSLV3_ALERT_HANDSHAKE_FAILURE'),
    ({'maximum_version': ssl.TLSVersion.TLSv1_2,
      'set_ciphers': 'ECDHE-ECDSA-AES128-SHA'},
     'SSLV3_ALERT_HANDSHAKE_FAILURE')))
def test_nothing_in_common(lab, counters, settings, seen):
    context = tlspeer.context_of(lab.good, lab.root, **{**OLD, **settings})
    assert lab.fault(context) == seen
    assert counters['sip.tls_handshakes_failed'] == 1


@pytest.mark.parametrize('version', ('TLSv1_2', 'TLSv1_3'))
def test_versions_that_are_spoken(lab, version):
    number = getattr(ssl.TLSVersion, version)
    context = tlspeer.context_of(lab.good, lab.root, minimum_version=number,
                                 maximum_version=number)
    with lab.session(context) as connection:
        connection.settimeout(tlspeer.WAIT_S)
        connection.sendall(tlspeer.options())
        assert connection.recv(65536).startswith(b'SIP/2.0 200 ')
        assert connection.version().replace('.', '_') == version
        assert 'GCM' in connection.cipher()[0]


def test_no_session_is_resumed(lab):
    """A certificate that is withdrawn must be seen by the next handshake."""
    context = tlspeer.context_of(lab.good, lab.root)
    with lab.session(context) as connection:
        connection.sendall(tlspeer.options())
        connection.recv(65536)
        old = connection.session
    assert not old or not old.has_ticket


class Client:
    """openssl s_client, which does on command what Python cannot."""

    def __init__(self, lab, folder, version):
        files = lab.good.save(folder / 'own')
        self._process = subprocess.Popen(
            ['openssl', 's_client', f'-{version}', '-connect',
             lab.b.tls_address, '-cert', files[0], '-cert_chain', files[0],
             '-key', files[1]], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0)
        self._wait_for(b'Verify return code')

    def _wait_for(self, text):
        seen = b''
        while text not in seen:
            data = os.read(self._process.stdout.fileno(), 65536)
            assert data, seen
            seen += data

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.communicate()

    def command(self, line):
        """False: it has ended."""
        try:
            self._process.stdin.write(line + b'\n')
            return True
        except BrokenPipeError:
            return False

    def is_closed(self):
        self._process.communicate(timeout=LATE_S)
        return True


needs_openssl = pytest.mark.skipif(not shutil.which('openssl'),
                                   reason='openssl is not installed')


@needs_openssl
def test_renegotiation(lab, tmp_path):
    with Client(lab, tmp_path, 'tls1_2') as client:
        assert client.command(b'R')
        assert client.is_closed()


@needs_openssl
def test_key_updates_without_end(lab, tmp_path):
    with Client(lab, tmp_path, 'tls1_3') as client:
        for _ in range(1000):
            if not client.command(b'K'):
                break
        assert client.is_closed()


# ------------------------------------------------------------------- garbage

GARBAGE = (b'\0' * 100, b'\xff\xfe' * 1000 + b'\r\n\r\n',
           b'GET / HTTP/1.1\r\nHost: b.example\r\n\r\n',
           b'MESSAGE sip:b.example SIP/2.0\r\nnonsense\r\n\r\n',
           b'MESSAGE ' + b'x' * 70000,
           tlspeer.options(**{'Content-Length': '-1'}),
           tlspeer.options(**{'Content-Length': '99999999999'}))


@pytest.mark.parametrize('garbage', GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_after_the_handshake(lab, garbage):
    """Nothing that comes after it is read."""
    with lab.session() as connection:
        with contextlib.suppress(OSError):
            connection.sendall(garbage)
        assert is_closed(connection)


@pytest.mark.parametrize('garbage', (
    b'MESSAGE sip:b.example SIP/2.0\r\n\r\n', b'\0' * 1000, b'\x16\x03\x01',
    b'\x16\x03\x01\xff\xff' + b'\1' * 70000, b'\x80\x2e\1\0\2',
    b'\x16\x03\x01\0\5\1\0\0\1\0'))
def test_garbage_in_place_of_a_handshake(lab, garbage):
    with lab.connect() as connection:
        with contextlib.suppress(OSError):
            connection.sendall(garbage)
        assert is_closed(connection)


class Raw:
    """A TLS session over memory: its records are the test's to send."""

    def __init__(self, lab, connection):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.connection = connection
        self.tls = tlspeer.context_of(lab.good, lab.root).wrap_bio(
            self.incoming, self.outgoing)
        connection.settimeout(tlspeer.WAIT_S)

    def records(self, step):
        """What it wants to send next."""
        with contextlib.suppress(ssl.SSLWantReadError):
            step()
        return self.outgoing.read()

    def shake_hands(self):
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.connection.sendall(self.outgoing.read())
                self.incoming.write(self.connection.recv(65536))
        self.connection.sendall(self.outgoing.read())


def test_garbage_under_tls(lab):
    """On the wire, in place of the next record."""
    with lab.connect() as connection:
        raw = Raw(lab, connection)
        raw.shake_hands()
        connection.sendall(b'\x17\x03\x03\0\x20' + b'\0' * 32)
        assert is_closed(connection)


def test_record_that_was_changed(lab):
    with lab.connect() as connection:
        raw = Raw(lab, connection)
        raw.shake_hands()
        record = bytearray(raw.records(
            lambda: raw.tls.write(tlspeer.options())))
        record[-1] ^= 1
        connection.sendall(record)
        assert is_closed(connection)


def test_client_hello_that_was_changed(lab):
    with lab.connect() as connection:
        raw = Raw(lab, connection)
        hello = bytearray(raw.records(raw.tls.do_handshake))
        for place in range(5, len(hello), 7):
            hello[place] ^= 0x55
        connection.sendall(hello)
        assert is_closed(connection)


# ---------------------------------------------------------------------- slow

def drip(connection, data):
    """A byte at a time, until it is closed; how long it took."""
    connection.settimeout(tlspeer.WAIT_S)
    started = time.monotonic()
    for i in range(len(data)):
        try:
            connection.sendall(data[i:i + 1])
        except OSError:
            break
        if select.select([connection], [], [], T1_S)[0]:
            break
    return time.monotonic() - started


def test_message_by_the_byte(lab, counters):
    with lab.session() as connection:
        assert drip(connection, tlspeer.options()) < UNFINISHED_S + 1
        assert is_closed(connection)
    assert counters['sip.tls_unfinished'] == 1


def test_handshake_by_the_byte(lab, counters):
    with lab.connect() as connection:
        raw = Raw(lab, connection)
        hello = raw.records(raw.tls.do_handshake)
        assert drip(connection, hello) < HANDSHAKE_S + 1
        assert is_closed(connection)
    assert counters['sip.tls_handshakes_timed_out'] == 1


def test_half_a_message(lab, counters):
    with lab.session() as connection:
        connection.sendall(tlspeer.options()[:100])
        assert is_closed(connection)
    assert counters['sip.tls_unfinished'] == 1


def test_peer_that_does_not_read(lab, counters):
    """Its answers wait up to a bound; then it is gone."""
    requests = tlspeer.options() * 100
    with lab.session() as connection:
        connection.settimeout(1)
        with contextlib.suppress(OSError):
            for _ in range(1000):
                connection.sendall(requests)
        assert lab.serves()
    deadline = time.monotonic() + LATE_S
    while not counters['sip.tls_not_reading']:
        assert time.monotonic() < deadline
        time.sleep(0.1)


# ------------------------------------------------------------------ thousands

def all_closed(connections):
    """Each of them, by the other side."""
    poll, left = select.poll(), {}
    for connection in connections:
        left[connection.fileno()] = connection
        poll.register(connection, select.POLLIN)
    deadline = time.monotonic() + LATE_S
    while left and time.monotonic() < deadline:
        for descriptor, _ in poll.poll(100):
            if is_closed(left[descriptor], 0.1):
                poll.unregister(descriptor)
                del left[descriptor]
    return not left


@pytest.fixture
def thousand(lab):
    """Connections from many addresses, as far as they are let in."""
    with contextlib.ExitStack() as stack:
        def make(kind):
            sources = strangers()
            return [stack.enter_context(kind(next(sources)))
                    for _ in range(THOUSAND)]

        yield make


def test_a_thousand_handshakes_that_stall(lab, counters, thousand):
    """Half of them have begun to say who they are."""
    hello = Raw(lab, lab.connect())
    part = hello.records(hello.tls.do_handshake)[:100]
    hello.connection.close()
    kept = lab.session()
    connections = thousand(lab.connect)
    for connection in connections[::2]:
        connection.sendall(part)
    assert lab.serves()
    assert lab.serves(kept)
    assert all_closed(connections)
    assert counters['sip.tls_handshakes_timed_out'] \
        + counters['sip.tls_handshakes_failed'] >= THOUSAND
    assert gauge(lab, 'sip.tls_handshakes') == 0


def test_a_thousand_connections_that_say_nothing(lab, counters, thousand):
    """Each with a certificate that is good."""
    context = tlspeer.context_of(lab.good, lab.root)
    before = gauge(lab, 'sip.tls_connections')
    connections = thousand(lambda host: lab.session(context, host))
    assert lab.serves()
    assert all_closed(connections)
    assert counters['sip.tls_idle'] >= THOUSAND
    assert gauge(lab, 'sip.tls_connections') <= before


def test_silence_has_a_bound_of_its_own(lab):
    """One that is used stays."""
    with lab.session() as silent, lab.session() as used:
        started = time.monotonic()
        used.settimeout(tlspeer.WAIT_S)
        while not select.select([silent], [], [], IDLE_S / 8)[0]:
            assert time.monotonic() - started < IDLE_S + LATE_S
            used.sendall(tlspeer.options())
            assert used.recv(65536).startswith(b'SIP/2.0 200 ')
        assert time.monotonic() - started > IDLE_S / 2
        assert is_closed(silent)
        used.sendall(tlspeer.options())
        assert used.recv(65536).startswith(b'SIP/2.0 200 ')


# --------------------------------------------------------------------- bounds

@pytest.fixture
def bounded(make_lab):
    def make(**tls):
        return make_lab(tlspeer.SoloLab, settings={
            '': {'log_level': 'debug', 'sip_t1': '50ms'},
            'tls': {'handshake_timeout': '20s', **tls}})

    return make


def test_oldest_handshake_gives_way(bounded):
    """Whatever hangs in one, a newcomer is let in."""
    lab = bounded(handshakes_max=10)
    counters = gateways.Counters(lab.b)
    with contextlib.ExitStack() as stack:
        oldest = stack.enter_context(lab.connect('127.0.1.1'))
        others = [stack.enter_context(lab.connect('127.0.1.2'))
                  for _ in range(10)]
        assert is_closed(oldest)
        assert lab.serves()
        assert counters['sip.tls_handshakes_gave_way'] == 2
        assert not is_closed(others[-1], 0.1)


def test_connections_of_one_source(bounded):
    lab = bounded(source_connections_max=5)
    counters = gateways.Counters(lab.b)
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(lab.session(host='127.0.1.1'))
        with lab.connect('127.0.1.1') as surplus:
            assert is_closed(surplus)
        assert lab.serves()
    assert counters['sip.tls_refused_source'] == 1
    # Those that are gone count no more.
    deadline = time.monotonic() + LATE_S
    while lab.fault(host='127.0.1.1'):
        assert time.monotonic() < deadline


def test_rate_of_one_source(bounded):
    lab = bounded(source_rate=5)
    counters = gateways.Counters(lab.b)
    closed = 0
    for _ in range(50):
        with lab.connect('127.0.1.1') as connection:
            closed += is_closed(connection, 0.01)
    assert closed >= 30
    assert counters['sip.tls_refused_rate'] >= closed
    assert lab.serves()


def test_connections_of_all(bounded):
    """Those that are in are served on; a later one gets in again."""
    lab = bounded(connections_max=20)
    counters = gateways.Counters(lab.b)
    with contextlib.ExitStack() as stack:
        inside = [stack.enter_context(lab.session(host=f'127.0.1.{i}'))
                  for i in range(1, 21)]
        with lab.connect() as surplus:
            assert is_closed(surplus)
        assert counters['sip.tls_refused_full'] == 1
        assert lab.serves(inside[0])
    deadline = time.monotonic() + LATE_S
    while lab.fault():
        assert time.monotonic() < deadline


def test_many_at_once(lab):
    """Complete handshakes side by side, all of them served."""
    context = tlspeer.context_of(lab.good, lab.root)
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(lab.session(context, host))
                       for host in itertools.islice(strangers(), 64)]
        for connection in connections:
            connection.settimeout(tlspeer.WAIT_S)
            connection.sendall(tlspeer.options() * 10)
        for connection in connections:
            data = b''
            while data.count(b'SIP/2.0 200 ') < 10:
                part = connection.recv(65536)
                assert part
                data += part

# SPDX-License-Identifier: BSD-2-Clause
"""Hidden means hidden (doc/gateways.md): every byte that leaves a gateway on
its outside, in all flows, good and bad, against what was heard inside."""

import contextlib
import itertools
import os
import re
import signal
import socket
import sqlite3
import ssl
import types

import pytest

import conftest
import documents
import gateways
import hidden
import lablib
import labtls
import recorder
import sippeer
import test_bad_input
import test_gateway_bad_input
import tlspeer

SETTINGS = {'': {'log_level': 'debug'},
            'gateway': {'attempt_deadline': '300ms', 'entry_deadline': '600ms',
                        'exit_deadline': '900ms'},
            'migration': {'retry_min': '100ms', 'retry_max': '500ms',
                          'authorization_deadline': '3s',
                          'deauthorization_deadline': '2s'}}
HOST = '127.0.0.1'
SYSTEMS = ('a.example', 'b.example', 'c.example')
STRANGER = types.SimpleNamespace(name='d.example')


class Border:
    """A lab with a recorder before each server and on each side of each
    gateway; and what left the gateways towards peers of the test."""

    def __init__(self, lab):
        self.lab = lab
        self.outside = []       # recorders between the gateways
        self.inside = []
        self.peers = []
        self.by_target = {}
        self.for_clients = {}   # letter: where they send, by UDP
        first, second = lab.a.gateways[0], lab.b.gateways[0]
        self._between(1, first, 2, second)
        self._between(2, second, 1, first)
        for i, system in enumerate(lab.systems, 1):
            self._behind(i, system, system.gateways[0])

    def _recorder(self, host, target, source, authority, names):
        if not authority:
            return recorder.Recorder(host, target, source)
        return tlspeer.Recorder(host, target, source, authority, names)

    def _between(self, i, gateway, other, other_gateway):
        """In front of number i; what comes through is number `other`."""
        certificates = self.lab.certificates
        tap = self._recorder(
            f'127.3.{i}.1', gateway.outside_address,
            f'127.3.{other}.1:{other_gateway.outside_port}',
            certificates and certificates.outside(gateway.system),
            [labtls.outside_name(gateway.system),
             labtls.outside_name(other_gateway.system)])
        gateway.outside_front = tap.address
        self.by_target[gateway.system.letter] = tap
        self.outside.append(tap)

    def _behind(self, i, system, gateway):
        certificates = self.lab.certificates
        authority = certificates and certificates.inside(system)
        names = [labtls.server_name(system), labtls.inside_name(gateway)]
        target = system.tls_address if certificates else system.address
        tap = self._recorder(f'127.4.{i}.1', target,
                             f'127.4.{i}.2:{gateway.inside_port}', authority,
                             names)
        system.front = system.tls_front = tap.address
        self.inside.append(tap)
        tap = self._recorder(f'127.4.{i}.2', gateway.inside_address,
                             f'127.4.{i}.1:{system.port}', authority,
                             names[::-1])
        gateway.inside_front = tap.address
        self.inside.append(tap)
        tap = recorder.Recorder(f'127.4.{i}.3', system.address,
                                f'127.4.{i}.4:{lablib.free_port(HOST)}')
        self.for_clients[system.letter] = tap.address
        self.inside.append(tap)

    def streams(self):
        """All that left."""
        taps = [tap.streams(direction) for tap in self.outside
                for direction in ('to', 'from')]
        return [stream for stream in itertools.chain(
            *taps, *(peer.received for peer in self.peers)) if stream]

    def _public_ports(self):
        """One of the inside may be the same, at another address."""
        return [str(port) for port in
                [tap.port for tap in self.outside]
                + [peer.port for peer in self.peers]
                + [gateway.outside_port for gateway in self.lab.gateways]]

    def words(self):
        """All that must not be in it."""
        inside = hidden.Inside(public=(*SYSTEMS, *hidden.WARNINGS,
                                       *self._public_ports()))
        inside.add('product', *hidden.PRODUCTS, version_of(self.lab))
        inside.add('host', socket.gethostname(), self.lab.folder.name,
                   *(daemon.node for daemon in self.lab.daemons))
        for system in self.lab.systems:
            inside.add('address', str(system.port),
                       *(str(gateway.inside_port)
                         for gateway in system.gateways))
        for tap in self.inside:
            inside.add('address', str(tap.port))
            for message in tap.messages('to') + tap.messages('from'):
                inside.learn(message)
        return inside

    def findings(self):
        words = self.words()
        return [finding for stream in self.streams()
                for finding in hidden.find(stream, words)]

    def close(self):
        for tap in self.outside + self.inside:
            tap.close()
        for peer in self.peers:
            peer.close()


def version_of(lab):
    return lablib.run([lab.program('mcmigd'), '--version']).split()[-1]


# ------------------------------------------------------------ real systems

@pytest.fixture(scope='module', params=(
    'tcp', 'udp', pytest.param('tls', marks=conftest.once)))
def border(module_lab, request):
    """All tests of a transport record into the same one."""
    lab = module_lab(gateways=1, transport=request.param, settings=SETTINGS,
                     start=False)
    border = Border(lab)
    lab.start()
    yield border
    # Also what the end of the daemons sends.
    statuses = [daemon.stop() for daemon in lab.daemons]
    findings = border.findings()
    border.close()
    assert not findings, findings[:3]
    assert not any(statuses)


@pytest.fixture(autouse=True)
def nothing_leaks(request):
    yield
    if 'border' in request.fixturenames:
        border = request.getfixturevalue('border')
        findings = border.findings()
        assert border.streams()
        assert not findings, findings[:3]


@pytest.fixture
def user(ue, border):
    def run(system, verb, pair, *options, service='mcptt', **settings):
        return ue(verb, border.for_clients[system.letter], pair, '--service',
                  service, *system.credentials(pair.partner_id), *options,
                  **settings)

    return run


def assert_cause(answer, cause):
    status, steps = answer
    response = next(line for line in steps if line['step'] == 'response')
    assert (status, response.get('cause')) == (1 if cause else 0, cause)


@pytest.mark.parametrize('service', documents.SERVICES)
def test_success(border, user, pair, service):
    for verb in ('authorize', 'deauthorize'):
        assert_cause(user(border.lab.b, verb, pair, service=service), None)
    assert {message.method for message in
            border.by_target['b'].messages('to') if not message.is_response} \
        >= {'MESSAGE'}


def sql_of_cause(cause, pair):
    """What the primary's operator did, and what undoes it."""
    where = f"WHERE primary_id = '{pair.primary_id}'"
    return {
        'user-disabled': (f'UPDATE mc_user SET enabled = FALSE {where}',
                          f'UPDATE mc_user SET enabled = TRUE {where}'),
        'user-unknown': (f'DELETE FROM mc_user {where}', 'SELECT 1'),
    }[cause]


@pytest.mark.parametrize('cause', ('user-disabled', 'user-unknown'))
def test_causes_of_the_operator(border, user, pair, wait_until, cause):
    before, after = sql_of_cause(cause, pair)

    def caused():
        _, steps = user(border.lab.b, 'authorize', pair)
        return next((line.get('cause') for line in steps
                     if line['step'] == 'response'), None)

    border.lab.a.store.execute(before)
    try:
        wait_until(lambda: caused() == cause)
    finally:
        border.lab.a.store.execute(after)
        border.lab.a.ctl('reload')


@pytest.mark.parametrize('profile, cause', ((3, 'not-permitted'),
                                            (9, 'profile-unknown')))
def test_causes(border, user, pair, profile, cause):
    assert_cause(user(border.lab.b, 'authorize', pair, profile=profile), cause)


def is_answer(status):
    return lambda message: message.is_response and message.status == status


def test_primary_server_is_silent(border, user, pair):
    """504, repeated requests, a failure in the end."""
    tap = border.by_target['a']
    with gateways.Stopped(border.lab.a):
        assert_cause(user(border.lab.b, 'authorize', pair),
                     'primary-unreachable')
        tap.wait_for('from', is_answer(504))


def test_partner_server_is_silent(border, user, pair):
    """The response meets nobody: 504, until it does."""
    procedure = documents.new_procedure()
    lab = border.lab
    with gateways.Stopped(lab.a), contextlib.ExitStack() as stack:
        waiting = gateways.Background(lambda: user(
            lab.b, 'authorize', pair, '--procedure', procedure))
        border.by_target['a'].wait_for(
            'to', lambda message: procedure.encode() in message.body)
        stack.enter_context(gateways.Stopped(lab.b))
        os.kill(lab.a.pid, signal.SIGCONT)
        border.by_target['b'].wait_for(
            'to', lambda message: procedure.encode() in message.body)
        border.by_target['b'].wait_for('from', is_answer(504))
    assert waiting.result()[0] in (0, 1)


def test_primary_gateway_is_silent(border, user, pair):
    """Requests, on UDP repeated, and the OPTIONS that probe."""
    tap = border.by_target['a']
    tap.silent = True
    try:
        assert_cause(user(border.lab.b, 'authorize', pair),
                     'primary-unreachable')
        tap.wait_for('to', lambda message: not message.is_response
                     and message.method == 'OPTIONS')
    finally:
        tap.silent = False
    assert user(border.lab.b, 'authorize', pair)[0] in (0, 1)


def test_primary_gateway_dies(border, user, pair, wait_until):
    border.lab.a.gateways[0].kill()
    assert_cause(user(border.lab.b, 'authorize', pair), 'primary-unreachable')
    border.lab.a.gateways[0].start()
    border.lab.a.gateways[0].wait_ready()
    wait_until(lambda: user(border.lab.b, 'authorize', pair)[0] == 0)


def test_primary_store_is_blocked(border, store_kind, user, pair):
    if store_kind != 'sqlite':
        pytest.skip('for SQLite')
    tap = border.by_target['a']
    with contextlib.closing(sqlite3.connect(border.lab.a.store.file,
                                            isolation_level=None)) as operator:
        operator.execute('BEGIN IMMEDIATE')
        assert_cause(user(border.lab.b, 'authorize', pair),
                     'primary-unreachable')
        tap.wait_for('from', is_answer(503))
        operator.execute('ROLLBACK')


@pytest.fixture
def attacker(border, make_peer):
    """Sends from the address of b.example to the outside of a.example."""
    def make(host='127.3.2.1', transport='tcp', system=border.lab.b):
        peer = tls_peer(host, system) if border.lab.certificates \
            else sippeer.Peer(host, transport)
        border.peers.append(peer)
        return peer, border.lab.a.gateways[0].outside_address

    def tls_peer(host, system):
        """A gateway listens on nothing else then."""
        authority = border.lab.certificates.outside(border.lab.b)
        return tlspeer.Peer(authority.issue([labtls.outside_name(system)]),
                            authority.trusted(), host)

    return make


GUEST = 'sip:visitor00007@b.example'
HOME = 'sip:user00007@a.example'


def test_bad_documents(attacker):
    peer, address = attacker()
    for body, *_ in test_gateway_bad_input.DOCUMENTS.values():
        answer = gateways.say(peer, address, body,
                              speaker=gateways.identity('b'),
                              target=gateways.identity('a'))
        assert answer.status >= 400


@pytest.mark.parametrize('transport', ('tcp', 'udp'))
def test_bad_sip(attacker, transport):
    for options, status in test_bad_input.SIP_CASES.values():
        # The stack closes a connection behind a malformed request.
        peer, address = attacker(transport=transport)
        options = {'uri': 'sip:a.example', 'sender': gateways.identity('b'),
                   'content_type': documents.content_type(), **options}
        answer = peer.ask(address, options.pop('uri'),
                          gateways.request_document(GUEST, HOME), **options)
        assert answer.status == status
    peer, address = attacker(transport=transport)
    for content_type, status, _ in test_bad_input.CONTENT_TYPES.values():
        answer = gateways.say(peer, address, b'x', content_type=content_type,
                              speaker=gateways.identity('b'),
                              target=gateways.identity('a'))
        assert answer.status == status


@pytest.mark.parametrize('transport', ('tcp', 'udp'))
def test_stranger(attacker, transport):
    peer, address = attacker('127.2.9.1', transport, STRANGER)
    for method in ('MESSAGE', 'OPTIONS', 'INVITE', 'REGISTER'):
        assert peer.ask(address, 'sip:a.example', method=method,
                        sender='sip:x@d.example').status >= 400


def test_options(attacker):
    peer, address = attacker()
    assert peer.ask(address, gateways.identity('a'), method='OPTIONS',
                    sender=gateways.identity('b')).status == 200


def test_who_may_not(attacker):
    peer, address = attacker()
    for asserted in ('a', 'c', 'd'):
        assert gateways.say(
            peer, address, gateways.request_document(GUEST, HOME),
            speaker=gateways.identity('b'), target=gateways.identity('a'),
            asserted=gateways.identity(asserted)).status == 403
    for ids in ((GUEST, GUEST), (HOME, GUEST), ('sip:x@c.example', HOME),
                ('sip:x@d.example', HOME), (GUEST, 'sip:x@c.example')):
        assert gateways.say(
            peer, address, gateways.request_document(*ids),
            speaker=gateways.identity('b'),
            target=gateways.identity('a')).status >= 400


def test_response_that_nobody_waits_for(attacker):
    peer, address = attacker()
    body = documents.document(
        'authorization-response', 'sip:visitor00007@a.example',
        'sip:user00007@b.example', procedure=documents.new_procedure(),
        sequence=documents.now_us(), result='success')
    assert gateways.say(peer, address, body, speaker=gateways.identity('b'),
                        target=gateways.identity('a')).status == 481


NOISE = (b'\r\n\r\n', b'\0' * 100, b'GET / HTTP/1.0\r\n\r\n',
         b'MESSAGE sip:a.example SIP/2.0\r\n\r\n',
         b'MESSAGE\r\n\r\n', b'SIP/2.0 200 OK\r\n\r\n',
         b'MESSAGE sip:a.example SIP/3.0\r\nVia: SIP/2.0/UDP x\r\n\r\n',
         b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' + b'x' * 90)


@pytest.mark.parametrize('transport', ('tcp', 'udp'))
def test_noise(attacker, transport):
    for noise in NOISE:
        peer, address = attacker(transport=transport)
        with contextlib.suppress(OSError):
            peer.send_raw(address, noise)
    peer, address = attacker(transport=transport)
    assert peer.ask(address, gateways.identity('a'), method='OPTIONS',
                    sender=gateways.identity('b')).status == 200


def test_handshake(border, user, pair):
    """What is said before anything is secret, and what any other system gets
    to see of a certificate."""
    assert_cause(user(border.lab.b, 'authorize', pair), None)
    if not border.lab.certificates:
        pytest.skip('of TLS')
    words = border.words()
    for tap, gateway in zip(border.outside, border.lab.gateways):
        assert set(tap.asked_for) <= {None}
        shown = ssl.get_server_certificate(
            (gateway.outside_host, gateway.outside_port))
        assert not list(words.find_words(ssl.PEM_cert_to_DER_cert(shown)))
        assert f'gateway.{gateway.name}'.encode() \
            in ssl.PEM_cert_to_DER_cert(shown)


# ------------------------------------------------------- the test of the test

def plants(message):
    """Kind: the same message, with something of the inside planted."""
    request = message.start.startswith('MESSAGE')

    def line(text):
        return str_of(message).replace('\r\n\r\n', f'\r\n{text}\r\n\r\n', 1)

    text = str_of(message)
    yield 'address', line('P-Charging-Vector: icid-generated-at=127.1.2.1')
    yield 'address', text.replace('127.2.', '127.1.', 1).replace(
        '127.3.', '127.1.', 1)
    yield 'address', text.replace('branch=z9hG4bK', 'branch=z9hG4bK.7f010201.',
                                  1)
    yield 'header', line('User-Agent: x')
    yield 'header', line('X-Anything: x')
    yield 'product', line('Server: mcmig')
    yield 'product', text.replace('tag=', 'tag=Sofia-SIP.', 1)
    if request:
        yield 'identity', text.replace('From: <sip:mcgateway@',
                                       'From: <sip:user00001@')
        yield 'header', text.replace('<migration ', '<x/><migration ')
        yield 'header', text.replace('<migration ', '<migration x="" ')
        yield 'free text', text.replace('<migration ', '<!-- x --><migration ')
    else:
        yield 'free text', text.replace(message.start, 'SIP/2.0 200 Fine')
        yield 'free text', line('Warning: 399 a.example "room 17 is on fire"')
        yield 'free text', text + 'x'


def str_of(message):
    return message.data.decode()


def with_its_length(text):
    body = text.partition('\r\n\r\n')[2]
    return re.sub(r'Content-Length: \d+', f'Content-Length: {len(body)}',
                  text).encode()


def words_by_kind(inside, kind):
    return [word for word, its in inside.words.items() if its == kind]


def test_what_is_planted_is_found(border, user, pair):
    """Each kind, in what has really left, where it would stand."""
    assert_cause(user(border.lab.b, 'authorize', pair), None)
    assert_cause(user(border.lab.b, 'authorize', pair, profile=3),
                 'not-permitted')
    words = border.words()
    tap = border.by_target['a']
    request = next(message for message in tap.messages('to')
                   if message.start.startswith('MESSAGE'))
    answer = next(filter(is_answer(200), tap.messages('from')))
    for message in (request, answer):
        assert not list(hidden.find(message.data, words))
        for kind, planted in plants(message):
            assert planted != str_of(message)
            found = [finding.kind for finding
                     in hidden.find(with_its_length(planted), words)]
            assert kind in found, (kind, planted, found)
        for kind in ('Call-ID', 'tag', 'branch', 'host', 'address',
                     'token'):
            for word in words_by_kind(words, kind)[:20]:
                planted = message.data.replace(b'Call-ID: ',
                                               f'Call-ID: {word}.'.encode())
                assert planted != message.data
                found = [finding.kind
                         for finding in hidden.find(planted, words)]
                assert kind in found, (kind, word, planted)
    for kind in ('Call-ID', 'tag', 'branch', 'host', 'address', 'token'):
        assert words_by_kind(words, kind), kind
    failed = next(message for message in border.by_target['b'].messages('to')
                  if b'<text>' in message.body)
    assert 'free text' in [finding.kind for finding in hidden.find(
        with_its_length(str_of(failed).replace('<text>', '<text>Room 17. ')),
        words)]

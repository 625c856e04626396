# SPDX-License-Identifier: BSD-2-Clause
"""A gateway and its next hops: silence, refusal, nonsense, failover. Server
and other gateways are the test's own peers."""

import contextlib
import os
import socket
import struct
import time

import pytest

import documents
import gateways

pytestmark = pytest.mark.skipif(
    os.environ.get('MCMIG_STORE', 'sqlite') != 'sqlite',
    reason='there is no store here: once is enough')
GUEST = 'sip:visitor00001@b.example'
HOME = 'sip:user00001@a.example'
SETTINGS = {'': {'log_level': 'debug', 'sip_probe_interval': '500ms'},
            'gateway': {'attempt_deadline': '300ms', 'exit_deadline': '1s',
                        'entry_deadline': '900ms', 'user_rate': 0}}


@pytest.fixture
def server(make_peer):
    return make_peer('127.1.2.1', 'tcp', auto_reply=200)


@pytest.fixture
def third(make_peer):
    return make_peer('127.2.3.1', 'tcp')


@pytest.fixture
def make_gateway(make_lab, server, third):
    """A gateway of b.example in front of these gateways of a.example."""
    def make(*primaries, settings=SETTINGS):
        lab = make_lab(gateways.GatewayLab, server, primaries, third,
                       settings=settings)
        return lab.gateway

    return make


@pytest.fixture
def primary(make_peer):
    return make_peer('127.2.1.1', 'tcp')


@pytest.fixture
def backup(make_peer):
    return make_peer('127.2.1.2', 'tcp', auto_reply=200)


def ask(server, gateway, **options):
    """A request of the server to a.example."""
    return gateways.say(server, gateway.inside,
                        gateways.request_document(GUEST, HOME, **options),
                        speaker='sip:b.example', target='sip:a.example')


def assert_answer(answer, status, warning=None):
    assert answer.status == status, answer
    if warning:
        assert answer.header('warning') == f'399 b.example "{warning}"'
    else:
        assert answer.header('warning') is None


# ---- one next hop

def reset(message):
    message.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                  struct.pack('ii', 1, 0))
    message.connection.shutdown(socket.SHUT_RD)


def cut_off(message):
    message.answer_with(b'SIP/2.0 200 OK\r\nVia: ')
    message.connection.shutdown(socket.SHUT_WR)


def provisional(message):
    message.answer_with(answer_to(message, '100 Trying'))


def for_another(message):
    message.answer_with(answer_to(message, '200 OK').replace(
        message.branch.encode(), b'z9hG4bKanother'))


def of_another_method(message):
    message.answer_with(answer_to(message, '200 OK').replace(
        b' MESSAGE\r\n', b' OPTIONS\r\n'))


def garbage(message):
    message.answer_with(b'\0\xff' * 2000 + b'\r\n\r\n')


def answer_to(message, line):
    lines = [f'SIP/2.0 {line}']
    lines += [f'{name}: {message.header(name)}'
              for name in ('via', 'from', 'to', 'call-id', 'cseq')]
    return '\r\n'.join(lines + ['content-length: 0', '', '']).encode()


BROKEN = {'silent': lambda message: None, 'resets': reset,
          'closes in mid message': cut_off, 'says 100 only': provisional,
          'answers for another': for_another,
          'answers another method': of_another_method,
          'talks nonsense': garbage}


@pytest.mark.parametrize('how', BROKEN)
def test_next_hop(make_gateway, server, primary, how):
    gateway = make_gateway(primary)
    primary.auto_reply = BROKEN[how]
    counters = gateways.Counters(gateway)
    assert_answer(ask(server, gateway), 504, 'no answer in time')
    assert counters['gateway.timed_out'] == 1

    # And once it has come to its senses:
    primary.auto_reply = 200
    wait_for_answer(lambda: ask(server, gateway), 200)


def wait_for_answer(send, status, seconds=20):
    """A next hop that was down is probed before it is used again."""
    deadline = time.monotonic() + seconds
    while (answer := send()).status != status:
        assert time.monotonic() < deadline, answer


@pytest.mark.parametrize('transport', ('tcp', 'udp'))
def test_next_hop_refuses(make_gateway, make_peer, server, transport):
    primary = make_peer('127.2.1.1', transport)
    primary.close()
    gateway = make_gateway(primary)
    assert_answer(ask(server, gateway), 504, 'no answer in time')


def test_silent_on_udp(make_gateway, make_peer, server):
    primary = make_peer('127.2.1.1', 'udp')
    gateway = make_gateway(primary)
    assert_answer(ask(server, gateway), 504, 'no answer in time')


def test_next_hop_answers_twice(make_gateway, server, primary):
    def twice(message):
        with contextlib.suppress(OSError):
            message.answer_with(answer_to(message, '200 OK')
                                + answer_to(message, '403 Forbidden')
                                + answer_to(message, '200 OK'))

    gateway = make_gateway(primary)
    primary.auto_reply = twice
    branch = server.send(
        gateway.inside, 'sip:a.example',
        gateways.request_document(GUEST, HOME), sender='sip:b.example',
        content_type=documents.content_type(),
        headers=documents.service_headers('mcptt', 'sip:b.example',
                                          'Asserted'))
    assert server.response(branch).status == 200
    # The next one is answered, so what came before has been read.
    assert ask(server, gateway).status == 200
    assert server.no_response(branch)


# status of the next hop: status that the one before gets, Warning
PASSED_ON = {
    200: (200, None), 202: (202, None), 302: (502, None),
    400: (400, 'request not valid'), 401: (403, 'request refused'),
    403: (403, 'request refused'), 404: (404, 'not found'),
    407: (403, 'request refused'), 408: (504, 'no answer in time'),
    481: (481, 'procedure not awaited'),
    486: (486, 'refused by the next MC server'),
    500: (500, 'failure of the next MC server'),
    503: (503, 'try again later'), 504: (504, 'no answer in time'),
    603: (603, None),
}


@pytest.mark.parametrize('status', PASSED_ON)
def test_status(make_gateway, server, primary, status):
    expected, warning = PASSED_ON[status]
    gateway = make_gateway(primary)
    primary.auto_reply = lambda message: primary.reply(
        message, status, headers=[
            ('Warning', '399 as1.inside.a.example "room 17 is on fire"'),
            ('Contact', '<sip:elsewhere@192.0.2.1>'),
            ('WWW-Authenticate', 'Digest realm="inside", nonce="x"'),
            ('Retry-After', '86400 (till tomorrow)')])
    answer = ask(server, gateway)
    assert answer.status == expected, answer
    if warning:
        assert_answer(answer, expected, warning)
    text = repr(answer)
    for word in ('fire', 'as1', 'elsewhere', 'realm', '86400', 'tomorrow',
                 'because'):
        assert word not in text
    if status == 503:
        assert 0 < int(answer.header('retry-after')) <= 60
    if status < 300:
        assert answer.header('retry-after') is None


@pytest.mark.parametrize('warning', (
    'procedure not awaited', 'quota of this user exhausted',
    'peer may not speak for this MC system'))
def test_warning_that_passes(make_gateway, server, primary, warning):
    gateway = make_gateway(primary)
    primary.auto_reply = lambda message: primary.reply(
        message, 481, headers=[('Warning', f'399 inside.a.example "{warning}"'
                                )])
    assert_answer(ask(server, gateway), 481, warning)


# ---- two next hops

@pytest.mark.parametrize('how', ('silent', 'resets', 408, 500, 503))
def test_second_next_hop(make_gateway, server, primary, backup, how):
    gateway = make_gateway(primary, backup)
    primary.auto_reply = BROKEN.get(how, how)
    counters = gateways.Counters(gateway)
    assert_answer(ask(server, gateway), 200)
    assert counters['gateway.failed_over'] == 1
    assert counters['gateway.attempts'] == 2
    first, second = (documents.Parsed(peer.request().body)
                     for peer in (primary, backup))
    assert first.procedure == second.procedure


def test_first_next_hop_refuses(make_gateway, server, primary, backup):
    primary.close()
    gateway = make_gateway(primary, backup)
    assert_answer(ask(server, gateway), 200)


@pytest.mark.parametrize('status', (400, 403, 404, 481, 603))
def test_a_decision_is_not_asked_for_twice(make_gateway, server, primary,
                                           backup, status):
    gateway = make_gateway(primary, backup)
    primary.auto_reply = status
    assert ask(server, gateway).status == status
    assert backup.requests.empty()


def test_all_silent(make_gateway, server, primary, backup):
    gateway = make_gateway(primary, backup)
    backup.auto_reply = None
    assert_answer(ask(server, gateway), 504, 'no answer in time')


def test_first_is_probed_and_used_again(make_gateway, make_peer, server,
                                        backup):
    """Down: it is passed over without delay, until OPTIONS gets an answer."""
    primary = make_peer('127.2.1.1', 'tcp')
    gateway = make_gateway(primary, backup)
    while primary.requests.empty() or not is_probed(primary):
        assert_answer(ask(server, gateway), 200)
    primary.auto_reply = 200
    wait_for_answer_of(lambda: ask(server, gateway), primary, 'MESSAGE')


def is_probed(peer):
    return peer.request().method == 'OPTIONS'


def wait_for_answer_of(send, peer, method, seconds=20):
    while not peer.requests.empty():
        peer.request()
    deadline = time.monotonic() + seconds
    while True:
        assert send().status == 200
        while not peer.requests.empty():
            if peer.request().method == method:
                return
        assert time.monotonic() < deadline


# ---- from outside, and round in a circle

def test_entry_passes_on_and_back(make_gateway, server, primary):
    gateway = make_gateway(primary)
    answer = gateways.say(primary, gateway.outside, gateways.request_document(
        'sip:visitor00001@a.example', 'sip:user00001@b.example'),
        speaker=gateways.identity('a'), target=gateways.identity('b'))
    assert_answer(answer, 200)
    request = server.request()
    assert request.uri == 'sip:b.example'
    assert request.header('p-asserted-identity') == \
        f'<{gateways.identity("b")}>'
    assert int(request.header('max-forwards')) == 69


def test_our_own_message_comes_back(make_gateway, server, primary):
    gateway = make_gateway(primary)
    primary.auto_reply = 200
    assert_answer(ask(server, gateway), 200)
    heard = primary.request()
    counters = gateways.Counters(gateway)
    branch = primary.send(
        gateway.outside, gateways.identity('b'), heard.body,
        content_type=heard.header('content-type'),
        replace={'From': heard.header('from'),
                 'Call-ID': heard.header('call-id')})
    answer = primary.response(branch)
    assert answer.status == 482
    assert 'loop detected' in answer.header('warning')
    assert counters['gateway.relayed_in'] == 0


# ---- policy and quotas

POLICY = '179 service not authorized with the interconnected system'


@pytest.mark.parametrize('rule, verb, service, allowed', (
    ('mcptt:authorization', 'authorization', 'mcptt', True),
    ('mcptt:authorization', 'deauthorization', 'mcptt', False),
    ('mcptt:*', 'deauthorization', 'mcptt', True),
    ('mcptt:*', 'authorization', 'mcvideo', False),
    ('mcdata:*', 'authorization', 'mcdata', True),
))
@pytest.mark.parametrize('way', ('to', 'from'))
def test_policy(make_gateway, server, primary, rule, verb, service, allowed,
                way):
    primary.auto_reply = 200
    settings = {**SETTINGS, 'gateway': {
        **SETTINGS['gateway'],
        ('system', 'a.example'): {
            'domains': ['a.example'],
            'next_hops': [f'sip:127.2.1.1:{primary.port};transport=tcp'],
            'requests_to': [rule if way == 'to' else '*'],
            'requests_from': [rule if way == 'from' else '*']}}}
    gateway = make_gateway(primary, settings=settings)
    counters = gateways.Counters(gateway)
    if way == 'to':
        answer = gateways.say(
            server, gateway.inside, gateways.request_document(
                GUEST, HOME, verb, service=service), service=service,
            speaker='sip:b.example', target='sip:a.example')
    else:
        answer = gateways.say(
            primary, gateway.outside, gateways.request_document(
                'sip:visitor00001@a.example', 'sip:user00001@b.example', verb,
                service=service), service=service,
            speaker=gateways.identity('a'), target=gateways.identity('b'))
    if allowed:
        assert_answer(answer, 200)
    else:
        assert_answer(answer, 403, POLICY)
        assert counters['gateway.refused_policy'] == 1
        assert server.requests.empty() and primary.requests.empty()


def test_system_that_is_switched_off(make_gateway, server, primary):
    settings = {**SETTINGS, 'gateway': {
        **SETTINGS['gateway'],
        ('system', 'a.example'): {
            'enabled': False, 'domains': ['a.example'],
            'next_hops': [f'sip:127.2.1.1:{primary.port};transport=tcp']}}}
    gateway = make_gateway(primary, settings=settings)
    assert_answer(ask(server, gateway), 403, POLICY)
    assert primary.requests.empty()


@pytest.mark.parametrize('user, number', (
    ('sip:user00001@b.example', 0), ('sip:user10001@b.example', 1),
    ('sip:user10002@b.example', 2), ('sip:anybody@other.b.example', 3)))
def test_server_of_this_user(make_gateway, make_peer, server, primary, user,
                             number):
    """The rest, a prefix, a user, a domain: the most specific wins."""
    others = [make_peer('127.1.2.1', 'tcp', auto_reply=200) for _ in range(3)]
    rules = ({'prefixes': ['user1']}, {'users': ['sip:user10002@b.example']},
             {'domains': ['other.b.example']})
    settings = {**SETTINGS, 'gateway': {
        **SETTINGS['gateway'], 'domains': ['b.example', 'other.b.example'],
        **{('server', f'b{i}'): {
            'next_hops': [f'sip:127.1.2.1:{peer.port};transport=tcp'], **rule}
           for i, (peer, rule) in enumerate(zip(others, rules), 2)}}}
    gateway = make_gateway(primary, settings=settings)
    answer = gateways.say(primary, gateway.outside, gateways.request_document(
        'sip:visitor00001@a.example', user), speaker=gateways.identity('a'),
        target=gateways.identity('b'))
    assert_answer(answer, 200)
    servers = [server, *others]
    assert documents.Parsed(servers[number].request().body).primary_id == user
    assert all(peer.requests.empty() for peer in servers)


def test_user_quota(make_gateway, server, primary):
    primary.auto_reply = 200
    gateway = make_gateway(primary, settings={
        **SETTINGS, 'gateway': {**SETTINGS['gateway'], 'user_rate': 1}})
    counters = gateways.Counters(gateway)
    statuses = [ask(server, gateway).status for _ in range(30)]
    assert set(statuses) == {200, 503}
    assert counters['gateway.over_user_rate'] == statuses.count(503)


def test_peer_quota(make_gateway, server, primary):
    primary.auto_reply = 200
    gateway = make_gateway(primary, settings={
        **SETTINGS, 'gateway': {**SETTINGS['gateway'], 'peer_rate': 1}})
    counters = gateways.Counters(gateway)
    answers = [ask(server, gateway) for _ in range(30)]
    refused = [answer for answer in answers if answer.status == 503]
    assert refused and len(refused) < 30
    assert counters['gateway.over_peer_rate'] == len(refused)
    assert int(refused[0].header('retry-after')) > 0

# SPDX-License-Identifier: BSD-2-Clause
"""mcmig-ue against a partner MC system that this test plays."""

import subprocess
import threading

import pytest

import conftest
import documents
import lablib
import labtoken

pytestmark = conftest.once


def server_of(peer):
    host = f'[{peer.host}]' if ':' in peer.host else peer.host
    return f'{host}:{peer.port}'


class Serving:
    """Runs the client in the background."""

    def __init__(self, run):
        self.result = None
        self._thread = threading.Thread(target=self._run, args=(run,))
        self._thread.start()

    def _run(self, run):
        self.result = run()

    def wait(self):
        self._thread.join()
        return self.result


@pytest.fixture
def start(ue, pair):
    """start(peer, verb, options...): the client asks the peer."""
    def run(peer, verb='authorize', *options, transport='udp'):
        return Serving(lambda: ue(verb, server_of(peer), pair, *options,
                                  transport=transport))

    return run


def respond(peer, request, element='authorization-response', **options):
    """The response flow, to where the client's Via says."""
    asked = documents.Parsed(request.body)
    options = {'procedure': asked.procedure, 'result': 'success', **options}
    sent_by = request.header('via').split()[1].partition(';')[0]
    return peer.ask(
        sent_by, asked.partner_id,
        documents.document(element, asked.partner_id, asked.primary_id,
                           service=asked.service, **options),
        sender='sip:b.example',
        content_type=documents.content_type(asked.service))


def names(steps):
    return [step['step'] for step in steps]


@pytest.mark.parametrize('host', ('127.0.0.1', '::1'))
@pytest.mark.parametrize('transport', ('udp', 'tcp'))
def test_success(make_peer, start, pair, host, transport):
    peer = make_peer(host, transport, auto_reply=200)
    client = start(peer, transport=transport)
    request = peer.request()
    assert request.method == 'MESSAGE'
    assert request.uri == 'sip:b.example'
    assert request.header('to') == '<sip:b.example>'
    assert request.header('from').startswith(f'<{pair.partner_id}>;tag=')
    assert request.header('p-preferred-identity') == f'<{pair.partner_id}>'
    assert request.header('p-preferred-service') == (
        'urn:urn-7:3gpp-service.ims.icsi.mcptt')
    assert '+g.3gpp.mcptt' in request.header('accept-contact')
    assert request.header('max-forwards') == '70'
    assert request.header('contact') is None
    asked = documents.Parsed(request.body)
    assert asked.element == 'authorization-request'
    assert (asked.partner_id, asked.primary_id, asked.profile) == (
        pair.partner_id, pair.primary_id, '1')
    assert abs(int(asked.order) - documents.now_ms()) < 60000
    assert asked.sequence is None
    assert respond(peer, request).status == 200
    status, steps = client.wait()
    assert status == 0
    assert names(steps) == ['request', 'answer', 'response', 'reply', 'end']


def test_failure(make_peer, start):
    peer = make_peer(auto_reply=200)
    client = start(peer)
    assert respond(peer, peer.request(), result='failure',
                   cause='not-permitted').status == 200
    status, steps = client.wait()
    assert status == 1
    assert steps[2]['cause'] == 'not-permitted'


def test_deauthorization(make_peer, start):
    peer = make_peer(auto_reply=200)
    client = start(peer, 'deauthorize', '--service', 'mcdata')
    request = peer.request()
    assert documents.Parsed(request.body).element == 'deauthorization-request'
    assert documents.Parsed(request.body).profile is None
    assert respond(peer, request, 'deauthorization-response').status == 200
    assert client.wait()[0] == 0


def test_refused(make_peer, start):
    peer = make_peer()
    client = start(peer)
    peer.reply(peer.request(), 403,
               headers=[('Warning', '399 b.example "go away"')])
    status, steps = client.wait()
    assert status == 2
    assert steps[1]['status'] == 403
    assert steps[1]['warning'] == 'go away'


def test_nothing_heard(make_peer, start):
    assert start(make_peer(), 'authorize', '--timeout', '1').wait()[0] == 3


def test_taken_but_no_response(make_peer, start):
    client = start(make_peer(auto_reply=200), 'authorize', '--timeout', '1')
    status, steps = client.wait()
    assert status == 3
    assert steps[1]['status'] == 200


def test_unknown_outcome_is_asked_again(make_peer, start):
    """5xx: the same document in a new transaction."""
    peer = make_peer()
    client = start(peer)
    first = peer.request()
    peer.reply(first, 503)
    second = peer.request()
    assert second.body == first.body
    assert second.branch != first.branch
    assert second.header('call-id') != first.header('call-id')
    peer.reply(second, 200)
    assert respond(peer, second).status == 200
    assert client.wait()[0] == 0


def test_only_5xx(make_peer, start):
    status, steps = start(make_peer(auto_reply=503), 'authorize',
                          '--timeout', '1').wait()
    assert status == 2
    assert steps[1]['status'] == 503


@pytest.mark.parametrize('options', (
    {'procedure': documents.new_procedure()},
    {'element': 'deauthorization-response'}))
def test_response_of_another_procedure(make_peer, start, options):
    peer = make_peer(auto_reply=200)
    client = start(peer)
    request = peer.request()
    assert respond(peer, request, **options).status == 481
    assert respond(peer, request).status == 200
    assert client.wait()[0] == 0


def test_response_before_the_answer(make_peer, start):
    peer = make_peer()
    client = start(peer)
    request = peer.request()
    assert respond(peer, request).status == 200
    assert client.wait()[0] == 0


def test_token(make_peer, start, tmp_path):
    token = tmp_path / 'token'
    token.write_text('eyJ' + 'a' * 2000 + '.b.c\n')
    peer = make_peer(auto_reply=200)
    client = start(peer, 'authorize', '--token', str(token))
    request = peer.request()
    assert f'<mcpttString>{token.read_text().strip()}<'.encode() \
        in request.body
    respond(peer, request)
    assert client.wait()[0] == 0


@pytest.mark.parametrize('service', documents.SERVICES)
def test_login(make_peer, start, idms, pair, service):
    """By default for the partner ID, with the scope of the service."""
    peer = make_peer(auto_reply=200)
    client = start(peer, 'authorize', '--login', idms.url,
                   '--service', service)
    request = peer.request()
    claims = labtoken.claims_in(documents.Parsed(request.body).access_token)
    assert claims[f'{service}_id'] == pair.partner_id
    assert labtoken.SERVICES[service][1] in claims['scope'].split()
    respond(peer, request)
    assert client.wait()[0] == 0


def test_login_as_another_user(make_peer, start, idms):
    peer = make_peer(auto_reply=200)
    client = start(peer, 'authorize', '--login', idms.url + '/token',
                   '--user', 'sip:a+b&c=d@b.example')
    request = peer.request()
    claims = labtoken.claims_in(documents.Parsed(request.body).access_token)
    assert claims['mcptt_id'] == 'sip:a+b&c=d@b.example'
    respond(peer, request)
    assert client.wait()[0] == 0


@pytest.mark.parametrize('path, reason', (
    ('/other', 'HTTP status 404, error not_found'),
    ('/jwks', 'HTTP status 404')))
def test_login_that_fails(idms, path, reason):
    done = run('authorize', '--print-body', '--login', idms.url + path,
               '--partner-id', 'sip:v@b.example', '--profile', '1',
               '--primary-id', 'sip:u@a.example')
    assert done.returncode == 69
    assert reason in done.stderr and not done.stdout


def run(*arguments):
    return subprocess.run([lablib.build_folder() / 'src/mcmig-ue', *arguments],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=20, check=False)


IDS = ('--partner-id', 'sip:v@b.example', '--primary-id', 'sip:u@a.example')


def test_print_body():
    done = run('authorize', *IDS, '--profile', '2', '--print-body',
               '--service', 'mcvideo')
    assert done.returncode == 0
    asked = documents.Parsed(done.stdout)
    assert (asked.service, asked.profile) == ('mcvideo', '2')


@pytest.mark.parametrize('arguments', (
    (), ('authorize',), ('migrate', *IDS),
    ('authorize', *IDS, '--server', 'sip:127.0.0.1:5060'),
    ('authorize', *IDS, '--profile', '1', '--server', 'http://127.0.0.1'),
    ('authorize', *IDS, '--profile', '1', '--server', 'sip:127.0.0.1:x'),
    ('authorize', *IDS, '--profile', '256', '--print-body'),
    ('authorize', *IDS, '--profile', '1', '--service', 'mcfoo'),
    ('authorize', *IDS, '--profile', '1', '--procedure', '17'),
    ('authorize', '--partner-id', 'v', '--primary-id', 'sip:u@a.example')))
def test_wrong_use(arguments):
    done = run(*arguments)
    assert done.returncode == 64
    assert done.stderr

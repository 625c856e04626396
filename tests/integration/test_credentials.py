# SPDX-License-Identifier: BSD-2-Clause
"""Access tokens at a partner MC system: good ones, wrong ones, and keys that
change. All kinds of wrong tokens are in tests/unit/test_token.c."""

import datetime
import http.server
import ipaddress
import ssl
import threading
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
import pytest

import conftest
import lablib
import labtoken
from labproc import LabError

pytestmark = conftest.once
ISSUER = 'https://idms.b.example'


@pytest.fixture(scope='module')
def token_lab(folder, cluster):
    options, name = conftest.lab_options(cluster, {'tokens': True})
    lab = lablib.Lab(folder / name, **options)
    lab.start()
    yield lab
    conftest.stop_in_order(lab)


def token_for(key, pair, *, header=None, service='mcptt', **claims):
    good = labtoken.claims_of(pair.partner_id, [service], ISSUER, 'mcmig')
    return key.token({**good, **claims}, header)


@pytest.fixture
def ask(ue, tmp_path):
    """Runs mcmig-ue with this token: exit status, steps."""
    def run(system, pair, token, *options, verb='authorize'):
        file = tmp_path / 'token'
        file.write_text(token)
        return ue(verb, system.server, pair, '--token', str(file), *options)

    return run


def stats(system):
    return {row['name'].partition('.')[2]: row['value']
            for row in system.ctl('stats')
            if row['name'].startswith('auth_token.')}


def answer(steps):
    return next(step for step in steps if step['step'] == 'answer')


def answers(steps):
    return [step['status'] for step in steps if step['step'] == 'answer']


@pytest.mark.parametrize('service', labtoken.SERVICES)
def test_good_token(token_lab, pair, ask, service):
    """In and out again with the same token: it is remembered."""
    system = token_lab.b
    key = labtoken.Key.load(system.token_key)
    token = token_for(key, pair, service=service)
    before = stats(system)
    assert ask(system, pair, token, '--service', service)[0] == 0
    assert ask(system, pair, token, '--service', service,
               verb='deauthorize')[0] == 0
    after = stats(system)
    assert after['allowed'] == before['allowed'] + 2
    assert after['cache_hits'] == before['cache_hits'] + 1
    assert token.split('.')[2] not in system.log.read_text()


NOW = int(time.time())
WRONG = (
    ({'exp': NOW - 60}, {}, 'it has expired'),
    ({'nbf': NOW + 600}, {}, 'it is not valid yet'),
    ({'exp': None}, {}, 'it has no exp'),
    ({'aud': 'others'}, {}, 'it is for another audience'),
    ({'iss': 'https://idms.a.example'}, {}, 'its issuer is not known'),
    ({'scope': 'openid'}, {}, 'its scope has not the service'),
    ({'client_id': None}, {}, 'it has no client_id'),
    ({'mcptt_id': 'sip:visitor00399@b.example'}, {}, 'it names another user'),
    ({'mcptt_id': None}, {}, 'it has no ID for the service'),
    ({}, {'alg': 'none'}, 'its alg is none: it is not signed'),
    ({}, {'alg': 'HS256'}, 'its alg is an HMAC: a shared secret'),
    ({}, {'alg': 'ES384'}, 'its alg is not allowed'),
    ({}, {'jku': 'https://evil.example/'},
     'its header has jku: a place for keys'),
    ({}, {'crit': ['exp']},
     'its header has crit: an extension that we do not know'),
    ({}, {'typ': 'JOSE'}, 'its typ is of no access token'),
    ({}, {'typ': 7}, 'its typ is of no access token'),
    ({}, {'alg': None}, 'its header has no alg'),
    ({}, {'alg': 7}, 'its alg is no text'),
    ({}, {'alg': 'ES256K'}, 'its alg is not known'),
    ({}, {'kid': 7}, 'its kid is no text'),
    ({}, {'jwk': {'kty': 'EC'}}, 'its header has jwk: a key of its own'),
    ({}, {'x5u': 'https://evil.example/'},
     'its header has x5u: a place for certificates'),
    ({}, {'x5c': ['MIIB']}, 'its header has x5c: certificates of its own'),
    ({}, {'b64': False}, 'its header has b64: another form of the payload'),
    ({}, {'zip': 'DEF'}, 'its header has zip: a compressed payload'),
    ({}, {'enc': 'A128GCM'}, 'its header has enc: it is encrypted'),
    ({'exp': str(NOW + 600)}, {}, 'its exp is no whole number'),
    ({'exp': NOW + 600.5}, {}, 'its exp is no whole number'),
    ({'exp': -1}, {}, 'its exp is out of range'),
    ({'exp': 10 ** 15}, {}, 'its exp is out of range'),
    ({'nbf': 'soon'}, {}, 'its nbf is no whole number'),
    ({'nbf': -1}, {}, 'its nbf is out of range'),
    ({'iat': 'now'}, {}, 'its iat is no whole number'),
    ({'iat': NOW + 600}, {}, 'it is not valid yet'),
    ({'aud': None}, {}, 'it has no aud'),
    ({'aud': 7}, {}, 'its aud is neither a text nor a list of texts'),
    ({'aud': ['mcmig', 7]}, {},
     'its aud is neither a text nor a list of texts'),
    ({'aud': ['others']}, {}, 'it is for another audience'),
    ({'iss': None}, {}, 'it has no iss'),
    ({'iss': 7}, {}, 'its iss is no text'),
    ({'client_id': 7}, {}, 'its client_id is no text'),
    ({'scope': None}, {}, 'it has no scope'),
    ({'scope': 7}, {}, 'its scope is neither a text nor a list of texts'),
    ({'scope': ['openid', 7]}, {},
     'its scope is neither a text nor a list of texts'),
    ({'scope': '3gpp:mc:video_service'}, {}, 'its scope has not the service'),
    ({'mcptt_id': 'visitor'}, {},
     'its ID for the service is no MC service ID'),
    ({'mcptt_id': 7}, {}, 'its ID for the service is no MC service ID'),
)


@pytest.mark.parametrize('claims, header, reason', WRONG)
def test_wrong_token(token_lab, pair, ask, rows, wait_until, claims, header,
                     reason):
    """The client hears that it failed, the log why; nothing is stored."""
    system = token_lab.b
    key = labtoken.Key.load(system.token_key)
    token = token_for(key, pair, header=header, **claims)
    rows_before, before = rows(system), stats(system)
    status, steps = ask(system, pair, token)
    assert status == 2
    assert answer(steps)['status'] == 403
    assert '101 service authorisation failed' in answer(steps)['warning']
    assert rows(system) == rows_before
    assert stats(system)['refused'] == before['refused'] + 1

    def is_logged():  # at most ten lines a second: until it is its turn
        return f'reason="{reason}"' in system.log.read_text() or \
            ask(system, pair, token)[0] != 2

    wait_until(is_logged)
    log = system.log.read_text()
    assert token.split('.')[1] not in log and token.split('.')[2] not in log


def test_forged_token(token_lab, pair, ask):
    """Signed with another key that says to be the right one."""
    key = labtoken.Key.load(token_lab.b.token_key)
    token = token_for(labtoken.Key.create(), pair, header={'kid': key.kid})
    status, steps = ask(token_lab.b, pair, token)
    assert (status, answer(steps)['status']) == (2, 403)


def test_no_token(token_lab, pair, ue):
    status, steps = ue('authorize', token_lab.b.server, pair)
    assert (status, answer(steps)['status']) == (2, 403)


# --- Keys that change ------------------------------------------------------

def test_file_that_changes(make_lab, make_pair, ask, wait_until):
    """New keys are known at once, tokens of removed ones refused, also those
    that are remembered; a broken file changes nothing."""
    system = make_lab(tokens=True).b
    old, new = labtoken.Key.load(system.token_key), labtoken.Key.create()
    pair = make_pair()
    token = token_for(old, pair)
    assert ask(system, pair, token)[0] == 0

    system.jwks.write_text('{"keys": [')
    wait_until(lambda: stats(system)['fetch_failures'])
    assert ask(system, pair, token, verb='deauthorize')[0] == 0

    # It asks again on 503, until the file has been looked at.
    system.jwks.write_text(labtoken.jwks_of(new))
    assert ask(system, make_pair(), token)[0] == 2
    pair = make_pair()
    assert ask(system, pair, token_for(new, pair))[0] == 0


def test_reload_that_cannot_be_undone(make_lab, make_pair, ask):
    """The next module refuses its settings, and the file of the keys that were
    in use before is gone: the new ones stay, and are whole."""
    system = make_lab(tokens=True).b
    moved = system.jwks.with_name('moved.json')
    system.jwks.rename(moved)
    good = system.conf.read_text().replace(str(system.jwks), str(moved))
    system.conf.write_text(good.replace(
        'migration {', 'migration {\n    clients = { "nonsense" }'))
    with pytest.raises(LabError):
        system.ctl('reload')
    key = labtoken.Key.load(system.token_key)
    for _ in range(2):
        pair = make_pair()
        assert ask(system, pair, token_for(key, pair))[0] == 0
        system.conf.write_text(good)
        system.ctl('reload')


@pytest.fixture
def url_lab(make_lab, idms, folder):
    def make(**settings):
        return make_lab(tokens=True, settings={
            '': {'log_level': 'debug'},
            'auth_token': {
                'refetch_interval': '100ms', **settings,
                ('identity_management', ISSUER): {
                    'jwks_url': idms.url + '/jwks', 'audience': ['mcmig'],
                    'jwks_cache': str(folder / 'cache.json')}}}).b

    return make


def test_url(url_lab, idms, make_pair, ask, wait_until):
    """A key that is not known is looked for, and refused if it is not there;
    it counts as soon as it is."""
    system = url_lab(refresh_interval='500ms')
    pair, new = make_pair(), labtoken.Key.create()
    assert ask(system, pair,
               token_for(labtoken.Key.load(idms.key), pair))[0] == 0
    pair = make_pair()
    token = token_for(new, pair)
    status, steps = ask(system, pair, token)
    assert (status, answers(steps)[-1]) == (2, 403)
    idms.jwks.write_text(
        labtoken.jwks_of(labtoken.Key.load(idms.key), new))
    wait_until(lambda: stats(system)['keys'] == 2)
    assert ask(system, pair, token)[0] == 0


def test_rotation(url_lab, idms, make_pair, ask):
    system = url_lab()
    new = labtoken.Key.create()
    idms.jwks.write_text(labtoken.jwks_of(new))
    pair = make_pair()
    assert ask(system, pair, token_for(new, pair))[0] == 0
    assert stats(system)['keys'] == 1


def test_server_that_is_away(url_lab, idms, make_pair, ask, wait_until):
    """Its keys stay good, also over a restart."""
    system = url_lab(refresh_interval='200ms')
    key = labtoken.Key.load(idms.key)
    wait_until(lambda: stats(system)['keys'])
    idms.stop()
    wait_until(lambda: stats(system)['fetch_failures'] >= 2)
    pair = make_pair()
    assert ask(system, pair, token_for(key, pair))[0] == 0

    system.stop()
    system.start()
    system.wait_ready()
    assert stats(system)['keys'] == 1
    pair = make_pair()
    assert ask(system, pair, token_for(key, pair))[0] == 0
    # Another key may have been made meanwhile: nobody is refused.
    status, steps = ask(system, pair, token_for(labtoken.Key.create(), pair),
                        '--timeout', '2')
    assert (status, answer(steps)['status']) == (2, 503)
    idms.start()


# --- https ------------------------------------------------------------------

def make_certificate(folder, host):
    """For this address, signed by itself: a file with the key, too."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, 'idms')])
    now = datetime.datetime.utcnow()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(
            [x509.IPAddress(ipaddress.ip_address(host))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256()))
    file = folder / f'{host}.pem'
    file.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM) +
        key.private_bytes(serialization.Encoding.PEM,
                          serialization.PrivateFormat.PKCS8,
                          serialization.NoEncryption()))
    return file


class JwksHandler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):  # pylint: disable=invalid-name
        body = self.server.jwks.encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def serve_https():
    """serve_https(certificate, jwks): the URL of a server that has them."""
    servers = []

    def serve(certificate, jwks):
        server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), JwksHandler)
        server.jwks = jwks
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever).start()
        servers.append(server)
        return f'https://127.0.0.1:{server.server_address[1]}/jwks'

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize('host, known, trusted', (
    ('127.0.0.1', True, True),
    ('127.0.0.1', False, False),   # signed by nobody whom we know
    ('127.0.0.2', True, False)))   # of another host
def test_https(make_lab, make_pair, ask, wait_until, serve_https, tmp_path,
               host, known, trusted):
    """Keys come only from whom the certificate authority vouches for."""
    key = labtoken.Key.create()
    certificate = make_certificate(tmp_path, host)
    system = make_lab(tokens=True, settings={'auth_token': {
        'refetch_interval': '100ms',
        ('identity_management', ISSUER): {
            'jwks_url': serve_https(certificate, labtoken.jwks_of(key)),
            'audience': ['mcmig'],
            **({'ca_file': str(certificate)} if known else {})}}}).b
    pair = make_pair()
    if trusted:
        assert ask(system, pair, token_for(key, pair))[0] == 0
    else:
        wait_until(lambda: stats(system)['fetch_failures'])
        status, steps = ask(system, pair, token_for(key, pair),
                            '--timeout', '1')
        assert (status, answer(steps)['status']) == (2, 503)
        assert stats(system)['keys'] == 0

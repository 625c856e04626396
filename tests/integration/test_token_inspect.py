# SPDX-License-Identifier: BSD-2-Clause
"""mcmigctl token inspect: what it shows, and its exit status."""

import json
import subprocess

import pytest

import conftest
import labtoken
import lablib

pytestmark = conftest.once

USER = 'sip:visitor00001@b.example'
ISSUER = 'https://idms.b.example'


def inspect(*arguments, token=''):
    return subprocess.run(
        [lablib.build_folder() / 'src/mcmigctl', 'token', *arguments],
        input=token, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        timeout=20, check=False)


@pytest.fixture
def key():
    return labtoken.Key.create()


@pytest.fixture
def jwks(tmp_path, key):
    file = tmp_path / 'jwks.json'
    file.write_text(labtoken.jwks_of(key))
    return str(file)


def token_of(key, header=None, **claims):
    return key.token({**labtoken.claims_of(USER, ['mcptt'], ISSUER, 'mcmig'),
                      **claims}, header)


def checks_of(*arguments, token):
    done = inspect('inspect', '--json', *arguments, token=token)
    document = json.loads(done.stdout)
    assert document['valid'] == (done.returncode == 0)
    return done.returncode, {check['check']: check['passed']
                             for check in document['checks']}


def test_valid(key, jwks, tmp_path):
    """From standard input and from a file; no signature is shown."""
    file = tmp_path / 'token'
    token = token_of(key)
    file.write_text(token + '\n')
    options = ('--jwks', jwks, '--issuer', ISSUER, '--audience', 'mcmig',
               '--client', 'mcmig-ue', '--partner-id', USER)
    for done in (inspect('inspect', *options, token=token),
                 inspect('inspect', *options, str(file))):
        assert (done.returncode, done.stderr) == (0, '')
        assert done.stdout.endswith('\nvalid\n')
        assert 'FAIL' not in done.stdout
        assert token.split('.')[2] not in done.stdout


@pytest.mark.parametrize('options, failed', (
    (('--issuer', 'https://other'), 'issuer'),
    (('--audience', 'other'), 'audience'),
    (('--client', 'other'), 'client'),
    (('--service', 'mcvideo'), 'service'),
    (('--scope', 'other'), 'service'),
    (('--algorithm', 'ES384'), 'algorithm'),
    (('--partner-id', 'sip:other@b.example'), 'partner-id'),
    (('--primary-id', 'sip:other@a.example', '--primary-id-claim', 'home'),
     'primary-id')))
def test_what_is_asked(key, jwks, options, failed):
    token = token_of(key, home='sip:alice@a.example')
    status, checks = checks_of('--jwks', jwks, *options, token=token)
    assert status == 1
    assert [name for name, passed in checks.items() if not passed] == [failed]


def test_all_that_is_wrong(key, jwks):
    """One failure does not hide the next; what is unknown is not a failure."""
    token = token_of(key, exp=1, aud='other', scope='openid')
    status, checks = checks_of('--jwks', jwks, '--audience', 'mcmig',
                               token=token)
    assert status == 1
    assert [name for name, passed in checks.items() if not passed] == \
        ['audience', 'expiry', 'service']
    assert checks['signature']


def test_without_keys(key):
    status, checks = checks_of(token=token_of(key))
    assert (status, checks['key']) == (1, False)
    assert 'signature' not in checks


def test_no_token(jwks):
    done = inspect('inspect', '--jwks', jwks, token='nothing')
    assert done.returncode == 1
    assert 'It has not the three parts of a signed token.' in done.stdout


def test_terminal_is_safe(key, jwks):
    done = inspect('inspect', '--jwks', jwks,
                   token=token_of(key, {'kid': '\x1b[2J'}, sub='\x1b]0;x\x07'))
    assert '\x1b' not in done.stdout


@pytest.mark.parametrize('arguments, reason', (
    ((), 'expected token inspect'),
    (('show',), 'expected token inspect'),
    (('inspect', 'a', 'b'), 'expected token inspect'),
    (('inspect', '/does/not/exist'), 'No such file'),
    (('inspect', '--jwks', '/does/not/exist'), 'No such file'),
    (('inspect', '--jwks', '/etc/hostname'), 'is no JSON'),
    (('inspect', '--colour'), 'unrecognized option'),
    (('inspect', '--service', 'mctv'), 'expected mcptt, mcvideo or mcdata'),
    (('inspect', '--algorithm', 'HS256'), 'no signature with a public key'),
    (('inspect', '--clock-skew', '301'), 'expected 0 to 300'),
    (('inspect', '--partner-id', 'bob'), 'no MC service ID')))
def test_wrong_use(arguments, reason):
    done = inspect(*arguments)
    assert done.returncode == 2
    assert reason in done.stderr and not done.stdout

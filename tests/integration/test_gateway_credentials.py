# SPDX-License-Identifier: BSD-2-Clause
"""Access tokens on the path by gateways: they end at the partner server."""

import time

import pytest

import documents
import gateways
import lablib
import labtoken
from test_migration import assert_outcome, redirection, step


@pytest.fixture(scope='module')
def lab(module_lab):
    return module_lab(gateways=1, settings=gateways.IMPATIENT)


NOT_AUTHORISED = '101 service authorisation failed'
WRONG_TOKENS = {
    'expired': {'exp': 1000000000},
    'of another user': {'mcptt_id': 'sip:visitor00399@b.example'},
    'for another service': {'mcptt_id': None},
    'without a scope': {'scope': 'openid'},
    'of another issuer': {'iss': 'https://idms.a.example'},
    'for another audience': {'aud': 'somebody'},
}


@pytest.fixture
def refused(lab, ue, pair, rows):
    """Refuses that user, and nothing leaves or is stored."""
    def check(*options):
        before = rows(lab.b)
        counters = gateways.Counters(lab.b.gateways[0])
        status, steps = ue('authorize', lab.b.server, pair, *options)
        answer = step(steps, 'answer')
        assert (status, answer['status']) == (2, 403)
        assert NOT_AUTHORISED in answer['warning']
        assert counters['gateway.received'] == 0
        assert rows(lab.b) == before

    return check


@pytest.mark.parametrize('case', WRONG_TOKENS)
def test_wrong_token(lab, refused, pair, case):
    refused(*lab.b.credentials(pair.partner_id, **WRONG_TOKENS[case]))


def test_no_token(refused):
    refused()


def test_token_of_another_identity_management(lab, refused, pair, tmp_path):
    usual = labtoken.claims_of(pair.partner_id, labtoken.SERVICES,
                               lab.b.issuer, 'mcmig')
    token = tmp_path / 'token'
    token.write_text(labtoken.Key.load(lab.a.token_key).token(
        usual, {'kid': labtoken.Key.load(lab.b.token_key).kid}))
    refused('--token', str(token))


def test_token_expires_on_the_way(make_lab, asks, ue, pair, wait_until):
    """It has done its work; what is asked anew needs another one."""
    lab = make_lab(gateways=1, settings={
        **gateways.IMPATIENT, 'auth_token': {'clock_skew': '0s'}})
    options = ('--procedure', documents.new_procedure())
    expires = int(time.time()) + 4
    token = lab.b.credentials(pair.partner_id, exp=expires)
    with gateways.Stopped(lab.a):
        waiting = gateways.Background(
            lambda: ue('authorize', lab.b.server, pair, *options, *token))
        gateways.wait_for_log(lab.a.gateways[0], 'flow=authorization-request',
                     options[1])
        wait_until(lambda: time.time() > expires)
        status, steps = ue('authorize', lab.b.server, pair, *options, *token)
        assert (status, step(steps, 'answer')['status']) == (2, 403)
    assert_outcome(waiting.result(), 0)
    wait_until(lambda: redirection(lab.a, pair.primary_id)
               == {'mcptt': pair.partner_id})


def dump(system):
    """All that its store holds."""
    store = system.store
    if store.module == 'store_postgres':
        return lablib.run(['pg_dump', '-d', str(store)]).encode()
    return b''.join(file.read_bytes() for file
                    in store.file.parent.glob(store.file.name + '*'))


def test_token_is_kept_nowhere(lab, user, pair):
    """No log, not even at debug, and no table has it or a part of it."""
    for verb in ('authorize', 'deauthorize'):
        assert_outcome(user(lab.b, verb, pair), 0)
    with open(lab.b.credentials(pair.partner_id)[1], encoding='ascii') as file:
        parts = [part.encode() for part in file.read().split('.')]
    texts = [daemon.log.read_bytes() for daemon in lab.daemons]
    texts += [dump(system) for system in lab.systems]
    assert all(pair.partner_id.encode() in text for text in texts)
    for text in texts:
        # Of all tokens of this user, whenever they were made.
        assert parts[0] not in text and parts[1][:40] not in text

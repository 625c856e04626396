# SPDX-License-Identifier: BSD-2-Clause
"""A user who is away registers at home: durable before it is answered."""

import contextlib
import sqlite3

import pytest

import gateways
import sippeer
from imsserver import BehindLab, PlayedScscf
from test_ims_bad_input import Registration, SCSCF_HOST


@pytest.fixture(scope='module')
def scscf():
    peer = sippeer.Peer(SCSCF_HOST, 'tcp', 200)
    yield peer
    peer.close()


@pytest.fixture(scope='module')
def partner():
    """a.example."""
    peer = sippeer.Peer('127.1.1.1', 'tcp', 200)
    yield peer
    peer.close()


@pytest.fixture(scope='module')
def b(module_lab, partner, scscf):
    return module_lab(BehindLab, partner, lambda lab: PlayedScscf(scscf),
                      settings=gateways.IMPATIENT).b


class Guest:
    """A user of b.example at a.example."""

    def __init__(self, pair):
        self.partner_id = pair.partner_id.replace('b.example', 'a.example')
        self.primary_id = pair.primary_id.replace('a.example', 'b.example')


def redirection(b, identity):
    return {row[0] for row in b.store.query(
        'SELECT service FROM redirection '
        f"WHERE mc_service_id = '{identity}'")}


@pytest.fixture
def away(b, partner, pair, wait_until):
    """In two services."""
    guest = Guest(pair)
    for service in ('mcptt', 'mcdata'):
        body = gateways.request_document(guest.partner_id, guest.primary_id,
                                         service=service)
        answer = gateways.say(partner, b.server, body, service=service,
                              speaker='sip:a.example', target='sip:b.example')
        assert answer.status == 200, answer
    wait_until(lambda: redirection(b, guest.primary_id)
               == {'mcptt', 'mcdata'})
    return guest


def test_home_in_every_service(b, scscf, away):
    """At once: the answer says that it is durable."""
    registration = Registration(scscf, b, away.primary_id)
    assert registration.send().status == 200
    assert redirection(b, away.primary_id) == set()


def test_home_again_and_again(b, scscf, away):
    """Doubled, and what refreshes it: once is enough."""
    counted = gateways.Counters(b)
    registration = Registration(scscf, b, away.primary_id)
    for _ in range(3):
        assert registration.send().status == 200
    assert counted['migration.returned_home'] == 2  # services
    assert redirection(b, away.primary_id) == set()


def test_end_of_a_registration(b, scscf, away):
    registration = Registration(scscf, b, away.primary_id)
    assert registration.send(expires=0).status == 200
    assert redirection(b, away.primary_id) == {'mcptt', 'mcdata'}


def test_liar(b, scscf, away):
    """A REGISTER of him whose body is of somebody else brings nobody home."""
    registration = Registration(scscf, b, away.primary_id)
    lie = registration.of_user(to='sip:user00399@b.example')
    assert registration.send(lie).status == 400
    assert redirection(b, away.primary_id) == {'mcptt', 'mcdata'}


def test_stranger(b, make_peer, away):
    registration = Registration(make_peer('127.4.2.1', 'tcp'), b,
                                away.primary_id)
    assert registration.send().status == 403
    assert redirection(b, away.primary_id) == {'mcptt', 'mcdata'}


@contextlib.contextmanager
def blocked(b):
    """An operator's open transaction."""
    with contextlib.closing(sqlite3.connect(
            b.store.file, isolation_level=None)) as operator:
        operator.execute('BEGIN IMMEDIATE')
        yield
        operator.execute('ROLLBACK')


def test_store_that_cannot_be_written(store_kind, b, scscf, away,
                                      wait_until):
    """503: the S-CSCF tries again, or the user registers again."""
    if store_kind != 'sqlite':
        pytest.skip('for SQLite')
    registration = Registration(scscf, b, away.primary_id)
    with blocked(b):
        answer = registration.send()
        assert answer.status == 503
        assert int(answer.header('retry-after')) > 0
    assert redirection(b, away.primary_id) == {'mcptt', 'mcdata'}
    wait_until(lambda: registration.send().status == 200)
    assert redirection(b, away.primary_id) == set()


def test_who_has_no_mc_service_id(b, scscf, rows):
    before = rows(b)
    registration = Registration(scscf, b, 'sip:nobody@b.example')
    assert registration.send().status == 200
    assert registration.known()
    assert rows(b) == before

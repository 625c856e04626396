# SPDX-License-Identifier: BSD-2-Clause
"""ISC over TLS: a node of the IMS is known by the name in its certificate, and
by nothing else, in either direction."""

import pytest

import conftest
import documents
import gateways
import tlspeer
from imsserver import PlayedScscf, request_of
from test_ims_bad_input import Registration, next_of, through

pytestmark = conftest.once
HOST = '127.3.2.1'
NAME = 'dns:scscf.b.example'


class TlsScscf(PlayedScscf):
    def settings(self):
        return {'peers': [NAME],
                'next_hops': [f'sip:{HOST}:{self.peer.port};transport=tls']}


class Lab(tlspeer.SoloLab):
    """b.example behind `scscf`, which is this test's."""

    def __init__(self, folder, **options):
        super().__init__(folder, **options)
        self.authority = self.certificates.outside(self.b)
        self.own = self.authority.issue([NAME])
        self.scscf = tlspeer.Peer(self.own, self.root, HOST)
        self.b.ims = TlsScscf(self.scscf)

    def stop(self):
        super().stop()
        self.scscf.close()


@pytest.fixture(scope='module')
def lab(module_lab):
    return module_lab(Lab, settings=gateways.IMPATIENT)


@pytest.fixture
def stranger(lab):
    """With a certificate of the same CA, and the same address."""
    peer = tlspeer.Peer(lab.authority.issue(['dns:other.b.example']),
                        lab.root, HOST)
    yield peer
    peer.close()


def say(lab, peer, pair):
    return peer.ask(lab.b.tls_address, 'sip:b.example', request_of(pair),
                    sender=pair.partner_id,
                    content_type=documents.content_type(),
                    headers=through(pair))


def ask(lab, peer, pair):
    answer = say(lab, peer, pair)
    assert answer.status == 200, answer
    request = documents.Parsed(lab.peer.request().body)
    while request.partner_id != pair.partner_id:
        request = documents.Parsed(lab.peer.request().body)
    return request


def decide(lab, request):
    answer = gateways.say(
        lab.peer, lab.b.tls_address,
        gateways.response_document(request, result='success'),
        speaker='sip:a.example', target='sip:b.example')
    assert answer.status == 200, answer


def test_there_and_back(lab, pair):
    request = ask(lab, lab.scscf, pair)
    decide(lab, request)
    response = next_of(lab.scscf, request)
    assert response.header('via').startswith('SIP/2.0/TLS')
    assert response.header('to') == f'<{pair.partner_id}>'
    assert ';transport=tls;lr>' in response.header('route')


def registration(lab, peer, pair):
    registration = Registration(peer, lab.b, pair.partner_id)
    return registration, peer.ask(
        lab.b.tls_address, 'sip:b.example', method='REGISTER',
        sender=f'sip:{HOST}', headers=[('Expires', '600')],
        replace={'To': f'<{pair.partner_id}>'})


def test_registration(lab, pair):
    known, answer = registration(lab, lab.scscf, pair)
    assert answer.status == 200
    assert known.known()[0]['next_hop'] == \
        f'sip:{HOST}:{lab.scscf.port};transport=tls'


def test_stranger_from_the_same_address(lab, stranger, pair):
    counted = gateways.Counters(lab.b)
    known, answer = registration(lab, stranger, pair)
    assert answer.status == 403
    assert not known.known()
    answer = say(lab, stranger, pair)
    assert answer.status == 403, answer
    assert 'unknown peer' in answer.header('warning')
    assert counted['migration.refused_source'] == 2


def test_stranger_at_the_next_hop(lab, pair):
    """What it may not see waits until the S-CSCF is back."""
    request = ask(lab, lab.scscf, pair)
    lab.scscf.certificate = lab.authority.issue(['dns:other.b.example'])
    lab.scscf.end_connections()
    offset = lab.b.log.stat().st_size
    decide(lab, request)
    gateways.wait_for_log(lab.b, request.procedure, 'status=0', offset=offset)
    assert not any(request.procedure.encode() in data
                   for data in lab.scscf.received)
    lab.scscf.certificate = lab.own
    lab.scscf.end_connections()
    assert next_of(lab.scscf, request)

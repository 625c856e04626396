# SPDX-License-Identifier: BSD-2-Clause
"""What no honest S-CSCF would send, from where it would: Routes that lead
elsewhere, third-party REGISTERs that lie."""

import itertools
import secrets

import pytest

import documents
import gateways
import lablib
import sippeer
from imsserver import BehindLab, CLIENT_HOST, PlayedScscf, request_of

SCSCF_HOST = '127.3.2.1'


@pytest.fixture(scope='module')
def scscf():
    """This test."""
    peer = sippeer.Peer(SCSCF_HOST, 'tcp', 200)
    yield peer
    peer.close()


@pytest.fixture(scope='module')
def primary():
    peer = sippeer.Peer('127.1.1.1', 'tcp', 200)
    yield peer
    peer.close()


@pytest.fixture(scope='module')
def b(module_lab, primary, scscf):
    """The server: its only peer of the IMS is this test."""
    return module_lab(BehindLab, primary, lambda lab: PlayedScscf(scscf)).b


def through(pair, **network):
    """Header fields of a request through the IMS."""
    fields = {'P-Asserted-Identity': f'<{pair.partner_id}>',
              'P-Asserted-Service': 'urn:urn-7:3gpp-service.ims.icsi.mcptt',
              'P-Served-User': f'<{pair.partner_id}>;sescase=orig;regstate=reg',
              **{name.replace('_', '-'): value
                 for name, value in network.items()}}
    return [(name, value) for name, value in fields.items()
            if value is not None]


def ask(scscf, b, pair, headers, **options):
    return scscf.ask(b.server, 'sip:b.example', request_of(pair),
                     sender=pair.partner_id,
                     content_type=documents.content_type(), headers=headers,
                     **options)


# -------------------------------------------------------------------- Routes

OURS = ('<sip:{server};transport=tcp;lr>', '<sip:{server};lr>',
        '<sip:b.example;lr>', '<sip:B.Example:5060;lr>', '<sip:as.b.example;lr>',
        '<sip:as.b.example:5080;transport=tcp;lr>',
        '<sip:{server};transport=tcp;lr>, <sip:iscmark@127.3.2.1:6060;lr;s=2>',
        '<sip:{server};transport=tcp;lr>, <sip:192.0.2.66;lr>')
ELSEWHERE = ('<sip:192.0.2.66;lr>', '<sip:192.0.2.66>', '<sip:c.example;lr>',
             '<sip:192.0.2.66;lr>, <sip:{server};transport=tcp;lr>',
             '<sip:{host}:1;lr>', '<sip:127.3.2.1:6060;lr>',
             '<sip:{server};maddr=192.0.2.66;lr>',
             '<sip:b.example.c.example;lr>', '<sips:192.0.2.66;lr>',
             '<tel:+358401234567>')


def route(text, b):
    return text.format(server=b.address, host=b.host)


@pytest.mark.parametrize('text', OURS)
def test_route_that_ends_here(scscf, b, pair, text):
    """We are the application server of the topmost: the rest is of requests
    that we would send on, and we never do."""
    answer = ask(scscf, b, pair, [*through(pair), ('Route', route(text, b))])
    assert answer.status == 200, answer


@pytest.mark.parametrize('text', ELSEWHERE)
def test_route_that_leads_elsewhere(scscf, b, pair, rows, text):
    before = rows(b)
    answer = ask(scscf, b, pair, [*through(pair), ('Route', route(text, b))])
    assert answer.status in (400, 403), answer
    assert rows(b) == before


def test_routes_that_lead_round(scscf, b, pair):
    """Fifty of them: no matter, we follow none."""
    own = f'<sip:{b.address};transport=tcp;lr>'
    answer = ask(scscf, b, pair,
                 [*through(pair), *[('Route', own)] * 50])
    assert answer.status == 200, answer


# ------------------------------------------------- what the network may not say

@pytest.mark.parametrize('network', (
    {'P_Asserted_Identity': None},
    {'P_Asserted_Identity': '<tel:+358401234567>'},
    {'P_Asserted_Identity': '<sip:b.example>'},
    {'P_Asserted_Identity': '<sip:x@b.example>, <sip:y@b.example>'},
    {'P_Asserted_Service': 'urn:urn-7:3gpp-service.ims.icsi.mcdata'},
    {'P_Served_User': '<sip:x@b.example>;sescase=term;regstate=reg'},
    {'P_Served_User': '<sip:x@b.example'},
), ids=str)
def test_network_that_says_what_cannot_be(scscf, b, pair, rows, network):
    before = rows(b)
    answer = ask(scscf, b, pair, through(pair, **network))
    assert answer.status in (400, 403), answer
    assert answer.header('warning')
    assert rows(b) == before


def test_identity_with_a_telephone_number(scscf, b, pair):
    """RFC 3325 9.1: one of each."""
    answer = ask(scscf, b, pair, through(
        pair, P_Asserted_Identity=f'<{pair.partner_id}>, <tel:+3584012345>'))
    assert answer.status == 200, answer


# -------------------------------------------------------- third-party REGISTER

cseqs = itertools.count(1)


class Registration:
    """Requests of one S-CSCF for one user."""

    def __init__(self, peer, b, identity):
        self.peer = peer
        self.b = b
        self.identity = identity
        self.call_id = secrets.token_hex(8)

    @property
    def own(self):
        return f'sip:{self.peer.host}:{self.peer.port}'

    def send(self, body=b'', expires=600, cseq=None, fields=(), **options):
        """The answer. `fields` of the header that are others."""
        if body:
            options.setdefault('content_type', 'message/sip')
        return self.peer.ask(
            self.b.server, f'sip:{self.b.address}', body, method='REGISTER',
            replace={'From': f'<{self.own}>;tag=scscf',
                     'To': f'<{self.identity}>', 'Call-ID': self.call_id,
                     'CSeq': f'{cseq or next(cseqs)} REGISTER',
                     'Contact': f'<{self.own}>', 'Expires': str(expires),
                     'Event': 'registration', **dict(fields)}, **options)

    def of_user(self, to=None, sender=None, end='\r\n\r\n'):
        """A user's own REGISTER, as message/sip."""
        return (f'REGISTER sip:b.example SIP/2.0\r\n'
                f'Via: SIP/2.0/UDP 192.0.2.8;branch=z9hG4bK1\r\n'
                f'From: <{sender or self.identity}>;tag=1\r\n'
                f'To: <{to or self.identity}>\r\n'
                f'Call-ID: 1\r\nCSeq: 1 REGISTER{end}').encode()

    def known(self):
        return self.b.ctl('ims', 'registrations', self.identity)


@pytest.fixture
def registration(scscf, b, pair):
    return Registration(scscf, b, pair.partner_id)


def test_without_a_body(registration):
    answer = registration.send()
    assert answer.status == 200
    assert answer.header('expires') == '600'
    assert len(registration.known()) == 1


def test_with_the_body_that_belongs_to_it(registration):
    assert registration.send(registration.of_user()).status == 200
    boundary = b'--x\r\nContent-Type: message/sip\r\n\r\n'
    body = (boundary + registration.of_user() + b'\r\n' + boundary
            + registration.of_user().replace(
                b'REGISTER sip:b.example SIP/2.0', b'SIP/2.0 200 OK')
            + b'\r\n--x--\r\n')
    answer = registration.send(
        body, content_type='multipart/mixed;boundary=x')
    assert answer.status == 200, answer
    assert len(registration.known()) == 1


def test_doubled(registration):
    """The same again, as when an answer was lost, and one more of each
    S-CSCF."""
    assert registration.send(cseq=7).status == 200
    assert registration.send(cseq=7).status == 200
    other = Registration(registration.peer, registration.b,
                         registration.identity)
    assert other.send(cseq=7).status == 200
    assert len(registration.known()) == 1


def test_overtaken(registration):
    """An older one that comes later changes nothing."""
    assert registration.send(cseq=9, expires=3000).status == 200
    answer = registration.send(cseq=8, expires=0)
    assert answer.status == 400 and 'CSeq' in answer.header('warning')
    assert registration.known()[0]['expires_in_s'] > 2900


def test_expiry_0(registration):
    assert registration.send(expires=0).status == 200  # of whom nobody knew
    assert registration.send().status == 200
    answer = registration.send(expires=0)
    assert answer.status == 200
    assert not registration.known()
    assert registration.send(expires=0).status == 200


def test_expiry_0_in_the_contact(registration):
    """It counts before that of the header field (RFC 3261 10.2.1.1)."""
    assert registration.send().status == 200
    assert registration.send(fields={
        'Contact': f'<{registration.own}>;expires=0'}).status == 200
    assert not registration.known()


def test_expires(registration, wait_until):
    assert registration.send(expires=1).status == 200
    assert registration.known()
    wait_until(lambda: not registration.known())


@pytest.mark.parametrize('lie', (
    {'to': 'sip:visitor00399@b.example'},
    {'sender': 'sip:visitor00399@b.example'},
    {'end': '\r\nTo: <sip:visitor00399@b.example>\r\n\r\n'},
    {'end': '\r\nX: y\nTo: <sip:visitor00399@b.example>\r\n\r\n'},
    {'end': '\r\nX: y\rTo: <sip:visitor00399@b.example>\r\n\r\n'},
), ids=('to', 'from', 'twice', 'behind LF', 'behind CR'))
def test_body_that_lies(registration, lie):
    counted = gateways.Counters(registration.b)
    answer = registration.send(registration.of_user(**lie))
    assert answer.status == 400
    assert 'body message/sip' in answer.header('warning')
    assert not registration.known()
    assert counted['ims.registers_lying'] == 1


def test_second_part_that_lies(registration):
    boundary = b'--x\r\nContent-Type: message/sip\r\n\r\n'
    body = (boundary + registration.of_user() + b'\r\n' + boundary
            + registration.of_user(to='sip:visitor00399@b.example')
            + b'\r\n--x--\r\n')
    answer = registration.send(
        body, content_type='multipart/mixed;boundary=x')
    assert answer.status == 400
    assert not registration.known()


@pytest.mark.parametrize('body, content_type', (
    (b'nonsense', 'message/sip'), (b'\r\n\r\n', 'message/sip'),
    (b'REGISTER', 'message/sip'), (b'\0' * 200, 'message/sip'),
    (b'--x', 'multipart/mixed;boundary=x'),
    (b'--x\r\n\r\n', 'multipart/mixed;boundary=x'),
    (b'x', 'multipart/mixed')), ids=str)
def test_body_that_is_none(registration, body, content_type):
    answer = registration.send(body, content_type=content_type)
    assert answer.status == 400
    assert not registration.known()


def test_body_of_another_type(registration):
    """TS 24.229 5.4.1.7: service information of the HSS; not for us."""
    assert registration.send(
        b'<ims-3gpp version="1"/>',
        content_type='application/3gpp-ims+xml').status == 200
    assert registration.known()


@pytest.mark.parametrize('to', (
    '<tel:+358401234567>', '<sip:b.example>', '<sips:x@b.example>',
    '<sip:@b.example>'))
def test_identity_that_is_none(registration, to):
    answer = registration.send(fields={'To': to})
    assert answer.status in (400, 416), answer


def test_from_a_stranger(registration, make_peer):
    stranger = make_peer(CLIENT_HOST, 'tcp')
    counted = gateways.Counters(registration.b)
    forged = Registration(stranger, registration.b, registration.identity)
    answer = forged.send(forged.of_user())
    assert answer.status == 403
    assert not registration.known()
    assert counted['ims.registers_untrusted'] == 1


@pytest.mark.parametrize('contact', (
    '<sip:192.0.2.66:5060;transport=tcp>', '<sip:scscf.b.example:6060>',
    f'<sip:{SCSCF_HOST}:1;maddr=192.0.2.66>',
    None))
def test_contact_that_is_no_peer(registration, contact):
    """A response never leaves to an address that is not of the IMS, and no
    name is looked up."""
    assert registration.send(fields={'Contact': contact}).status == 200
    assert registration.known()[0]['next_hop'] == \
        f'{registration.own};transport=tcp'


# ------------------------------------------------------------- the way back

def migrate(b, primary, pair, scscf):
    """Through the IMS; the response as it leaves the server."""
    answer = ask(scscf, b, pair, through(pair))
    assert answer.status == 200, answer
    request = documents.Parsed(primary.request().body)
    while request.partner_id != pair.partner_id:
        request = documents.Parsed(primary.request().body)
    body = gateways.response_document(request, result='success')
    assert gateways.say(primary, b.server, body, speaker='sip:a.example',
                        target='sip:b.example').status == 200
    return request


def next_of(peer, request):
    """The response of that procedure."""
    while True:
        message = peer.request()
        if documents.Parsed(message.body).procedure == request.procedure:
            return message


def test_registered_where_nobody_answers(registration, scscf, b, primary,
                                         pair):
    """The node that the request came by is asked then."""
    closed = lablib.free_port(SCSCF_HOST)
    gone = f'sip:{SCSCF_HOST}:{closed};transport=tcp'
    assert registration.send(fields={'Contact': f'<{gone}>'}).status == 200
    assert registration.known()[0]['next_hop'] == gone
    request = migrate(b, primary, pair, scscf)
    response = next_of(scscf, request)
    assert response.uri == pair.partner_id
    assert response.header('route') == \
        f'<sip:{scscf.host}:{scscf.port};transport=tcp;lr>'


def test_scscf_on_udp(b, primary, pair, make_peer):
    scscf = make_peer(SCSCF_HOST, 'udp', 200)
    registration = Registration(scscf, b, pair.partner_id)
    assert registration.send().status == 200
    assert registration.known()[0]['next_hop'] == \
        f'sip:{scscf.host}:{scscf.port};transport=udp'
    request = migrate(b, primary, pair, scscf)
    assert '/UDP ' in next_of(scscf, request).header('via')

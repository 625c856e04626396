# SPDX-License-Identifier: BSD-2-Clause
"""A server behind a real S-CSCF (Kamailio): what is learned from it, what comes
over ISC, how responses leave through it, and what of the network's is kept
from others."""

import re

import pytest

import documents
import gateways
import imsue
from imsserver import CLIENT_HOST, Server, request_of


@pytest.fixture(scope='module')
def server(module_lab):
    server = Server(module_lab)
    yield server
    server.primary.close()


@pytest.fixture
def client(server, make_ue, pair):
    return make_ue(server.b, pair.partner_id)


def hop_of(server):
    return f'sip:{server.scscf.address};transport=tcp'


def test_registration_is_learned(server, client, pair, wait_until):
    wait_until(lambda: server.registrations(pair.partner_id))
    (row,) = server.registrations(pair.partner_id)
    assert row['identity'] == pair.partner_id
    assert row['next_hop'] == hop_of(server)
    assert 0 < row['expires_in_s'] <= 720
    assert client.register(0).status == 200
    wait_until(lambda: not server.registrations(pair.partner_id))


def test_registration_is_refreshed(server, make_ue, pair, wait_until):
    """The iFC of visitors want every REGISTER, so that none is forgotten."""
    taken = gateways.Counters(server.b)
    client = make_ue(server.b, pair.partner_id)
    assert client.register(1000).status == 200
    wait_until(lambda: taken['ims.registers_taken'] == 2)
    (row,) = server.registrations(pair.partner_id)
    assert row['expires_in_s'] > 900


def ask(server, client, pair, **options):
    """A request by way of the S-CSCF; as the primary gets it."""
    answer = client.ask(request_of(pair), **options)
    assert answer.status == 200, answer
    return server.asked(pair)


@pytest.mark.parametrize('transport', ('tcp', 'udp'))
def test_response_leaves_as_a_terminating_request(server, make_ue, pair,
                                                  transport):
    client = make_ue(server.b, pair.partner_id, transport=transport)
    request = ask(server, client, pair)
    assert server.decide(request).status == 200
    response = client.peer.request()
    vias = [value for name, value in response.headers if name == 'via']
    assert server.scscf.address in vias[0] and server.b.address in vias[1]
    assert response.header('from').startswith('<sip:b.example>')
    assert response.header('to') == f'<{pair.partner_id}>'
    assert response.header('p-asserted-identity') == '<sip:b.example>'
    assert response.header('p-asserted-service') == \
        'urn:urn-7:3gpp-service.ims.icsi.mcptt'
    assert '+g.3gpp.mcptt' in response.header('accept-contact')
    assert response.header('route') is None
    assert documents.Parsed(response.body).procedure == request.procedure


def test_response_goes_where_the_user_is_now(server, make_ue, pair):
    """To the identity that asked, not to the address."""
    first = make_ue(server.b, pair.partner_id)
    request = ask(server, first, pair)
    assert first.register(0).status == 200
    second = make_ue(server.b, pair.partner_id, transport='udp',
                     host='127.4.2.2')
    assert server.decide(request).status == 200
    response = documents.Parsed(second.peer.request().body)
    assert response.procedure == request.procedure


def test_response_goes_to_the_identity_that_asked(server, make_ue, make_pair):
    """Not to the MC service ID: who is registered by what need not be one."""
    pair, other = make_pair(), make_pair()
    client = make_ue(server.b, other.partner_id)
    request = ask(server, client, pair)
    assert server.decide(request).status == 200
    response = client.peer.request()
    assert response.header('to') == f'<{other.partner_id}>'
    assert documents.Parsed(response.body).partner_id == pair.partner_id


def test_identity_that_the_hss_does_not_know(server, make_ue, wait_until):
    """Nobody registers it, and nobody asks for it."""
    with imsue.Ue(server.scscf.uri, 'sip:nobody@b.example',
                  CLIENT_HOST) as client:
        assert client.register().status >= 400
        assert not server.registrations(client.identity)


# ------------------------------------------------------------------ restarts

def test_scscf_restarts_in_mid_flow(server, client, pair, wait_until):
    """It forgets its users: the response waits until this one is back."""
    request = ask(server, client, pair)
    server.scscf.crash()
    offset = server.b.log.stat().st_size
    assert server.decide(request).status == 200
    gateways.wait_for_log(server.b, request.procedure, 'status=0',
                          offset=offset)
    server.scscf.start()
    server.scscf.wait_ready()
    gateways.wait_for_log(server.b, request.procedure, 'status=480',
                          offset=offset)
    assert server.registrations(pair.partner_id)
    taken = gateways.Counters(server.b)
    client.peer.forget_connections()
    assert client.register().status == 200
    wait_until(lambda: taken['ims.registers_taken'] >= 1)
    assert documents.Parsed(client.peer.request().body).procedure == \
        request.procedure


def test_server_restarts_in_mid_flow(server, client, pair, wait_until):
    """It forgets who is registered where: the configured way is left."""
    request = ask(server, client, pair)
    server.b.kill()
    server.b.start()
    server.b.wait_ready()
    assert not server.registrations(pair.partner_id)
    assert server.decide(request).status == 200
    assert documents.Parsed(client.peer.request().body).procedure == \
        request.procedure
    assert client.register().status == 200
    wait_until(lambda: server.registrations(pair.partner_id))


# -------------------------------------------------------------------- a loop

class Looping:
    """A user whose service profile triggers in both cases."""
    primary_id = 'sip:user00391@a.example'
    partner_id = 'sip:visitor00391@b.example'


def test_filter_criteria_that_trigger_in_both_cases(server, make_ue):
    """The response comes back from the S-CSCF: 482 at once, nothing goes
    round, the log says why, and the user waits for what never comes."""
    client = make_ue(server.b, Looping.partner_id)
    loops = gateways.Counters(server.b)
    request = ask(server, client, Looping)
    offset = server.b.log.stat().st_size
    assert server.decide(request).status == 200
    gateways.wait_for_log(server.b, request.procedure, 'status=482',
                          offset=offset)
    gateways.wait_for_log(server.b, 'a request of ours has come back',
                          server.scscf.host, offset=offset)
    assert loops['sip.refused_loop'] < 20
    assert client.peer.requests.empty()


def test_terminating_case(server, make_peer, pair, rows):
    """A request of somebody else that comes in that case: told in the log."""
    scscf = make_peer(server.scscf.host, 'tcp')
    before = rows(server.b)
    offset = server.b.log.stat().st_size
    answer = scscf.ask(
        server.b.server, 'sip:b.example', request_of(pair),
        sender=pair.partner_id, content_type=documents.content_type(),
        headers=[('P-Asserted-Identity', f'<{pair.partner_id}>'),
                 ('P-Served-User', f'<{pair.partner_id}>;sescase=term')])
    assert answer.status == 403
    assert rows(server.b) == before
    gateways.wait_for_log(server.b, 'initial filter criteria',
                          'SessionCase 0', offset=offset)


# --------------------------------------------------------- forged header fields

FORGED = [('P-Asserted-Identity', '<sip:visitor00399@b.example>'),
          ('P-Asserted-Service', 'urn:urn-7:3gpp-service.ims.icsi.mcdata'),
          ('P-Served-User', '<sip:visitor00399@b.example>;sescase=term'),
          ('P-Charging-Vector', 'icid-value=forged')]


def test_forged_through_the_scscf(server, client, pair):
    """It takes them out, and says what it knows itself."""
    request = ask(server, client, pair, headers=FORGED)
    assert server.decide(request).status == 200
    assert documents.Parsed(client.peer.request().body).procedure == \
        request.procedure


def test_routes_of_a_client(server, client, pair):
    """What the S-CSCF leaves of them is below its own: not looked at."""
    request = ask(server, client, pair,
                  headers=[('Route', '<sip:192.0.2.66;lr>')])
    assert server.decide(request).status == 200
    assert documents.Parsed(client.peer.request().body).procedure == \
        request.procedure


def test_forged_past_the_scscf(server, make_peer, pair):
    """From an address that is no peer they count for nothing: the response
    goes where the request came from."""
    stranger = make_peer(CLIENT_HOST, 'tcp', 200)
    counted = gateways.Counters(server.b)
    answer = stranger.ask(
        server.b.server, 'sip:b.example', request_of(pair),
        sender=pair.partner_id, content_type=documents.content_type(),
        headers=FORGED)
    assert answer.status == 200
    assert counted['migration.untrusted_headers'] == 1
    assert server.decide(server.asked(pair)).status == 200
    response = stranger.request()
    assert response.uri == pair.partner_id


def test_past_the_scscf_where_only_the_ims_is_a_client(server, make_peer,
                                                       pair, rows):
    """migration.clients empty of others: refused, nothing kept."""
    server.b.adjust({'migration': {'clients': ['127.3.2.1']}})
    server.b.ctl('reload')
    try:
        before = rows(server.b)
        stranger = make_peer(CLIENT_HOST, 'tcp')
        answer = stranger.ask(
            server.b.server, 'sip:b.example', request_of(pair),
            sender=pair.partner_id, content_type=documents.content_type(),
            headers=FORGED)
        assert answer.status == 403
        assert rows(server.b) == before
    finally:
        del server.b.sections['migration']['clients']
        server.b.write_configuration()
        server.b.ctl('reload')


# -------------------------------------------------- what stays in the network

PRIVATE = [('Privacy', 'id;header;user'),
           ('P-Access-Network-Info',
            '3GPP-E-UTRAN-FDD; utran-cell-id-3gpp=23415CELLOFTHEUSER')]


def test_what_the_network_says_of_a_user_stays_in_it(server, make_ue, pair):
    """Neither the primary system nor the log hears of it."""
    offset = server.b.log.stat().st_size
    heard = len(server.primary.received)
    client = make_ue(server.b, pair.partner_id, host='127.4.2.77')
    request = ask(server, client, pair, headers=PRIVATE)
    assert server.decide(request).status == 200
    response = client.peer.request()
    told = b''.join(server.primary.received[heard:])
    assert pair.partner_id.encode() in told
    for word in (b'CELLOFTHEUSER', b'icid', b'127.4.2.77', b'Privacy',
                 b'P-Access-Network-Info', b'P-Charging-Vector',
                 b'P-Served-User', b'iscmark', b'127.3.2.1'):
        assert not re.search(re.escape(word), told, re.IGNORECASE), word
    assert 'CELLOFTHEUSER' not in server.b.log.read_text()[offset:]
    assert response.header('p-access-network-info') is None


def test_charging_vector_of_a_response_is_new(server, client, pair):
    request = ask(server, client, pair)
    assert server.decide(request).status == 200
    vector = client.peer.request().header('p-charging-vector')
    assert re.match(r'icid-value=', vector)
    assert 'orig-ioi="b.example"' in vector

# SPDX-License-Identifier: BSD-2-Clause
"""Bad input at each side of a gateway: status, Warning, counter, and nothing
is passed on or stored. a.example and c.example are the test's own."""

import pytest

import documents
import gateways
import sippeer
import test_bad_input

A, B, C = map(gateways.identity, 'abc')
HERE = 'sip:user00001@b.example'        # goes to a.example
THERE = 'sip:visitor00001@a.example'
GUEST = 'sip:visitor00002@b.example'    # comes from a.example
HOME = 'sip:user00002@a.example'


@pytest.fixture(scope='module')
def parties():
    """Peers by name; `stranger` is of no system."""
    peers = {name: sippeer.Peer(host, transport, auto_reply=200)
             for name, host, transport in (
                 ('a', '127.2.1.1', 'tcp'), ('a-udp', '127.2.1.1', 'udp'),
                 ('c', '127.2.3.1', 'tcp'), ('inside', '127.1.2.1', 'tcp'),
                 ('inside-udp', '127.1.2.1', 'udp'),
                 ('stranger', '127.2.9.1', 'tcp'),
                 ('stranger-udp', '127.2.9.1', 'udp'))}
    yield peers
    for peer in peers.values():
        peer.close()


@pytest.fixture(scope='module')
def border(module_lab, parties):
    return module_lab(gateways.BorderLab, [parties['a']], parties['c'])


@pytest.fixture(autouse=True)
def quiet(border, parties, rows):
    """Nothing is stored, and nobody gets a request."""
    before = rows(border.b)
    yield
    assert rows(border.b) == before
    for peer in parties.values():
        assert peer.requests.empty()


def assert_refused(answer, status, warning, agent='b.example'):
    assert answer.status == status, answer
    assert answer.header('warning') == f'399 {agent} "{warning}"'


NOT_HIS = 'peer may not speak for this MC system'
NOT_OF_PEER = 'P-Asserted-Identity is not of this peer'

# name: document, who sends, what he asserts, status, Warning, counter
FROM_OUTSIDE = {
    'asserts a third system': (
        gateways.request_document(THERE, HERE), 'a', C, 403, NOT_OF_PEER,
        'refused_identity'),
    'asserts us': (
        gateways.request_document(THERE, HERE), 'a', B, 403, NOT_OF_PEER,
        'refused_identity'),
    'asserts nobody that we know': (
        gateways.request_document(THERE, HERE), 'a', 'sip:x@d.example', 403,
        NOT_OF_PEER, 'refused_identity'),
    'partner ID of a third system': (
        gateways.request_document('sip:visitor00001@c.example', HERE), 'a', A,
        403, NOT_HIS, 'refused_peer'),
    'partner ID of a third system, which he asserts': (
        gateways.request_document('sip:visitor00001@c.example', HERE), 'a', C,
        403, NOT_HIS, 'refused_peer'),
    'partner ID of ours': (
        gateways.request_document('sip:visitor00001@b.example', HERE), 'a', A,
        403, NOT_HIS, 'refused_peer'),
    'partner ID of nobody': (
        gateways.request_document('sip:visitor00001@d.example', HERE), 'a', A,
        404, 'partner MC system unknown', 'refused_unknown'),
    'primary ID of a third system': (
        gateways.request_document(THERE, 'sip:user00001@c.example'), 'a', A,
        403, NOT_HIS, 'refused_peer'),
    'primary ID of nobody': (
        gateways.request_document(THERE, 'sip:user00001@d.example'), 'a', A,
        404, 'primary MC system unknown', 'refused_unknown'),
    'IDs swapped': (
        gateways.request_document(HERE, THERE), 'a', A, 403, NOT_HIS,
        'refused_peer'),
    'response of a third system': (
        documents.document('authorization-response', GUEST, HOME,
                           procedure=documents.new_procedure(),
                           sequence=documents.now_us(), result='success'),
        'c', C, 403, NOT_HIS, 'refused_peer'),
    'response with IDs swapped': (
        documents.document('authorization-response', HOME, GUEST,
                           procedure=documents.new_procedure(),
                           sequence=documents.now_us(), result='success'),
        'a', A, 403, NOT_HIS, 'refused_peer'),
    'a client\'s request': (
        gateways.request_document(THERE, HERE, sequence=None), 'a', A, 400,
        'sequence missing', 'refused_client'),
    'no procedure ID': (
        gateways.request_document(THERE, HERE, procedure=None), 'a', A, 400,
        'procedure ID missing', 'refused_client'),
    'access token': (
        gateways.request_document(THERE, HERE).replace(
            b'<anyExt>', b'<mcptt-access-token><mcpttString>e.y.J'
            b'</mcpttString></mcptt-access-token><anyExt>'), 'a', A, 403,
        'access token not allowed here', 'refused_client'),
    'source of nobody': (
        gateways.request_document(THERE, HERE), 'stranger', A, 403,
        'unknown peer', 'unknown_peers'),
    'server of ours on the outside': (
        gateways.request_document(GUEST, HOME), 'inside', B, 403,
        'unknown peer', 'unknown_peers'),
}


@pytest.mark.parametrize('case', FROM_OUTSIDE)
def test_from_outside(border, parties, case):
    body, sender, asserted, status, warning, counter = FROM_OUTSIDE[case]
    counters = gateways.Counters(border.gateway)
    answer = gateways.say(parties[sender], border.gateway.outside, body,
                          speaker=A, target=B, asserted=asserted)
    assert_refused(answer, status, warning)
    assert counters[f'gateway.{counter}'] == 1
    assert counters['gateway.relayed_in'] == 0


FROM_INSIDE = {
    'asserts another system': (
        gateways.request_document(GUEST, HOME), 'inside', A, 403, NOT_OF_PEER,
        'refused_identity'),
    'partner ID of another system': (
        gateways.request_document('sip:visitor00001@c.example', HOME),
        'inside', B, 403, NOT_HIS, 'refused_peer'),
    'primary ID of nobody': (
        gateways.request_document(GUEST, 'sip:user00001@d.example'), 'inside',
        B, 404, 'primary MC system unknown', 'refused_unknown'),
    'both IDs of ours': (
        gateways.request_document(GUEST, HERE), 'inside', B, 400,
        'both MC service IDs are of the same MC system', 'refused_unknown'),
    'IDs swapped': (
        gateways.request_document(HOME, GUEST), 'inside', B, 403, NOT_HIS,
        'refused_peer'),
    'access token': (
        FROM_OUTSIDE['access token'][0], 'inside', B, 403,
        'access token not allowed here', 'refused_client'),
    'no sequence': (
        gateways.request_document(GUEST, HOME, sequence=None), 'inside', B,
        400, 'sequence missing', 'refused_client'),
    'another system on the inside': (
        gateways.request_document(THERE, HERE), 'a', A, 403, 'unknown peer',
        'unknown_peers'),
    'source of nobody': (
        gateways.request_document(GUEST, HOME), 'stranger', B, 403,
        'unknown peer', 'unknown_peers'),
}


@pytest.mark.parametrize('case', FROM_INSIDE)
def test_from_inside(border, parties, case):
    body, sender, asserted, status, warning, counter = FROM_INSIDE[case]
    counters = gateways.Counters(border.gateway)
    answer = gateways.say(parties[sender], border.gateway.inside, body,
                          speaker='sip:b.example', target='sip:a.example',
                          asserted=asserted)
    assert_refused(answer, status, warning)
    assert counters[f'gateway.{counter}'] == 1
    assert counters['gateway.relayed_out'] == 0


SIDES = ('outside', 'inside')


def ask_side(border, parties, side, body, **options):
    """As one who may speak there."""
    outside = side == 'outside'
    return gateways.say(
        parties['a' if outside else 'inside'],
        getattr(border.gateway, side), body,
        speaker=A if outside else 'sip:b.example',
        target=options.pop('target', B if outside else 'sip:a.example'),
        **options)


# Of the cases that a client sends: those that the document alone decides.
DOCUMENTS = {name: case for name, case in test_bad_input.CLIENT_CASES.items()
             if case[1] in (400, 413) and name not in (
                 'both of this system', 'sequence from a client')}


@pytest.mark.parametrize('side', SIDES)
@pytest.mark.parametrize('case', DOCUMENTS)
def test_document(border, parties, case, side):
    body, status, warning = DOCUMENTS[case]
    counters = gateways.Counters(border.gateway)
    answer = ask_side(border, parties, side, body)
    test_bad_input.assert_refused(answer, status, warning)
    if warning:
        assert counters['gateway.refused_document'] == 1


@pytest.mark.parametrize('side', SIDES)
@pytest.mark.parametrize('case', test_bad_input.CONTENT_TYPES)
def test_content_type(border, parties, case, side):
    content_type, status, warning = test_bad_input.CONTENT_TYPES[case]
    answer = ask_side(border, parties, side,
                      gateways.request_document(THERE, HERE),
                      content_type=content_type)
    test_bad_input.assert_refused(answer, status, warning)


@pytest.mark.parametrize('transport', ('', '-udp'))
@pytest.mark.parametrize('side', SIDES)
@pytest.mark.parametrize('case', test_bad_input.SIP_CASES)
def test_sip(border, parties, case, side, transport):
    options, status = test_bad_input.SIP_CASES[case]
    options = {'uri': 'sip:b.example', 'sender': A,
               'content_type': documents.content_type(), **options}
    peer = parties[('a' if side == 'outside' else 'inside') + transport]
    answer = peer.ask(getattr(border.gateway, side), options.pop('uri'),
                      gateways.request_document(THERE, HERE), **options)
    assert answer.status == status, answer


@pytest.mark.parametrize('side', SIDES)
def test_last_hop(border, parties, side):
    """What went on would have none left."""
    counters = gateways.Counters(border.gateway)
    ids = (THERE, HERE) if side == 'outside' else (GUEST, HOME)
    answer = ask_side(border, parties, side, gateways.request_document(*ids),
                      replace={'Max-Forwards': '1'})
    assert_refused(answer, 483, 'too many hops')
    assert counters['gateway.looped'] == 1


@pytest.mark.parametrize('side', SIDES)
@pytest.mark.parametrize('name', ('stranger', 'stranger-udp'))
def test_options(border, parties, side, name):
    """For peers alone."""
    counters = gateways.Counters(border.gateway)
    address = getattr(border.gateway, side)
    answer = parties[name].ask(address, B, method='OPTIONS', sender=A)
    assert answer.status == 403
    assert counters['gateway.unknown_peers'] == 1
    peer = parties['a' if side == 'outside' else 'inside']
    assert peer.ask(address, B, method='OPTIONS', sender=A).status == 200


# ---- through the gateway: what the server behind it says comes back

@pytest.mark.parametrize('result', ('success', 'failure'))
def test_response_that_nobody_waits_for(border, parties, result):
    body = documents.document(
        'authorization-response', GUEST, HOME, result=result,
        cause='not-permitted' if result == 'failure' else None,
        procedure=documents.new_procedure(), sequence=documents.now_us())
    counters = gateways.Counters(border.gateway)
    assert_refused(ask_side(border, parties, 'outside', body), 481,
                   'procedure not awaited')
    assert counters['gateway.relayed_in'] == 1


def test_server_takes_the_path_from_gateways_only(border, parties):
    """A system that is reached by gateways does not come to the server."""
    before = gateways.Counters(border.b)
    answer = gateways.say(parties['a'], border.b.server,
                          gateways.request_document(THERE, HERE), speaker=A,
                          target='sip:b.example')
    assert_refused(answer, 403, NOT_HIS)
    assert before['migration.refused_source'] == 1

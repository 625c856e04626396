# SPDX-License-Identifier: BSD-2-Clause
"""A user of a.example goes to b.example and comes back, by the gateways of
both: client, B server, B gateway, A gateway, A server."""

import pytest

import documents
import gateways
from test_migration import assert_outcome, redirection


@pytest.fixture(scope='module')
def three(module_lab):
    return module_lab(systems=3, gateways=1, settings=gateways.IMPATIENT)


@pytest.fixture
def two(make_lab):
    return make_lab(gateways=1, settings=gateways.IMPATIENT)


# ------------------------------------------------------------- all is well

@pytest.mark.smoke
@pytest.mark.parametrize('service', documents.SERVICES)
def test_there_and_back(three, user, pair, wait_until, service):
    assert_outcome(user(three.b, 'authorize', pair, service=service), 0)
    wait_until(lambda: redirection(three.a, pair.primary_id)
               == {service: pair.partner_id})
    assert redirection(three.b, pair.partner_id) == {}
    assert_outcome(user(three.b, 'deauthorize', pair, service=service), 0)
    wait_until(lambda: redirection(three.a, pair.primary_id) == {})
    wait_until(lambda: redirection(three.b, pair.partner_id)
               == {service: pair.primary_id})


@pytest.mark.parametrize('transport', ('tcp', 'udp'))
def test_every_hop_by(make_lab, user, pair, wait_until, transport):
    lab = make_lab(gateways=1, transport=transport, settings=gateways.IMPATIENT)
    assert_outcome(user(lab.b, 'authorize', pair, transport='tcp'), 0)
    wait_until(lambda: redirection(lab.a, pair.primary_id)
               == {'mcptt': pair.partner_id})


def test_causes_come_through(three, user, pair):
    assert_outcome(user(three.b, 'authorize', pair, profile=3), 1,
                   'not-permitted')
    assert_outcome(user(three.b, 'authorize', pair, profile=9), 1,
                   'profile-unknown')


def test_from_one_partner_to_the_next(three, user, pair, make_pair,
                                      wait_until):
    """The user is at c.example before it leaves b.example."""
    at_c = make_pair()
    number = int(pair.primary_id[8:13])
    at_c.primary_id = pair.primary_id
    at_c.partner_id = three['c'].visitor(number, three.a)
    assert_outcome(user(three.b, 'authorize', pair), 0)
    assert_outcome(user(three['c'], 'authorize', at_c), 0)
    wait_until(lambda: redirection(three.a, pair.primary_id)
               == {'mcptt': at_c.partner_id})
    assert_outcome(user(three.b, 'deauthorize', pair), 0)
    wait_until(lambda: redirection(three.b, pair.partner_id)
               == {'mcptt': pair.primary_id})
    assert redirection(three.a, pair.primary_id) == {'mcptt': at_c.partner_id}


def test_same_procedure_again(three, user, pair, rows, wait_until):
    options = ('--procedure', documents.new_procedure())
    assert_outcome(user(three.b, 'authorize', pair, *options), 0)
    wait_until(lambda: redirection(three.a, pair.primary_id))
    before = rows(three.a), rows(three.b)
    assert_outcome(user(three.b, 'authorize', pair, *options), 0)
    assert (rows(three.a), rows(three.b)) == before


# ------------------------------------------------------ kill -9 in mid flow

def restart(gateway):
    gateway.kill()
    gateway.start()
    gateway.wait_ready()


def gateway_of(lab, letter):
    return lab[letter].gateways[0]


@pytest.mark.parametrize('verb', ('authorize', 'deauthorize'))
@pytest.mark.parametrize('victim', 'ab')
def test_gateway_killed_with_a_request(two, user, asks, pair, wait_until,
                                       victim, verb):
    """The primary server does not answer: both gateways hold the request."""
    flow = 'authorization'
    if verb == 'deauthorize':
        assert_outcome(user(two.b, 'authorize', pair), 0)
        flow = 'deauthorization'
    procedure = documents.new_procedure()
    with gateways.Stopped(two.a):
        waiting = asks(two.b, verb, pair, '--procedure', procedure)
        gateways.wait_for_log(gateway_of(two, 'a'), 'msg="received"',
                     f'flow={flow}-request', procedure)
        restart(gateway_of(two, victim))
    assert_outcome(waiting.result(), 0)
    expected = {'mcptt': pair.partner_id} if verb == 'authorize' else {}
    wait_until(lambda: redirection(two.a, pair.primary_id) == expected)


@pytest.mark.parametrize('verb', ('authorize', 'deauthorize'))
@pytest.mark.parametrize('victim', 'ab')
def test_gateway_killed_with_a_response(two, user, asks, pair, wait_until,
                                        victim, verb):
    """The partner server does not answer: both gateways hold the response."""
    flow = 'authorization'
    if verb == 'deauthorize':
        assert_outcome(user(two.b, 'authorize', pair), 0)
        flow = 'deauthorization'
    procedure = documents.new_procedure()
    with gateways.Stopped(two.a):
        waiting = asks(two.b, verb, pair, '--procedure', procedure)
        gateways.wait_for_log(gateway_of(two, 'a'), f'flow={flow}-request',
                              procedure)
        partner = gateways.Stopped(two.b)
        partner.__enter__()
    try:
        gateways.wait_for_log(gateway_of(two, 'b'), 'msg="received"',
                     f'flow={flow}-response', procedure)
        restart(gateway_of(two, victim))
    finally:
        partner.__exit__()
    assert_outcome(waiting.result(), 0)
    expected = {'mcptt': pair.partner_id} if verb == 'authorize' else {}
    wait_until(lambda: redirection(two.a, pair.primary_id) == expected)


# --------------------------------------------------------------- away

@pytest.mark.parametrize('who', ('a-gateway', 'b-gateway', 'a'))
def test_away_and_back(two, asks, pair, wait_until, who):
    """504 while it is away; the partner server goes on trying."""
    daemon = next(one for one in two.daemons if one.title == who)
    daemon.kill()
    procedure = documents.new_procedure()
    waiting = asks(two.b, 'authorize', pair, '--procedure', procedure)
    gateways.wait_for_log(two.b, 'msg="answered"', procedure,
                 'status=0' if who == 'b-gateway' else 'status=504')
    daemon.start()
    daemon.wait_ready()
    assert_outcome(waiting.result(), 0)
    wait_until(lambda: redirection(two.a, pair.primary_id)
               == {'mcptt': pair.partner_id})


def test_user_leaves_while_the_primary_system_is_away(make_lab, user, pair,
                                                      wait_until):
    """Finished locally, and told as soon as the gateway is back."""
    lab = make_lab(gateways=1, settings={
        **gateways.IMPATIENT, 'migration': {**gateways.IMPATIENT['migration'],
                                  'deauthorization_deadline': '1s'}})
    assert_outcome(user(lab.b, 'authorize', pair), 0)
    wait_until(lambda: redirection(lab.a, pair.primary_id)
               == {'mcptt': pair.partner_id})
    gateway_of(lab, 'a').kill()
    assert_outcome(user(lab.b, 'deauthorize', pair), 0)
    assert redirection(lab.b, pair.partner_id) == {'mcptt': pair.primary_id}
    assert redirection(lab.a, pair.primary_id) == {'mcptt': pair.partner_id}
    gateway_of(lab, 'a').start()
    wait_until(lambda: redirection(lab.a, pair.primary_id) == {})


# ------------------------------------------------------------- two gateways

@pytest.fixture(scope='module')
def doubled(module_lab):
    return module_lab(gateways=2, settings=gateways.IMPATIENT)


@pytest.mark.parametrize('letter', 'ab')
def test_second_gateway(doubled, user, pair, wait_until, letter):
    """The first one dies: the second one has the work, and gives it back."""
    first, second = doubled[letter].gateways
    assert_outcome(user(doubled.b, 'authorize', pair), 0)
    first.kill()
    counters = gateways.Counters(second)
    assert_outcome(user(doubled.b, 'deauthorize', pair), 0)
    wait_until(lambda: redirection(doubled.a, pair.primary_id) == {})
    assert counters['gateway.received'] >= 2
    first.start()
    first.wait_ready()
    counters = gateways.Counters(first)

    def goes_by_the_first():
        verb = 'authorize' if not redirection(
            doubled.a, pair.primary_id) else 'deauthorize'
        assert_outcome(user(doubled.b, verb, pair), 0)
        return counters['gateway.received']

    wait_until(goes_by_the_first, 30)


# --------------------------------------------- a primary that does not do its

@pytest.fixture
def border(make_lab, make_peer):
    """b.example alone; a.example's gateway is this test."""
    primary = make_peer('127.2.1.1', 'tcp', auto_reply=200)
    third = make_peer('127.2.3.1', 'tcp', auto_reply=200)
    lab = make_lab(gateways.BorderLab, [primary], third, settings={
        **gateways.IMPATIENT, 'migration': {**gateways.IMPATIENT['migration'],
                                  'authorization_deadline': '1s'}})
    return lab, primary, third


def answer_as(letter, peer, lab, body):
    return gateways.say(peer, lab.gateway.outside, body,
                        speaker=gateways.identity(letter),
                        target=gateways.identity('b'))


def mappings(lab):
    return lab.b.store.query('SELECT partner_id FROM partner_mapping')


def test_200_and_nothing_more(border, user, pair):
    lab, primary, _ = border
    assert_outcome(user(lab.b, 'authorize', pair), 1, 'primary-unreachable')
    assert mappings(lab) == []
    # What comes after all is too late.
    asked = documents.Parsed(primary.request().body)
    answer = answer_as('a', primary, lab, gateways.response_document(asked))
    assert answer.status == 481
    assert answer.header('warning') == '399 b.example "procedure not awaited"'
    assert mappings(lab) == []


def wrong_responses(asked, other):
    """Of another system, for another's procedure, with what does not fit."""
    return {
        'from a third system': ('c', {}, 403),
        'of another procedure': (
            'a', {'procedure': documents.new_procedure()}, 481),
        'for another user': ('a', {'partner_id': other.partner_id,
                                   'primary_id': other.primary_id}, 481),
        'with another\'s partner ID': (
            'a', {'partner_id': other.partner_id}, 481),
        'with another sequence': (
            'a', {'sequence': int(asked.sequence) + 1}, 481),
        'with swapped IDs': ('a', {'partner_id': asked.primary_id,
                                   'primary_id': asked.partner_id}, 403),
        'of another service': ('a', {'service': 'mcvideo'}, 481),
    }


@pytest.mark.parametrize('case', wrong_responses(
    type('Asked', (), {'sequence': 0, 'primary_id': '', 'partner_id': ''}),
    type('Other', (), {'primary_id': '', 'partner_id': ''})))
def test_wrong_response(border, asks, pair, make_pair, case):
    lab, primary, third = border
    other = make_pair()
    waiting = asks(lab.b, 'authorize', pair)
    asked = documents.Parsed(primary.request().body)
    letter, changes, status = wrong_responses(asked, other)[case]
    service = changes.get('service', 'mcptt')
    peer = primary if letter == 'a' else third
    answer = gateways.say(
        peer, lab.gateway.outside,
        gateways.response_document(asked, **changes), service=service,
        speaker=gateways.identity(letter), target=gateways.identity('b'))
    assert answer.status == status, answer
    assert mappings(lab) == []
    # The right one still counts.
    assert answer_as('a', primary, lab,
                     gateways.response_document(asked)).status == 200
    assert_outcome(waiting.result(), 0)


def test_response_twice(border, asks, pair):
    lab, primary, _ = border
    waiting = asks(lab.b, 'authorize', pair)
    asked = documents.Parsed(primary.request().body)
    for _ in range(2):
        assert answer_as('a', primary, lab,
                         gateways.response_document(asked)).status == 200
    assert_outcome(waiting.result(), 0)
    assert mappings(lab) == [(pair.partner_id,)]


def test_response_before_the_answer(border, asks, pair):
    """The response counts as the request's 2xx."""
    lab, primary, _ = border
    primary.auto_reply = None
    waiting = asks(lab.b, 'authorize', pair)
    asked = documents.Parsed(primary.request().body)
    assert answer_as('a', primary, lab,
                     gateways.response_document(asked)).status == 200
    assert_outcome(waiting.result(), 0)

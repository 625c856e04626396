# SPDX-License-Identifier: BSD-2-Clause
"""kill -9 loses nothing that got a 2xx."""

import pytest

import documents


def authorization(pair, procedure):
    return documents.document('authorization-request', pair.partner_id,
                              pair.primary_id, profile=1, procedure=procedure)


def response_to(request, **options):
    return documents.document(
        request.element.replace('request', 'response'), request.partner_id,
        request.primary_id, service=request.service,
        procedure=request.procedure, sequence=request.sequence,
        result='success', **options)


@pytest.fixture
def partner(make_solo, make_peer, pair, client_request):
    """b.example has taken a client's request; its primary is this test."""
    primary = make_peer(auto_reply=200)
    client = make_peer(auto_reply=200)
    solo = make_solo(primary)
    procedure = documents.new_procedure()
    answer = client_request(client, solo.b, authorization(pair, procedure))
    assert answer.status == 200
    return solo, primary, client, documents.Parsed(primary.request().body)


def restart(system):
    system.kill()
    system.start()
    system.wait_ready()


def request_after(first, peer):
    """The next one that is no retransmission of `first`."""
    request = peer.request()
    while request.branch == first.branch:
        request = peer.request()
    return request


def test_partner_killed_before_the_response(partner, server_request):
    solo, primary, client, request = partner
    restart(solo.b)
    answer = server_request(primary, solo.b, response_to(request))
    assert answer.status == 200, answer
    response = documents.Parsed(client.request().body)
    assert (response.procedure, response.result) == (request.procedure,
                                                     'success')


def test_partner_killed_before_the_client_has_answered(partner,
                                                       server_request):
    solo, primary, client, request = partner
    client.auto_reply = None
    assert server_request(primary, solo.b,
                          response_to(request)).status == 200
    first = client.request()
    restart(solo.b)
    again = request_after(first, client)
    client.reply(again, 200)
    assert documents.Parsed(again.body).procedure == request.procedure


def test_client_asks_again_after_the_restart(partner, pair, client_request,
                                             server_request, rows):
    solo, primary, client, request = partner
    restart(solo.b)
    before = rows(solo.b)
    answer = client_request(client, solo.b,
                            authorization(pair, request.procedure))
    assert answer.status == 200
    assert rows(solo.b) == before
    assert server_request(primary, solo.b,
                          response_to(request)).status == 200
    assert documents.Parsed(client.request().body).result == 'success'


@pytest.fixture
def guest(pair):
    """A user of b.example whom a.example wants to host."""
    pair.primary_id = pair.primary_id.replace('a.example', 'b.example')
    pair.partner_id = pair.partner_id.replace('b.example', 'a.example')
    return pair


def redirection(system, primary_id):
    return system.store.query(
        'SELECT target_mc_service_id FROM redirection '
        f"WHERE mc_service_id = '{primary_id}'")


def test_primary_killed_before_its_response_is_taken(
        make_solo, make_peer, guest, server_request, wait_until):
    partner = make_peer()
    solo = make_solo(partner)
    body = documents.document(
        'authorization-request', guest.partner_id, guest.primary_id, profile=1,
        procedure=documents.new_procedure(), sequence=documents.now_us())
    assert server_request(partner, solo.b, body).status == 200
    first = partner.request()
    assert documents.Parsed(first.body).result == 'success'
    assert redirection(solo.b, guest.primary_id) == []  # not confirmed yet
    restart(solo.b)
    again = request_after(first, partner)
    partner.reply(again, 200)
    wait_until(lambda: redirection(solo.b, guest.primary_id)
               == [(guest.partner_id,)])


def test_both_killed_while_a_user_migrates(make_lab, ue, pair, wait_until):
    lab = make_lab()
    assert ue('authorize', lab.b.server, pair)[0] == 0
    for system in lab.systems:
        restart(system)
    wait_until(lambda: redirection(lab.a, pair.primary_id)
               == [(pair.partner_id,)])
    assert ue('deauthorize', lab.b.server, pair)[0] == 0
    wait_until(lambda: redirection(lab.a, pair.primary_id) == [])

# SPDX-License-Identifier: BSD-2-Clause
"""A user of a.example goes to b.example and comes back."""

import itertools

import pytest

import documents


def step(steps, name):
    return next(line for line in steps if line['step'] == name)


def assert_outcome(answer, exit_status, cause=None):
    status, steps = answer
    assert status == exit_status, steps
    assert step(steps, 'answer')['status'] == 200
    assert step(steps, 'response').get('cause') == cause
    assert step(steps, 'reply')['status'] == 200


def redirection(system, mc_service_id):
    """{service: target} as mcmig.redirection says."""
    return dict(system.store.query(
        'SELECT service, target_mc_service_id FROM redirection '
        f"WHERE mc_service_id = '{mc_service_id}'"))


@pytest.mark.smoke
def test_there_and_back(lab, ue, pair, wait_until):
    assert_outcome(ue('authorize', lab.b.server, pair), 0)
    wait_until(lambda: redirection(lab.a, pair.primary_id)
               == {'mcptt': pair.partner_id})
    assert redirection(lab.b, pair.partner_id) == {}

    assert_outcome(ue('deauthorize', lab.b.server, pair), 0)
    wait_until(lambda: redirection(lab.a, pair.primary_id) == {})
    wait_until(lambda: redirection(lab.b, pair.partner_id)
               == {'mcptt': pair.primary_id})


@pytest.mark.parametrize('service, transport', itertools.product(
    documents.SERVICES, ('udp', 'tcp')))
def test_every_service_and_transport(lab, ue, pair, wait_until, service,
                                     transport):
    options = ('--service', service)
    assert_outcome(ue('authorize', lab.b.server, pair, *options,
                      transport=transport), 0)
    wait_until(lambda: redirection(lab.a, pair.primary_id)
               == {service: pair.partner_id})
    assert_outcome(ue('deauthorize', lab.b.server, pair, *options,
                      transport=transport), 0)
    wait_until(lambda: redirection(lab.a, pair.primary_id) == {})


@pytest.mark.parametrize('host, transport', (('::1', 'tcp'), ('::1', 'udp'),
                                             ('127.0.0.1', 'udp')))
def test_between_servers(make_lab, ue, pair, wait_until, host, transport):
    lab = make_lab(host=host, transport=transport)
    assert_outcome(ue('authorize', lab.b.server, pair, transport=transport), 0)
    wait_until(lambda: redirection(lab.a, pair.primary_id)
               == {'mcptt': pair.partner_id})
    assert_outcome(ue('deauthorize', lab.b.server, pair,
                      transport=transport), 0)


def test_services_are_independent(lab, ue, pair, wait_until):
    for service in documents.SERVICES:
        assert_outcome(ue('authorize', lab.b.server, pair, '--service',
                          service), 0)
    assert_outcome(ue('deauthorize', lab.b.server, pair, '--service',
                      'mcvideo'), 0)
    wait_until(lambda: redirection(lab.a, pair.primary_id)
               == {'mcptt': pair.partner_id, 'mcdata': pair.partner_id})


def test_profile_that_may_not_migrate(lab, ue, pair):
    assert_outcome(ue('authorize', lab.b.server, pair, profile=3), 1,
                   'not-permitted')
    assert redirection(lab.a, pair.primary_id) == {}


def test_profile_that_does_not_exist(lab, ue, pair):
    assert_outcome(ue('authorize', lab.b.server, pair, profile=9), 1,
                   'profile-unknown')


def test_pair_that_is_not_admitted(lab, ue, pair, make_pair):
    pair.partner_id = make_pair().partner_id
    assert_outcome(ue('authorize', lab.b.server, pair), 1, 'not-admitted')


def test_user_that_the_primary_does_not_know(lab, ue, pair):
    pair.primary_id = 'sip:nobody@a.example'
    lab.b.store.execute(
        'INSERT INTO admission (primary_system, primary_id, partner_id) '
        f"VALUES ('a.example', '{pair.primary_id}', '{pair.partner_id}')")
    assert_outcome(ue('authorize', lab.b.server, pair), 1, 'user-unknown')


def test_leaving_without_being_there(lab, ue, pair):
    assert_outcome(ue('deauthorize', lab.b.server, pair), 1, 'not-migrated')


def test_partner_id_in_use(lab, ue, pair, make_pair):
    assert_outcome(ue('authorize', lab.b.server, pair), 0)
    other = make_pair()
    other.partner_id = pair.partner_id
    lab.b.store.execute(
        'INSERT INTO admission (primary_system, primary_id, partner_id) '
        f"VALUES ('a.example', '{other.primary_id}', '{other.partner_id}')")
    assert_outcome(ue('authorize', lab.b.server, other), 1,
                   'partner-id-in-use')


def test_other_direction_at_the_same_time(lab, ue, pair, make_pair,
                                          wait_until):
    """Both systems play both roles."""
    guest = make_pair()
    guest.primary_id = guest.primary_id.replace('a.example', 'b.example')
    guest.partner_id = guest.partner_id.replace('b.example', 'a.example')
    assert_outcome(ue('authorize', lab.b.server, pair), 0)
    assert_outcome(ue('authorize', lab.a.server, guest), 0)
    wait_until(lambda: redirection(lab.b, guest.primary_id)
               == {'mcptt': guest.partner_id})
    wait_until(lambda: redirection(lab.a, pair.primary_id)
               == {'mcptt': pair.partner_id})


def test_same_procedure_again(lab, ue, pair, rows, wait_until):
    procedure = documents.new_procedure()
    options = ('--procedure', procedure)
    assert_outcome(ue('authorize', lab.b.server, pair, *options), 0)
    wait_until(lambda: redirection(lab.a, pair.primary_id))
    before = rows(lab.a), rows(lab.b)
    assert_outcome(ue('authorize', lab.b.server, pair, *options), 0)
    assert (rows(lab.a), rows(lab.b)) == before


def test_same_procedure_after_the_migration_has_ended(lab, ue, pair):
    options = ('--procedure', documents.new_procedure())
    assert_outcome(ue('authorize', lab.b.server, pair, *options), 0)
    assert_outcome(ue('deauthorize', lab.b.server, pair), 0)
    assert_outcome(ue('authorize', lab.b.server, pair, *options), 1, 'ended')


def test_procedure_id_of_another_verb(lab, ue, pair):
    options = ('--procedure', documents.new_procedure())
    assert_outcome(ue('authorize', lab.b.server, pair, *options), 0)
    status, steps = ue('deauthorize', lab.b.server, pair, *options)
    assert status == 2
    assert step(steps, 'answer')['status'] == 400
    assert 'already used' in step(steps, 'answer')['warning']


def test_client_without_procedure_id(lab, make_peer, pair, client_request):
    peer = make_peer(auto_reply=200)
    body = documents.document('authorization-request', pair.partner_id,
                              pair.primary_id, profile=0)
    assert client_request(peer, lab.b, body).status == 200
    response = documents.Parsed(peer.request().body)
    assert response.element == 'authorization-response'
    assert response.result == 'success'
    assert response.procedure
    assert response.sequence is None
    assert (response.partner_id, response.primary_id) == (
        pair.partner_id, pair.primary_id)


def test_ids_come_back_as_the_client_wrote_them(lab, make_peer, pair,
                                                client_request):
    peer = make_peer(auto_reply=200)
    body = documents.document(
        'authorization-request', pair.partner_id.replace('example', 'EXAMPLE'),
        pair.primary_id.replace('sip:u', 'SIP:%75'), profile=0,
        procedure=documents.new_procedure())
    assert client_request(peer, lab.b, body).status == 200
    response = documents.Parsed(peer.request().body)
    assert response.result == 'success'
    assert response.partner_id.endswith('@b.EXAMPLE')
    assert response.primary_id.startswith('SIP:%75ser')

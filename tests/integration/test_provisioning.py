# SPDX-License-Identifier: BSD-2-Clause
"""SQL of an operator, taken over by a running daemon."""

import pytest


@pytest.fixture
def outcome(lab, ue, pair):
    """(exit status, cause) of an authorization with a new procedure ID."""
    def ask(profile=1):
        status, steps = ue('authorize', lab.b.server, pair, profile=profile)
        response = next((line for line in steps if line['step'] == 'response'),
                        {})
        return status, response.get('cause')

    return ask


def test_profile_gets_permission(lab, pair, outcome):
    assert outcome(3) == (1, 'not-permitted')
    lab.a.store.execute(
        'INSERT INTO permission (primary_id, service, profile_index, '
        f"partner_system) VALUES ('{pair.primary_id}', 'mcptt', 3, '*')")
    assert outcome(3) == (0, None)


def test_user_is_disabled_and_enabled(lab, pair, outcome, wait_until):
    lab.a.store.execute('UPDATE mc_user SET enabled = FALSE '
                        f"WHERE primary_id = '{pair.primary_id}'")
    wait_until(lambda: outcome() == (1, 'user-disabled'))
    lab.a.store.execute('UPDATE mc_user SET enabled = TRUE '
                        f"WHERE primary_id = '{pair.primary_id}'")
    wait_until(lambda: outcome() == (0, None))


def test_admission_comes_and_goes(lab, pair, outcome, wait_until):
    pair.primary_id = 'sip:newcomer@a.example'
    pair.partner_id = 'sip:guest@b.example'
    lab.a.store.execute(
        f"INSERT INTO mc_user (primary_id) VALUES ('{pair.primary_id}');"
        'INSERT INTO user_profile (primary_id, service, profile_index) '
        f"VALUES ('{pair.primary_id}', 'mcptt', 1);"
        'INSERT INTO permission (primary_id, service, profile_index, '
        "partner_system) "
        f"VALUES ('{pair.primary_id}', 'mcptt', 1, 'b.example')")
    assert outcome() == (1, 'not-admitted')
    lab.b.store.execute(
        'INSERT INTO admission (primary_system, primary_id, partner_id) '
        f"VALUES ('a.example', '{pair.primary_id}', '{pair.partner_id}')")
    assert outcome() == (0, None)
    lab.b.store.execute('DELETE FROM admission '
                        f"WHERE primary_id = '{pair.primary_id}'")
    wait_until(lambda: outcome() == (1, 'not-admitted'))


def test_admission_that_is_over(lab, pair, outcome, wait_until):
    lab.b.store.execute("UPDATE admission SET valid_until = "
                        "'2020-01-01T00:00:00Z' "
                        f"WHERE primary_id = '{pair.primary_id}'")
    wait_until(lambda: outcome() == (1, 'not-admitted'))


def test_admission_of_a_system_is_not_enough(lab, pair, outcome):
    """The pair must be pinned: anybody could claim any primary ID."""
    lab.b.store.execute('UPDATE admission SET partner_id = NULL '
                        f"WHERE primary_id = '{pair.primary_id}'")
    assert outcome() == (1, 'not-admitted')


def test_peer_system_is_disabled(make_lab, ue, pair, wait_until):
    lab = make_lab()
    lab.b.store.execute(
        "UPDATE mc_system SET enabled = FALSE WHERE name = 'a.example'")

    def cause():
        _, steps = ue('authorize', lab.b.server, pair)
        return next((line.get('cause') for line in steps
                     if line['step'] == 'response'), None)

    # A request that was forwarded before the daemon saw the change fails only
    # at its deadline, after 30 s.
    wait_until(lambda: cause() == 'system-disabled', seconds=90)


def test_new_system(lab, wait_until):
    lab.b.store.execute(
        "INSERT INTO mc_system (name) VALUES ('c.example');"
        'INSERT INTO mc_system_domain (domain, system) '
        "VALUES ('c.example', 'c.example');"
        'INSERT INTO mc_server (system, uri) '
        "VALUES ('c.example', 'sip:127.0.0.3:5060;transport=tcp')")
    wait_until(lambda: any(system['name'] == 'c.example'
                           for system in lab.b.ctl('systems')))


def relayed(lab):
    """Messages that the gateways have relayed."""
    return sum(row['value'] for gateway in lab.gateways
               for row in gateway.ctl('stats')
               if row['name'].startswith('gateway.relayed_'))


@pytest.fixture
def relayed_of_one(ue, make_pair, wait_until):
    """So many are relayed of one authorization, until nothing is owed."""
    def count(lab):
        before = relayed(lab)
        ue('authorize', lab.b.server, make_pair())
        wait_until(lambda: not any(system.ctl('procedures')
                                   for system in lab.systems), 60)
        return relayed(lab) - before

    return count


def test_path_is_switched(make_lab, relayed_of_one, wait_until):
    lab = make_lab(gateways=1, tokens=False)
    for system, peer in ((lab.a, lab.b), (lab.b, lab.a)):
        system.store.execute(
            'INSERT INTO mc_server (system, uri) VALUES '
            f"('{peer.name}', 'sip:{peer.server};transport=tcp')")
    # A request and a response, each through both gateways.
    for path, messages in (('gateway', 4), ('direct', 0), ('gateway', 4)):
        for system in lab.systems:
            system.store.execute(f"UPDATE mc_system SET path = '{path}'")
        # Until both have seen the change, one refuses what the other sends.
        wait_until(lambda m=messages: relayed_of_one(lab) == m, 120)

# SPDX-License-Identifier: BSD-2-Clause
"""What must hold once all is quiet again: every promise is kept, and both
systems say the same of every user."""


def live_procedures(system):
    return system.store.query(
        'SELECT procedure_id, state FROM procedure '
        'WHERE state <> 4 OR telling')


def partner_view(system):
    """Who is here, by the partner system."""
    return set(system.store.query(
        'SELECT service, primary_id, partner_id FROM partner_mapping '
        'WHERE status = 1'))


def primary_view(system, partner):
    """Who is there, by the primary system."""
    rows = system.store.query(
        'SELECT service, primary_id, partner_id, partner_system '
        'FROM primary_migration '
        + ('WHERE active' if system.store.module == 'store_postgres'
           else 'WHERE active = 1'))
    return {row[:3] for row in rows if row[3] == partner.name}


def redirected(system):
    """Primary IDs that the view sends elsewhere."""
    return {row[0] for row in system.store.query(
        "SELECT mc_service_id FROM redirection "
        "WHERE direction = 'to_partner'")}


def wait_for_quiet(lab, people, wait_until, seconds=60):
    """Until no client and no server waits for anything."""
    people.stop_starting()
    try:
        wait_until(lambda: not people.unanswered(), seconds)
    except AssertionError:
        raise AssertionError(
            f'{len(people.unanswered())} without answer or response: '
            f'{people.unanswered()[:5]}') from None
    for system in lab.systems:
        try:
            wait_until(lambda s=system: not live_procedures(s), seconds)
        except AssertionError:
            raise AssertionError(f'{system.name} still has '
                                 f'{live_procedures(system)[:5]}') from None


def check_promises(people):
    assert not people.problems, (len(people.problems), people.problems[:3])
    broken = [one for one in people.taken() if not one.outcomes]
    assert not broken, broken[:5]


def check_agreement(lab):
    for partner, primary in ((lab.a, lab.b), (lab.b, lab.a)):
        there = partner_view(partner)
        assert primary_view(primary, partner) == there
        assert redirected(primary) == {row[1] for row in there}


def check_last_word(people, lab):
    """The last thing that a client asked for is how it is."""
    here = {row[1] for system in lab.systems for row in partner_view(system)}
    wrong = [client.last for client in people.clients
             if client.last and client.last.outcomes == {'success'}
             and (client.primary_id in here)
             != (client.last.verb == 'authorization')]
    assert not wrong, wrong[:5]


def check_all(lab, people, wait_until):
    wait_for_quiet(lab, people, wait_until)
    check_promises(people)
    check_agreement(lab)
    check_last_word(people, lab)
    print(f'{len(people.taken())} procedures taken, answers '
          f'{people.statuses}, slowest 5xx {people.slowest_5xx_s:.3f} s')
    assert len(people.taken()) > 50, people.statuses

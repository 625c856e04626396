# SPDX-License-Identifier: BSD-2-Clause
"""A migration there and back through real S-CSCFs (Kamailio) and gateways, and
a user who comes home."""

import json
import subprocess
import sys

import pytest

import documents
import gateways
import lablib


@pytest.fixture(scope='module')
def ims_lab(module_lab):
    """TLS between the systems, TCP and UDP between a server and its S-CSCF."""
    return module_lab(gateways=1, ims=True, transport='tls')


def run_ue(system, verb, pair, *options):
    """scripts/imsue.py: its exit status and its steps."""
    done = subprocess.run(
        [sys.executable, '-B', lablib.ROOT / 'scripts/imsue.py', verb,
         '--json', '--scscf', system.ims.uri, '--host', '127.4.2.1',
         '--partner-id', pair.partner_id, '--primary-id', pair.primary_id,
         *options], stdout=subprocess.PIPE, text=True, timeout=60,
        check=False)
    return done.returncode, [json.loads(line)
                             for line in done.stdout.splitlines()]


def redirection(system, mc_service_id):
    return dict(system.store.query(
        'SELECT service, target_mc_service_id FROM redirection '
        f"WHERE mc_service_id = '{mc_service_id}'"))


@pytest.mark.smoke
@pytest.mark.parametrize('service', documents.SERVICES)
def test_there_and_back(ims_lab, pair, wait_until, service):
    """Client, S-CSCF, partner server, two gateways, primary server."""
    credentials = ims_lab.b.credentials(pair.partner_id)
    status, steps = run_ue(ims_lab.b, 'authorize', pair, '--profile', '1',
                           '--service', service, *credentials)
    assert status == 0, steps
    assert {row['certificate'] for row in ims_lab.b.gateways[0].ctl('tls')
            if row['cipher']} == {'from', 'to'}
    wait_until(lambda: redirection(ims_lab.a, pair.primary_id)
               == {service: pair.partner_id})
    status, steps = run_ue(ims_lab.b, 'deauthorize', pair, '--service',
                           service, *credentials)
    assert status == 0, steps
    wait_until(lambda: redirection(ims_lab.a, pair.primary_id) == {})
    wait_until(lambda: redirection(ims_lab.b, pair.partner_id)
               == {service: pair.primary_id})


@pytest.fixture
def migrate(ims_lab, pair, wait_until):
    """The pair's user goes to b.example."""
    def run():
        status, steps = run_ue(ims_lab.b, 'authorize', pair, '--profile', '1',
                               *ims_lab.b.credentials(pair.partner_id))
        assert status == 0, steps
        wait_until(lambda: redirection(ims_lab.a, pair.primary_id)
                   == {'mcptt': pair.partner_id})

    return run


def test_registers_at_home(ims_lab, migrate, pair, make_ue, wait_until):
    """returned_home: the migration is over."""
    migrate()
    make_ue(ims_lab.a, pair.primary_id, host='127.4.1.1')
    wait_until(lambda: redirection(ims_lab.a, pair.primary_id) == {})


def test_device_left_at_home(ims_lab, migrate, pair, make_ue, wait_until):
    """That it refreshes its registration, or ends it, is no return: the
    initial filter criteria of users at home do not send the one, and the other
    says so."""
    device = make_ue(ims_lab.a, pair.primary_id, host='127.4.1.1')
    migrate()
    taken = gateways.Counters(ims_lab.a)
    assert device.register().status == 200
    assert device.register(0).status == 200
    wait_until(lambda: taken['ims.registers_taken'])
    assert taken['ims.registers_taken'] == 1
    assert redirection(ims_lab.a, pair.primary_id) == {
        'mcptt': pair.partner_id}


def test_a_stranger_registers_at_home(ims_lab, make_ue, wait_until, rows):
    """An identity that is nobody's MC service ID: learned, nothing written."""
    before = rows(ims_lab.a)
    identity = 'sip:user09999@a.example'
    make_ue(ims_lab.a, identity, host='127.4.1.1')
    wait_until(lambda: ims_lab.a.ctl('ims', 'registrations', identity))
    assert rows(ims_lab.a) == before

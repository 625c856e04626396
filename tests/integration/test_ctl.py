# SPDX-License-Identifier: BSD-2-Clause
"""mcmigctl: tables for people, JSON for programs."""

import json
import subprocess

import pytest

import documents
import lablib


@pytest.fixture
def migrated(lab, ue, pair, wait_until):
    """A user that is at b.example, and its procedure."""
    procedure = documents.new_procedure()
    assert ue('authorize', lab.b.server, pair, '--procedure', procedure)[0] \
        == 0
    wait_until(lambda: lab.a.ctl('redirection', pair.primary_id))
    return pair, procedure


def test_status(lab):
    status = lab.b.ctl('status')
    assert status['system'] == 'b.example'
    assert status['node'] == 'b1'
    assert status['state'] == 'serving'
    assert status['store']['up'] is True
    assert status['pid'] == lab.b.pid
    assert f'udp:{lab.b.server}' in status['addresses']
    assert f'tcp:{lab.b.server}' in status['addresses']
    assert 'b.example' in lab.b.ctl_text('status')


def test_procedures(lab, migrated, wait_until):
    pair, procedure = migrated
    (row,) = lab.a.ctl('procedures', procedure)
    assert (row['role'], row['verb'], row['outcome']) == (
        'primary', 'authorization', 'success')
    assert (row['primary_id'], row['partner_id'], row['peer_system']) == (
        pair.primary_id, pair.partner_id, 'b.example')
    (row,) = lab.b.ctl('procedures', procedure)
    assert (row['role'], row['peer_system']) == ('partner', 'a.example')
    wait_until(lambda: lab.b.ctl('procedures', procedure)[0]['state']
               == 'done')
    text = lab.b.ctl_text('procedures', procedure)
    assert procedure in text and pair.primary_id in text


def test_live_procedures(make_solo, make_peer, pair, client_request):
    """Without an ID: what is owed a message."""
    primary = make_peer()
    client = make_peer(auto_reply=200)
    solo = make_solo(primary)
    procedure = documents.new_procedure()
    assert solo.b.ctl('procedures') == []
    body = documents.document('authorization-request', pair.partner_id,
                              pair.primary_id, profile=1, procedure=procedure)
    assert client_request(client, solo.b, body).status == 200
    (row,) = solo.b.ctl('procedures')
    assert (row['procedure_id'], row['state'], row['outcome']) == (
        procedure, 'forwarding', 'none')


def test_migrations(lab, migrated, ue, wait_until):
    pair, procedure = migrated
    for system, identity in ((lab.a, pair.primary_id),
                             (lab.b, pair.partner_id)):
        (row,) = system.ctl('migrations', identity)
        assert (row['status'], row['procedure_id']) == ('active', procedure)
        assert pair.primary_id in system.ctl_text('migrations')
    assert ue('deauthorize', lab.b.server, pair)[0] == 0
    wait_until(lambda: [row['status'] for row in
                        lab.b.ctl('migrations', pair.primary_id)]
               == ['ended'])
    assert lab.a.ctl('migrations', pair.primary_id)[0]['status'] == 'ended'


def test_migrating(make_solo, make_peer, server_request, wait_until):
    """Accepted by the primary, and not confirmed by the partner."""
    partner = make_peer()
    solo = make_solo(partner)
    primary_id, partner_id = solo.b.user(1), solo.a.visitor(1)
    procedure = documents.new_procedure()
    body = documents.document('authorization-request', partner_id, primary_id,
                              profile=1, procedure=procedure,
                              sequence=documents.now_us())
    assert server_request(partner, solo.b, body).status == 200
    response = partner.request()
    for argument in ((), (primary_id,), (partner_id,)):
        (row,) = solo.b.ctl('migrations', *argument)
        assert (row['status'], row['current'], row['ended'],
                row['procedure_id']) == ('migrating', False, None, procedure)
    assert solo.b.ctl('redirection', primary_id) == []
    partner.reply(response, 200)
    wait_until(lambda: solo.b.ctl('redirection', primary_id))
    (row,) = solo.b.ctl('migrations', primary_id)
    assert (row['status'], row['current']) == ('active', True)


def test_redirection(lab, migrated):
    pair, _ = migrated
    (row,) = lab.a.ctl('redirection', pair.primary_id)
    assert (row['service'], row['target_mc_service_id'], row['direction']) \
        == ('mcptt', pair.partner_id, 'to_partner')
    assert lab.b.ctl('redirection', pair.partner_id) == []
    assert pair.partner_id in lab.a.ctl_text('redirection', pair.primary_id)


def test_systems(lab):
    systems = {row['name']: row for row in lab.b.ctl('systems')}
    assert set(systems) == {'a.example', 'b.example'}
    assert systems['a.example']['enabled'] is True
    assert systems['a.example']['domains'] == ['a.example']
    assert systems['a.example']['servers'] == [
        f'sip:{lab.a.server};transport=tcp']
    assert systems['a.example']['path'] == 'direct'
    assert systems['a.example']['sources'] == []
    assert lab.a.server in lab.b.ctl_text('systems')
    assert lab.b.ctl('gateways') == []


def test_gateways_and_sources(make_lab):
    lab = make_lab(start=False)
    lab.prepare()
    gateway = 'sip:127.0.0.3:5060;transport=tcp'
    lab.b.store.execute(
        "UPDATE mc_system SET path = 'gateway' WHERE name = 'a.example';"
        f"INSERT INTO mc_gateway (uri, weight) VALUES ('{gateway}', 3);"
        "INSERT INTO mc_peer (system, source) VALUES "
        "('b.example', '192.0.2.0/28'), ('b.example', 'dns:gw.b.example')")
    lab.b.start()
    lab.b.wait_ready()
    assert lab.b.ctl('gateways') == [
        {'uri': gateway, 'priority': 1, 'weight': 3}]
    assert gateway in lab.b.ctl_text('gateways')
    systems = {row['name']: row for row in lab.b.ctl('systems')}
    assert systems['a.example']['path'] == 'gateway'
    assert systems['b.example']['path'] == 'direct'
    assert systems['b.example']['sources'] == ['192.0.2.0/28',
                                               'dns:gw.b.example']
    table = lab.b.ctl_text('systems')
    assert 'gateway' in table and 'dns:gw.b.example' in table


def test_settings(lab):
    values = {row['setting']: row['value'] for row in lab.b.ctl('settings')}
    assert values['system'] == 'b.example'
    assert values['ctl.socket'] == str(lab.b.ctl_socket)
    assert 'migration.pinning' in lab.b.ctl_text('settings')


def test_stats(lab, migrated):
    text = json.dumps(lab.b.ctl('stats'))
    assert 'sip.' in text
    assert 'sip.' in lab.b.ctl_text('stats')


def test_reload(lab):
    lab.b.ctl('reload')


def mcmigctl(*arguments):
    return subprocess.run([lablib.build_folder() / 'src/mcmigctl', *arguments],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=20, check=False)


def test_unknown_command(lab):
    done = mcmigctl('-s', lab.b.ctl_socket, 'explode')
    assert done.returncode != 0
    assert 'explode' in done.stderr


def test_redirection_of_nobody(lab):
    assert lab.b.ctl('redirection', 'sip:nobody@b.example') == []


def test_argument_missing(lab):
    assert mcmigctl('-s', lab.b.ctl_socket, 'redirection').returncode != 0


def test_no_daemon(tmp_path):
    done = mcmigctl('-s', tmp_path / 'none.ctl', 'status')
    assert done.returncode != 0
    assert 'none.ctl' in done.stderr

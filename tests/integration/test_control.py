# SPDX-License-Identifier: BSD-2-Clause
"""mcmigctl and the control socket; starts and reloads that go wrong."""

import json
import re
import signal
import stat
import subprocess

import documents
import lablib

COMMANDS = ('status', 'procedures', 'migrations', 'systems', 'gateways',
            'nodes', 'stats', 'settings', 'tls', 'help')


def mcmigctl(*arguments):
    return subprocess.run(
        [lablib.build_folder() / 'src/mcmigctl', *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30,
        check=False)


def mcmigd(*arguments):
    return subprocess.run([lablib.build_folder() / 'src/mcmigd', *arguments],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=30, check=False)


def ask(system, *arguments):
    return mcmigctl('-s', system.ctl_socket, *arguments)


def variant(system, path, replace, by):
    """The system's configuration with one thing changed."""
    text = system.conf.read_text()
    assert replace in text
    path.write_text(text.replace(replace, by))
    return path


def test_tables_and_json(lab, ue, pair):
    assert ue('authorize', lab.b.server, pair)[0] == 0
    for command in COMMANDS:
        table, raw = ask(lab.b, command), ask(lab.b, '--json', command)
        assert table.returncode == raw.returncode == 0, raw.stderr
        assert isinstance(json.loads(raw.stdout), (dict, list))
    table = ask(lab.b, 'migrations', pair.primary_id).stdout.splitlines()
    assert table[0].split()[:3] == ['service', 'role', 'status']
    assert table[1].split()[:3] == ['mcptt', 'partner', 'active']
    assert re.search(r' \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ ', table[1])
    assert table[0].index('partner_id') == table[1].index(pair.partner_id)
    assert json.loads(ask(lab.a, '--json', 'redirection',
                          pair.primary_id).stdout)[0][
        'target_mc_service_id'] == pair.partner_id


def test_wide_tables_have_all_columns(lab, ue, pair):
    procedure = documents.new_procedure()
    assert ue('authorize', lab.b.server, pair, '--procedure', procedure)[0] \
        == 0
    needed = {
        'procedures': 'created procedure_id service role verb state outcome '
                      'cause primary_id partner_id peer_system',
        'migrations': 'service role status current primary_id partner_id '
                      'peer_system profile_index started ended'}
    for command, argument in (('procedures', procedure),
                              ('migrations', pair.primary_id)):
        (row,) = lab.b.ctl(command, argument)
        table = ask(lab.b, command, argument).stdout.splitlines()
        assert table[0].split() == needed[command].split()
        wide = ask(lab.b, '--wide', command, argument).stdout.splitlines()
        assert wide[0].split() == list(row)
        assert set(needed[command].split()) < set(row)


def test_status_tells_addresses_and_modules(lab):
    status = lab.b.ctl('status')
    assert status['system'] == 'b.example'
    assert status['addresses'] == [f'udp:{lab.b.server}', f'tcp:{lab.b.server}']
    assert status['modules'][-2:] == ['migration', 'ctl']
    assert status['store']['up'] and status['store']['reason'] == ''
    assert status['state'] == 'serving'
    assert status['pending'] == {'modules': 0, 'sip': 0, 'store': 0}


def test_exit_codes(lab, tmp_path):
    for arguments, code, reason in (
            (('statsu',), 1, 'help lists all'),
            (('redirection',), 1, 'usage: redirection ID'),
            (('status', 'x'), 1, 'too many arguments'),
            ((), 2, 'no command'),
            (('--colour', 'status'), 2, 'unknown option')):
        done = ask(lab.b, *arguments)
        assert (done.returncode, done.stdout) == (code, '')
        assert reason in done.stderr
    done = mcmigctl('-s', tmp_path / 'none', 'status')
    assert done.returncode == 2
    assert 'is mcmigd running' in done.stderr


def test_who_may_use_the_socket(lab):
    mode = lab.b.ctl_socket.stat().st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o660


def test_a_socket_of_a_dead_daemon_is_replaced(make_lab):
    lab = make_lab()
    lab.b.process.kill()
    lab.b.reap()
    assert lab.b.ctl_socket.exists()
    assert 'not running' in ask(lab.b, 'status').stderr
    lab.b.start()
    lab.b.wait_ready()


def test_two_daemons_with_one_socket(lab, tmp_path):
    conf = variant(lab.b, tmp_path / 'second.conf', f'"udp:{lab.b.server}"',
                   '"udp:127.0.0.1:0"')
    conf.write_text(conf.read_text().replace(f', "tcp:{lab.b.server}"', ''))
    second = mcmigd('-c', conf)
    assert second.returncode == 1
    assert 'another mcmigd has this socket' in second.stderr
    assert ask(lab.b, 'status').returncode == 0


def test_port_0_is_told(make_lab, wait_until):
    lab = make_lab(start=False)
    lab.prepare()
    lab.b.sections['']['listen'] = ['udp:127.0.0.1:0', 'tcp:[::1]:0']
    lab.b.write_configuration()
    lab.b.start()
    lab.b.wait_ready()
    addresses = lab.b.ctl('status')['addresses']
    assert re.fullmatch(r'udp:127\.0\.0\.1:[1-9]\d*', addresses[0])
    assert re.fullmatch(r'tcp:\[::1\]:[1-9]\d*', addresses[1])
    wait_until(lambda: 'msg="ready"' in lab.b.log.read_text())
    assert f'addresses={addresses[0]},{addresses[1]} store=up' in \
        lab.b.log.read_text()


def test_reload_names_what_needs_a_restart(make_lab):
    lab = make_lab()
    lab.b.sections['']['node'] = 'elsewhere'
    lab.b.sections['']['drain_timeout'] = '7s'
    lab.b.write_configuration()
    assert lab.b.ctl('reload') == {'reloaded': True}
    assert 'node has changed in the file and stays as it was' in \
        lab.b.log.read_text()
    settings = {row['setting']: row['value'] for row in lab.b.ctl('settings')}
    assert settings['node'] == 'b1'
    assert settings['drain_timeout'] == '7s'


def test_reload_of_other_modules_is_refused(make_lab):
    lab = make_lab()
    lab.b.sections['']['modules'] = [lab.b.store.module, 'ctl']
    lab.b.write_configuration()
    done = ask(lab.b, 'reload')
    assert done.returncode == 1
    assert 'modules has changed' in done.stderr


def test_a_drain_does_not_last_for_ever(make_solo, make_peer, client_request,
                                        pair):
    primary, client = make_peer(), make_peer(auto_reply=200)
    solo = make_solo(primary, settings={'': {'drain_timeout': '200ms'}})
    request = documents.document('authorization-request', pair.partner_id,
                                 pair.primary_id, profile=1,
                                 procedure=documents.new_procedure())
    assert client_request(client, solo.b, request).status == 200
    primary.request()
    solo.b.process.send_signal(signal.SIGTERM)
    assert solo.b.process.wait(20) == 0
    assert 'drain_timeout is over' in solo.b.log.read_text()


def test_modules_that_make_no_daemon(lab, tmp_path):
    store = lab.b.store.module
    for modules, reason in (('"migration", "ctl"', 'needs a store'),
                            (f'"{store}", "{store}"', 'stands twice'),
                            (f'"{store}", "migration", "gateway", "ctl"',
                             'both take the messages'),
                            (f'"{store}", "../ctl"', 'no module name')):
        conf = tmp_path / 'modules.conf'
        lines = [line for line in lab.b.conf.read_text().splitlines()
                 if not line.startswith('modules ')]
        text = '\n'.join([f'modules = {{ {modules} }}', *lines])
        if store not in modules:
            text = re.sub(store + r' \{[^}]*\}', '', text)
        conf.write_text(text + '\n')
        done = mcmigd('-c', conf, '--check')
        assert done.returncode == 1
        assert reason in done.stderr


def test_wrong_use():
    for arguments, reason in (((), 'no configuration'),
                              (('--chek',), 'unknown option'),
                              (('-c',), '-c needs a FILE'),
                              (('-c', 'x', 'y'), 'too many arguments')):
        done = mcmigd(*arguments)
        assert done.returncode == 2
        assert reason in done.stderr

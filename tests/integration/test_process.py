# SPDX-License-Identifier: BSD-2-Clause
"""mcmigd as a process: options, signals."""

import signal
import subprocess

import pytest

import documents
import lablib


def mcmigd(*arguments):
    return subprocess.run([lablib.build_folder() / 'src/mcmigd', *arguments],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=20, check=False)


def authorization(pair):
    return documents.document('authorization-request', pair.partner_id,
                              pair.primary_id, profile=1,
                              procedure=documents.new_procedure())


def test_check_of_a_good_file(lab):
    done = mcmigd('-c', lab.b.conf, '--check')
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize('line, reason', (
    ('colour = "red"', 'colour'),
    ('log_level = "loud"', 'log_level'),
    ('listen = { "sctp:127.0.0.1:5060" }', 'listen'),
    ('migration { pinning = "perhaps" }', 'pinning'),
    ('migration { authorization_deadline = "soon" }',
     'authorization_deadline'),
    ('modules = { "no_such" }', 'no_such'),
    ('system = ', '')))
def test_check_of_a_bad_file(lab, tmp_path, line, reason):
    """Says where and what; a later value counts, as in any such file."""
    bad = tmp_path / 'bad.conf'
    bad.write_text(lab.b.conf.read_text() + line + '\n')
    done = mcmigd('-c', bad, '--check')
    assert done.returncode != 0
    assert reason in done.stderr


def test_check_of_no_file(tmp_path):
    done = mcmigd('-c', tmp_path / 'none.conf', '--check')
    assert done.returncode != 0
    assert 'none.conf' in done.stderr


def test_dump_can_be_read_again(lab, tmp_path):
    dump = mcmigd('-c', lab.b.conf, '--dump-config')
    assert dump.returncode == 0, dump.stderr
    assert 'authorization_deadline' in dump.stdout
    again = tmp_path / 'again.conf'
    again.write_text(dump.stdout)
    assert mcmigd('-c', again, '--dump-config').stdout == dump.stdout


def test_help_names_every_setting(lab):
    done = mcmigd('-c', lab.b.conf, '--help-config')
    assert done.returncode == 0, done.stderr
    for setting in ('system', 'node', 'listen', 'log_level', 'pinning',
                    'notify_primary', 'authorization_deadline', 'socket'):
        assert setting in done.stdout


def test_address_in_use(lab, make_lab):
    other = make_lab(start=False)
    other.b.port = lab.b.port
    other.prepare()
    other.b.start()
    assert other.b.reap() != 0
    assert str(lab.b.port) in other.b.log.read_text()


def test_sigterm_ends_an_idle_daemon(make_lab):
    lab = make_lab()
    lab.b.process.send_signal(signal.SIGTERM)
    assert lab.b.reap() == 0
    assert not lab.b.ctl_socket.exists()


@pytest.fixture
def busy(make_solo, make_peer, pair, client_request):
    """b.example has a request out at a.example, which says nothing."""
    primary = make_peer()
    client = make_peer(auto_reply=200)
    solo = make_solo(primary)
    assert client_request(client, solo.b, authorization(pair)).status == 200
    request = primary.request()
    return solo, primary, client, request


def test_sigterm_drains(busy, client_request, make_pair):
    solo, primary, client, request = busy
    solo.b.process.send_signal(signal.SIGTERM)
    answer = client_request(client, solo.b, authorization(make_pair()))
    assert answer.status == 503
    assert int(answer.header('retry-after')) > 0
    primary.reply(request, 200)
    assert solo.b.reap() == 0


def test_second_sigterm_does_not_wait(busy, client_request, make_pair):
    solo, _, client, _ = busy
    solo.b.process.send_signal(signal.SIGTERM)
    # Its 503 shows that it drains.
    client_request(client, solo.b, authorization(make_pair()))
    solo.b.process.send_signal(signal.SIGTERM)
    solo.b.process.wait(2)  # TimeoutExpired if it does


def test_sighup_takes_new_settings(make_lab, wait_until):
    lab = make_lab()

    def level():
        return next(row['value'] for row in lab.b.ctl('settings')
                    if 'log_level' in row.values())

    assert level() == 'debug'
    lab.b.sections['']['log_level'] = 'warning'
    lab.b.write_configuration()
    lab.b.process.send_signal(signal.SIGHUP)
    wait_until(lambda: level() == 'warning')


def test_sighup_with_a_bad_file_changes_nothing(make_lab, ue, pair,
                                                wait_until):
    lab = make_lab()
    lab.b.conf.write_text('log_level = "loud"\n')
    lab.b.process.send_signal(signal.SIGHUP)
    wait_until(lambda: 'loud' in lab.b.log.read_text())
    assert ue('authorize', lab.b.server, pair)[0] == 0

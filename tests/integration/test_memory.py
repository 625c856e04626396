# SPDX-License-Identifier: BSD-2-Clause
"""memory_max: mcmigd drains and starts anew as the same process, or says why
it does not. Under load: tests/faults/test_recycle.py."""

import os
import pathlib
import shutil
import signal

import pytest

import conftest
import documents
import growth
import lablib

pytestmark = conftest.once
ABOVE = {'memory_max': 1}  # whatever it takes


def reload(daemon, settings):
    daemon.adjust({'': settings})
    daemon.process.send_signal(signal.SIGHUP)


def says(daemon, text):
    return lambda: text in daemon.log.read_text()


def statistics(daemon):
    return {row['name']: row['value'] for row in daemon.ctl('stats')
            if row['name'].startswith('process.')}


def test_without_a_bound(lab):
    memory = lab.b.ctl('status')['memory']
    assert memory['max_bytes'] == 0
    assert memory['recycled'] == 0
    resident = pathlib.Path(f'/proc/{lab.b.pid}/statm').read_text().split()[1]
    assert memory['rss_bytes'] > int(resident) * os.sysconf('SC_PAGESIZE') / 2
    assert int(statistics(lab.b)['process.rss_bytes']) > 1 << 20
    assert int(statistics(lab.b)['process.recycled']) == 0


def test_anew_as_the_same_process(make_lab, ue, pair, wait_until):
    lab = make_lab()
    pid = lab.b.pid
    reload(lab.b, ABOVE)
    wait_until(says(lab.b, 'msg="started anew" recycled=1'))
    wait_until(lab.b.store_is_up)
    status = lab.b.ctl('status')
    assert status['pid'] == pid
    assert status['memory']['recycled'] == 1
    assert status['addresses'] == [f'udp:{lab.b.address}',
                                   f'tcp:{lab.b.address}']
    assert int(statistics(lab.b)['process.recycled']) == 1
    assert ue('authorize', lab.b.server, pair)[0] == 0
    # The interval is 10 minutes.
    wait_until(says(lab.b, 'too soon to start anew'))


def test_never_into_a_bad_configuration(make_lab, ue, pair, wait_until):
    lab = make_lab()
    resident = lab.b.ctl('status')['memory']['rss_bytes']
    reload(lab.b, {'memory_max': (resident >> 20) + 3, 'log_level': 'info'})
    wait_until(says(lab.b, 'msg="reloaded"'))
    lab.b.conf.write_text(lab.b.conf.read_text() + 'colour = "red"\n')
    growth.grow(lab.b, says(lab.b, 'starting anew would fail'))
    assert 'colour' in lab.b.log.read_text()
    assert ue('authorize', lab.b.server, pair)[0] == 0
    assert lab.b.ctl('status')['memory']['recycled'] == 0


@pytest.fixture
def make_busy(make_solo, make_peer, pair, client_request):
    """b.example drains to start anew, with a request out at a.example."""
    def make(program=None):
        primary = make_peer()
        client = make_peer(auto_reply=200)
        solo = make_solo(primary, start=False)
        if program:
            usual = solo.program
            solo.program = lambda name: (str(program) if name == 'mcmigd'
                                         else usual(name))
        solo.start()
        answer = client_request(client, solo.b, documents.document(
            'authorization-request', pair.partner_id, pair.primary_id,
            profile=1, procedure=documents.new_procedure()))
        assert answer.status == 200
        reload(solo.b, ABOVE)
        return solo, lambda: primary.reply(primary.request(), 200)

    return make


def test_sigterm_ends_it_instead(make_busy, wait_until):
    solo, answer = make_busy()
    wait_until(says(solo.b, 'msg="draining"'))
    solo.b.process.send_signal(signal.SIGTERM)
    wait_until(says(solo.b, 'ending after this drain'))
    answer()
    assert solo.b.reap() == 0
    assert 'started anew' not in solo.b.log.read_text()


def test_second_sigterm_does_not_wait(make_busy, wait_until):
    solo, _ = make_busy()
    wait_until(says(solo.b, 'msg="draining"'))
    solo.b.process.send_signal(signal.SIGTERM)
    wait_until(says(solo.b, 'ending after this drain'))
    solo.b.process.send_signal(signal.SIGTERM)
    assert solo.b.process.wait(2) != 0


def test_a_program_file_that_is_gone(make_busy, wait_until, tmp_path,
                                     monkeypatch):
    """Whoever watches over it has to start it."""
    build = lablib.build_folder()
    program = tmp_path / 'mcmigd'
    shutil.copy(build / 'src/.libs/mcmigd', program)
    monkeypatch.setenv('LD_LIBRARY_PATH', str(build / '.libs'))
    solo, answer = make_busy(program)
    wait_until(says(solo.b, 'msg="draining"'))
    program.unlink()
    answer()
    assert solo.b.reap() == 1
    assert 'cannot start anew' in solo.b.log.read_text()


def test_no_signal_is_lost_meanwhile(make_lab, wait_until):
    """One that comes when nobody handles it would end the process."""
    lab = make_lab()
    reload(lab.b, {**ABOVE, 'memory_recycle_interval': '1ms'})

    def third_time():
        lab.b.process.send_signal(signal.SIGHUP)
        return 'recycled=3' in lab.b.log.read_text()

    wait_until(third_time)
    assert lab.b.process.poll() is None
    wait_until(lambda: lab.b.ctl_socket.exists())
    assert lab.b.stop() == 0

# SPDX-License-Identifier: BSD-2-Clause
"""A node whose modules need no store, and one whose modules do."""

import signal
import socket
import subprocess

import labdaemon
import lablib
import pytest

INSIDE, OUTSIDE = '127.1.7.2', '127.2.7.1'


class Node(labdaemon.Daemon):
    """mcmigd with the module ctl alone, an inside and an outside."""

    def __init__(self, lab):
        super().__init__(lab, 'node', 'b.example', 'b1')
        self.sections = {
            '': {**self.top_settings(['ctl'], [f'udp:{INSIDE}:0',
                                               f'tcp:{INSIDE}:0']),
                 'listen_outside': [f'tcp:{OUTSIDE}:0', f'udp:{OUTSIDE}:0']},
            'ctl': {'socket': str(self.ctl_socket)}}
        self.write_configuration()

    def run(self, *arguments):
        return subprocess.run(
            [self.lab.program('mcmigd'), '-c', self.conf, *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            timeout=30, check=False)

    def ask(self, *arguments):
        return subprocess.run(
            [self.lab.program('mcmigctl'), '-s', self.ctl_socket, *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            timeout=30, check=False)


@pytest.fixture
def node(make_lab):
    lab = make_lab(start=False)
    lablib.link_modules(lab.build, lab.folder / 'modules')
    node = Node(lab)
    yield node
    if node.process and node.process.poll() is None:
        node.process.kill()
        node.process.wait()


def test_serves_without_a_store(node):
    assert node.run('--check').returncode == 0
    node.start()
    node.wait_ready()
    line = next(line for line in node.log.read_text().splitlines()
                if 'msg="ready"' in line)
    status = node.ctl('status')
    assert status['store'] is None
    assert status['pending']['store'] == 0
    assert [address.rsplit(':', 1)[0] for address in status['addresses']] == \
        [f'udp:{INSIDE}', f'tcp:{INSIDE}']
    outside = status['addresses_outside']
    assert [address.rsplit(':', 1)[0] for address in outside] == \
        [f'tcp:{OUTSIDE}', f'udp:{OUTSIDE}']
    assert f' addresses_outside={",".join(outside)} store=none' in line
    assert 'level=warning' not in node.log.read_text()


def test_what_needs_the_store_says_so(node):
    node.start()
    node.wait_ready()
    for command in ('procedures', 'migrations', 'systems', 'nodes'):
        done = node.ask(command)
        assert done.returncode == 1
        assert 'this node has no store' in done.stderr
    for command in ('status', 'stats', 'settings', 'help', 'reload'):
        assert node.ask(command).returncode == 0, command
    assert 'store' in node.ask('status').stdout


def test_reload_and_end(node):
    node.start()
    node.wait_ready()
    node.process.send_signal(signal.SIGHUP)
    node.wait_for_line(lambda line: 'msg="reloaded"' in line)
    node.process.send_signal(signal.SIGTERM)
    assert node.process.wait(10) == 0


def test_options_are_answered_on_both_sides(node):
    node.start()
    node.wait_ready()
    status = node.ctl('status')
    for address in [status['addresses'][0], status['addresses_outside'][1]]:
        host, port = address.removeprefix('udp:').rsplit(':', 1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.settimeout(5)
            peer.bind(('127.0.0.1', 0))
            via = f'127.0.0.1:{peer.getsockname()[1]}'
            peer.sendto((f'OPTIONS sip:{host} SIP/2.0\r\n'
                         f'Via: SIP/2.0/UDP {via};branch=z9hG4bK{port}\r\n'
                         'From: <sip:p@a.example>;tag=1\r\n'
                         'To: <sip:b.example>\r\nCall-ID: 1\r\n'
                         'CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n')
                        .encode(), (host, int(port)))
            answer, source = peer.recvfrom(65536)
        assert answer.startswith(b'SIP/2.0 200 ')
        assert source == (host, int(port))


def test_a_module_that_needs_a_store_is_refused_without(node):
    node.sections['']['modules'] = ['migration', 'ctl']
    node.sections['migration'] = {'tokens': 'lab'}
    node.write_configuration()
    done = node.run('--check')
    assert done.returncode == 1
    assert f'{node.conf}: migration needs a store' in done.stderr
    assert "add 'store_sqlite' or 'store_postgres'" in done.stderr


@pytest.mark.parametrize('setting', ['listen', 'listen_outside'])
def test_wildcards_are_refused_where_there_are_sides(node, setting):
    node.sections[''][setting] = ['udp:0.0.0.0:0']
    node.write_configuration()
    done = node.run('--check')
    assert done.returncode == 1
    assert 'each side needs addresses of its own' in done.stderr

# SPDX-License-Identifier: BSD-2-Clause
"""A stage for SIPp: renders scenarios, runs them, joins them on the procedure
ID. A SIPp process sees one Call-ID only, so a request flow and its response
flow are two of them."""

import contextlib
import pathlib
import re
import select
import socket
import sqlite3
import subprocess
import threading
import time
import uuid

FOLDER = pathlib.Path(__file__).resolve().parent
HOST = '127.0.0.1'
PLAY_S = 20     # until a scenario must have ended
BOUND_S = 10    # until SIPp has its port
POLL_S = 0.01
TOLD = 3000     # characters of each of SIPp's logs in a failure


SUCCESS = {'result': '<result>success</result>',
           'result_expected': 'result&gt;success&lt;'}


def failure(cause):
    """Values of a response flow that says no."""
    return {'result': f'<result>failure</result><cause>{cause}</cause>',
            'result_expected':
                f'result&gt;failure&lt;/result&gt;&lt;cause&gt;{cause}&lt;'}


class Failure(Exception):
    """Why a case has failed."""


def render(name, values):
    """The scenario with its @words@ replaced."""
    text = (FOLDER / f'{name}.xml').read_text()
    return re.sub(r'@([a-z_]+)@', lambda word: str(values[word[1]]), text)


def is_bound(port, transport):
    """Whether a socket listens there: SIPp does not tell."""
    listening = '07' if transport == 'udp' else '0A'
    lines = pathlib.Path(f'/proc/net/{transport}').read_text().splitlines()
    return any(fields[1].endswith(f':{port:04X}') and fields[3] == listening
               for fields in map(str.split, lines[1:]))


class Relay:
    """One UDP address for a sender and a receiver: the port of a client, whose
    two SIPp processes cannot share it. Loses the first `lose` requests of the
    server."""

    def __init__(self, port, server, receiver_port, lose=0):
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((HOST, port))
        self._stop, self._stopped = socket.socketpair()
        self._server = server
        self._receiver = (HOST, receiver_port)
        self._sender = None
        self.lose = lose
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _target(self, text, source):
        if source != self._server:
            if source != self._receiver:
                self._sender = source
            return self._server
        if text.startswith(b'SIP/2.0'):
            return self._sender
        if self.lose:
            self.lose -= 1
            return None
        return self._receiver

    def _run(self):
        while True:
            ready = select.select([self._socket, self._stopped], [], [])[0]
            if self._stopped in ready:
                return
            try:
                text, source = self._socket.recvfrom(65536)
                target = self._target(text, source)
                if target:
                    self._socket.sendto(text, target)
            except ConnectionError:
                pass    # the receiver is not there (any more): lost

    def close(self):
        self._stop.close()
        self._thread.join()
        self._socket.close()
        self._stopped.close()


class Scenario:
    """One SIPp process."""

    def __init__(self, stage, name, values, arguments):
        self.name = name
        self._base = stage.folder / f'{len(stage.scenarios):02}-{name}'
        self._base.with_suffix('.xml').write_text(render(name, values))
        command = ['sipp', '-sf', f'{self._base}.xml', '-m', '1', '-nostdin',
                   '-i', HOST, '-t', 't1' if stage.transport == 'tcp' else 'u1',
                   '-timeout', f'{PLAY_S}s', '-timeout_error', '-max_socket',
                   '100', '-skip_rlimit', '-default_behaviors', 'abortunexp',
                   '-trace_err', '-error_file', f'{self._base}.err',
                   '-trace_logs', '-log_file', f'{self._base}.log',
                   '-trace_msg', '-message_file', f'{self._base}.msg',
                   *arguments]
        with open(f'{self._base}.out', 'wb') as output:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output,
                stderr=output, env={'TERM': 'dumb', 'PATH': '/usr/bin:/bin'})

    def _text(self, suffix):
        file = pathlib.Path(f'{self._base}.{suffix}')
        return file.read_text(errors='replace') if file.exists() else ''

    def finish(self):
        """Waits for its end; what it has logged, as a dictionary."""
        try:
            status = self.process.wait(PLAY_S + 5)
        except subprocess.TimeoutExpired:
            status = 'none'
        if status != 0:
            raise Failure(f'{self.name}: exit {status}\n'
                          f'{self._text("err")[-TOLD:]}\n'
                          f'{self._text("msg")[-TOLD:]}')
        return dict(re.findall(r'(\w+)=(\S+)', self._text('log')))

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Stage:
    """What one case plays on: its own peer system, users and ports."""

    def __init__(self, *, folder, transport, server, ports, free_port, values,
                 store):
        self.folder = folder
        self.transport = transport
        self._store = store
        self.values = values
        self.scenarios = []
        self._server = server
        self._ports = ports
        self._free_port = free_port
        self._last_stamp_us = 0
        self._relays = {}
        if transport == 'udp':
            self._relays = {
                who: Relay(ports[who], server, ports[f'{who}_receiver'])
                for who in ('client', 'peer')}

    def stamp_us(self):
        """The time, but growing."""
        self._last_stamp_us = max(self._last_stamp_us + 1000,
                                  time.time_ns() // 1000)
        return self._last_stamp_us

    def procedure(self, verb='authorization', profile=0, **values):
        """Begins a new procedure: what is played from now on is about it."""
        stamp_us = self.stamp_us()
        authorization = verb == 'authorization'
        index = f'<profile-index>{profile}</profile-index>'
        self.values = {
            **self.values, 'procedure': str(uuid.uuid4()), 'verb': verb,
            'sequence': stamp_us, 'order': stamp_us // 1000,
            'profile': index if authorization else '',
            'profile_expected': f'index&gt;{profile}&lt;' if authorization
                                else '&lt;', **values}

    def _play(self, name, values, *arguments):
        defaults = {'service': 'mcptt', 'status': 200, 'status_line': '200 OK',
                    'expect': 'SIP/2.0', 'answer_header': 'User-Agent: SIPp', **SUCCESS}
        scenario = Scenario(self, name, {**defaults, **self.values, **values},
                            arguments)
        self.scenarios.append(scenario)
        return scenario

    def listen(self, name, *, lose=0, **values):
        """Starts a scenario that waits for a request of the server, whose
        first `lose` datagrams are lost."""
        who = 'client' if name.startswith('client') else 'peer'
        port = self._ports[who]
        if self._relays:
            self._relays[who].lose = lose
            port = self._ports[f'{who}_receiver']
        scenario = self._play(name, values, '-p', str(port))
        deadline = time.monotonic() + BOUND_S
        while not is_bound(port, self.transport):
            if time.monotonic() > deadline or scenario.process.poll():
                scenario.kill()
                scenario.finish()
            time.sleep(POLL_S)
        return scenario

    def start(self, name, *, source=HOST, **values):
        """Starts a scenario that sends to the server."""
        remote = self._server
        via_port = '[local_port]'
        arguments = ['-p', str(self._free_port())]
        if name.startswith('client'):
            via_port = self._ports['client']
            if self._relays:
                remote = (HOST, self._ports['client'])
        if 'retransmitted' in name:
            arguments.append('-nr')     # SIPp would swallow the second answer
        if source != HOST:
            arguments += ['-i', source, '-bind_local']
        return self._play(name, {'via_port': via_port, **values}, *arguments,
                          f'{remote[0]}:{remote[1]}')

    def send(self, name, **values):
        self.start(name, **values).finish()

    def expect_rows(self, sql, expected):
        """Compares what the store holds; `sql` may name @values@."""
        sql = re.sub(r'@([a-z_]+)@', lambda word: str(self.values[word[1]]),
                     sql)
        rows = self._store.query(sql)
        if rows != expected:
            raise Failure(f'{sql}\n  gives {rows}, not {expected}')

    def await_rows(self, sql, expected):
        """The same, for what the server does after its answer."""
        deadline = time.monotonic() + PLAY_S
        while True:
            try:
                return self.expect_rows(sql, expected)
            except Failure:
                if time.monotonic() > deadline:
                    raise
                time.sleep(10 * POLL_S)

    @contextlib.contextmanager
    def store_locked(self):
        """An operator's open transaction: the server cannot write."""
        connection = sqlite3.connect(self._store.file, isolation_level=None)
        try:
            connection.execute('BEGIN EXCLUSIVE')
            yield
        finally:
            connection.close()

    def close(self):
        for scenario in self.scenarios:
            scenario.kill()
        for relay in self._relays.values():
            relay.close()

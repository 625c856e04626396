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
# Where they are found: the client, the other MC system's server or gateway, a
# server of our own system inside of its gateway, the second address of either.
PORTS = {'client': 5060, 'peer': 5062, 'inside': 5064, 'second': 5066}
RECEIVER_PORTS = {who: port + 1 for who, port in PORTS.items()}  # of a relay
SENDER_PORT = 5070      # of a case's first scenario
PLAY_S = 20     # until a scenario must have ended
BOUND_S = 10    # until SIPp has its port
POLL_S = 0.01
TOLD = 3000     # characters of each of SIPp's logs in a failure
NEVER = 'no such text'


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


def is_bound(address, transport):
    """Whether a socket listens there: SIPp does not tell."""
    listening = '07' if transport == 'udp' else '0A'
    host, port = address
    wanted = f'{socket.inet_aton(host)[::-1].hex().upper()}:{port:04X}'
    lines = pathlib.Path(f'/proc/net/{transport}').read_text().splitlines()
    return any(fields[1] == wanted and fields[3] == listening
               for fields in map(str.split, lines[1:]))


class Relay:
    """One UDP address for a sender and a receiver: the port of a client, whose
    two SIPp processes cannot share it. Loses the first `lose` requests of the
    server."""

    def __init__(self, address, server, receiver):
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._stop, self._stopped = socket.socketpair()
        self._server = server
        self._receiver = receiver
        self._sender = None
        self.lose = 0
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
                   '-bind_local', '-t', 't1' if stage.transport == 'tcp' else 'u1',
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

    def is_running(self):
        return self.process.poll() is None

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
        if self.is_running():
            self.process.kill()
            self.process.wait()


class Stage:
    """What one case plays on: its own peer system, users and ports. `parties`:
    who of PORTS plays, with the host that is his alone and the address to which
    he sends. `daemon`: whose counters are looked at."""

    def __init__(self, *, folder, transport, parties, values, store, daemon):
        self.folder = folder
        self.transport = transport
        self.values = values
        self.scenarios = []
        self._parties = parties
        self._store = store
        self._daemon = daemon
        self._last_stamp_us = 0
        self._relays = {}
        if transport == 'udp':
            self._relays = {
                who: Relay((host, PORTS[who]), remote,
                           (host, RECEIVER_PORTS[who]))
                for who, (host, remote) in parties.items()}

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

    def _play(self, name, values, host, port, *arguments):
        defaults = {'service': 'mcptt', 'status': 200, 'status_line': '200 OK',
                    'expect': 'SIP/2.0', 'unexpected': NEVER, 'hidden': NEVER,
                    'from_tag': '[call_number]', 'hops_given': 70,
                    'answer_header': 'User-Agent: SIPp', **SUCCESS}
        scenario = Scenario(self, name, {**defaults, **self.values, **values},
                            ['-i', host, '-p', str(port), *arguments])
        self.scenarios.append(scenario)
        return scenario

    def _identity(self, who):
        """What he calls himself, and is called."""
        is_ours = who == 'inside' or (who == 'second'
                                      and self.values['role'] == 'entry')
        system = 'own_system' if is_ours else 'peer_system'
        return f'sip:{self.values[system]}'

    @staticmethod
    def _who(name, at):
        return at or ('client' if name.startswith('client') else 'peer')

    def remote(self, who):
        """To where he sends."""
        return self._parties[who][1]

    def listen(self, name, *, at=None, lose=0, **values):
        """Starts a scenario that waits for a request, whose first `lose`
        datagrams are lost."""
        who = self._who(name, at)
        host, port = self._parties[who][0], PORTS[who]
        if self._relays:
            self._relays[who].lose = lose
            port = RECEIVER_PORTS[who]
        scenario = self._play(name, {'sender': self.values['own'],
                                     'receiver': self._identity(who),
                                     **values}, host, port)
        deadline = time.monotonic() + BOUND_S
        # It may have done its part, and be gone, before we look.
        while scenario.is_running() and \
                not is_bound((host, port), self.transport):
            if time.monotonic() > deadline:
                raise Failure(f'{name}: does not listen on {port}')
            time.sleep(POLL_S)
        return scenario

    def send(self, name, *, at=None, host=None, remote=None, **values):
        """Plays a scenario that sends; from another host or to another
        address, if one is given."""
        who = self._who(name, at)
        own_host, own_remote = self._parties[who]
        remote = remote or own_remote
        via_port = '[local_port]'
        arguments = []
        if name.startswith('client'):
            via_port = PORTS['client']
            if self._relays:
                remote = (own_host, PORTS['client'])
        if 'retransmitted' in name:
            arguments.append('-nr')     # SIPp would swallow the second answer
        port = SENDER_PORT + len(self.scenarios)
        identity = self._identity(who)
        self._play(name, {'via_port': via_port, 'sender': identity,
                          'asserted': identity, 'receiver': self.values['own'],
                          **values},
                   host or own_host, port, *arguments,
                   f'{remote[0]}:{remote[1]}').finish()

    def counters(self):
        return {row['name']: row['value'] for row in self._daemon.ctl('stats')}

    @contextlib.contextmanager
    def counted(self, **changes):
        """Compares what the daemon counts meanwhile: the change of each
        counter, its dot an underscore. For cases that play alone."""
        before = self.counters()
        yield
        after = self.counters()
        for name, change in changes.items():
            name = name.replace('_', '.', 1)
            if after[name] - before[name] != change:
                raise Failure(f'{name}: {before[name]}, then {after[name]}')

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

# SPDX-License-Identifier: BSD-2-Clause
"""Many MC service clients behind one UDP socket. Each migrates and comes back,
changes its mind, asks again, and remembers what it was promised."""

import heapq
import itertools
import secrets
import select
import socket
import threading
import time

import documents
import sippeer

T1_S = 0.5
TIMER_F_S = 64 * T1_S
AGAIN_S = 0.2    # after a 503, and after silence
VERBS = ('authorization', 'deauthorization')


class Procedure:
    """What one client wants, and what has become of it."""

    def __init__(self, client, verb, order):
        self.client = client
        self.verb = verb
        self.order = order
        self.id = documents.new_procedure()
        self.taken_at = None  # of the first 2xx to its request
        self.outcomes = set()  # of its response flows
        self.branch = None

    @property
    def is_owed(self):
        return self.taken_at is not None and not self.outcomes

    def __repr__(self):
        return (f'{self.verb} {self.id} of {self.client.primary_id} '
                f'order={self.order} outcomes={sorted(self.outcomes)}')


class Client:
    """One user: the procedures it began, oldest first."""

    def __init__(self, home, host, number):
        self.server = host
        self.primary_id = home.user(number)
        self.partner_id = host.visitor(number)
        self.procedures = []

    @property
    def last(self):
        return self.procedures[-1] if self.procedures else None


class Crowd:
    """Runs its clients on a thread until stop_starting() and close()."""

    def __init__(self, clients, rng, *, pause_s=0.02, changes_of_mind=0.1):
        self.clients = clients
        self.rng = rng
        self.pause_s = pause_s
        self.changes_of_mind = changes_of_mind
        self.by_procedure = {}
        self.by_branch = {}
        self.problems = []
        self.statuses = {}
        self.slowest_5xx_s = 0
        self._starting = True
        self._order = 0
        self._timers = []
        self._ties = itertools.count()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self._socket.bind((clients[0].server.host, 0))
        self._host, self._port = self._socket.getsockname()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        for client in clients:
            self._at(rng.random(), self._start, client)
        self._thread.start()

    # ---- what a test calls

    def stop_starting(self):
        self._starting = False

    def close(self):
        self._over.set()
        self._thread.join()
        self._socket.close()

    def procedures(self):
        return list(self.by_procedure.values())

    def taken(self):
        return [one for one in self.procedures() if one.taken_at]

    def unanswered(self):
        """Those that wait for a SIP answer or for their response flow."""
        return [one for one in self.procedures()
                if one.is_owed or one.branch]

    # ---- on the thread

    def _at(self, delay_s, call, *arguments):
        heapq.heappush(self._timers, (time.monotonic() + delay_s,
                                      next(self._ties), call, arguments))

    def _serve(self):
        while not self._over.is_set():
            now = time.monotonic()
            while self._timers and self._timers[0][0] <= now:
                _, _, call, arguments = heapq.heappop(self._timers)
                call(*arguments)
            if select.select([self._socket], [], [], 0.01)[0]:
                self._receive()

    def _receive(self):
        try:
            data, address = self._socket.recvfrom(65536)
        except ConnectionError:  # ICMP: the daemon is dead at the moment
            return
        message = sippeer.Message(data)
        if message.is_response:
            self._take_answer(message)
        else:
            self._take_response_flow(message, address)

    def _start(self, client):
        if not self._starting:
            return
        self._order = max(self._order + 1, documents.now_ms())
        verb = VERBS[0]
        if client.last:
            verb = self.rng.choice(VERBS)
        procedure = Procedure(client, verb, self._order)
        client.procedures.append(procedure)
        self.by_procedure[procedure.id] = procedure
        self._ask(procedure)

    def _ask(self, procedure):
        """A new transaction for the same procedure."""
        procedure.branch = 'z9hG4bK' + secrets.token_hex(8)
        self.by_branch[procedure.branch] = (procedure, time.monotonic())
        self._send(procedure, procedure.branch, self._request(procedure), T1_S,
                   time.monotonic() + TIMER_F_S)

    def _request(self, procedure):
        client = procedure.client
        body = documents.document(
            f'{procedure.verb}-request', client.partner_id, client.primary_id,
            profile=1 if procedure.verb == VERBS[0] else None,
            procedure=procedure.id, order=procedure.order)
        uri = f'sip:{client.server.name}'
        lines = [
            f'MESSAGE {uri} SIP/2.0',
            f'Via: SIP/2.0/UDP {self._host}:{self._port}'
            f';branch={procedure.branch}',
            'Max-Forwards: 70',
            f'From: <{client.partner_id}>;tag={procedure.branch[7:15]}',
            f'To: <{uri}>',
            f'Call-ID: {procedure.branch[7:]}',
            'CSeq: 1 MESSAGE',
            f'Content-Type: {documents.content_type()}',
            f'Content-Length: {len(body)}']
        lines += [f'{name}: {value}' for name, value in
                  documents.service_headers('mcptt', client.partner_id,
                                            'Preferred')]
        return '\r\n'.join(lines + ['', '']).encode() + body

    def _send(self, procedure, branch, data, interval_s, until):
        if procedure.branch != branch:
            return
        if time.monotonic() > until:
            self._ask(procedure)
            return
        host = procedure.client.server
        try:
            self._socket.sendto(data, (host.host, host.port))
        except ConnectionError:
            pass
        self._at(interval_s, self._send, procedure, branch, data,
                 min(2 * interval_s, 4.0), until)

    def _take_answer(self, message):
        if message.status < 200:
            return
        procedure, asked_at = self.by_branch.get(message.branch, (None, 0))
        if not procedure or procedure.branch != message.branch:
            return
        status = message.status
        self.statuses[status] = self.statuses.get(status, 0) + 1
        procedure.branch = None
        if status == 200:
            procedure.taken_at = procedure.taken_at or time.monotonic()
            if self.rng.random() < self.changes_of_mind:
                self._at(self.rng.random() * 0.05, self._change,
                         procedure.client)
            elif procedure.outcomes:
                self._at(self.pause_s, self._start, procedure.client)
            return
        if status >= 500:
            self.slowest_5xx_s = max(self.slowest_5xx_s,
                                     time.monotonic() - asked_at)
            if status == 503 and not message.header('retry-after'):
                self.problems.append(f'503 without Retry-After: {message}')
        else:
            self.problems.append(f'{procedure}: {message.start}')
        self._at(AGAIN_S, self._ask_again, procedure)

    def _ask_again(self, procedure):
        if not procedure.branch:
            self._ask(procedure)

    def _change(self, client):
        """Something else, while the last procedure may be under way."""
        if client.last.branch is None:
            self._start(client)

    def _take_response_flow(self, message, address):
        document = documents.Parsed(message.body)
        procedure = self.by_procedure.get(document.procedure)
        self._socket.sendto(self._answer(message), address)
        if not procedure:
            self.problems.append(f'response of nobody: {message}')
            return
        expected = (f'{procedure.verb}-response', procedure.client.primary_id,
                    procedure.client.partner_id)
        if (document.element, document.primary_id,
                document.partner_id) != expected:
            self.problems.append(f'{procedure}: wrong response: {message}')
        if document.result == 'success':
            outcome = 'success'
        else:
            outcome = document.cause
        is_news = not procedure.outcomes
        procedure.outcomes.add(outcome)
        if is_news and procedure.branch is None and \
                procedure is procedure.client.last:
            self._at(self.pause_s, self._start, procedure.client)

    @staticmethod
    def _answer(message):
        lines = ['SIP/2.0 200 OK']
        for name in ('via', 'from', 'to', 'call-id', 'cseq'):
            value = message.header(name)
            lines.append(f'{name}: {value}'
                         + (';tag=crowd' if name == 'to' else ''))
        return '\r\n'.join(lines + ['Content-Length: 0', '', '']).encode()

# SPDX-License-Identifier: BSD-2-Clause
"""A SIP peer on raw sockets: sends what a test wants, also what no stack would
send, and shows what it gets as it came."""

import contextlib
import queue
import secrets
import select
import socket
import threading

import labproc

WAIT_S = 20


class Message:
    """A SIP request or response. `connection`: of a peer that got it by TCP."""

    def __init__(self, data, answer_with=None, connection=None):
        self.data = data
        head, _, self.body = data.partition(b'\r\n\r\n')
        self.start, *lines = head.decode('utf-8', 'replace').split('\r\n')
        self.headers = []
        for line in lines:
            name, _, value = line.partition(':')
            self.headers.append((name.strip().lower(), value.strip()))
        self.answer_with = answer_with
        self.connection = connection
        self.handled = threading.Event()  # answered, if that goes by itself

    def header(self, name):
        """The first one of that name, or None."""
        return next((value for key, value in self.headers
                     if key == name.lower()), None)

    @property
    def is_response(self):
        return self.start.startswith('SIP/2.0 ')

    @property
    def status(self):
        return int(self.start.split()[1])

    @property
    def method(self):
        return self.start.split()[0]

    @property
    def uri(self):
        return self.start.split()[1]

    @property
    def branch(self):
        return self.header('via').partition('branch=')[2].partition(';')[0]

    def __repr__(self):
        return '\n'.join([self.start] + [f'{name}: {value}'
                                         for name, value in self.headers]
                         + ['', self.body.decode('utf-8', 'replace')])


def split_stream(data):
    """The first whole message of a TCP stream and the rest; None if partial."""
    data = data.lstrip(b'\r\n')
    head, separator, rest = data.partition(b'\r\n\r\n')
    if not separator:
        return None, data
    length = 0
    for line in head.lower().split(b'\r\n'):
        name, _, value = line.partition(b':')
        if name.strip() in (b'content-length', b'l'):
            length = int(value)
    if len(rest) < length:
        return None, data
    return head + separator + rest[:length], rest[length:]


class Peer:
    """Listens on one port on UDP and TCP. `transport`: how it sends.
    `received` has all that came, as it came."""

    def __init__(self, host='127.0.0.1', transport='udp', auto_reply=None):
        family = socket.AF_INET6 if ':' in host else socket.AF_INET
        self.host = host
        self.transport = transport
        # Status of its answer to any request, or what is called with it.
        self.auto_reply = auto_reply
        self.received = []
        self.port = labproc.free_port(host)
        self.requests = queue.Queue()
        self._responses = {}
        self._connections = {}  # socket: what is not yet a whole message
        self._outgoing = {}     # server: socket
        self._lock = threading.Lock()
        self._udp = socket.socket(family, socket.SOCK_DGRAM)
        self._udp.bind((host, self.port))
        self._tcp = socket.create_server((host, self.port), family=family)
        self._wake_read, self._wake_write = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    # ---- receiving, on a thread of its own

    def _serve(self):
        while True:
            with self._lock:
                sockets = [self._udp, self._tcp, self._wake_read,
                           *self._connections]
            for ready in select.select(sockets, [], [])[0]:
                if ready is self._wake_read:
                    if not ready.recv(1):
                        return
                elif ready is self._udp:
                    data, address = ready.recvfrom(65536)
                    self.received.append(data)
                    self._take(data, lambda answer, to=address:
                               self._udp.sendto(answer, to))
                elif ready is self._tcp:
                    self._accept()
                else:
                    self._read_stream(ready)

    def _accept(self):
        accepted = self._tcp.accept()[0]
        try:
            connection = self.secure(accepted, is_ours=False)
        except OSError:
            accepted.close()
            return
        with self._lock:
            self._connections[connection] = b''

    def secure(self, connection, is_ours):
        """For a subclass: what a new connection is used by; OSError: not."""
        del is_ours
        return connection

    def _read_stream(self, connection):
        try:
            data = connection.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b''
        if not data:
            with self._lock:
                del self._connections[connection]
                self._outgoing = {server: other for server, other
                                  in self._outgoing.items()
                                  if other is not connection}
            connection.close()
            return
        self.received.append(data)
        rest = self._connections[connection] + data
        while True:
            message, rest = split_stream(rest)
            if message is None:
                break
            self._take(message, connection.sendall, connection)
        self._connections[connection] = rest

    def _take(self, data, answer_with, connection=None):
        message = Message(data, answer_with, connection)
        if not message.is_response:
            # Before the answer, after which a test may look.
            self.requests.put(message)
            try:
                if callable(self.auto_reply):
                    self.auto_reply(message)
                elif self.auto_reply:
                    self.reply(message, self.auto_reply)
            finally:
                message.handled.set()
        elif message.status >= 200:
            self._response_queue(message.branch).put(message)

    def _response_queue(self, branch):
        with self._lock:
            return self._responses.setdefault(branch, queue.Queue())

    # ---- what a test calls

    def send_raw(self, server, data):
        """`server`: HOST:PORT. Over TCP all goes through one connection."""
        host, _, port = server.rpartition(':')
        address = (host.strip('[]'), int(port))
        if self.transport == 'udp':
            self._udp.sendto(data, address)
            return
        connection = self._outgoing.get(server)
        if not connection:
            connection = self.secure(socket.create_connection(
                address, timeout=WAIT_S, source_address=(self.host, 0)),
                is_ours=True)
            with self._lock:
                self._connections[connection] = b''
                self._outgoing[server] = connection
            self._wake_write.send(b'x')
        connection.sendall(data)

    def forget_connections(self):
        """What is sent from now on goes through new ones."""
        with self._lock:
            self._outgoing = {}

    def send(self, server, uri, body=b'', *, method='MESSAGE', sender=None,
             content_type=None, headers=(), branch=None, replace=()):
        """Sends a request; its branch names it. `replace`: headers that stand
        in place of those made here; a value of None leaves one out."""
        host = f'[{self.host}]' if ':' in self.host else self.host
        branch = branch or 'z9hG4bK' + secrets.token_hex(8)
        made = {
            'Via': f'SIP/2.0/{self.transport.upper()} {host}:{self.port}'
                   f';branch={branch}',
            'Max-Forwards': '70',
            'From': f'<{sender or uri}>;tag={secrets.token_hex(4)}',
            'To': f'<{uri}>',
            'Call-ID': secrets.token_hex(12),
            'CSeq': f'1 {method}',
        }
        if content_type:
            made['Content-Type'] = content_type
        made['Content-Length'] = str(len(body))
        made.update(replace)
        lines = [f'{method} {uri} SIP/2.0']
        lines += [f'{name}: {value}' for name, value in made.items()
                  if value is not None]
        lines += [f'{name}: {value}' for name, value in headers]
        data = '\r\n'.join(lines + ['', '']).encode() + body
        self.send_raw(server, data)
        return branch

    def response(self, branch, seconds=WAIT_S):
        """The final answer to one of our requests."""
        return self._response_queue(branch).get(timeout=seconds)

    def no_response(self, branch):
        """Whether no other answer has come to that request so far."""
        return self._response_queue(branch).empty()

    def ask(self, server, uri, body=b'', **options):
        return self.response(self.send(server, uri, body, **options))

    def request(self, seconds=WAIT_S):
        """The next request that came to us; what answers it has answered."""
        request = self.requests.get(timeout=seconds)
        if not request.handled.wait(seconds):
            raise TimeoutError('the request is not answered')
        return request

    def reply(self, request, status, reason='because', headers=()):
        lines = [f'SIP/2.0 {status} {reason}']
        lines += [f'Via: {value}' for name, value in request.headers
                  if name == 'via']
        for name in ('from', 'to', 'call-id', 'cseq'):
            value = request.header(name)
            if name == 'to' and 'tag=' not in value:
                value += ';tag=peer'
            lines.append(f'{name}: {value}')
        lines += [f'{name}: {value}' for name, value in headers]
        lines += ['Content-Length: 0', '', '']
        with contextlib.suppress(OSError):
            request.answer_with('\r\n'.join(lines).encode())

    def close(self):
        self._wake_write.close()
        self._thread.join()
        for connection in (self._udp, self._tcp, self._wake_read,
                           *self._connections):
            connection.close()

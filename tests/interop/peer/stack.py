# SPDX-License-Identifier: BSD-2-Clause
"""Transport and transactions (RFC 3261 17 and 18, RFC 3581): one address on
UDP, TCP and, with contexts, TLS. Client transactions retransmit, server
transactions answer duplicates with what was answered before."""

import asyncio
import contextlib
import dataclasses
import re

from . import sip

T1_S = 0.5
T2_S = 4
KEEP_S = 64 * T1_S
HEAD_BYTES = 65536
BODY_BYTES = 1 << 20


@dataclasses.dataclass(frozen=True)
class Target:
    """A next hop: sip:IP:PORT;transport=..., on TLS with the names of which its
    certificate must have one."""

    host: str
    port: int
    transport: str
    names: frozenset = frozenset()

    @classmethod
    def read(cls, uri, names=()):
        found = re.fullmatch(r'sip:(?:\[([^]]+)\]|([^:;]+))(?::(\d+))?'
                             r'(?:;transport=(udp|tcp|tls))?', uri)
        transport = found[4] or 'udp'
        return cls(found[1] or found[2], int(
            found[3] or (5061 if transport == 'tls' else 5060)), transport,
            frozenset(names) if transport == 'tls' else frozenset())


class Connection:
    """A TCP or TLS connection, of whichever end it is."""

    def __init__(self, reader, writer, transport):
        self.reader = reader
        self.writer = writer
        self.transport = transport
        self.waiting = set()  # client transactions that end with it

    @property
    def peer(self):
        return self.writer.get_extra_info('peername')[:2]

    @property
    def names(self):
        """Of the peer's certificate: 'dns:...' and 'uri:...'."""
        certificate = self.writer.get_extra_info('peercert') or {}
        return {f'{kind}:{name}'.lower() for kind, name
                in certificate.get('subjectAltName', ())}

    def send(self, data):
        if not self.writer.is_closing():
            self.writer.write(data)

    async def read_message(self):
        """None at the end; sip.Malformed if it cannot go on."""
        head = b''
        while not head:
            try:
                head = await self.reader.readuntil(b'\r\n\r\n')
            except asyncio.IncompleteReadError:
                return None
            except asyncio.LimitOverrunError as error:
                raise sip.Malformed('head') from error
            head = head.lstrip(b'\r\n')
        message = sip.read_head(head[:-4].decode('utf-8', 'surrogateescape'))
        length = sip.content_length(message)
        if length is None or length > BODY_BYTES:
            raise sip.Malformed('Content-Length')
        message.body = await self.reader.readexactly(length)
        return message

    def close(self):
        self.writer.close()
        for future in self.waiting:
            if not future.done():
                future.set_result(None)


@dataclasses.dataclass
class Incoming:
    """A request as it came, until it has been answered."""

    stack: 'Stack'
    message: sip.Message
    transport: str
    source: tuple
    connection: Connection = None
    answer: bytes = None
    lose_answer: bool = False  # say it, but do not send it this once
    to_tag: str = dataclasses.field(default_factory=sip.new_tag)

    @property
    def client(self):
        """Where a later request to its sender goes (section 2)."""
        if self.connection:
            is_tls = self.transport == 'tls'
            return Target(self.source[0], self.message.via.port or
                          (5061 if is_tls else 5060), self.transport,
                          frozenset(self.connection.names))
        return Target(*self.source, 'udp')

    def reply(self, status, headers=(), text=None, agent='peer.invalid'):
        message = sip.Message(status=status)
        message.headers = [*self._echoed(), *headers]
        if text:
            message.headers.append(('Warning', f'399 {agent} "{text}"'))
        self.answer = sip.write(message)
        if self.lose_answer:
            self.lose_answer = False
        else:
            self.send_answer()

    def _echoed(self):
        """The header fields of RFC 3261 8.2.6.2."""
        top, *others = self.message.all('Via')
        via = sip.Via.read(top)
        if 'rport' in via.parameters:
            via.parameters['rport'] = self.source[1]
        if 'rport' in via.parameters or via.host != self.source[0]:
            via.parameters['received'] = self.source[0]
        yield 'Via', str(via)
        for other in others:
            yield 'Via', other
        for name in ('From', 'To', 'Call-ID', 'CSeq'):
            value = self.message.text(name) or ''
            if name == 'To' and not re.search(r';\s*tag\s*=', value):
                value += f';tag={self.to_tag}'
            yield name, value

    def send_answer(self):
        if self.connection:
            self.connection.send(self.answer)
            return
        via = self.message.via
        port = self.source[1] if 'rport' in via.parameters else \
            via.port or 5060
        self.stack.send_datagram(self.answer, (self.source[0], port))

    @property
    def key(self):
        """RFC 3261 17.2.3; without the cookie, what RFC 2543 compared."""
        via, message = self.message.via, self.message
        branch = via.parameters.get('branch') or ''
        if branch.startswith(sip.COOKIE):
            return branch, via.host, via.port, message.method
        return (message.uri, message.text('To'), message.text('From'),
                message.text('Call-ID'), message.text('CSeq'), str(via))


class Stack(asyncio.DatagramProtocol):
    """`handler` is a coroutine function that takes an Incoming. `tls`: a pair
    of ssl contexts, of the server and of the client, if there is TLS too."""

    def __init__(self, host, port, handler, tls=None, tls_port=None):
        self.host, self.port, self.tls_port = host, port, tls_port
        self.handler = handler
        self.tls = tls
        self._udp = None
        self._servers = []
        self._connections = {}
        self._open = set()
        self._pending = {}
        self._transactions = {}
        self._tasks = set()
        self._connecting = asyncio.Lock()

    async def start(self):
        loop = asyncio.get_running_loop()
        self._udp, _ = await loop.create_datagram_endpoint(
            lambda: self, (self.host, self.port))
        self._servers.append(await asyncio.start_server(
            lambda *ends: self._accept(*ends, 'tcp'),
            self.host, self.port, limit=HEAD_BYTES))
        if self.tls:
            self._servers.append(await asyncio.start_server(
                lambda *ends: self._accept(*ends, 'tls'),
                self.host, self.tls_port, limit=HEAD_BYTES, ssl=self.tls[0]))

    async def stop(self):
        for server in self._servers:
            server.close()
        self._udp.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for connection in list(self._open):
            connection.close()
        for _, timer in self._transactions.values():
            timer.cancel()

    def spawn(self, coroutine):
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # What comes in

    def datagram_received(self, data, addr):
        with contextlib.suppress(sip.Malformed):
            self._take(sip.read_datagram(data), 'udp', addr[:2], None)

    def _accept(self, reader, writer, transport):
        self.spawn(self._serve(Connection(reader, writer, transport)))

    async def _serve(self, connection):
        self._open.add(connection)
        try:
            while message := await connection.read_message():
                self._take(message, connection.transport, connection.peer,
                           connection)
        except (sip.Malformed, OSError, asyncio.IncompleteReadError):
            pass
        finally:
            connection.close()
            self._open.discard(connection)

    def _take(self, message, transport, source, connection):
        if message.status is None:
            incoming = Incoming(self, message, transport, source, connection)
            self._take_request(incoming)
        elif message.status >= 200:
            key = (message.via.parameters.get('branch'), message.cseq[1])
            future = self._pending.get(key)
            if future and not future.done():
                future.set_result(message)

    def _take_request(self, incoming):
        try:
            key = incoming.key
        except sip.Malformed:
            return
        if key in self._transactions:
            earlier = self._transactions[key][0]
            if earlier.answer:
                earlier.send_answer()
            return
        timer = asyncio.get_running_loop().call_later(
            KEEP_S, self._transactions.pop, key, None)
        self._transactions[key] = incoming, timer
        self.spawn(self.handler(incoming))

    # What goes out

    def send_datagram(self, data, address):
        if not self._udp.is_closing():
            self._udp.sendto(data, address)

    async def connect(self, target):
        """The kept connection to that next hop, or a new one."""
        async with self._connecting:
            connection = self._connections.get(target)
            if connection in self._open:
                return connection
            options = {'ssl': self.tls[1], 'server_hostname': target.host} \
                if target.transport == 'tls' else {}
            ends = await asyncio.open_connection(
                target.host, target.port, local_addr=(self.host, 0),
                limit=HEAD_BYTES, **options)
            connection = Connection(*ends, target.transport)
            if target.transport == 'tls' and \
                    not connection.names & target.names:
                connection.close()
                raise ConnectionRefusedError('other names')
            self._connections[target] = connection
            self._open.add(connection)
            self.spawn(self._serve(connection))
            return connection

    def via_of(self, transport, branch):
        port = self.tls_port if transport == 'tls' else self.port
        return str(sip.Via(transport.upper(), self.host, port,
                           {'branch': branch, 'rport': None}))

    async def ask(self, target, message, seconds, branch=None):
        """The final answer; None for silence or no connection."""
        branch = branch or sip.new_branch()
        via = 'Via', self.via_of(target.transport, branch)
        message = dataclasses.replace(message,
                                      headers=[via, *message.headers])
        return await self.exchange(target, (branch, message.method),
                                   sip.write(message), seconds)

    async def exchange(self, target, key, data, seconds):
        """The answer to a request as bytes; `key`: its branch and method."""
        future = asyncio.get_running_loop().create_future()
        self._pending[key] = future
        try:
            async with asyncio.timeout(seconds):
                return await self._send_until(future, target, data)
        except (TimeoutError, OSError):
            return None
        finally:
            del self._pending[key]

    async def _send_until(self, future, target, data):
        if target.transport != 'udp':
            connection = await self.connect(target)
            connection.waiting.add(future)
            try:
                connection.send(data)
                return await future
            finally:
                connection.waiting.discard(future)
        interval = T1_S
        while True:
            self.send_datagram(data, (target.host, target.port))
            done, _ = await asyncio.wait([future], timeout=interval)
            if done:
                return future.result()
            interval = min(2 * interval, T2_S)

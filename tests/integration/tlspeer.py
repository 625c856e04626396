# SPDX-License-Identifier: BSD-2-Clause
"""A SIP peer over TLS, contexts of every kind, and a lab whose partner server
has such a peer for its primary."""

import contextlib
import secrets
import select
import socket
import ssl
import tempfile
import threading
import time
import warnings

import lablib
import labtls
import recorder
import sippeer

WAIT_S = 20
HANDSHAKE_S = 5
REFUSED_S = 0.2
SOON_S = 2      # by when a good peer is served, whatever the others do


def context_of(certificate, ca, *, server=False, **settings):
    """`certificate`: labca.Certificate or None; `settings`: of the
    ssl.SSLContext, whatever they do to security."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server
                             else ssl.PROTOCOL_TLS_CLIENT)
    if not server:
        context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=ca.decode())
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')     # of versions that are too old
        for name, value in settings.items():
            if callable(getattr(context, name)):
                getattr(context, name)(value)
            else:
                setattr(context, name, value)
    return context if certificate is None else show(context, certificate)


def show(context, certificate):
    """Makes it the context's own; Python takes it from files alone."""
    with tempfile.TemporaryDirectory() as folder:
        context.load_cert_chain(*certificate.save(f'{folder}/own'))
    return context


class Stream:
    """A TLS connection on which one thread reads while another writes: the
    library wants them to take turns."""

    def __init__(self, connection):
        self._connection = connection
        self._lock = threading.Lock()
        connection.setblocking(False)

    def fileno(self):
        return self._connection.fileno()

    def recv(self, size):
        """All that is there: select() does not tell of what is decrypted."""
        data = b''
        with self._lock:
            try:
                data = self._connection.recv(size)
                while self._connection.pending():
                    data += self._connection.recv(size)
            except ssl.SSLWantReadError as error:
                if not data:
                    raise BlockingIOError from error
        return data

    def sendall(self, data):
        deadline = time.monotonic() + WAIT_S
        while data:
            try:
                with self._lock:
                    data = data[self._connection.send(data):]
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.001)

    def close(self):
        self._connection.close()

    def end(self):
        """At once, from another thread than the one that reads."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)


class Peer(sippeer.Peer):
    """Over TLS both ways. `certificate` and `ca` may be changed: what is new
    counts for new connections; `settings`: of its contexts."""

    def __init__(self, certificate, ca, host='127.0.0.1', auto_reply=200,
                 **settings):
        self.certificate = certificate
        self.ca = ca
        self.settings = settings
        # What is called with a connection that comes, in place of TLS on it;
        # and what it returns, kept open.
        self.instead = None
        self._kept = []
        super().__init__(host, 'tls', auto_reply)

    def secure(self, connection, is_ours):
        if self.instead and not is_ours:
            self._kept.append(self.instead(connection))
            raise ConnectionAbortedError
        connection.settimeout(HANDSHAKE_S)
        context = context_of(self.certificate, self.ca, server=not is_ours,
                             **self.settings)
        return Stream(context.wrap_socket(connection,
                                          server_side=not is_ours))

    def end_connections(self):
        """All, so that the next message makes a new one."""
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            connection.end()
        while any(connection in self._connections
                  for connection in connections):
            time.sleep(0.01)
        while self._kept:
            if kept := self._kept.pop():
                kept.close()


class Recorder(recorder.Recorder):
    """One that is the target to the source, and the other way round, with
    certificates of these names, both by the same CA."""

    def __init__(self, host, target, source, authority, names):
        near, far = (authority.issue([name]) for name in names)
        self.asked_for = []     # server names that were asked for
        self._near = context_of(near, authority.trusted(), server=True)
        self._near.sni_callback = lambda _, name, __: self.asked_for.append(
            name)
        self._far = context_of(far, authority.trusted())
        super().__init__(host, target, source)

    def secure(self, near, far):
        near.settimeout(HANDSHAKE_S)
        far.settimeout(HANDSHAKE_S)
        return (Stream(self._near.wrap_socket(near, server_side=True)),
                Stream(self._far.wrap_socket(far)))


class SoloLab(lablib.Lab):
    """Only b.example runs; a.example is `peer`."""

    def __init__(self, folder, **options):
        super().__init__(folder, transport='tls', **options)
        self.ca = self.certificates.outside(self.a)
        self.root = self.ca.trusted()
        self.good = self.ca.issue([labtls.server_name(self.a)])
        self.peer = Peer(self.good, self.root)
        self.a.host, self.a.tls_port = self.peer.host, self.peer.port
        self.systems = (self.b,)

    def stop(self):
        super().stop()
        self.peer.close()

    # ---- connections of the test's own

    def connect(self, host='127.0.0.1'):
        return connect(self.b.tls_address, host)

    def session(self, context=None, host='127.0.0.1'):
        """Of a good peer, unless the context says otherwise."""
        return session(self.b.tls_address,
                       context or context_of(self.good, self.root), host)

    def serves(self, given=None):
        """Whether a good peer's new connection, or a given one, is served;
        soon."""
        started = time.monotonic()
        with given or self.session() as connection:
            connection.settimeout(WAIT_S)
            connection.sendall(options())
            answer = connection.recv(65536)
        assert time.monotonic() - started < SOON_S
        return answer.startswith(b'SIP/2.0 200 ')

    def fault(self, context=None, host='127.0.0.1'):
        return fault(self.b.tls_address,
                     context or context_of(self.good, self.root), host)


def connect(address, host='127.0.0.1'):
    """Without TLS on it, and without waiting for acknowledgements."""
    server, _, port = address.rpartition(':')
    connection = socket.create_connection((server, int(port)), WAIT_S,
                                          source_address=(host, 0))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def session(address, context, host='127.0.0.1'):
    connection = connect(address, host)
    try:
        return context.wrap_socket(connection)
    except BaseException:
        connection.close()
        raise


def fault(address, context, host='127.0.0.1'):
    """What a peer that is not wanted gets to see; None if it is served. With
    TLS 1.3 it sees that only after its half of the handshake; and what it
    said before it knew would be answered by a reset."""
    try:
        with session(address, context, host) as connection:
            if not select.select([connection], [], [], REFUSED_S)[0]:
                connection.sendall(options())
            return None if connection.recv(65536) else 'closed'
    except ssl.SSLError as error:
        return error.reason or repr(error)
    except ConnectionError:
        return 'closed'


def options(**replace):
    """OPTIONS, the least that is answered."""
    branch = secrets.token_hex(8)
    lines = {'Via': f'SIP/2.0/TLS 127.0.0.1:5061;branch=z9hG4bK{branch}',
             'Max-Forwards': '70', 'From': f'<sip:a.example>;tag={branch}',
             'To': '<sip:b.example>', 'Call-ID': branch, 'CSeq': '1 OPTIONS',
             'Content-Length': '0', **replace}
    text = ''.join(f'{name}: {value}\r\n' for name, value in lines.items())
    return f'OPTIONS sip:b.example SIP/2.0\r\n{text}\r\n'.encode()

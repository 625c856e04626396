# SPDX-License-Identifier: BSD-2-Clause
"""A relay on UDP and TCP that keeps every byte that goes through it."""

import contextlib
import select
import socket
import threading

import lablib
import sippeer

WAIT_S = 20


def address_of(text):
    host, _, port = text.rpartition(':')
    return host.strip('[]'), int(port)


class Recorder:
    """Listens on `host` and passes on to `target`, from `source`, both
    HOST:PORT; UDP leaves from that very port. While `silent` is set it takes
    all and passes nothing on."""

    def __init__(self, host, target, source):
        self.target = address_of(target)
        self.source = address_of(source)
        self.silent = False
        self.host = host
        self.port = lablib.free_port(host)
        self._streams = {'to': [], 'from': []}  # what target gets, and gives
        self._changed = threading.Condition()
        self._udp = self._bound(host, self.port)
        self._udp_up = self._bound(*self.source)
        self._udp_peer = None
        self._tcp = socket.create_server((host, self.port))
        self._pipes = {}  # socket: the other one, direction, its stream
        self._wake_read, self._wake_write = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @staticmethod
    def _bound(host, port):
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind((host, port))
        return udp

    @property
    def address(self):
        return f'{self.host}:{self.port}'

    # ---- on a thread of its own

    def _serve(self):
        while True:
            sockets = [self._udp, self._udp_up, self._tcp, self._wake_read,
                       *self._pipes]
            for ready in select.select(sockets, [], [])[0]:
                if ready is self._wake_read:
                    return
                if ready is self._udp:
                    data, self._udp_peer = ready.recvfrom(65536)
                    self._pass(data, 'to', lambda data: self._udp_up.sendto(
                        data, self.target))
                elif ready is self._udp_up:
                    data = ready.recv(65536)
                    self._pass(data, 'from', lambda data: self._udp.sendto(
                        data, self._udp_peer))
                elif ready is self._tcp:
                    self._accept()
                elif ready in self._pipes:
                    self._pump(ready)

    def _pass(self, data, direction, send):
        with self._changed:
            self._streams[direction].append(bytearray(data))
            self._changed.notify_all()
        if not self.silent:
            with contextlib.suppress(OSError):
                send(data)

    def _accept(self):
        near = self._tcp.accept()[0]
        try:
            far = socket.create_connection(
                self.target, WAIT_S, source_address=(self.source[0], 0))
        except OSError:
            near.close()
            return
        try:
            near, far = self.secure(near, far)
        except OSError:
            near.close()
            far.close()
            return
        with self._changed:
            self._streams['to'].append(bytearray())
            self._streams['from'].append(bytearray())
            self._pipes[near] = far, self._streams['to'][-1]
            self._pipes[far] = near, self._streams['from'][-1]

    def secure(self, near, far):
        """For a subclass: what a new pair of connections is used by; OSError:
        it is not."""
        return near, far

    def _pump(self, ready):
        other, stream = self._pipes[ready]
        try:
            data = ready.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b''
        if not data:
            self._close(ready, other)
            return
        with self._changed:
            stream += data
            self._changed.notify_all()
        if not self.silent:
            with contextlib.suppress(OSError):
                other.sendall(data)

    def _close(self, *pair):
        for end in pair:
            del self._pipes[end]
            end.close()

    # ---- what a test calls

    def streams(self, direction):
        """bytes of each datagram, and of each direction of a connection."""
        with self._changed:
            return [bytes(stream) for stream in self._streams[direction]]

    def messages(self, direction):
        """All that are whole."""
        found = []
        for rest in self.streams(direction):
            while True:
                data, rest = sippeer.split_stream(rest)
                if data is None:
                    break
                found.append(sippeer.Message(data))
        return found

    def wait_for(self, direction, is_it, seconds=WAIT_S):
        """Until there is such a message."""
        def find():
            return next(filter(is_it, self.messages(direction)), None)

        with self._changed:
            found = self._changed.wait_for(find, seconds)
        assert found, 'no such message'
        return found

    def close(self):
        self._wake_write.send(b'x')
        self._thread.join()
        for end in (self._udp, self._udp_up, self._tcp, self._wake_read,
                    self._wake_write, *self._pipes):
            end.close()

# SPDX-License-Identifier: BSD-2-Clause
"""Labs with gateways of which the test plays parts: other systems, and the
server behind a gateway."""

import os
import signal
import threading

import documents
import lablib

# What is lost on the way is sent again soon.
IMPATIENT = {'': {'log_level': 'debug'},
             'gateway': {'attempt_deadline': '1s'},
             'migration': {'retry_min': '100ms', 'retry_max': '500ms'}}


class BorderLab(lablib.Lab):
    """Only b.example runs, its server and its gateway. The gateways of
    a.example are `primaries`, that of c.example is `third`, all peers."""

    def __init__(self, folder, primaries, third, **options):
        options.setdefault('tokens', False)
        super().__init__(folder, systems=3, gateways=len(primaries),
                         transport=primaries[0].transport, **options)
        for gateway, peer in zip(self.a.gateways + self['c'].gateways,
                                 [*primaries, third]):
            gateway.outside_host, gateway.outside_port = peer.host, peer.port
        del self['c'].gateways[1:]
        del self.b.gateways[1:]
        self.gateway = self.b.gateways[0]
        self.systems = (self.b,)

    def stop(self):
        """Not in order: that would wait for what the peers leave undone."""
        for daemon in self.daemons:
            daemon.kill()
        super().stop()


class GatewayLab(BorderLab):
    """Only the gateway of b.example runs; its server is a peer as well."""

    def __init__(self, folder, server, primaries, third, **options):
        super().__init__(folder, primaries, third, **options)
        self.b.host, self.b.port = server.host, server.port
        self.systems = ()

    @property
    def gateways(self):
        return self.b.gateways


def identity(system):
    return f'sip:mcgateway@{system}.example'


def say(peer, address, body, *, speaker, target, service='mcptt',
        asserted=None, **options):
    """Sends a document as a gateway or server of a system would: both are
    public service identities. The SIP answer."""
    options.setdefault('content_type', documents.content_type(service))
    return peer.ask(address, target, body, sender=speaker,
                    headers=documents.service_headers(
                        service, asserted or speaker, 'Asserted'), **options)


def request_document(partner_id, primary_id, verb='authorization', **options):
    """What the partner sends to the primary."""
    options = {'procedure': documents.new_procedure(),
               'sequence': documents.now_us(),
               'profile': 1 if verb == 'authorization' else None, **options}
    return documents.document(f'{verb}-request', partner_id, primary_id,
                              **options)


def response_document(request, *, result='success', **options):
    """The answer to a document that was heard; what `options` name differs."""
    options = {'service': request.service, 'procedure': request.procedure,
               'sequence': request.sequence, **options}
    return documents.document(
        request.element.replace('request', 'response'),
        options.pop('partner_id', request.partner_id),
        options.pop('primary_id', request.primary_id), result=result,
        **options)


class Counters:
    """Of a daemon, since this was made."""

    def __init__(self, daemon):
        self._daemon = daemon
        self._before = self._read()

    def _read(self):
        return {row['name']: row['value']
                for row in self._daemon.ctl('stats')
                if row['kind'] == 'counter'}

    def __getitem__(self, name):
        return self._read()[name] - self._before[name]


class Background:
    """A call on a thread of its own."""

    def __init__(self, call):
        self._thread = threading.Thread(target=self._run, args=(call,))
        self._thread.start()

    def _run(self, call):
        self._result = call()

    def result(self):
        self._thread.join()
        return self._result


class Stopped:
    """A daemon that does nothing for a while (SIGSTOP)."""

    def __init__(self, daemon):
        self._pid = daemon.pid

    def __enter__(self):
        os.kill(self._pid, signal.SIGSTOP)

    def __exit__(self, *_):
        os.kill(self._pid, signal.SIGCONT)


def wait_for_log(daemon, *words, offset=0):
    """Until a line of the log has all of them."""
    with lablib.LogReader(daemon.log, daemon.pid, offset) as reader:
        for line in reader.lines(30):
            if all(word in line for word in words):
                return
    raise AssertionError(f'{words} not in {daemon.log.read_text()[-3000:]}')

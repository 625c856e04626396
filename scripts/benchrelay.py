# SPDX-License-Identifier: BSD-2-Clause
"""The relays that scripts/bench compares, our gateway and Kamailio, between
the same source and the same sinks: mcmig-load as partner server b.example on
the inside, and as the next hops of a.example on the outside."""

import contextlib
import os
import pathlib
import signal
import subprocess
import time
import types

import benchlib
import labtls
from labdaemon import Gateway, host_port, link_modules
from labproc import STOP_S, LabError, free_port, wait_for_exit

SOURCE_HOST = '127.1.2.1'
INSIDE_HOST = '127.1.2.2'
OUTSIDE_HOST = '127.2.2.1'
SINK_HOST = '127.2.1.{}'
START_S = 30
SHARED_MEMORY_MB = 2048     # Kamailio's: nothing in a run may use it up


class Sink:
    """A next hop of a.example. `files`: options of mcmig-load, for TLS."""

    def __init__(self, program, number, transport, relay_address, files):
        host = SINK_HOST.format(number)
        self.address = host_port(host, free_port(host))
        self._command = [program, 'sink', '--listen', self.address,
                         '--server', relay_address, '--transport', transport,
                         *benchlib.options_of(files)]
        self._process = None

    def start(self):
        self._process = subprocess.Popen(
            self._command, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, start_new_session=True)
        wait_until_bound(self.address, self._process)

    def signal(self, number):
        self._process.send_signal(number)

    def stop(self):
        """Its figures; none if it was killed."""
        self.signal(signal.SIGCONT)
        self._process.terminate()
        output = self._process.communicate(timeout=STOP_S)[0]
        return benchlib.figures_of(output)


def is_bound(address):
    """Whether a UDP or TCP socket of this machine is (IPv4 only)."""
    host, port = address.rsplit(':', 1)
    octets = [int(octet) for octet in reversed(host.split('.'))]
    local = ' ' + ''.join(f'{octet:02X}' for octet in octets) + \
        f':{int(port):04X} '
    return any(local in pathlib.Path(f'/proc/net/{kind}').read_text()
               for kind in ('udp', 'tcp'))


def wait_until_bound(address, process):
    deadline = time.monotonic() + START_S
    while not is_bound(address):
        if process.poll() is not None or time.monotonic() > deadline:
            raise LabError(f'{process.args[0]} does not listen on {address}')
        time.sleep(0.02)


class Relay:
    """`source_files`, `sink_files`: what those two need for TLS."""

    source_files = {}
    sink_files = {}


class Ours(Relay):
    """mcmigd with the module gateway."""

    name = 'mcmigd'

    def __init__(self, bench, folder, transport, settings=None, tls=None):
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.program = bench.program
        link_modules(bench.build, folder / 'modules')
        self.source = host_port(SOURCE_HOST, free_port(SOURCE_HOST))
        self.transport = transport
        self._settings = {'peer_rate': 0, 'user_rate': 0, **(settings or {})}
        self._tls = tls or {}
        self._system = types.SimpleNamespace(
            lab=self, letter='b', name='b.example', node='b1',
            title='source', next_hop=self._source_hop)
        self._peer = types.SimpleNamespace(letter='a', name='a.example')
        self._gateway = Gateway(self._system, 1, INSIDE_HOST, OUTSIDE_HOST)
        self._certificates = None
        if transport == 'tls':
            self._make_certificates()
        self.inside = self._gateway.inside_address
        self.outside = self._gateway.outside_address

    def _make_certificates(self):
        """Of the gateway, and of mcmig-load on both sides of it."""
        self._certificates = labtls.Certificates(
            self.folder, [self._system, self._peer], hidden=True)
        section = self._certificates.renew_server(self._system)
        self.source_files = {name: section[name] for name in
                             ('certificate', 'key', 'ca')}
        self.sink_files = self.outside_files(
            labtls.outside_name(self._peer), 'sink')

    def outside_files(self, name, stem):
        """A certificate that it may be shown from outside."""
        files = self._certificates.outside(self._peer).issue([name]).save(
            self.folder / stem)
        return {'certificate': str(files[0]), 'key': str(files[1]),
                'ca': str(self.folder / 'ca/ca.pem')}

    def _source_hop(self, transport):
        return f'sip:{self.source};transport={transport}'

    def start(self, sinks):
        self._peer.gateways = [types.SimpleNamespace(outside=sink.address)
                               for sink in sinks]
        self._gateway.configure(
            {'gateway': self._settings, 'tls_outside': self._tls},
            [self._peer], self.transport, self._certificates)
        self._gateway.start()
        self._gateway.wait_ready()

    @property
    def pid(self):
        return self._gateway.pid

    def statistics(self):
        return {row['name']: row['value']
                for row in self._gateway.ctl('stats')}

    def cpu_seconds(self):
        return benchlib.session_cpu_seconds(self.pid)

    def stop(self):
        self._gateway.stop()


class NoRelay(Relay):
    """Source and sink talk to each other."""

    name = 'direct'

    def __init__(self, transport):
        self.transport = transport
        self.source = host_port(SOURCE_HOST, free_port(SOURCE_HOST))
        self.inside = None
        self.outside = self.source

    def start(self, sinks):
        self.inside = sinks[0].address

    def cpu_seconds(self):
        return 0

    def stop(self):
        pass


KAMAILIO_CONF = '''
debug = -1
log_stderror = yes
children = {children}
tcp_children = {children}
auto_aliases = no
dns = no
rev_dns = no
disable_core_dump = yes
shm_force_alloc = yes
maxbuffer = 4194304
tcp_conn_wq_max = 4194304
tcp_wq_max = 67108864
tcp_rd_buf_size = 65536
listen = {transport}:{inside}
listen = {transport}:{outside}
loadmodule "tm.so"
loadmodule "topoh.so"
modparam("tm", "wt_timer", 1000)
modparam("topoh", "mask_key", "mcmig")
modparam("topoh", "mask_ip", "127.0.0.8")
modparam("topoh", "mask_callid", 1)
modparam("topoh", "sanity_checks", 0)
request_route {{
    if (dst_ip == {inside_host}) {{
        force_send_socket({transport}:{outside});
        t_relay_to_{transport}("{sink_host}", "{sink_port}");
    }} else {{
        force_send_socket({transport}:{inside});
        t_relay_to_{transport}("{source_host}", "{source_port}");
    }}
}}
'''


class Kamailio(Relay):
    """tm and topoh, and nothing else: no log, no checks, no look-ups; the
    fast allocator, shared memory touched before, answered transactions given
    up after one second instead of five."""

    name = 'kamailio'

    def __init__(self, folder, transport, children):
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.transport = transport
        self.children = children
        self.source = host_port(SOURCE_HOST, free_port(SOURCE_HOST))
        self.inside = host_port(INSIDE_HOST, free_port(INSIDE_HOST))
        self.outside = host_port(OUTSIDE_HOST, free_port(OUTSIDE_HOST))
        self._process = None

    def _configuration(self, sink):
        sink_host, sink_port = sink.address.rsplit(':', 1)
        source_host, source_port = self.source.rsplit(':', 1)
        return KAMAILIO_CONF.format(
            children=self.children, transport=self.transport,
            inside=self.inside, outside=self.outside, inside_host=INSIDE_HOST,
            sink_host=sink_host, sink_port=sink_port,
            source_host=source_host, source_port=source_port)

    def start(self, sinks):
        conf = self.folder / 'kamailio.cfg'
        conf.write_text(self._configuration(sinks[0]))
        with open(self.folder / 'kamailio.log', 'ab') as log:
            self._process = subprocess.Popen(
                ['kamailio', '-DD', '-E', '-f', conf, '-Y', self.folder,
                 '-m', str(SHARED_MEMORY_MB), '-M', '16', '-x', 'tlsf',
                 '-X', 'tlsf'], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True)
        wait_until_bound(self.outside, self._process)

    def cpu_seconds(self):
        return benchlib.session_cpu_seconds(self._process.pid)

    def stop(self):
        if not self._process:
            return
        self._process.terminate()
        if not wait_for_exit(self._process.pid, STOP_S):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(STOP_S)
        self._process = None


@contextlib.contextmanager
def relay_between(bench, relay, sink_count=1):
    """The relay and its sinks, running; the sinks."""
    program = benchlib.load_program(bench.build)
    sinks = [Sink(program, number, relay.transport, relay.outside,
                  relay.sink_files)
             for number in range(1, sink_count + 1)]
    try:
        for sink in sinks:
            sink.start()
        relay.start(sinks)
        yield sinks
    finally:
        relay.stop()
        for sink in sinks:
            sink.stop()

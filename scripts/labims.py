# SPDX-License-Identifier: BSD-2-Clause
"""The IMS of a system in the lab: a Kamailio that is its S-CSCF, and an HSS;
and Kamailio as other things that stand in front of a server."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

from labproc import (ROOT, STOP_S, LabError, LogReader, free_port,
                     pid_is_of)

TEMPLATES = ROOT / 'scripts/ims'
PROFILES = ROOT / 'doc/examples/ims'
START_S = 30
PROBE_S = 0.2
# Debian's default allocator is slow. Not for private memory: there lookup() of
# 5.6.3's IMS registrar reads what it has freed, to know which lock to give
# back, and tlsf has written to it by then.
OPTIONS = ('-DD', '-E', '-x', 'tlsf', '-X', 'qm', '-m', '32', '-M', '4')


def fill(template, values):
    """The text of a template, each @NAME@ replaced."""
    text = (TEMPLATES / template).read_text()
    for name, value in values.items():
        text = text.replace(f'@{name}@', str(value))
    return text


def stop_process(pid, conf):
    """With all its children, at once: Kamailio with its IMS modules may wait
    for good for a lock of a child that has ended, and nothing of it lasts."""
    if pid_is_of(pid, conf):
        os.killpg(pid, signal.SIGKILL)


class Process:
    """Of the IMS: `conf` is the word of its command line that tells it."""

    def __init__(self, folder, title):
        self.folder = pathlib.Path(folder)
        self.title = title
        self.log = self.folder / f'{title}.log'
        self.log_offset = 0  # where the log of this run begins
        self.process = None
        self.conf = None

    @property
    def pid(self):
        return self.process.pid if self.process else None

    def start(self):
        with open(self.log, 'ab') as log:
            self.log_offset = log.tell()
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True)

    def wait_for_line(self, *words, offset=None):
        """Until a line of the log has all of them."""
        with LogReader(self.log, self.pid,
                       self.log_offset if offset is None else offset) as log:
            for line in log.lines(START_S):
                if all(word in line for word in words):
                    return
        raise LabError(f'{self.title}: no line with {words}:\n'
                       + self.log.read_text(errors='replace')[-2000:])

    def stop(self):
        if self.process:
            stop_process(self.pid, self.conf)
            self.process.wait(STOP_S)
            self.process = None


class Hss(Process):
    """`server`: URI of the application server. `profiles`: (PATTERN, FILE) of
    public identities and what they get."""

    def __init__(self, folder, title, host, domain, server, profiles):
        super().__init__(folder, title)
        self.host = host
        self.port = free_port(host)
        self.domain = domain
        self.server = server
        self.profiles = profiles
        self.conf = str(self.folder / f'{title}.profiles')

    def command(self):
        return [ROOT / 'scripts/hss', '--listen', f'{self.host}:{self.port}',
                '--realm', self.domain, '--server', self.server,
                '--profiles', self.conf]

    def start(self):
        pathlib.Path(self.conf).write_text(''.join(
            f'{pattern} {file}\n' for pattern, file in self.profiles))
        super().start()

    def wait_ready(self):
        self.wait_for_line('ready')


class Kamailio(Process):
    """On one address, on UDP and TCP, with the configuration of a template."""

    def __init__(self, folder, title, host, template, defines=(), **values):
        super().__init__(folder, title)
        self.program = shutil.which('kamailio', path=os.pathsep.join(
            (os.environ['PATH'], '/usr/sbin')))  # not in everybody's PATH
        if not self.program:
            raise LabError('no Kamailio: scripts/packages install ims')
        self.host = host
        self.port = free_port(host)
        self.template = template
        self.defines = defines
        self.values = values
        self.conf = str(self.folder / f'{title}.cfg')

    @property
    def address(self):
        return f'{self.host}:{self.port}'

    @property
    def uri(self):
        return f'sip:{self.address};transport=tcp'

    def settings(self):
        """Of the section ims of a server behind it."""
        return {'peers': [self.host], 'next_hops': [f'{self.uri} 1 1']}

    def command(self):
        defines = [word for name in self.defines for word in ('-A', name)]
        return [self.program, *OPTIONS, *defines, '-Y', str(self.folder),
                '-f', self.conf]

    def start(self):
        pathlib.Path(self.conf).write_text(fill(
            self.template, {'HOST': self.host, 'ADDRESS': self.address,
                            **self.values}))
        super().start()

    def wait_ready(self):
        """Until it answers OPTIONS on UDP; TCP listens before."""
        deadline = time.monotonic() + START_S
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((self.host, 0))
            probe.settimeout(PROBE_S)
            while not self._answers(probe):
                if self.process.poll() is not None or \
                        time.monotonic() > deadline:
                    raise LabError(
                        f'{self.title} does not get ready:\n'
                        + self.log.read_text(errors='replace')[-2000:])

    def _answers(self, probe):
        host, port = probe.getsockname()
        probe.sendto((f'OPTIONS sip:{self.address} SIP/2.0\r\n'
                      f'Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bKprobe\r\n'
                      'Max-Forwards: 1\r\n'
                      f'From: <sip:{host}>;tag=probe\r\n'
                      f'To: <sip:{self.address}>\r\n'
                      'Call-ID: probe\r\nCSeq: 1 OPTIONS\r\n'
                      'Content-Length: 0\r\n\r\n').encode(),
                     (self.host, self.port))
        try:
            return probe.recv(65536).startswith(b'SIP/2.0 200')
        except TimeoutError:
            return False


class Proxy(Kamailio):
    """A plain proxy, or a dispatcher where there is more than one of
    `servers`, and the registrar of its users."""

    def __init__(self, folder, title, host, domain, servers,
                 record_route=False):
        self.servers = servers
        self.list = pathlib.Path(folder) / f'{title}.list'
        super().__init__(folder, title, host, 'proxy.cfg',
                         ('RECORD_ROUTE',) if record_route else (),
                         DOMAIN=domain, SERVERS=self.list)

    def start(self):
        self.list.write_text(''.join(f'1 {uri}\n' for uri in self.servers))
        super().start()


class Scscf(Kamailio):
    """The S-CSCF of a domain, with its HSS."""

    def __init__(self, folder, letter, host, hss_host, domain, server,
                 profiles):
        server_host = server.removeprefix('sip:').partition(':')[0]
        self.hss = Hss(folder, f'{letter}-hss', hss_host, domain, server,
                       profiles)
        super().__init__(folder, f'{letter}-scscf', host, 'scscf.cfg',
                         DOMAIN=domain, SERVER_HOST=server_host)
        self.cdp = self.folder / f'{letter}-cdp.xml'
        self.values['CDP'] = self.cdp

    @classmethod
    def of_system(cls, system, number):
        """Of the system with that number. Users that come from elsewhere have
        a visitor's profile, in which requests go to the server."""
        return cls(system.lab.folder, system.letter, f'127.3.{number}.1',
                   f'127.3.{number}.2', system.name,
                   f'sip:{system.server};transport=tcp',
                   [(r'sip:user\d', PROFILES / 'home-profile.xml'),
                    (r'sip:(\w-)?visitor\d', PROFILES / 'visitor-profile.xml')])

    def start(self):
        if not self.hss.process:
            self.hss.start()
            self.hss.wait_ready()
        self._hss_offset = self.hss.log.stat().st_size
        self.cdp.write_text(fill('cdp.xml', {
            **self.values, 'HOST': self.host, 'CDP_PORT': free_port(self.host),
            'HSS_HOST': self.hss.host, 'HSS_PORT': self.hss.port}))
        super().start()

    def wait_ready(self):
        super().wait_ready()
        self.hss.wait_for_line('peer', offset=self._hss_offset)

    def stop(self):
        self.crash()
        self.hss.stop()

    def crash(self):
        """The S-CSCF alone: it forgets who is registered."""
        super().stop()

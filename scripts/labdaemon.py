# SPDX-License-Identifier: BSD-2-Clause
"""Daemons of the lab: the server and the gateways of an MC system, each with
its configuration, its log and its control socket."""

import contextlib
import json
import subprocess

import labtls
import labtoken
from labproc import (ROOT, STOP_S, LabError, LogReader, free_port, run,
                     stop_daemon)

MODULES = ('store_sqlite', 'store_postgres', 'auth_token', 'ims', 'migration',
           'gateway', 'ctl')
START_S = 30
AUDIENCE = 'mcmig'


def host_port(host, port):
    return f'[{host}]:{port}' if ':' in host else f'{host}:{port}'


def render(sections):
    """A configuration file of {section: {setting: value}}; '' is the top. The
    key of a section with a title is (section, title), and a value that is a
    dictionary is a section inside."""
    def value_text(value):
        if isinstance(value, (list, tuple)):
            return '{ ' + ', '.join(map(value_text, value)) + ' }'
        if isinstance(value, bool):
            return 'true' if value else 'false'
        return str(value) if isinstance(value, int) else json.dumps(value)

    def lines(settings, indent):
        for name, value in settings.items():
            if not isinstance(value, dict):
                yield f'{indent}{name} = {value_text(value)}\n'
                continue
            if isinstance(name, tuple):
                name = f'{name[0]} {json.dumps(name[1])}'
            yield f'{indent}{name} {{\n'
            yield from lines(value, indent + '    ')
            yield f'{indent}}}\n'

    top = {name: value for name, value in sections.items() if name}
    return ''.join(lines({**sections.get('', {}), **top}, ''))


def link_modules(build, folder):
    """The modules of an uninstalled build, in one folder."""
    folder.mkdir(exist_ok=True)
    for module in MODULES:
        found = sorted(build.rglob(f'.libs/{module}.so'))
        link = folder / f'{module}.so'
        if found and not link.exists():
            link.symlink_to(found[0])


class Daemon:
    """A mcmigd in a lab's folder; `title` names its files."""

    def __init__(self, lab, title, system_name, node):
        self.lab = lab
        self.title = title
        self.name = system_name
        self.node = node
        self.conf = lab.folder / f'{title}.conf'
        self.log = lab.folder / f'{title}.log'
        self.ctl_socket = lab.folder / f'{title}.ctl'
        self.pid = None
        self.process = None
        self.log_offset = 0  # where the log of this run begins
        self.sections = {}

    def top_settings(self, modules, listen):
        return {'modules': modules,
                'module_directory': str(self.lab.folder / 'modules'),
                'system': self.name, 'node': self.node,
                'listen': listen, 'log_level': 'info'}

    def adjust(self, settings):
        for section, values in settings.items():
            self.sections.setdefault(section, {}).update(values)
        self.write_configuration()

    def write_configuration(self):
        self.conf.write_text(render(self.sections))

    def start(self):
        with open(self.log, 'ab') as log:
            self.log_offset = log.tell()
            self.process = subprocess.Popen(
                [self.lab.program('mcmigd'), '-c', str(self.conf)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True)
        self.pid = self.process.pid

    def wait_for_line(self, is_it):
        """Until a line of the log of this run is the one."""
        with LogReader(self.log, self.pid, self.log_offset) as reader:
            for line in reader.lines(START_S):
                with contextlib.suppress(LabError):
                    if is_it(line):
                        return
        raise LabError(f'{self.title} does not get ready:\n'
                       + self.log.read_text(errors='replace')[-2000:])

    def wait_ready(self):
        self.wait_for_line(lambda line: 'msg="ready"' in line)

    def ctl(self, *arguments):
        return json.loads(self.ctl_text('--json', *arguments))

    def ctl_text(self, *arguments):
        return run([self.lab.program('mcmigctl'), '-s', self.ctl_socket,
                    *arguments])

    def stop(self):
        """Its exit status; 0 if it did not run."""
        if not self.pid:
            return 0
        stop_daemon(self.pid, self.conf)
        return self.reap()

    def kill(self):
        if self.pid:
            self.process.kill()
            self.reap()

    def reap(self):
        status = self.process.wait(STOP_S)
        self.pid = self.process = None
        return status


class System(Daemon):
    """One MC system: the daemon that is its server, its store, its users, its
    gateways, and the keys of its identity management."""

    def __init__(self, lab, letter, host):
        super().__init__(lab, letter, f'{letter}.example', f'{letter}1')
        self.letter = letter
        self.host = host
        self.port = free_port(host)
        self.tls_port = free_port(host)
        self.store = None
        self.gateways = []
        # What tests put before it: others use that.
        self.front = self.tls_front = None
        self.ims = None  # its S-CSCF
        self.requires_tokens = False
        self.issuer = f'https://idms.{self.name}'
        self.identity_management = IdentityManagement(self)
        self.jwks = lab.folder / f'{letter}-jwks.json'
        self.token_key = lab.folder / f'{letter}-token-key.pem'

    @property
    def address(self):
        return host_port(self.host, self.port)

    @property
    def server(self):
        return self.front or self.address

    @property
    def tls_address(self):
        return host_port(self.host, self.tls_port)

    def next_hop(self, transport):
        """For other servers and for gateways."""
        address = (self.tls_front or self.tls_address if transport == 'tls'
                   else self.server)
        return f'sip:{address};transport={transport}'

    def user(self, number):
        return f'sip:user{number:05}@{self.name}'

    def visitor(self, number, home=None):
        """The ID here of that user of `home`. Users of the system's first
        peer go without a prefix."""
        first = 'b' if self.letter == 'a' else 'a'
        letter = home.letter if home else first
        prefix = '' if letter == first else f'{letter}-'
        return f'sip:{prefix}visitor{number:05}@{self.name}'

    def token(self, partner_id, **claims):
        """Of this system's identity management, for every service. `claims`:
        others than usual; None leaves one out."""
        usual = labtoken.claims_of(partner_id, labtoken.SERVICES, self.issuer,
                                   AUDIENCE)
        return labtoken.Key.load(self.token_key).token({**usual, **claims})

    def credentials(self, partner_id, **claims):
        """Options of mcmig-ue."""
        if not self.requires_tokens:
            return ()
        name = partner_id.partition(':')[2].partition('@')[0]
        file = self.lab.folder / f'{self.letter}-{name}.token'
        file.write_text(self.token(partner_id, **claims))
        return '--token', str(file)

    def configure(self, settings, certificates=None):
        modules = [self.store.module, 'migration', 'ctl']
        listen = [f'udp:{self.address}', f'tcp:{self.address}']
        self.sections = {self.store.module: self.store.settings(),
                         'ctl': {'socket': str(self.ctl_socket)},
                         'migration': {}}
        if self.requires_tokens:
            modules.insert(1, 'auth_token')
            self.sections['auth_token'] = {
                ('identity_management', self.issuer): {
                    'jwks_file': str(self.jwks), 'audience': [AUDIENCE]}}
            self.sections['migration']['tokens'] = 'required'
        else:
            self.sections['migration']['tokens'] = 'lab'
        if self.ims:
            modules.insert(-2, 'ims')
            self.sections['ims'] = self.ims.settings()
            self.sections['migration']['returned_home'] = True
        if certificates:
            listen.append(f'tls:{self.tls_address}')
            self.sections['tls'] = certificates.renew_server(self)
        self.sections[''] = self.top_settings(modules, listen)
        self.adjust({section: values for section, values in settings.items()
                     if section != 'gateway'})

    def wait_ready(self, store_up=True):
        """Until it serves; each line of its log is a reason to ask it."""
        self.wait_for_line(
            lambda line: (not store_up and 'msg="ready"' in line)
            or self.store_is_up())

    def store_is_up(self):
        return self.ctl_socket.exists() and self.ctl('status')['store']['up']


class IdentityManagement:
    """That of a system, which gives a token to everybody who asks."""

    def __init__(self, system):
        self.system = system
        self.url = None
        self.pid = None
        self._process = None

    def start(self):
        self._process = subprocess.Popen(
            [ROOT / 'scripts/idms', 'serve', '--key', self.system.token_key,
             '--issuer', self.system.issuer, '--audience', AUDIENCE],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, start_new_session=True)
        self.pid = self._process.pid

    def wait_ready(self):
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            raise LabError(f'{self.system.issuer} does not serve')

    def stop(self):
        if self.pid:
            stop_daemon(self.pid, self.system.token_key)
            self._process.wait(STOP_S)
            self._process.stdout.close()
            self.pid = self._process = None


class Gateway(Daemon):
    """One of a system's MC gateway servers: no store, two sides."""

    def __init__(self, system, number, inside_host, outside_host):
        title = f'{system.letter}-gateway' + ('' if number == 1
                                              else str(number))
        super().__init__(system.lab, title, system.name,
                         f'{system.letter}g{number}')
        self.system = system
        self.inside_host = inside_host
        self.inside_port = free_port(inside_host)
        self.outside_host = outside_host
        self.outside_port = free_port(outside_host)
        self.inside_front = self.outside_front = None

    @property
    def inside_address(self):
        return host_port(self.inside_host, self.inside_port)

    @property
    def outside_address(self):
        return host_port(self.outside_host, self.outside_port)

    @property
    def inside(self):
        return self.inside_front or self.inside_address

    @property
    def outside(self):
        return self.outside_front or self.outside_address

    def configure(self, settings, peers, transport, certificates=None):
        """With TLS it speaks nothing else: no client comes to it."""
        kinds = ('tls',) if transport == 'tls' else ('udp', 'tcp')
        self.sections = {
            '': {**self.top_settings(['gateway', 'ctl'],
                                     [f'{kind}:{self.inside_address}'
                                      for kind in kinds]),
                 'listen_outside': [f'{kind}:{self.outside_address}'
                                    for kind in kinds]},
            'ctl': {'socket': str(self.ctl_socket)},
            'gateway': {
                'identity': f'sip:mcgateway@{self.name}',
                'domains': [self.name],
                ('server', self.system.node): {
                    'next_hops': [self.system.next_hop(transport)]},
                **{('system', peer.name): self.section_of(peer, transport)
                   for peer in peers}},
        }
        if certificates:
            self.use_tls(certificates, peers)
        self.adjust({section: values for section, values in settings.items()
                     if section in ('', 'gateway', 'tls', 'tls_outside')})

    def use_tls(self, certificates, peers):
        """Each is known by the names of its certificate."""
        self.sections['tls'] = certificates.renew_inside(self)
        self.sections['tls_outside'] = certificates.renew_outside(self)
        gateway = self.sections['gateway']
        gateway['server', self.system.node]['sources'] = [
            labtls.server_name(self.system)]
        for peer in peers:
            gateway['system', peer.name]['sources'] = [
                labtls.outside_name(peer)]

    @staticmethod
    def section_of(peer, transport):
        """The peer's first gateway is asked as long as it answers."""
        return {'domains': [peer.name],
                'identity': f'sip:mcgateway@{peer.name}',
                'next_hops': [f'sip:{gateway.outside};transport={transport} '
                              f'{priority}' for priority, gateway
                              in enumerate(peer.gateways, 1)],
                'requests_to': ['*'], 'requests_from': ['*']}

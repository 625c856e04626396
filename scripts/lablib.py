# SPDX-License-Identifier: BSD-2-Clause
"""MC systems a.example, b.example and so on, on this machine: daemons, stores,
users, gateways. scripts/lab, scripts/quickstart and the tests stand on it."""

import concurrent.futures
import itertools
import os
import pathlib
import shlex
import string

from labdaemon import Gateway, System, link_modules
import labims
from labproc import ROOT, LabError, LogReader, free_port, run, stop_daemon
from labstore import Cluster, PostgresStore, SqliteStore
import labtls
import labtoken

__all__ = ['Cluster', 'Gateway', 'Lab', 'LabError', 'LogReader',
           'PostgresStore', 'ROOT', 'SqliteStore', 'System', 'build_folder',
           'free_port', 'link_modules', 'read_env', 'run', 'stop_lab']

SYSTEMS_MAX = 26
HOST = '127.0.0.1'


def build_folder():
    return pathlib.Path(os.environ.get('MCMIG_BUILD', ROOT / 'build'))


class Lab:
    """The systems, each the peer of each other one. `settings` go into every
    configuration; a `cluster` that is given runs already, and stays.

    Without `gateways` (so many of each system), two systems are on one
    address. Otherwise system number i has 127.1.i.0/24 for its inside, where
    its server is 127.1.i.1, and 127.2.i.0/24 for the outside of its gateways:
    so it shows what leaves the inside. Tokens are required where there are
    gateways, unless `tokens` says otherwise; where `login`, each system's
    identity management gives them to mcmig-ue --login. With `transport` 'tls'
    servers and gateways know each other by their certificates alone; clients
    come as ever.
    """

    def __init__(self, folder, *, store='sqlite', users=100, build=None,
                 host=None, transport='tcp', settings=None, cluster=None,
                 databases='lab', systems=2, gateways=0, tokens=None,
                 login=False, ims=False):
        if not 2 <= systems <= SYSTEMS_MAX:
            raise LabError(f'systems: 2 to {SYSTEMS_MAX}')
        if host and (gateways or ims):
            raise LabError('host: with gateways or an IMS, addresses are given')
        self.folder = pathlib.Path(folder).absolute()
        self.build = pathlib.Path(build or build_folder()).absolute()
        self.users = users
        self.transport = transport
        self.settings = settings or {}
        self.databases = databases
        self.cluster = cluster
        self.tokens = bool(gateways) if tokens is None else tokens
        self.login = login and self.tokens
        self.own_cluster = store == 'postgres' and not cluster
        if self.own_cluster:
            self.cluster = Cluster(self.folder / 'postgres')
        self.folder.mkdir(parents=True, exist_ok=True)
        # The cluster's folder inside belongs to an unprivileged user.
        self.folder.chmod(0o711)
        if systems == 2 and not gateways and not ims:
            host = host or HOST
        self.systems = tuple(
            System(self, letter, host or f'127.1.{i}.1') for i, letter
            in enumerate(string.ascii_lowercase[:systems], 1))
        for (i, system), j in itertools.product(enumerate(self.systems, 1),
                                                range(1, gateways + 1)):
            system.gateways.append(Gateway(system, j, f'127.1.{i}.{j + 1}',
                                           f'127.2.{i}.{j}'))
        for i, system in enumerate(self.systems if ims else (), 1):
            system.ims = labims.Scscf.of_system(system, i)
        self.peers = self.systems  # also those that a test plays
        self.certificates = labtls.Certificates(
            self.folder, self.systems, bool(gateways)) if transport == 'tls' \
            else None
        self.a, self.b = self.systems[:2]

    @property
    def gateways(self):
        return [gateway for system in self.systems
                for gateway in system.gateways]

    @property
    def daemons(self):
        return [*self.systems, *self.gateways]

    def __getitem__(self, letter):
        return next(system for system in self.peers
                    if system.letter == letter)

    def peers_of(self, system):
        return [peer for peer in self.peers if peer is not system]

    def program(self, name):
        return str(self.build / 'src' / name)

    def _store_of(self, system):
        if self.cluster:
            return PostgresStore(self.cluster.conninfo,
                                 f'{self.databases}_{system.letter}')
        return SqliteStore(self.folder / f'{system.letter}.db')

    def _provision(self, system):
        script = self.folder / f'{system.letter}.sql'
        command = [ROOT / 'scripts/provision', '--users', self.users]
        for gateway in system.gateways:
            command += ['--gateway', f'sip:{gateway.inside}'
                        f';transport={self.transport}']
        if self.certificates:
            for name, source in self._sources(system):
                command += ['--source', name, source]
        command.append(system.name)
        for peer in self.peers_of(system):
            command += [peer.name, peer.next_hop(self.transport)]
        script.write_text(run(command))
        system.store.create()
        system.store.execute(script.read_text())

    def _sources(self, system):
        """Names of the certificates of those that this server speaks with."""
        if system.gateways:
            return [(system.name, labtls.inside_name(gateway))
                    for gateway in system.gateways]
        return [(peer.name, labtls.server_name(peer))
                for peer in self.peers_of(system)]

    def prepare(self):
        """Everything but the daemons."""
        if self.own_cluster:
            self.cluster.start()
        link_modules(self.build, self.folder / 'modules')
        for system in self.systems:
            system.store = self._store_of(system)
        # Most of the time a client waits for its database.
        with concurrent.futures.ThreadPoolExecutor() as pool:
            list(pool.map(self._provision, self.systems))
        for system in self.systems:
            if self.tokens:
                system.requires_tokens = True
                labtoken.make_key(system.token_key, system.jwks)
            system.configure(self.settings, self.certificates)
        for gateway in self.gateways:
            gateway.configure(self.settings, self.peers_of(gateway.system),
                              self.transport, self.certificates)

    def start(self):
        try:
            self.prepare()
            self.start_daemons()
        except BaseException:
            self.stop()
            raise

    @property
    def identity_managements(self):
        return [system.identity_management for system in self.systems
                if self.login]

    @property
    def imses(self):
        return [system.ims for system in self.systems if system.ims]

    def start_daemons(self):
        processes = self.daemons + self.identity_managements + self.imses
        for process in processes:
            process.start()
        for process in processes:
            process.wait_ready()

    def stop(self):
        for process in self.daemons + self.identity_managements + self.imses:
            process.stop()
        if self.own_cluster:
            self.cluster.stop()

    def write_env(self):
        variables = {}
        for system in self.systems:
            prefix = f'LAB_{system.letter.upper()}_'
            variables.update({
                prefix + 'SERVER': system.server,
                prefix + 'CTL': system.ctl_socket,
                prefix + 'STORE': system.store,
                prefix + 'PID': system.pid,
            })
            if self.certificates:
                variables[prefix + 'SERVER_TLS'] = system.tls_address
            for gateway in system.gateways:
                variables.update({
                    prefix + 'GATEWAY': gateway.outside,
                    prefix + 'GATEWAY_INSIDE': gateway.inside,
                    prefix + 'GATEWAY_CTL': gateway.ctl_socket,
                    prefix + 'GATEWAY_PID': gateway.pid,
                })
            if system.ims:
                variables.update({
                    prefix + 'SCSCF': system.ims.uri,
                    prefix + 'SCSCF_PID': system.ims.pid,
                    prefix + 'HSS_PID': system.ims.hss.pid,
                })
            if self.tokens:
                variables.update({
                    prefix + 'JWKS': system.jwks,
                    prefix + 'TOKEN_KEY': system.token_key,
                })
            if self.login:
                variables.update({
                    prefix + 'IDMS': system.identity_management.url,
                    prefix + 'IDMS_PID': system.identity_management.pid,
                })
        (self.folder / 'lab.env').write_text(
            ''.join(f'{name}={shlex.quote(str(value))}\n'
                    for name, value in sorted(variables.items())))


def read_env(folder):
    lines = (pathlib.Path(folder) / 'lab.env').read_text().splitlines()
    return dict(shlex.split(line)[0].split('=', 1) for line in lines)


def stop_lab(folder):
    """Stops what `lab start` of another process has left running."""
    folder = pathlib.Path(folder).absolute()
    variables = read_env(folder)
    for letter in string.ascii_lowercase[:SYSTEMS_MAX]:
        prefix = f'LAB_{letter.upper()}_'
        for name, word in (('PID', folder / f'{letter}.conf'),
                           ('GATEWAY_PID', folder / f'{letter}-gateway.conf'),
                           ('IDMS_PID', folder / f'{letter}-token-key.pem')):
            if prefix + name in variables:
                stop_daemon(int(variables[prefix + name]), str(word))
        for name, word in (('SCSCF_PID', folder / f'{letter}-scscf.cfg'),
                           ('HSS_PID', folder / f'{letter}-hss.profiles')):
            if prefix + name in variables:
                labims.stop_process(int(variables[prefix + name]), str(word))
    if (folder / 'postgres/data/postmaster.pid').exists():
        Cluster(folder / 'postgres').stop()
    (folder / 'lab.env').unlink()

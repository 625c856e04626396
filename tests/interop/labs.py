# SPDX-License-Identifier: BSD-2-Clause
"""MC systems of which some are mcmig's and some are the Python peers'. Each has
addresses of its own on the loopback, so each is known by its address."""

import contextlib
import pathlib
import socket
import sys

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.append(str(ROOT / 'scripts'))

import lablib  # noqa: E402
import labtls  # noqa: E402
from peer.directory import Directory, System  # noqa: E402
from peer.server import Server, admits_lab_users  # noqa: E402
from peer.tls import contexts  # noqa: E402

USERS = 800
DISABLED = range(USERS - 9, USERS + 1)  # users of the primary
NOT_ADMITTED = range(USERS - 19, USERS - 9)  # at the partner
# Each even one of them may have the partner ID of the next, and the reverse.
TWINS = range(USERS - 60, USERS - 20)
CLIENT_NAME = 'dns:client.example'
PROFILES = (0, 1, 2, 3)  # that scripts/provision makes; 3 may not migrate
DEADLINES = {'authorization': 4, 'deauthorization': 2, 'attempt': 1.5}


def contexts_of(lab, system, name):
    """With a certificate of that name from the CA of what others see of that
    system."""
    stem = lab.folder / name.removeprefix('dns:')
    certificate, key = lab.certificates.outside(system).issue([name]).save(
        stem)
    return contexts(certificate, key, lab.folder / 'ca/ca.pem',
                    lab.folder / 'crl.pem')


def hold(addresses):
    """Takes those ports on UDP and TCP until the ExitStack is closed: what is
    started meanwhile would take them otherwise."""
    held = contextlib.ExitStack()
    for address in addresses:
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            one = held.enter_context(socket.socket(socket.AF_INET, kind))
            one.bind(address)
    return held


class DirectLab(lablib.Lab):
    """Without gateways. a.example and b.example are mcmig's; c.example (TCP),
    d.example (UDP), e.example, which is switched off, f.example (TLS) and
    g.example, whose certificate is another's, are others'."""

    transports = {'d': 'udp', 'f': 'tls', 'g': 'tls'}
    ours = 'ab'

    def __init__(self, folder, **options):
        super().__init__(folder, systems=7, users=USERS, transport='tls',
                         settings={
            '': {'log_level': 'debug'},
            'migration': {
                **{f'{name}_deadline': f'{seconds * 1000:.0f}ms'
                   for name, seconds in DEADLINES.items()},
                'clients': ['127.0.0.0/8', CLIENT_NAME]}}, **options)
        self.systems = [system for system in self.peers
                        if system.letter in self.ours]

    def addresses_of_others(self):
        return [(system.host, port) for system in self.peers
                if system.letter not in self.ours
                for port in (system.port, system.tls_port)]

    def uri_of(self, system, seen_by):
        """Over TLS between ours and the others' that have it."""
        transport = self.transports.get(system.letter, 'tcp')
        if self.is_tls(system, seen_by):
            transport = 'tls'
        elif transport == 'tls':
            transport = 'tcp'
        return system.next_hop(transport)

    def is_tls(self, *systems):
        return any(system.letter in self.ours for system in systems) and any(
            self.transports.get(system.letter) == 'tls' for system in systems)

    def contexts_of(self, system):
        section = self.certificates.renew_server(
            self['f'] if system.letter == 'g' else system)
        return contexts(**section)

    def _provision(self, system):
        command = [ROOT / 'scripts/provision', '--users', self.users]
        for peer in self.peers_of(system):
            if self.is_tls(system, peer):
                command += ['--source', peer.name, labtls.server_name(peer)]
        command.append(system.name)
        for peer in self.peers_of(system):
            command += [peer.name, self.uri_of(peer, system)]
        system.store.create()
        system.store.execute(lablib.run(command))
        system.store.execute(self.exceptions(system))

    def exceptions(self, system):
        """What of the provisioning is there to be refused."""
        peers = self.peers_of(system)
        disabled = ', '.join(f"'{system.user(n)}'" for n in DISABLED)
        strangers = ', '.join(f"'{peer.user(n)}'" for n in NOT_ADMITTED
                              for peer in peers)
        twins = ', '.join(
            f"('{peer.name}', '{peer.user(n)}', "
            f"'{system.visitor(n ^ 1, peer)}')"
            for n in TWINS for peer in peers)
        return (f'UPDATE mc_user SET enabled = false WHERE primary_id IN '
                f'({disabled}); DELETE FROM admission WHERE primary_id IN '
                f"({strangers}); UPDATE mc_system SET enabled = false "
                f"WHERE name = 'e.example'; INSERT INTO admission "
                f'(primary_system, primary_id, partner_id) VALUES {twins};')

    def server_of(self, system, **options):
        """The Python server of a system that is not ours."""
        systems = [System(peer.name, [self.uri_of(peer, system)],
                          {labtls.server_name(peer)}
                          if self.is_tls(system, peer) else None)
                   for peer in self.peers_of(system)]
        if self.transports.get(system.letter) == 'tls':
            options = {'tls': self.contexts_of(system),
                       'tls_port': system.tls_port, **options}
        users = {system.user(n): PROFILES for n in range(1, USERS + 1)}
        return Server(
            system.name, system.host, system.port,
            Directory(system.name, systems),
            {'admits': admits_lab_users, 'hosts': lambda _: True,
             'authorization_s': DEADLINES['authorization'],
             'deauthorization_s': DEADLINES['deauthorization']},
            {'users': users,
             'permitted': lambda _, profile, __: profile != 3},
            attempt_s=DEADLINES['attempt'], **options)

# SPDX-License-Identifier: BSD-2-Clause
"""MC systems behind gateways, of either make: server and gateway of a and b are
mcmig's; of c and d the gateway is foreign, of e and f the server, of g and h
both. So each make stands at each place of a chain from one to another."""

import labs
import lablib
import labtls
from peer.directory import Directory, System
from peer.gateway import Gateway, Party
from peer.stack import Target
from peer.server import Server, admits_lab_users
from peer.tls import contexts

OUR_SERVERS = 'abcd'
OUR_GATEWAYS = 'abef'
ENTRY_S, EXIT_S, ATTEMPT_S = 3, 4, 1


class BorderLab(lablib.Lab):
    """`letters`: of the systems there are. Gateways of each system know two
    of any other but h.example: the first is not there."""

    # What users of h.example may ask of the others.
    requests_from_h = ['mcptt:*', 'mcvideo:*']

    def __init__(self, folder, letters, transport, number=1, **options):
        super().__init__(folder, systems=8, gateways=1, users=labs.USERS,
                         transport=transport, settings={
            '': {'log_level': 'debug'},
            'gateway': {'entry_deadline': f'{ENTRY_S}s',
                        'exit_deadline': f'{EXIT_S}s',
                        'attempt_deadline': f'{ATTEMPT_S}s'}}, **options)
        self.peers = [system for system in self.systems
                      if system.letter in letters]
        self.systems = [system for system in self.peers
                        if system.letter in OUR_SERVERS]

    @property
    def gateways(self):
        return [system.gateways[0] for system in self.peers
                if system.letter in OUR_GATEWAYS]

    @property
    def gateways_of_others(self):
        return [system.gateways[0] for system in self.peers
                if system.letter not in OUR_GATEWAYS]

    def hop(self, address):
        return f'sip:{address};transport={self.transport}'

    def target_of(self, gateway, is_inside=False):
        """One of its sides."""
        name = labtls.inside_name(gateway) if is_inside else \
            labtls.outside_name(gateway.system)
        return Target.read(self.hop(gateway.inside if is_inside
                                    else gateway.outside), [name])

    def hops_to(self, gateway):
        """Of another system: one that is not there, and the real one."""
        host = gateway.outside_host
        nobody = [] if gateway.system.letter == 'h' else [
            self.hop(f'{host}:{lablib.free_port(host)}')]
        return [*nobody, self.hop(gateway.outside)]

    def prepare(self):
        super().prepare()
        for gateway in self.gateways:
            for peer in self.peers_of(gateway.system):
                section = gateway.sections['gateway']['system', peer.name]
                section['next_hops'] = [
                    f'{uri} {priority}' for priority, uri
                    in enumerate(self.hops_to(peer.gateways[0]), 1)]
                if peer.letter == 'h':
                    section['requests_from'] = self.requests_from_h
            gateway.write_configuration()

    def addresses_of_others(self):
        for system in self.peers:
            if system.letter not in OUR_SERVERS:
                yield system.host, system.port
                yield system.host, system.tls_port
        for gateway in self.gateways_of_others:
            yield gateway.inside_host, gateway.inside_port
            yield gateway.outside_host, gateway.outside_port

    def servers_of_others(self):
        return {system.letter: self._server(system) for system in self.peers
                if system.letter not in OUR_SERVERS}

    def _server(self, system):
        users = {system.user(n): labs.PROFILES
                 for n in range(1, labs.USERS + 1)}
        directory = Directory(
            system.name, [System(peer.name, [], by_gateway=True)
                          for peer in self.peers_of(system)],
            [self.hop(system.gateways[0].inside)],
            {labtls.inside_name(system.gateways[0])} if self.certificates
            else None)
        tls = {'tls': contexts(**self.certificates.renew_server(system)),
               'tls_port': system.tls_port} if self.certificates else {}
        return Server(system.name, system.host, system.port, directory,
                      {'admits': admits_lab_users, 'hosts': lambda _: True},
                      {'users': users,
                       'permitted': lambda _, profile, __: profile != 3}, **tls)

    def foreign_gateways(self):
        return {gateway.system.letter: self._gateway(gateway)
                for gateway in self.gateways_of_others}

    def _gateway(self, gateway):
        system = gateway.system
        parties = [Party(peer.name, self.hops_to(peer.gateways[0]),
                         f'sip:mcgateway@{peer.name}',
                         self._names(labtls.outside_name(peer)))
                   for peer in self.peers_of(system)]
        server = Party(system.name, [system.next_hop(self.transport)],
                       sources=self._names(labtls.server_name(system)))
        return Gateway(system.name, *self._sides(gateway), server, parties,
                       entry_s=ENTRY_S, exit_s=EXIT_S, attempt_s=ATTEMPT_S,
                       **self._tls_of(gateway))

    def _names(self, name):
        return {name} if self.certificates else None

    def _sides(self, gateway):
        """With TLS its ports are for that, as with ours."""
        sides = ((gateway.inside_host, gateway.inside_port),
                 (gateway.outside_host, gateway.outside_port))
        return [(host, lablib.free_port(host)) for host, _ in sides] \
            if self.certificates else sides

    def _tls_of(self, gateway):
        if not self.certificates:
            return {}
        issue = self.certificates
        return {'tls': contexts(**issue.renew_inside(gateway)),
                'tls_port': gateway.inside_port, 'outside_tls': {
                    'tls': contexts(**issue.renew_outside(gateway)),
                    'tls_port': gateway.outside_port}}

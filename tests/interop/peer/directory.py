# SPDX-License-Identifier: BSD-2-Clause
"""What a server knows of MC systems: which domains are whose, who sends from
where, and how each is reached."""

import dataclasses

from . import ids
from .sip import Refusal, read_address
from .stack import Target


@dataclasses.dataclass
class System:
    name: str
    next_hops: list  # of URIs, the first preferred
    sources: set = None  # addresses, 'dns:...' and 'uri:...'
    enabled: bool = True
    by_gateway: bool = False

    def __post_init__(self):
        self.targets = [Target.read(uri, self.sources or ())
                        for uri in self.next_hops]
        if self.sources is None:
            self.sources = {target.host for target in self.targets}


class Directory:
    """`gateways`: URIs of the own gateways, for systems by_gateway."""

    def __init__(self, own, systems, gateways=(), gateway_sources=None):
        self.own = own
        self.systems = {system.name: system for system in systems}
        self.gateways = [Target.read(uri, gateway_sources or ())
                         for uri in gateways]
        self.gateway_sources = gateway_sources or {
            target.host for target in self.gateways}

    def system_of(self, identity):
        """By the domain; None of an unknown one."""
        name = ids.domain(identity)
        return name if name == self.own or name in self.systems else None

    def targets_of(self, name):
        system = self.systems[name]
        return self.gateways if system.by_gateway else system.targets

    @staticmethod
    def names_of(incoming):
        """On TLS the certificate's names alone, else the address alone."""
        if incoming.transport == 'tls':
            return incoming.connection.names
        return {incoming.source[0]}

    def speakers(self, incoming):
        """The systems for which that source may speak; 403 without any."""
        names = self.names_of(incoming)
        found = {system.name for system in self.systems.values()
                 if not system.by_gateway and names & system.sources}
        is_gateway = bool(names & self.gateway_sources)
        if is_gateway:
            found |= {system.name for system in self.systems.values()
                      if system.by_gateway}
        if not found:
            raise Refusal(403, 'unknown peer')
        return found, is_gateway

    def check_speaker(self, incoming, name):
        """That the message may be of that system."""
        found, is_gateway = self.speakers(incoming)
        if name not in found:
            raise Refusal(403, 'peer may not speak for this MC system')
        asserted = incoming.message.all('P-Asserted-Identity')
        own = {self.own} if is_gateway else set()
        for value in asserted:
            host = read_address(value)[0].partition(':')[2]
            if len(asserted) > 2 or \
                    ids.domain(host).lower() not in found | own:
                raise Refusal(403, 'P-Asserted-Identity is not of this peer')

# SPDX-License-Identifier: BSD-2-Clause
"""An MC service server: both roles at one address (doc/protocol.md)."""

import contextlib

from . import ids
from .node import Letter, Node, is_unknown
from .partner import Partner
from .primary import Primary
from .sip import Refusal

ATTEMPT_S = 12
ATTEMPT_WITH_OTHERS_S = 4


class Server(Node):
    """`partner`, `primary`: keyword arguments of the two roles."""

    def __init__(self, name, host, port, directory, partner, primary,
                 attempt_s=ATTEMPT_S, **tls):
        super().__init__(name, host, port, **tls)
        self.directory = directory
        self.attempt_s = attempt_s
        self.passed = []  # messages whose documents could be read
        self.in_multipart = set()  # primary IDs of which it says so
        self.partner = Partner(self, **partner)
        self.primary = Primary(self, **primary)

    async def take(self, incoming, content):
        self.passed.append(incoming.message)
        partner_system, primary_system = map(self.directory.system_of,
                                             content.key[2:])
        if partner_system == primary_system == self.name:
            raise Refusal(400, 'both MC service IDs are of the same MC '
                          'system')
        if self.name not in (partner_system, primary_system):
            raise Refusal(404, 'neither MC service ID is hosted here')
        if partner_system == self.name:
            await self._take_as_partner(incoming, content, primary_system)
        else:
            await self._take_as_primary(incoming, content, partner_system)

    async def _take_as_partner(self, incoming, content, primary_system):
        if content.kind == 'request':
            if not primary_system:
                raise Refusal(404, 'primary MC system unknown')
            await self.partner.take_request(incoming, content, primary_system)
        else:
            self.directory.check_speaker(incoming, primary_system)
            await self.partner.take_response(incoming, content)

    async def _take_as_primary(self, incoming, content, partner_system):
        self.directory.check_speaker(incoming, partner_system)
        if content.kind != 'request':
            raise Refusal(404, 'partner MC service ID not hosted here')
        if content.token:
            raise Refusal(403, 'access token not allowed here')
        await self.primary.take_request(incoming, content, partner_system)

    async def tell(self, system, content):
        """Says it to that system, by its next hops in turn; the answer of the
        last that was asked."""
        targets = self.directory.targets_of(system)
        letter = Letter(f'sip:{system}', f'sip:{self.name}',
                        asserted=f'sip:{self.name}',
                        multipart=content.primary_id in self.in_multipart)
        answer = None
        for i, target in enumerate(targets, 1):
            with contextlib.suppress(OSError):
                answer = await self.say(
                    target, content, letter, self.attempt_s
                    if i == len(targets)
                    else min(self.attempt_s, ATTEMPT_WITH_OTHERS_S))
            if not is_unknown(answer):
                break
        return answer


def admits_lab_users(partner_id, primary_id):
    """As scripts/provision does: visitor00001 is user00001."""
    return ids.domain(partner_id) != ids.domain(primary_id) and \
        partner_id.partition('@')[0][-5:] == primary_id.partition('@')[0][-5:]

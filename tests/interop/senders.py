# SPDX-License-Identifier: BSD-2-Clause
"""Says what a server or gateway does not say of itself."""

import contextlib
import time
import uuid

from peer.client import AGAIN_MAX, AGAIN_S
from peer.document import Document
from peer.node import Letter, message_of
from world import until


class Sender:
    """At a stack of its system; `partner`: the role that hears responses."""

    def __init__(self, stack, target, pair, partner=None, name=None):
        self.stack = stack
        self.target = target
        self.pair = pair
        self.partner = partner
        self.name = name or f'sip:{pair.partner.name}'
        self.sequence = time.time_ns() // 1000

    def request(self, verb='authorization', **changes):
        self.sequence += 1
        return Document(
            'mcptt', verb, 'request', self.pair.partner_id,
            self.pair.primary_id, procedure=str(uuid.uuid4()),
            profile_index=1 if verb == 'authorization' else None,
            sequence=self.sequence).other(**changes)

    async def say(self, content, *, body=None, asserted=None, to=None,
                  **letter):
        message = message_of(content, Letter(
            to or f'sip:{self.pair.primary.name}', self.name,
            asserted=asserted or self.name, **letter))
        message.body = message.body if body is None else body
        return await self.stack.ask(self.target, message, 15)

    async def hear(self, request):
        """Its 200, and the response."""
        answer = await self.say(request)
        assert answer.status == 200, answer
        heard = self.partner.overheard
        await until(lambda: request.procedure in heard)
        response = heard[request.procedure][-1]
        return response.cause or response.result

    async def hear_again(self, request):
        """One more response, as Client.run_again()."""
        heard = self.partner.overheard[request.procedure]
        count = len(heard)
        for _ in range(AGAIN_MAX):
            answer = await self.say(request)
            assert answer.status == 200, answer
            with contextlib.suppress(TimeoutError):
                return await until(lambda: len(heard) > count, AGAIN_S)
        raise TimeoutError

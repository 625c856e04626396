# SPDX-License-Identifier: BSD-2-Clause
"""An MC service client (doc/protocol.md sections 4 to 6)."""

import asyncio
import contextlib
import dataclasses
import time
import uuid

from .document import Document
from .node import Backoff, Letter, Node, is_unknown, status_of
from .sip import Refusal

ATTEMPT_S = 32
AGAIN_S = 1
AGAIN_MAX = 10


@dataclasses.dataclass
class Outcome:
    """How a procedure ended for the client."""

    status: int  # of the last answer to the request; 0 is silence
    warning: str
    response: Document = None
    copies: int = 0  # of the response flow, our answers to which got lost

    @property
    def result(self):
        """'success', the cause of a failure, or None without a response."""
        return self.response and (self.response.cause or self.response.result)


class Client(Node):
    """One user's, at an address of its own. `lose`: so many of its answers to
    the response flow get lost. `attempts`: how often it sends a request."""

    def __init__(self, partner_id, host, port, transport='udp', *, token=None,
                 multipart=False, lose=0, attempts=8, **tls):
        super().__init__('client.invalid', host, port, **tls)
        self.partner_id = partner_id
        self.transport = transport
        self.token = token
        self.multipart = multipart
        self.lose = lose
        self.attempts = attempts
        self.order = 0
        self.sent = 0  # requests, each repetition too
        self._awaited = {}

    def request(self, verb, primary_id, /, *, service='mcptt', profile=1,
                **changes):
        self.order = max(self.order + 1, time.time_ns() // 1000000)
        return Document(
            service, verb, 'request', self.partner_id, primary_id,
            profile_index=profile if verb == 'authorization' else None,
            procedure=str(uuid.uuid4()), order=self.order,
            token=self.token).other(**changes)

    async def take(self, incoming, content):
        await asyncio.sleep(0)
        if content.kind != 'response':
            raise Refusal(403)
        waiting = self._awaited.get(content.procedure) or \
            self._awaited.get(None)
        if not waiting:
            raise Refusal(481, 'procedure not awaited')
        outcomes, lost = waiting
        if lost:
            lost.pop()
            incoming.lose_answer = True
        incoming.reply(200)
        outcomes.put_nowait(content)

    def listen(self, procedure):
        """Answers the response flows of that procedure from now on (None: of
        any); they are in the queue."""
        outcomes = asyncio.Queue()
        self._awaited[procedure] = outcomes, [None] * self.lose
        return outcomes

    def letter(self, system):
        return Letter(f'sip:{system}', self.partner_id,
                      preferred=self.partner_id, multipart=self.multipart)

    async def send(self, target, system, content, seconds=ATTEMPT_S):
        """The request until it has an answer that says something (6.1.4)."""
        backoff = Backoff()
        for attempt in range(self.attempts):
            self.sent += 1
            answer = await self.say(target, content, self.letter(system),
                                    seconds)
            if not is_unknown(answer) or attempt + 1 == self.attempts:
                return answer
            await asyncio.sleep(backoff.after(answer))
        return None

    async def run(self, target, system, content, seconds=30):
        """Request and response."""
        outcomes = self.listen(content.procedure)
        answer = await self.send(target, system, content)
        outcome = Outcome(status_of(answer), answer.warning if answer else '')
        if outcome.status == 200:
            outcome.response = await asyncio.wait_for(outcomes.get(), seconds)
        return outcome

    async def run_again(self, *request):
        """What it has asked before: the response that it has just answered may
        serve this, too, so it asks once more if nothing comes (6.1.2)."""
        for _ in range(AGAIN_MAX):
            with contextlib.suppress(TimeoutError):
                return await self.run(*request, seconds=AGAIN_S)
        raise TimeoutError

# SPDX-License-Identifier: BSD-2-Clause
"""An MC gateway server: exit and entry point of an MC system
(doc/protocol.md section 10)."""

import asyncio
import contextlib
import dataclasses

from . import ids
from .directory import Directory
from .node import Letter, Node, is_unknown
from .sip import Refusal, read_address
from .stack import Stack, Target

ENTRY_S = 6
EXIT_S = 9
ATTEMPT_S = 2
ATTEMPTS_MAX = 3
RETRY_AFTER_S = 60
NOT_AUTHORIZED = '179 service not authorized with the interconnected system'
TEXTS = {404: 'the next hop does not know it', 481: 'procedure not awaited',
         503: 'the next hop is busy', 504: 'no next hop has answered'}


@dataclasses.dataclass
class Party:
    """Our own server, or another system's gateways."""

    name: str
    next_hops: list
    identity: str = None
    sources: set = None
    refused: tuple = ()  # (service, verb) that may not pass, either way

    def __post_init__(self):
        self.targets = [Target.read(uri, self.sources or ())
                        for uri in self.next_hops]
        self.identity = self.identity or f'sip:{self.name}'
        if self.sources is None:
            self.sources = {target.host for target in self.targets}


class Gateway(Node):
    """`inside`, `outside`: (host, port) of its two sides; `server`: the Party
    that is its system's server; `systems`: the other ones."""

    def __init__(self, name, inside, outside, server, systems, *,
                 entry_s=ENTRY_S, exit_s=EXIT_S, attempt_s=ATTEMPT_S,
                 outside_tls=None, **tls):
        super().__init__(name, *inside, **tls)
        self.outside = Stack(*outside, self.handle, **(outside_tls or tls))
        self.server = server
        self.systems = {system.name: system for system in systems}
        self.entry_s, self.exit_s = entry_s, exit_s
        self.attempt_s = attempt_s
        self.identity = f'sip:mcgateway@{name}'
        self._answers = {}
        self.passed = []  # (side, message) that it has taken

    async def start(self):
        await super().start()
        await self.outside.start()
        return self

    async def stop(self):
        await super().stop()
        await self.outside.stop()

    def answer_with(self, primary_id, kind, *statuses):
        """Its first answers to requests or responses about that user; 0 is
        none."""
        self._answers[primary_id, kind] = list(statuses)

    def system_of(self, identity):
        name = ids.domain(identity)
        if name != self.name and name not in self.systems:
            raise Refusal(404, 'MC system unknown')
        return name

    async def take(self, incoming, content):
        is_exit = incoming.stack is self.stack
        partner, primary = map(self.system_of, content.key[2:])
        sender, receiver = (partner, primary) if content.kind == 'request' \
            else (primary, partner)
        self._check_sides(incoming, is_exit, sender, receiver)
        self._check_client_only(content)
        self._check_policy(content, receiver if is_exit else sender)
        self.passed.append((is_exit, incoming.message))
        answers = self._answers.get((content.primary_id, content.kind))
        if answers:
            self._answer_as_told(incoming, answers.pop(0))
            return
        await self._relay(incoming, content, is_exit, receiver)

    @staticmethod
    def _answer_as_told(incoming, status):
        if status:
            incoming.reply(status, [('Retry-After', 1)] if status == 503
                           else ())

    def _check_sides(self, incoming, is_exit, sender, receiver):
        names = Directory.names_of(incoming)
        if is_exit:
            speakers = {self.name} if names & self.server.sources else set()
        else:
            speakers = {system.name for system in self.systems.values()
                        if names & system.sources}
        if not speakers:
            raise Refusal(403, 'unknown peer')
        if sender not in speakers or \
                (receiver == self.name) == is_exit:
            raise Refusal(403, 'peer may not speak for this MC system')
        for value in incoming.message.all('P-Asserted-Identity'):
            host = read_address(value)[0].partition(':')[2]
            if ids.domain(host).lower() != sender:
                raise Refusal(403, 'P-Asserted-Identity is not of this peer')

    @staticmethod
    def _check_client_only(content):
        if content.procedure is None:
            raise Refusal(400, 'procedure ID missing')
        if content.sequence is None:
            raise Refusal(400, 'sequence missing')
        if content.token is not None:
            raise Refusal(403, 'access token not allowed here')

    def _check_policy(self, content, other):
        if content.kind == 'request' and \
                (content.service, content.verb) in self.systems[other].refused:
            raise Refusal(403, NOT_AUTHORIZED)

    async def _relay(self, incoming, content, is_exit, receiver):
        party = self.systems[receiver] if is_exit else self.server
        stack = self.outside if is_exit else self.stack
        answer = await self._ask_in_turn(
            stack, party, content.other(text=None),
            int(incoming.message.text('Max-Forwards')),
            self.exit_s if is_exit else self.entry_s)
        self._answer(incoming, answer)

    async def _ask_in_turn(self, stack, party, content, forwards, whole_s):
        letter = Letter(party.identity, self.identity, asserted=self.identity,
                        max_forwards=min(forwards - 1, 70))
        clock = asyncio.get_running_loop().time
        deadline = clock() + whole_s
        targets = party.targets[:ATTEMPTS_MAX]
        answer = None
        for i, target in enumerate(targets, 1):
            left = deadline - clock()
            seconds = left if i == len(targets) else min(self.attempt_s, left)
            with contextlib.suppress(OSError):
                answer = await self.say_from(stack, target, content, letter,
                                             seconds)
            if not is_unknown(answer):
                break
        return answer

    def _answer(self, incoming, answer):
        status = answer.status if answer else 504
        headers = []
        if status == 408:
            status = 504
        elif status in (401, 407):
            status = 403
        elif 300 <= status < 400:
            status = 502
        elif answer and (text := answer.text('Retry-After')):
            seconds = int(text) if text.isdecimal() else 0
            headers = [('Retry-After', min(seconds, RETRY_AFTER_S))]
        if 200 <= status < 300:
            incoming.reply(status)
        else:
            self.refuse(incoming, Refusal(
                status, TEXTS.get(status, 'refused by the next hop'),
                headers))

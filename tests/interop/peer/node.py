# SPDX-License-Identifier: BSD-2-Clause
"""What all parties have in common: a party of the signalling that takes and
sends MESSAGE with our document (doc/protocol.md sections 2 and 8)."""

import asyncio
import dataclasses
import random
import secrets

from . import document, sip
from .sip import Refusal
from .stack import Stack

ALLOW = ('Allow', 'MESSAGE, OPTIONS')
BACK_OFF_S = 1
BACK_OFF_MAX_S = 60


def is_unknown(answer):
    """Whether the other side may or may not have stored it (6.1.4)."""
    return answer is None or answer.status == 408 or answer.status >= 500


def status_of(answer):
    return answer.status if answer else 0


@dataclasses.dataclass
class Letter:
    """Who says a document to whom."""

    to: str
    sender: str
    asserted: str = None  # or, of a client:
    preferred: str = None
    max_forwards: int = 70
    multipart: bool = False
    more: tuple = ()


def message_of(content, letter):
    service = document.SERVICES[content.service]
    content_type, body = document.body_of(content, letter.multipart)
    kind = 'Asserted' if letter.asserted else 'Preferred'
    identity = letter.asserted or letter.preferred
    return sip.Message('MESSAGE', letter.to, headers=[
        ('Max-Forwards', letter.max_forwards),
        ('From', f'<{letter.sender}>;tag={sip.new_tag()}'),
        ('To', f'<{letter.to}>'),
        ('Call-ID', secrets.token_hex(12)),
        ('CSeq', '1 MESSAGE'),
        (f'P-{kind}-Identity', f'<{identity}>'),
        (f'P-{kind}-Service', service.icsi),
        ('Accept-Contact', service.accept_contact),
        ('Content-Type', content_type), *letter.more], body=body)


class Node:
    """A party at one address. Subclasses have take(), which answers."""

    def __init__(self, name, host, port, **tls):
        self.name = name
        self.stack = Stack(host, port, self.handle, **tls)

    async def start(self):
        await self.stack.start()
        return self

    async def stop(self):
        await self.stack.stop()

    async def __aenter__(self):
        return await self.start()

    async def __aexit__(self, *_):
        await self.stop()

    async def handle(self, incoming):
        try:
            self.check(incoming.message)
            if incoming.message.method == 'OPTIONS':
                incoming.reply(200, [ALLOW])
                return
            content = document.read(incoming.message.text('Content-Type'),
                                    incoming.message.body)
            await self.take(incoming, content)
        except sip.Malformed as error:
            self.refuse(incoming, Refusal(
                400, f'header {error} is malformed or given twice'))
        except Refusal as refusal:
            self.refuse(incoming, refusal)

    def refuse(self, incoming, refusal):
        headers = refusal.headers
        if refusal.status == 415:
            headers = [*headers, ('Accept', ', '.join(
                ['multipart/mixed', *(service.media_type for service
                                      in document.SERVICES.values())]))]
        incoming.reply(refusal.status, headers, refusal.text, self.name)

    @staticmethod
    def check(message):
        for name in ('From', 'To', 'Call-ID', 'Max-Forwards'):
            message.must(name)
        if message.cseq[1] != message.method:
            raise sip.Malformed('CSeq')
        _, parameters = sip.read_address(message.text('From'))
        if not parameters.get('tag'):
            raise sip.Malformed('From')
        sip.read_address(message.text('To'))
        if message.method == 'CANCEL':
            raise Refusal(481)
        if message.method not in ('MESSAGE', 'OPTIONS'):
            raise Refusal(405, None, [ALLOW])
        if not message.uri.lower().startswith('sip:'):
            raise Refusal(416)
        if required := message.all('Require'):
            raise Refusal(420, None, [('Unsupported', ', '.join(required))])
        forwards = message.text('Max-Forwards')
        if not forwards.isdecimal():
            raise sip.Malformed('Max-Forwards')
        if int(forwards) == 0:
            raise Refusal(483)

    async def take(self, incoming, content):
        raise NotImplementedError

    async def say(self, target, content, letter, seconds, **options):
        """The final answer to that document; None without."""
        return await self.say_from(self.stack, target, content, letter,
                                   seconds, **options)

    @staticmethod
    async def say_from(stack, target, content, letter, seconds, **options):
        return await stack.ask(target, message_of(content, letter), seconds,
                               **options)


class Backoff:
    """How long until the next attempt (6.1.4)."""

    def __init__(self, first_s=BACK_OFF_S):
        self.next_s = first_s

    def after(self, answer):
        wait = self.next_s
        self.next_s = min(2 * self.next_s, BACK_OFF_MAX_S)
        if answer and (text := answer.text('Retry-After')):
            digits = text.split(';')[0].split('(')[0].strip()
            if digits.isdecimal():
                return int(digits)
        return wait * random.uniform(0.8, 1.2)


async def wait_event(event, seconds):
    """Whether it came in time."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True

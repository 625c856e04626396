# SPDX-License-Identifier: BSD-2-Clause
"""The partner role of an MC service server (doc/protocol.md section 6)."""

import asyncio
import dataclasses
import time
import uuid

from . import ids
from .document import Document
from .node import Backoff, Letter, is_unknown, status_of, wait_event
from .sip import Refusal, read_address
from .stack import Target

GIVE_UP_S = 300
DERIVED = uuid.uuid4()  # the namespace of procedure IDs that clients lack


@dataclasses.dataclass
class Behaviour:
    """How the partner treats one user, for what a test wants to see."""

    refusal: str = None  # the cause with which it refuses the client
    lose_answers: int = 0  # so many answers to the client get lost
    answer: int = 200  # to the client's request; 0 is none at all
    retry_after: int = None
    bad_answers: int = 10 ** 6  # so many get `answer`, then 200
    responses: list = dataclasses.field(default_factory=list)
    # statuses for the first responses of the primary; 0 is silence
    is_late: bool = False  # the client has the response before the 200
    repeat: int = 0  # the response to the client is said again
    overhear: bool = False  # responses are kept, answered 200 and no more
    procedure: str = None  # of the response to the client


@dataclasses.dataclass
class Procedure:
    request: Document  # the client's
    client: Target
    sequence: int = None
    outcome: Document = None  # for the client
    telling: bool = False  # a de-authorization that the primary must have
    decided: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    heard: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    statuses: list = dataclasses.field(default_factory=list)
    delivering: asyncio.Task = None
    delivered: asyncio.Event = dataclasses.field(
        default_factory=asyncio.Event)


@dataclasses.dataclass
class Mapping:
    procedure: Procedure
    ended: bool = False

    @property
    def request(self):
        return self.procedure.request


class Visitor:
    """What the partner knows of one user and service."""

    def __init__(self):
        self.procedures = {}  # key: Procedure
        self.running = None
        self.mapping = None
        self.sequence = 0
        self.order = 0

    def next_sequence(self):
        self.sequence = max(self.sequence + 1, time.time_ns() // 1000)
        return self.sequence


class Partner:
    """`admits`: whether (partner ID, primary ID) is on the admission list;
    `hosts`: whether a partner ID is of this server."""

    def __init__(self, server, admits, hosts, *, authorization_s=30,
                 deauthorization_s=15):
        self.server = server
        self.admits = admits
        self.hosts = hosts
        self.tokens = {}  # partner ID: the access token it needs
        self.deadlines = {'authorization': authorization_s,
                          'deauthorization': deauthorization_s}
        self.behaviours = {}
        self.requests = []  # as they came, repetitions too
        self.overheard = {}  # procedure ID: responses
        self._visitors = {}

    def behave(self, primary_id, **behaviour):
        behaviour = Behaviour(**behaviour)
        self.behaviours[primary_id] = behaviour
        return behaviour

    def behaviour(self, request):
        return self.behaviours.get(request.primary_id) or Behaviour()

    def visitor(self, request):
        key = request.service, ids.canonical(request.primary_id)
        return self._visitors.setdefault(key, Visitor())

    # The client's request

    async def take_request(self, incoming, request, primary_system):
        behaviour = self.behaviour(request)
        self.requests.append(request)
        if request.sequence is not None:
            raise Refusal(400, "sequence not allowed in a client's request")
        token = self.tokens.get(request.key[2])
        if token and request.token != token:
            raise Refusal(403, '101 service authorisation failed')
        if behaviour.answer != 200 and behaviour.bad_answers:
            behaviour.bad_answers -= 1
            if behaviour.answer:
                incoming.reply(behaviour.answer, [
                    ('Retry-After', behaviour.retry_after)]
                    if behaviour.retry_after else ())
            return
        procedure = self._find(incoming, request)
        is_new = not procedure
        if is_new:
            procedure = self._begin(incoming, request, primary_system)
        procedure.client = incoming.client
        await self._answer(incoming, behaviour, procedure, is_new)

    async def _answer(self, incoming, behaviour, procedure, is_new):
        if behaviour.lose_answers:
            behaviour.lose_answers -= 1
            incoming.lose_answer = True
        if is_new and not procedure.outcome:
            self.server.stack.spawn(self._run(procedure))
        elif procedure.outcome:
            self._deliver(procedure)
        if behaviour.is_late:
            await wait_event(procedure.delivered, 20)
        incoming.reply(200)

    def _find(self, incoming, request):
        """That of the ID, or the one that a request without an ID joins."""
        visitor = self.visitor(request)
        if request.procedure is None:
            message = incoming.message
            _, parameters = read_address(message.text('From'))
            request.procedure = str(uuid.uuid5(DERIVED, '|'.join(map(str, (
                request.key, request.verb, message.text('Call-ID'),
                parameters['tag'], message.cseq[0])))))
            running = visitor.running
            if request.key not in visitor.procedures and running and \
                    running.request.verb == request.verb and \
                    running.request.key[2:] == request.key[2:]:
                return running
        found = visitor.procedures.get(request.key)
        if found and found.request.verb != request.verb:
            raise Refusal(400, 'procedure ID already used for another '
                          'procedure')
        return found

    def _begin(self, incoming, request, primary_system):
        visitor = self.visitor(request)
        procedure = Procedure(request, incoming.client)
        cause = self.behaviour(request).refusal or \
            self._cause(visitor, request, primary_system)
        visitor.procedures[request.key] = procedure
        visitor.order = max(visitor.order, request.order or 0)
        if cause:
            self._decide(procedure, request.response('failure', cause))
            return procedure
        if visitor.running:
            self._supersede(visitor)
        procedure.sequence = visitor.next_sequence()
        visitor.running = procedure
        return procedure

    def _cause(self, visitor, request, primary_system):
        if not self.server.directory.systems[primary_system].enabled:
            return 'system-disabled'
        if not self.admits(*request.key[2:]):
            return 'not-admitted'
        if request.order and \
                visitor.order - 60000 <= request.order < visitor.order:
            return 'superseded'
        if request.verb == 'deauthorization':
            return None if self._may_leave(visitor, request) \
                else 'not-migrated'
        return self._conflict(visitor, request)

    @staticmethod
    def _may_leave(visitor, request):
        return any(found.request.key[2:] == request.key[2:] and
                   found.request.verb == 'authorization' for found in
                   (visitor.running, visitor.mapping) if found)

    def _conflict(self, visitor, request):
        """6.7"""
        partner_id = request.key[2]
        for (service, _), other in self._visitors.items():
            if service == request.service and other is not visitor and \
                    self._is_held(other, partner_id):
                return 'partner-id-in-use'
        for found in (visitor.running, visitor.mapping):
            if found and not getattr(found, 'ended', False) and \
                    found.request.key[2] != partner_id:
                return 'other-partner-id'
        return None

    @staticmethod
    def _is_held(other, partner_id):
        """By a mapping, or by a primary that has not been told of its end."""
        mapping = other.mapping
        return bool(mapping and mapping.request.key[2] == partner_id and (
            not mapping.ended or any(procedure.telling for procedure
                                     in other.procedures.values())))

    def _supersede(self, visitor):
        """6.4"""
        running = visitor.running
        if running.request.verb == 'authorization':
            self._decide(running, running.request.response('failure',
                                                           'superseded'))
        else:
            self._leave(running)

    def _leave(self, procedure):
        """A de-authorization has its success, whatever the primary says."""
        visitor = self.visitor(procedure.request)
        if visitor.mapping:
            visitor.mapping.ended = True
        procedure.telling = not procedure.heard.is_set()
        self._decide(procedure, procedure.request.response('success'))

    def _decide(self, procedure, outcome):
        visitor = self.visitor(procedure.request)
        if visitor.running is procedure:
            visitor.running = None
        procedure.outcome = outcome.other(sequence=None)
        procedure.decided.set()
        self._deliver(procedure)

    # The primary

    async def _run(self, procedure):
        seconds = self.deadlines[procedure.request.verb]
        timer = self.server.stack.spawn(self._expire(procedure, seconds))
        request = procedure.request.other(token=None,
                                          sequence=procedure.sequence)
        backoff = Backoff()
        while not procedure.decided.is_set() or procedure.telling:
            answer = await self.server.tell(
                self.server.directory.system_of(request.key[3]), request)
            procedure.statuses.append(status_of(answer))
            if self._heard(procedure, answer):
                break
            await wait_event(procedure.heard, backoff.after(answer))
        await procedure.decided.wait()
        timer.cancel()

    def _heard(self, procedure, answer):
        """Whether the primary need not be asked again (6.6)."""
        if procedure.heard.is_set():
            return True
        if answer and answer.status == 200:
            procedure.telling = False
            procedure.heard.set()
            return True
        if is_unknown(answer):
            return False
        if procedure.decided.is_set():
            return not procedure.telling
        if procedure.request.verb == 'authorization':
            self._decide(procedure, procedure.request.response(
                'failure', 'primary-refused'))
            return True
        self._leave(procedure)
        return False

    async def _expire(self, procedure, seconds):
        if await wait_event(procedure.decided, seconds):
            return
        if procedure.request.verb == 'authorization':
            self._decide(procedure, procedure.request.response(
                'failure', 'primary-unreachable'))
        else:
            self._leave(procedure)

    async def take_response(self, incoming, response):
        if response.procedure is None or response.sequence is None:
            raise Refusal(400, 'procedure ID missing' if response.procedure
                          is None else 'sequence missing')
        if not self.hosts(response.key[2]):
            raise Refusal(404, 'partner MC service ID not hosted here')
        behaviour = self.behaviour(response)
        if behaviour.responses:
            status = behaviour.responses.pop(0)
            if status:
                incoming.reply(status)
            return
        if behaviour.overhear:
            self.overheard.setdefault(response.procedure, []).append(response)
        elif not self._apply(response):
            raise Refusal(481, 'procedure not awaited')
        incoming.reply(200)

    def _apply(self, response):
        visitor = self.visitor(response)
        procedure = visitor.procedures.get(response.key)
        if not procedure or procedure.sequence != response.sequence or \
                procedure.request.verb != response.verb:
            return False
        procedure.heard.set()
        if procedure.request.verb == 'deauthorization':
            procedure.telling = False
            if not procedure.decided.is_set():
                self._leave(procedure)
            return True
        if procedure.decided.is_set():
            mapping = visitor.mapping
            return response.result == 'failure' or bool(
                mapping and mapping.procedure is procedure
                and not mapping.ended)
        return self._apply_authorization(visitor, procedure, response)

    def _apply_authorization(self, visitor, procedure, response):
        if response.result == 'failure':
            self._decide(procedure, procedure.request.response(
                'failure', response.cause, response.text))
            return True
        cause = self._conflict(visitor, procedure.request)
        if cause:
            self._decide(procedure,
                         procedure.request.response('failure', cause))
            return False
        visitor.mapping = Mapping(procedure)
        self._decide(procedure, procedure.request.response('success'))
        return True

    # The response to the client

    def _stored(self, procedure):
        """Its outcome, if that still counts (6.1.2)."""
        mapping = self.visitor(procedure.request).mapping
        is_old = procedure.request.verb == 'authorization' and \
            procedure.outcome.result == 'success' and mapping.ended
        return procedure.request.response('failure', 'ended') if is_old \
            else procedure.outcome

    def _deliver(self, procedure):
        if procedure.delivering and not procedure.delivering.done():
            return
        procedure.delivering = self.server.stack.spawn(
            self._respond(procedure))

    async def _respond(self, procedure):
        """Until 2xx, 5 minutes at most."""
        response = self._stored(procedure)
        behaviour = self.behaviour(response)
        if behaviour.procedure:
            response = response.other(procedure=behaviour.procedure)
        letter = Letter(response.partner_id, f'sip:{self.server.name}',
                        asserted=f'sip:{self.server.name}')
        backoff = Backoff()
        deadline = asyncio.get_running_loop().time() + GIVE_UP_S
        wanted = 1 + behaviour.repeat
        while asyncio.get_running_loop().time() < deadline:
            answer = await self.server.say(procedure.client, response, letter,
                                           self.server.attempt_s)
            if answer and 200 <= answer.status < 300:
                wanted -= 1
                if not wanted:
                    break
                continue
            await asyncio.sleep(backoff.after(answer))
        procedure.delivered.set()

# SPDX-License-Identifier: BSD-2-Clause
"""The primary role of an MC service server (doc/protocol.md section 6)."""

import asyncio
import dataclasses

from . import ids
from .document import Document
from .node import Backoff, is_unknown, status_of
from .sip import Refusal

GIVE_UP_S = 300


@dataclasses.dataclass
class Behaviour:
    """How the primary treats one user, for what a test wants to see."""

    refusal: str = None  # the cause with which it refuses an authorization
    answer: int = 200  # to a request; 0 is none at all
    retry_after: int = None
    bad_answers: int = 10 ** 6  # so many get `answer`, then 200
    lose_answers: int = 0  # so many answers to requests get lost
    response_first: bool = False  # the response flow before the 200
    late_200: bool = False  # the 200 when the response has been answered
    hold: asyncio.Event = None  # the response waits for it
    respond: bool = True
    procedure: str = None  # of responses, instead of the request's
    sequence: int = None
    repeat: int = 0  # a response that has had its answer is said again


@dataclasses.dataclass
class Accepted:
    """A request that was taken. State of an authorization: migrating,
    confirmed, dropped, ended or refused."""

    request: Document
    partner_system: str
    state: str = 'migrating'
    outcome: Document = None
    statuses: list = dataclasses.field(default_factory=list)
    delivering: asyncio.Task = None
    answered: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)


class Home:
    """What the primary knows of one user and service."""

    def __init__(self):
        self.taken = {}  # (procedure key, sequence): Accepted
        self.left = {}  # partner system: sequence of the last de-authorization
        self.order = 0

    def authorizations(self, partner_system, *states):
        return [accepted for accepted in self.taken.values()
                if accepted.request.verb == 'authorization'
                and accepted.partner_system == partner_system
                and accepted.state in states]

    def confirmed_sequence(self, partner_system):
        return max((accepted.request.sequence for accepted in
                    self.authorizations(partner_system, 'confirmed')),
                   default=0)


class Primary:
    """`users`: of each primary ID the profiles, or None if it is disabled;
    `permitted`: whether (primary ID, profile, partner system) is."""

    def __init__(self, server, users, permitted):
        self.server = server
        self.users = users
        self.permitted = permitted
        self.behaviours = {}
        self.requests = []  # as they came, repetitions too
        self._homes = {}

    def behave(self, primary_id, **behaviour):
        behaviour = Behaviour(**behaviour)
        self.behaviours[primary_id] = behaviour
        return behaviour

    def behaviour(self, request):
        return self.behaviours.get(request.primary_id) or Behaviour()

    def home(self, request):
        key = request.service, ids.canonical(request.primary_id)
        return self._homes.setdefault(key, Home())

    def accepted(self, request):
        return self.home(request).taken.get((request.key, request.sequence))

    async def take_request(self, incoming, request, partner_system):
        behaviour = self.behaviour(request)
        self.requests.append(request)
        if request.procedure is None or request.sequence is None:
            raise Refusal(400, 'procedure ID missing' if request.procedure
                          is None else 'sequence missing')
        if behaviour.answer != 200 and behaviour.bad_answers:
            behaviour.bad_answers -= 1
            if behaviour.answer:
                incoming.reply(behaviour.answer, [
                    ('Retry-After', behaviour.retry_after)]
                    if behaviour.retry_after else ())
            return
        earlier = self.accepted(request)
        if earlier and earlier.request.verb != request.verb:
            raise Refusal(400, 'procedure ID already used for another '
                          'procedure')
        accepted = earlier or self._begin(request, partner_system)
        await self._answer(incoming, behaviour, accepted)

    async def _answer(self, incoming, behaviour, accepted):
        if behaviour.lose_answers:
            behaviour.lose_answers -= 1
            incoming.lose_answer = True
        if behaviour.response_first or behaviour.late_200:
            self._deliver(accepted)
            if behaviour.late_200:
                await accepted.answered.wait()
            else:
                await asyncio.sleep(0.1)
            incoming.reply(200)
        else:
            incoming.reply(200)
            self._deliver(accepted)

    def _begin(self, request, partner_system):
        home = self.home(request)
        accepted = Accepted(request, partner_system)
        home.taken[request.key, request.sequence] = accepted
        if request.verb == 'deauthorization':
            self._leave(home, accepted)
            return accepted
        cause = self.behaviour(request).refusal or \
            self._cause(home, request, partner_system)
        if cause:
            accepted.state = 'refused'
            accepted.outcome = request.response('failure', cause)
        else:
            accepted.outcome = request.response('success')
            home.order = max(home.order, request.order or 0)
        return accepted

    @staticmethod
    def _leave(home, accepted):
        system, sequence = accepted.partner_system, accepted.request.sequence
        accepted.outcome = accepted.request.response('success')
        home.left[system] = max(sequence, home.left.get(system, 0))
        for other in home.authorizations(system, 'migrating', 'confirmed'):
            if other.request.sequence < sequence:
                other.state = 'ended' if other.state == 'confirmed' \
                    else 'dropped'

    def _cause(self, home, request, partner_system):
        if not self.server.directory.systems[partner_system].enabled:
            return 'system-disabled'
        if request.sequence <= home.confirmed_sequence(partner_system) or \
                request.sequence < home.left.get(partner_system, 0):
            return 'superseded'
        if request.order and \
                home.order - 60000 <= request.order < home.order:
            return 'superseded'
        primary_id = ids.canonical(request.primary_id)
        if primary_id not in self.users:
            return 'user-unknown'
        if self.users[primary_id] is None:
            return 'user-disabled'
        if request.profile_index not in self.users[primary_id]:
            return 'profile-unknown'
        if not self.permitted(primary_id, request.profile_index,
                              partner_system):
            return 'not-permitted'
        return None

    # The response flow

    def _deliver(self, accepted):
        is_confirmed = accepted.state == 'confirmed'
        if is_confirmed or not self.behaviour(accepted.request).respond or \
                accepted.delivering and not accepted.delivering.done():
            return
        accepted.delivering = self.server.stack.spawn(
            self._respond(accepted))

    async def _respond(self, accepted):
        behaviour = self.behaviour(accepted.request)
        if behaviour.hold:
            await behaviour.hold.wait()
        response = accepted.outcome.other(
            procedure=behaviour.procedure or accepted.outcome.procedure,
            sequence=behaviour.sequence or accepted.outcome.sequence)
        is_success = accepted.request.verb == 'authorization' and \
            accepted.state == 'migrating'
        backoff = Backoff()
        deadline = asyncio.get_running_loop().time() + GIVE_UP_S
        while not is_success or accepted.state == 'migrating':
            answer = await self.server.tell(accepted.partner_system, response)
            accepted.statuses.append(status_of(answer))
            if is_success:
                self._settle(accepted, answer)
            elif not is_unknown(answer):
                break
            elif asyncio.get_running_loop().time() > deadline:
                break
            if is_success and accepted.state != 'migrating':
                break
            await asyncio.sleep(backoff.after(answer))
        await self._say_again(accepted, response, behaviour)
        accepted.answered.set()

    async def _say_again(self, accepted, response, behaviour):
        for _ in range(behaviour.repeat):
            answer = await self.server.tell(accepted.partner_system, response)
            accepted.statuses.append(status_of(answer))

    def _settle(self, accepted, answer):
        """The table of 6.5."""
        if accepted.state != 'migrating' or not answer:
            return
        if answer.status == 481:
            accepted.state = 'dropped'
        elif answer.status == 200:
            self._confirm(accepted)

    def _confirm(self, accepted):
        home = self.home(accepted.request)
        system, sequence = accepted.partner_system, accepted.request.sequence
        if max(home.confirmed_sequence(system),
               home.left.get(system, 0)) > sequence:
            accepted.state = 'dropped'
            return
        for other in home.authorizations(system, 'migrating', 'confirmed'):
            if other.request.sequence < sequence:
                other.state = 'ended' if other.state == 'confirmed' \
                    else 'dropped'
        accepted.state = 'confirmed'

# SPDX-License-Identifier: BSD-2-Clause
"""Our partner server and the Python primary server; the Python client asks."""

import asyncio
import contextlib
import uuid

from world import ALL, SERVICES, row, until, until_status
from peer.node import Letter, message_of
from rows_client import is_success, says

PAIR = 'mcmig partner server → Python primary server'


@contextlib.asynccontextmanager
async def visitor(world, transport, **behaviour):
    """A user of the foreign system, whose primary behaves so: (pair, client,
    primary)."""
    system, server = world.other(transport)
    pair = world.pair(world.direct.b, system)
    server.primary.behave(pair.primary_id, **behaviour)
    async with world.client(pair, 'TCP') as client:
        yield pair, client, server.primary


def requests_of(primary, pair, verb='authorization'):
    return [found for found in primary.requests
            if (found.primary_id, found.verb) == (pair.primary_id, verb)]


def accepted_of(primary, pair, verb='authorization'):
    return primary.accepted(requests_of(primary, pair, verb)[-1])


def migrates(service, multipart=False):
    name = f'there and back, {service}'
    if multipart:
        name += ', responses in multipart'

    @row(PAIR, name, ALL)
    async def run(world, transport):
        _, server = world.other(transport)
        async with visitor(world, transport) as (pair, client, primary):
            if multipart:
                server.in_multipart.add(pair.primary_id)
            is_success(await world.ask(client, pair, service=service))
            accepted = accepted_of(primary, pair)
            await until(lambda: accepted.state == 'confirmed')
            assert accepted.request.token is None
            is_success(await world.ask(client, pair, 'deauthorization',
                                       service=service))
            assert accepted.state == 'ended'


for each in SERVICES:
    migrates(each)
migrates('mcptt', multipart=True)


def is_refused(name, cause, **behaviour):
    @row(PAIR, f'refused: {name}',
         ALL if cause == name == 'not-permitted' else ('UDP', 'TCP'))
    async def run(world, transport):
        async with visitor(world, transport, **behaviour) as found:
            outcome = await world.ask(found[1], found[0])
            assert (outcome.status, outcome.result) == (200, cause)


for each in ('superseded', 'system-disabled', 'user-unknown', 'user-disabled',
             'profile-unknown', 'not-permitted'):
    is_refused(each, each, refusal=each)
is_refused('a cause that nobody knows counts as other', 'other',
           refusal='lunar-eclipse')
for each in (302, 400, 403, 404, 603):
    is_refused(f'{each} to the request: primary-refused', 'primary-refused',
               answer=each)
is_refused('no answer: primary-unreachable', 'primary-unreachable', answer=0)
is_refused('200 and no response: primary-unreachable', 'primary-unreachable',
           respond=False)


def succeeds_with(name, over=ALL, statuses=None, **behaviour):
    @row(PAIR, name, over)
    async def run(world, transport):
        async with visitor(world, transport, **behaviour) as found:
            pair, client, primary = found
            is_success(await world.ask(client, pair))
            accepted = accepted_of(primary, pair)
            await until(lambda: accepted.state == 'confirmed')
            await until(accepted.answered.is_set)
            assert not statuses or accepted.statuses == statuses
            assert len({each.sequence for each
                        in requests_of(primary, pair)}) == 1


succeeds_with('its first 200 is lost', lose_answers=1)
succeeds_with('503 with Retry-After, then 200', answer=503, retry_after=1,
              bad_answers=1)
succeeds_with('408, then 200', answer=408, bad_answers=1)
succeeds_with('the response before the 200', response_first=True)
succeeds_with('the 200 after the response has been answered', late_200=True)
succeeds_with('the response three times: 200 to each copy', repeat=2,
              statuses=[200, 200, 200])


def is_not_awaited(name, **wrong):
    @row(PAIR, f'{name}: 481')
    async def run(world, transport):
        async with visitor(world, transport, **wrong) as found:
            pair, client, primary = found
            outcome = await world.ask(client, pair)
            assert outcome.result == 'primary-unreachable'
            accepted = accepted_of(primary, pair)
            await until(lambda: accepted.state == 'dropped')
            assert accepted.statuses == [481]


is_not_awaited('a response of another procedure', procedure=str(uuid.uuid4()))
is_not_awaited('a response of another sequence', sequence=4711)


@row(PAIR, 'success after the deadline: 481', ALL)
async def late(world, transport):
    hold = asyncio.Event()
    async with visitor(world, transport, hold=hold) as found:
        pair, client, primary = found
        outcome = await world.ask(client, pair)
        assert outcome.result == 'primary-unreachable'
        hold.set()
        accepted = accepted_of(primary, pair)
        await until(lambda: accepted.state == 'dropped')
        assert accepted.statuses == [481]


def leaves_when(name, answer):
    @row(PAIR, f'the user leaves {name}; it is told until it knows')
    async def run(world, transport):
        async with visitor(world, transport) as (pair, client, primary):
            is_success(await world.ask(client, pair))
            accepted = accepted_of(primary, pair)
            await until(lambda: accepted.state == 'confirmed')
            behaviour = primary.behave(pair.primary_id, answer=answer)
            is_success(await world.ask(client, pair, 'deauthorization'))
            await until_status(world, world.direct.b, pair, 'reserved')
            behaviour.bad_answers = 0
            await until(lambda: accepted.state == 'ended')
            await until_status(world, world.direct.b, pair, 'ended')


leaves_when('while the primary is silent', 0)
leaves_when('while the primary says 403', 403)


def is_turned_away(name, status, warning, change, **letter):
    """A response that no primary may send; the right one is taken after."""
    @row(PAIR, f'turned away: {name}')
    async def run(world, transport):
        hold = asyncio.Event()
        async with visitor(world, transport, hold=hold) as found:
            pair, client, primary = found
            _, server = world.other(transport)
            asking = asyncio.create_task(world.ask(client, pair))
            await until(lambda: requests_of(primary, pair))
            response = accepted_of(primary, pair).outcome
            identity = letter.get('asserted', f'sip:{server.name}')
            answer = await server.stack.ask(
                world.target(pair.partner, transport), message_of(
                    response.other(**change(world, pair)),
                    Letter(f'sip:{pair.partner.name}', f'sip:{server.name}',
                           asserted=identity)), 10)
            says(answer, status, warning)
            hold.set()
            is_success(await asking)


is_turned_away('about a user of another system', 403,
               'peer may not speak for this MC system',
               lambda world, pair: {'primary_id':
                                    world.direct.a.user(pair.number)})
is_turned_away('the P-Asserted-Identity of another system', 403,
               'P-Asserted-Identity is not of this peer', lambda *_: {},
               asserted='sip:a.example')
is_turned_away('without sequence', 400, 'sequence missing',
               lambda *_: {'sequence': None})
is_turned_away('without procedure ID', 400, 'procedure ID missing',
               lambda *_: {'procedure': None})


@row(PAIR, 'says nothing to a server that shows another name', ('TLS',))
async def other_name(world, _):
    system, server = world.direct['g'], world.servers['g']
    pair = world.pair(world.direct.b, system)
    async with world.client(pair, 'TCP') as client:
        outcome = await world.ask(client, pair)
    assert outcome.result == 'primary-unreachable'
    assert not server.passed

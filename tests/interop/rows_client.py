# SPDX-License-Identifier: BSD-2-Clause
"""The Python client and our partner server; behind it our primary, or a
foreign one where that has to wait or to count."""

import asyncio
import itertools
import uuid

import labs
from world import ALL, SERVICES, STRANGER, Pair, row, until_status
from peer import node

PAIR = 'Python client → mcmig partner server'
twins = iter(labs.TWINS[::2])


def is_success(outcome):
    assert (outcome.status, outcome.result) == (200, 'success'), outcome


def says(answer, status, warning=''):
    assert (answer.status, answer.warning) == (status, warning), \
        (answer.status, answer.warning)


def migrates(service, multipart):
    name = f'there and back, {service}' + (', in multipart' if multipart
                                           else '')

    @row(PAIR, name, ALL)
    async def run(world, transport):
        pair = world.pair(world.direct.b, world.direct.a)
        async with world.client(pair, transport,
                                multipart=multipart) as client:
            is_success(await world.ask(client, pair, service=service))
            await until_status(world, world.direct.a, pair, 'active')
            is_success(await world.ask(client, pair, 'deauthorization',
                                       service=service))
            await until_status(world, world.direct.a, pair, 'ended')


for each in itertools.product(SERVICES, (False, True)):
    migrates(*each)


def is_refused(cause, number=None, primary='a', verb='authorization',
               over=('UDP', 'TCP'), **changes):
    """`number`: of users that meet with that cause, `primary` as well."""
    @row(PAIR, f'refused: {cause}', over)
    async def run(world, transport):
        pair = world.pair(world.direct.b, world.direct[primary])
        if number:
            pair.number = number + (transport == 'TCP')
        async with world.client(pair, transport) as client:
            outcome = await world.ask(client, pair, verb, **changes)
        assert (outcome.status, outcome.result) == (200, cause)


is_refused('not-admitted', number=labs.NOT_ADMITTED[0])
is_refused('user-disabled', number=labs.DISABLED[0])
is_refused('profile-unknown', profile=9)
is_refused('not-permitted', profile=3, over=ALL)
is_refused('not-migrated', verb='deauthorization', over=ALL)
is_refused('system-disabled', primary='e')


@row(PAIR, 'refused: superseded, by order')
async def by_order(world, transport):
    pair = world.pair(world.direct.b, world.direct.a)
    async with world.client(pair, transport) as client:
        first = client.request('authorization', pair.primary_id)
        is_success(await client.run(world.target(pair.partner, transport),
                                    pair.partner.name, first))
        outcome = await world.ask(client, pair, order=first.order - 1000)
        assert outcome.result == 'superseded'
        is_success(await world.ask(client, pair, order=first.order - 61000))


@row(PAIR, 'refused: ended, an authorization said again after the return')
async def ended(world, transport):
    pair = world.pair(world.direct.b, world.direct.a)
    async with world.client(pair, transport) as client:
        first = client.request('authorization', pair.primary_id)
        there = world.target(pair.partner, transport), pair.partner.name
        is_success(await client.run(*there, first))
        is_success(await client.run_again(*there, first))
        is_success(await world.ask(client, pair, 'deauthorization'))
        outcome = await client.run_again(*there, first)
        assert outcome.result == 'ended'


def twin_pairs(world):
    """A user, and another who may have its partner ID."""
    number = next(twins)
    return (Pair(number, world.direct.a, world.direct.b),
            Pair(number + 1, world.direct.a, world.direct.b))


@row(PAIR, 'refused: partner-id-in-use')
async def in_use(world, transport):
    pair, other = twin_pairs(world)
    async with world.client(pair, transport) as client:
        is_success(await world.ask(client, pair))
        outcome = await world.ask(client, other)
        assert outcome.result == 'partner-id-in-use'


@row(PAIR, 'refused: other-partner-id')
async def other_id(world, transport):
    pair, other = twin_pairs(world)
    async with world.client(pair, transport) as client:
        is_success(await world.ask(client, pair))
    async with world.client(other, transport) as client:
        outcome = await world.ask(client, pair)
        assert outcome.result == 'other-partner-id'


@row(PAIR, 'a request said again: one procedure, one more response', ALL)
async def again(world, transport):
    system, server = world.other(transport)
    pair = world.pair(world.direct.b, system)
    async with world.client(pair, transport) as client:
        request = client.request('authorization', pair.primary_id)
        there = world.target(pair.partner, transport), pair.partner.name
        is_success(await client.run(*there, request))
        for _ in range(2):
            is_success(await client.run_again(*there, request))
    assert len([found for found in server.primary.requests
                if found.primary_id == pair.primary_id]) == 1


@row(PAIR, 'a retransmission has the same answer, To tag and all', ALL)
async def retransmission(world, transport):
    pair = world.pair(world.direct.b, world.direct.a)
    async with world.client(pair, transport) as client:
        request = client.request('authorization', pair.primary_id)
        outcomes = client.listen(request.procedure)
        message = node.message_of(request, client.letter(pair.partner.name))
        target = world.target(pair.partner, transport)
        answers = [await client.stack.ask(target, message, 5, 'z9hG4bKsame'
                                          + request.procedure)
                   for _ in range(3)]
        await asyncio.wait_for(outcomes.get(), 10)
        assert {answer.status for answer in answers} == {200}
        assert len({answer.text('To') for answer in answers}) == 1
        await asyncio.sleep(0.2)
        assert outcomes.empty()


@row(PAIR, 'the same ID with the other verb: 400')
async def other_verb(world, transport):
    pair = world.pair(world.direct.b, world.direct.a)
    async with world.client(pair, transport) as client:
        request = client.request('authorization', pair.primary_id)
        is_success(await client.run(world.target(pair.partner, transport),
                                    pair.partner.name, request))
        outcome = await world.ask(client, pair, 'deauthorization',
                                  procedure=request.procedure)
    assert outcome.status == 400
    assert outcome.warning == 'procedure ID already used for another procedure'


@row(PAIR, 'its answer to the response is lost', ALL)
async def lost(world, transport):
    pair = world.pair(world.direct.b, world.direct.a)
    async with world.client(pair, transport, lose=1) as client:
        request = client.request('authorization', pair.primary_id)
        outcomes = client.listen(request.procedure)
        await client.send(world.target(pair.partner, transport),
                          pair.partner.name, request)
        # Over UDP the copy is a retransmission, which the stack has answered.
        for _ in range(1 if transport == 'UDP' else 2):
            found = await asyncio.wait_for(outcomes.get(), 20)
            assert found.result == 'success'


@row(PAIR, 'without procedure ID and order; a second one joins the first')
async def joins(world, transport):
    system, server = world.other(transport)
    pair = world.pair(world.direct.b, system)
    hold = server.primary.behave(pair.primary_id, hold=asyncio.Event()).hold
    async with world.client(pair, transport) as client:
        outcomes = client.listen(None)
        for _ in range(2):
            answer = await client.send(
                world.target(pair.partner, transport), pair.partner.name,
                client.request('authorization', pair.primary_id,
                               procedure=None, order=None))
            assert answer.status == 200
        hold.set()
        found = await asyncio.wait_for(outcomes.get(), 20)
    assert found.result == 'success' and uuid.UUID(found.procedure)
    assert len({found.procedure for found in server.primary.requests
                if found.primary_id == pair.primary_id}) == 1


async def is_asked(server, pair):
    """The primary has the request of this pair."""
    while not any(found.primary_id == pair.primary_id
                  for found in server.primary.requests):
        await asyncio.sleep(0.02)


@row(PAIR, 'a newer authorization supersedes the one under way')
async def supersedes(world, transport):
    system, server = world.other(transport)
    pair = world.pair(world.direct.b, system)
    server.primary.behave(pair.primary_id, respond=False)
    async with world.client(pair, transport) as client:
        first = asyncio.create_task(world.ask(client, pair))
        await is_asked(server, pair)
        server.primary.behave(pair.primary_id)
        is_success(await world.ask(client, pair))
        assert (await first).result == 'superseded'


@row(PAIR, 'leaves while the authorization is under way')
async def leaves(world, transport):
    system, server = world.other(transport)
    pair = world.pair(world.direct.b, system)
    server.primary.behave(pair.primary_id, respond=False)
    async with world.client(pair, transport) as client:
        first = asyncio.create_task(world.ask(client, pair))
        await is_asked(server, pair)
        server.primary.behave(pair.primary_id)
        is_success(await world.ask(client, pair, 'deauthorization'))
        assert (await first).result == 'superseded'


@row(PAIR, 'the response goes to where the last copy of the request came from',
     ALL)
async def moved(world, transport):
    pair = world.pair(world.direct.b, world.direct.a)
    async with world.client(pair, transport) as client:
        request = client.request('authorization', pair.primary_id)
        target = world.target(pair.partner, transport), pair.partner.name
        is_success(await client.run(*target, request))
        async with world.client(pair, transport) as moved_client:
            is_success(await moved_client.run_again(*target, request))


@row(PAIR, 'IDs that are written otherwise are the same, and come back so')
async def spelling(world, transport):
    pair = world.pair(world.direct.b, world.direct.a)
    async with world.client(pair, transport) as client:
        is_success(await world.ask(client, pair))
        given = {'partner_id': pair.partner_id.replace('visitor', '%76isitor')
                 .replace('b.example', 'B.Example'),
                 'primary_id': pair.primary_id.replace('sip:', 'SIP:')}
        outcome = await world.ask(client, pair, 'deauthorization', **given)
        is_success(outcome)
        assert (outcome.response.partner_id, outcome.response.primary_id) \
            == tuple(given.values())
    await until_status(world, world.direct.a, pair, 'ended')


@row(PAIR, 'turned away: a certificate with another name', ('TLS',))
async def other_name(world, transport):
    pair = world.pair(world.direct.b, world.direct.a)
    async with world.client(pair, transport, name=STRANGER) as client:
        outcome = await world.ask(client, pair)
    assert (outcome.status, outcome.warning) == (
        403, 'unknown peer'), outcome


@row(PAIR, 'a client that shows another name has no response', ('TLS',))
async def other_listener(world, transport):
    pair = world.pair(world.direct.b, world.direct.a)
    async with world.client(pair, transport, name=STRANGER) as listener:
        port = listener.stack.tls_port
        async with world.client(pair, transport) as client:
            client.stack.tls_port = port
            request = client.request('authorization', pair.primary_id)
            outcomes = listener.listen(request.procedure)
            answer = await client.send(world.target(pair.partner, transport),
                                       pair.partner.name, request)
            says(answer, 200)
            await until_status(world, pair.partner, pair, 'active')
            await asyncio.sleep(0.5)
            assert outcomes.empty()

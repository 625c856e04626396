# SPDX-License-Identifier: BSD-2-Clause
"""The Python partner server and our primary server; the Python client asks."""

import asyncio
import contextlib
import time
import uuid

import labs
from world import ALL, SERVICES, row, until, until_status
from peer.node import Letter, message_of
from rows_client import is_success, says
from senders import Sender

PAIR = 'Python partner server → mcmig primary server'


@contextlib.asynccontextmanager
async def visitor(world, transport, letter=None, **behaviour):
    """A user of ours, at the foreign partner that behaves so: (pair, client,
    server)."""
    system, server = world.other(transport)
    if letter:
        system, server = world.direct[letter], world.servers[letter]
    pair = world.pair(system, world.direct.a)
    server.partner.behave(pair.primary_id, **behaviour)
    async with world.client(pair, 'TCP') as client:
        yield pair, client, server


def migrates(service, multipart=False):
    name = f'there and back, {service}'
    if multipart:
        name += ', requests in multipart'

    @row(PAIR, name, ALL)
    async def run(world, transport):
        async with visitor(world, transport) as (pair, client, server):
            if multipart:
                server.in_multipart.add(pair.primary_id)
            is_success(await world.ask(client, pair, service=service))
            await until_status(world, pair.primary, pair, 'active')
            is_success(await world.ask(client, pair, 'deauthorization',
                                       service=service))
            await until_status(world, pair.primary, pair, 'ended')


for each in SERVICES:
    migrates(each)
migrates('mcptt', multipart=True)


def is_refused(cause, number=None, letter=None, **changes):
    @row(PAIR, f'refused: {cause}', ('TCP',) if letter else
         ALL if cause == 'not-permitted' else ('UDP', 'TCP'))
    async def run(world, transport):
        async with visitor(world, transport, letter) as found:
            pair, client, _ = found
            if number:
                pair.number = number + (transport == 'TCP')
                client.partner_id = pair.partner_id
            outcome = await world.ask(client, pair, **changes)
        assert (outcome.status, outcome.result) == (200, cause)


is_refused('user-unknown', number=labs.USERS + 1)
is_refused('user-disabled', number=labs.DISABLED[2])
is_refused('profile-unknown', profile=9)
is_refused('not-permitted', profile=3)
is_refused('system-disabled', letter='e')


@contextlib.asynccontextmanager
async def sender(world, transport):
    async with visitor(world, transport, overhear=True) as found:
        pair, _, server = found
        yield Sender(server.stack, world.target(pair.primary, transport), pair,
                     server.partner)


@row(PAIR, 'refused: superseded, by sequence')
async def by_sequence(world, transport):
    async with sender(world, transport) as one:
        old = one.request()
        assert await one.hear(one.request()) == 'success'
        await until_status(world, one.pair.primary, one.pair, 'active')
        assert await one.hear(old) == 'superseded'
        left = one.request('deauthorization')
        last = one.request()
        assert await one.hear(left) == 'success'
        old.sequence += 1
        old.procedure = str(uuid.uuid4())
        assert await one.hear(old) == 'superseded'
        assert await one.hear(last) == 'success'


@row(PAIR, 'refused: superseded, by order')
async def by_order(world, transport):
    async with sender(world, transport) as one:
        now = time.time_ns() // 1000000
        assert await one.hear(one.request(order=now)) == 'success'
        assert await one.hear(one.request(order=now - 1000)) == 'superseded'
        assert await one.hear(one.request(order=now - 70000)) == 'success'


@row(PAIR, 'a de-authorization of nothing: success')
async def of_nothing(world, transport):
    async with sender(world, transport) as one:
        assert await one.hear(one.request('deauthorization')) == 'success'


def is_confirmed_after(name, *statuses):
    """Whatever a success is answered but 200 and 481 means: later again."""
    @row(PAIR, f'{name} to its success: said again until 200', ALL)
    async def run(world, transport):
        async with visitor(world, transport,
                           responses=list(statuses)) as found:
            pair, client, _ = found
            is_success(await world.ask(client, pair))
            await until_status(world, pair.primary, pair, 'active')


is_confirmed_after('no answer', 0)
is_confirmed_after('503', 503)
is_confirmed_after('202', 202)
is_confirmed_after('404', 404)


@row(PAIR, '481 to its success: it forgets the procedure', ALL)
async def drops(world, transport):
    async with sender(world, transport) as one:
        request = one.request()
        one.partner.behaviours[one.pair.primary_id].responses = [481]
        assert (await one.say(request)).status == 200
        await until(lambda: not one.partner.behaviours[
            one.pair.primary_id].responses)
        async with asyncio.timeout(10):
            while await world.migrations(one.pair.primary, one.pair):
                await asyncio.sleep(0.05)


@row(PAIR, 'a request said again: 200, and nothing is done twice', ALL)
async def again(world, transport):
    async with sender(world, transport) as one:
        heard = one.partner.overheard
        request, left = one.request(), one.request('deauthorization')
        assert await one.hear(request) == 'success'
        await until_status(world, one.pair.primary, one.pair, 'active')
        # The partner has the outcome of what it has confirmed.
        assert (await one.say(request)).status == 200
        assert await one.hear(left) == 'success'
        await one.hear_again(left)
        assert len(heard[request.procedure]) == 1


@row(PAIR, 'its success comes after the user has left: 200 or 481, no more')
async def crossing(world, transport):
    async with sender(world, transport) as one:
        behaviour = one.partner.behaviours[one.pair.primary_id]
        behaviour.responses = [503]
        assert (await one.say(one.request())).status == 200
        await until(lambda: not behaviour.responses)
        assert await one.hear(one.request('deauthorization')) == 'success'
        async with asyncio.timeout(10):
            while await world.migrations(one.pair.primary, one.pair):
                await asyncio.sleep(0.05)


def is_turned_away(name, status, warning, changes=None, **options):
    @row(PAIR, f'turned away: {name}')
    async def run(world, transport):
        async with sender(world, transport) as one:
            request = one.request(**(changes(world, one.pair) if changes
                                     else {}))
            answer = await one.say(request, **options)
            says(answer, status, warning)


is_turned_away('no sequence', 400, 'sequence missing',
               lambda *_: {'sequence': None})
is_turned_away('no procedure ID', 400, 'procedure ID missing',
               lambda *_: {'procedure': None})
is_turned_away('a partner ID of another system', 403,
               'peer may not speak for this MC system',
               lambda world, pair: {'partner_id':
                                    world.direct.b.visitor(pair.number)})
is_turned_away('a primary ID of another system', 404,
               'neither MC service ID is hosted here',
               lambda world, pair: {'primary_id':
                                    world.direct.b.user(pair.number)})
is_turned_away('both IDs of one system', 400,
               'both MC service IDs are of the same MC system',
               lambda world, pair: {'partner_id':
                                    world.direct.a.visitor(pair.number)})
is_turned_away('the P-Asserted-Identity of another system', 403,
               'P-Asserted-Identity is not of this peer',
               asserted='sip:b.example')
is_turned_away('a body that is no XML', 400,
               'body is not well-formed XML, line 1', body=b'no XML')
is_turned_away('a DOCTYPE', 400, 'DOCTYPE in the body',
               body=b'<!DOCTYPE a [<!ENTITY b "b">]><a>&b;</a>')


@row(PAIR, 'an access token that the partner has left in is passed over')
async def with_token(world, transport):
    async with sender(world, transport) as one:
        assert await one.hear(one.request(token='abc.def.ghi')) == 'success'


@row(PAIR, 'turned away: a source that is a client at most')
async def unknown(world, transport):
    async with sender(world, transport) as one:
        pair = one.pair
        async with world.client(pair, transport) as stranger:
            answer = await stranger.stack.ask(one.target, message_of(
                one.request(), Letter('sip:a.example', 'sip:c.example',
                                      asserted='sip:c.example')), 10)
            says(answer, 403, 'peer may not speak for this MC system')


@row(PAIR, 'turned away: a certificate with another name', ('TLS',))
async def other_name(world, transport):
    system, server = world.direct['g'], world.servers['g']
    pair = world.pair(system, world.direct.a)
    one = Sender(server.stack, world.target(pair.primary, transport), pair)
    says(await one.say(one.request()), 403,
         'peer may not speak for this MC system')

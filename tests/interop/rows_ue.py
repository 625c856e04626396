# SPDX-License-Identifier: BSD-2-Clause
"""mcmig-ue and the Python partner server, with the Python primary behind."""

import uuid

from world import ALL, SERVICES, STRANGER, row
from peer.client import AGAIN_MAX, AGAIN_S
from peer.document import CAUSES

PAIR = 'mcmig-ue → Python partner server'


def partner_of(world, transport):
    """A user of the other foreign system, and the partner server."""
    system, server = world.other(transport)
    home, _ = world.other('TCP' if transport == 'UDP' else 'UDP')
    return world.pair(system, home), server.partner


def response_of(steps):
    found = [step for step in steps if step['step'] == 'response']
    return found[0].get('cause') or found[0]['result'] if found else None


def migrates(service):
    @row(PAIR, f'there and back, {service}', ALL)
    async def run(world, transport):
        pair, _ = partner_of(world, transport)
        for verb in ('authorize', 'deauthorize'):
            status, steps = await world.ue(pair, verb, transport,
                                           service=service)
            assert (status, response_of(steps)) == (0, 'success')


for each in SERVICES:
    migrates(each)


def is_refused(cause, shown):
    @row(PAIR, f'refused: {cause}' + ('' if cause == shown
                                      else f', shown as {shown}'),
         ALL if cause in ('not-permitted', 'ended') else ('UDP', 'TCP'))
    async def run(world, transport):
        pair, partner = partner_of(world, transport)
        partner.behave(pair.primary_id, refusal=cause)
        status, steps = await world.ue(pair, 'authorize', transport)
        assert (status, response_of(steps)) == (1, shown)


for each in CAUSES:
    is_refused(each, each)
is_refused('lunar-eclipse', 'other')


def succeeds_with(name, **behaviour):
    @row(PAIR, name, ALL)
    async def run(world, transport):
        pair, partner = partner_of(world, transport)
        partner.behave(pair.primary_id, **behaviour)
        status, steps = await world.ue(pair, 'authorize', transport,
                                       '--timeout', '20')
        assert (status, response_of(steps)) == (0, 'success')


succeeds_with('the response before the 200', is_late=True)
succeeds_with('the response twice', repeat=1)
succeeds_with('503 with Retry-After, then 200', answer=503, retry_after=1,
              bad_answers=1)
succeeds_with('500, then 200', answer=500, bad_answers=1)


@row(PAIR, 'the first 200 is lost', over=('UDP',))
async def lost(world, transport):
    pair, partner = partner_of(world, transport)
    partner.behave(pair.primary_id, lose_answers=1)
    status, _ = await world.ue(pair, 'authorize', transport)
    assert status == 0


@row(PAIR, 'a request said again has the same outcome', ALL)
async def again(world, transport):
    pair, partner = partner_of(world, transport)
    procedure = str(uuid.uuid4())
    options = '--procedure', procedure, '--timeout'
    status, _ = await world.ue(pair, 'authorize', transport, *options, '20')
    assert status == 0
    for _ in range(AGAIN_MAX):  # as Client.run_again()
        status, _ = await world.ue(pair, 'authorize', transport, *options,
                                   str(AGAIN_S))
        if status != 3:
            break
    assert status == 0
    assert {found.procedure for found in partner.requests
            if found.primary_id == pair.primary_id} == {procedure}


@row(PAIR, 'refused by 403 and 404: exit status 2')
async def by_sip(world, transport):
    pair, partner = partner_of(world, transport)
    for answer in (403, 404):
        partner.behave(pair.primary_id, answer=answer)
        status, steps = await world.ue(pair, 'authorize', transport)
        assert status == 2
        assert answer in [step.get('status') for step in steps]


@row(PAIR, 'a response of another procedure: 481, the real one counts')
async def foreign(world, transport):
    pair, partner = partner_of(world, transport)
    partner.behave(pair.primary_id, procedure=str(uuid.uuid4()))
    status, steps = await world.ue(pair, 'authorize', transport,
                                   '--timeout', '2')
    assert status == 3 and not response_of(steps)


@row(PAIR, 'its access token comes as it is; a wrong one: 403')
async def token(world, transport):
    pair, partner = partner_of(world, transport)
    file = world.folder / f'{pair.number}.token'
    partner.tokens[pair.partner_id] = 'opaque.token-_~'
    for text, expected in (('opaque.token-_~', 0), ('another', 2)):
        file.write_text(text)
        status, _ = await world.ue(pair, 'authorize', transport,
                                   '--token', str(file))
        assert status == expected


@row(PAIR, 'says nothing to a server that shows another name', ('TLS',))
async def other_name(world, transport):
    pair, partner = partner_of(world, transport)
    status, _ = await world.ue(pair, 'authorize', transport, '--server-name',
                               STRANGER, '--timeout', '1')
    assert status == 3 and not any(found.primary_id == pair.primary_id
                                   for found in partner.requests)

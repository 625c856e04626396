# SPDX-License-Identifier: BSD-2-Clause
"""Whole migrations through gateways of either make, between servers of either
make."""

import itertools

from world import ALL, SERVICES, row, until_status
from rows_client import is_success
from rows_ue import response_of

PAIR = 'Partner server – its gateway – gateway – primary server'
MAKES = {('mcmig', 'mcmig'): 'ab', ('mcmig', 'Python'): 'cd',
         ('Python', 'mcmig'): 'ef', ('Python', 'Python'): 'gh'}
# Of server and gateway: the systems of these makes.


async def by_ue(world, pair, verb, service):
    """mcmig-ue asks where the partner server is foreign."""
    verb = {'authorization': 'authorize',
            'deauthorization': 'deauthorize'}[verb]
    status, steps = await world.ue(pair, verb, 'TCP', service=service)
    assert (status, response_of(steps)) == (0, 'success'), steps


async def by_client(world, pair, verb, service):
    token = pair.partner.token(pair.partner_id)
    async with world.client(pair, 'TCP', token=token) as client:
        is_success(await world.ask(client, pair, verb, service=service))


async def there_and_back(world, transport, partner, primary, service):
    lab = world.border[transport]
    pair = world.pair(lab[partner], lab[primary])
    ask = by_client if pair.partner.requires_tokens else by_ue
    states = []
    for verb, state in (('authorization', 'active'),
                        ('deauthorization', 'ended')):
        await ask(world, pair, verb, service)
        states += [until_status(world, system, pair, state)
                   for system in (pair.partner, pair.primary)
                   if system in lab.systems]
        while states:
            await states.pop()


def passes(partner, primary, over):
    chain = ' – '.join([*partner, *reversed(primary)])

    @row(PAIR, f'{chain}: there and back, all services', over)
    async def run(world, transport):
        for service in SERVICES:
            await there_and_back(world, transport, MAKES[partner][0],
                                 MAKES[primary][1], service)


for makes in itertools.product(MAKES, repeat=2):
    if 'mcmig' in makes[0] + makes[1]:
        are_ours = any(server == 'mcmig' for server, _ in makes)
        passes(*makes, ('TCP', 'TLS') if are_ours else ALL)

# SPDX-License-Identifier: BSD-2-Clause
"""Access tokens of the partner system's identity management, which the Python
client presents to our partner server."""

import time

from rows_client import PAIR, is_success
from world import row

FAILED = '101 service authorisation failed'


def visitor(world):
    """Of a system that requires tokens."""
    lab = world.border['TCP']
    return world.pair(lab['a'], lab['h'])


@row(PAIR, 'with the access token of its user')
async def good(world, transport):
    pair = visitor(world)
    token = pair.partner.token(pair.partner_id)
    async with world.client(pair, transport, token=token) as client:
        for verb in ('authorization', 'deauthorization'):
            is_success(await world.ask(client, pair, verb))


def is_refused(name, change):
    @row(PAIR, f'access token: {name}: 403')
    async def run(world, transport):
        pair = visitor(world)
        async with world.client(pair, transport,
                                token=change(pair)) as client:
            outcome = await world.ask(client, pair)
            assert (outcome.status, outcome.warning) == (403, FAILED), outcome


is_refused('none', lambda pair: None)
is_refused('of another user',
           lambda pair: pair.partner.token('sip:visitor00001@a.example'))
is_refused('expired',
           lambda pair: pair.partner.token(pair.partner_id,
                                           exp=int(time.time()) - 3600))
is_refused('of another issuer',
           lambda pair: pair.partner.token(pair.partner_id,
                                           iss='https://idms.z.example'))
is_refused('its signature cut off',
           lambda pair: pair.partner.token(pair.partner_id)
           .rpartition('.')[0] + '.')

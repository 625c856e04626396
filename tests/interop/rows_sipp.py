# SPDX-License-Identifier: BSD-2-Clause
"""SIPp as the client, with the scenarios of tests/scenarios: one process asks,
one hears the response. What else SIPp plays is there."""

import asyncio
import re
import uuid

import labs
import lablib
from world import CLIENT_HOST, row, until, until_status

PAIR = 'SIPp client → mcmig partner server'
SCENARIOS = labs.ROOT / 'tests/scenarios'


class Sipp:
    """One process that plays one scenario."""

    def __init__(self, world, name, values, *arguments):
        self.file = world.folder / f'{values["procedure"]}-{name}.xml'
        self.file.write_text(re.sub(
            r'@([a-z_]+)@', lambda word: str(values[word[1]]),
            (SCENARIOS / f'{name}.xml').read_text()))
        self.arguments = arguments

    async def start(self):
        self.process = await asyncio.create_subprocess_exec(
            'sipp', '-sf', str(self.file), '-m', '1', '-nostdin', '-t', 't1',
            '-timeout', '20s', '-timeout_error', '-max_socket', '100',
            '-skip_rlimit', '-default_behaviors', 'abortunexp', '-trace_err',
            '-error_file', f'{self.file}.err', '-i', CLIENT_HOST,
            *self.arguments, env={'TERM': 'dumb', 'PATH': '/usr/bin:/bin'},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL)
        return self

    async def passes(self):
        status = await self.process.wait()
        errors = f'{self.file}.err'
        assert status == 0, (status, errors)


def listens(port):
    """Whether SIPp does: it does not tell."""
    with open('/proc/net/tcp', encoding='ascii') as table:
        return any(fields[1].endswith(f':{port:04X}') and fields[3] == '0A'
                   for fields in map(str.split, table))


async def play(world, pair, verb, profile, expected):
    port = lablib.free_port(CLIENT_HOST)
    values = {
        'procedure': uuid.uuid4(), 'order': '1', 'service': 'mcptt',
        'verb': verb, 'partner_system': pair.partner.name,
        'partner_id': pair.partner_id, 'primary_id': pair.primary_id,
        'via_port': port, 'status': 200, 'status_line': '200 OK',
        'answer_header': 'Supported: ', 'expect': '200 OK',
        'profile': profile, 'result_expected': expected}
    receiver = await Sipp(world, 'client_response', values,
                          '-p', str(port)).start()
    await until(lambda: listens(port))
    sender = await Sipp(world, 'client_request', values,
                        pair.partner.address).start()
    await sender.passes()
    await receiver.passes()


def profile(index):
    return f'<profile-index>{index}</profile-index>'


@row(PAIR, 'there and back, mcptt', ('TCP',))
async def there_and_back(world, _):
    pair = world.pair(world.direct.b, world.direct.a)
    success = 'result&gt;success&lt;'
    await play(world, pair, 'authorization', profile(1), success)
    await until_status(world, world.direct.a, pair, 'active')
    await play(world, pair, 'deauthorization', '', success)
    await until_status(world, world.direct.a, pair, 'ended')


@row(PAIR, 'refused: not-permitted', ('TCP',))
async def refused(world, _):
    pair = world.pair(world.direct.b, world.direct.a)
    await play(world, pair, 'authorization', profile(3),
               'cause&gt;not-permitted&lt;')

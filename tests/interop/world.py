# SPDX-License-Identifier: BSD-2-Clause
"""The rows of the matrix: who with whom, which flow, over what; and the world
in which they run."""

import asyncio
import contextlib
import dataclasses
import functools
import itertools
import json
import pathlib
import traceback

import borderlabs
import lablib
import labs
import labtls
from labs import CLIENT_NAME
from peer.client import Client
from peer.stack import Target

CLIENT_HOST = '127.3.0.1'
AT_ONCE = 8
ROW_S = 50
SERVICES = ('mcptt', 'mcvideo', 'mcdata')
ALL = 'UDP', 'TCP', 'TLS'
STRANGER = 'dns:stranger.example'

rows = []


@dataclasses.dataclass(frozen=True)
class Row:
    pair: str
    flow: str
    transport: str
    run: object

    @property
    def name(self):
        return f'{self.pair}: {self.flow}, {self.transport}'


def row(pair, flow, over=('UDP', 'TCP'), **arguments):
    """The function is a row for each transport."""
    def register(function):
        rows.extend(Row(pair, flow, transport,
                        functools.partial(function, **arguments))
                    for transport in over)
        return function

    return register


@dataclasses.dataclass
class Pair:
    """A user with an ID at home and one at the partner."""

    number: int
    primary: object
    partner: object

    @property
    def primary_id(self):
        return self.primary.user(self.number)

    @property
    def partner_id(self):
        return self.partner.visitor(self.number, self.primary)


class World:
    """All systems while the rows run."""

    def __init__(self, folder, **options):
        self.folder = pathlib.Path(folder)
        self._options = options
        self.direct = None
        self.border = {}  # transport: lab with gateways
        self.gateways = {}  # (transport, letter): a foreign one
        self._numbers = itertools.count(1)
        self._made = {}  # (lab, name): contexts
        self.servers = {}
        self._held = contextlib.ExitStack()  # ports of what is not ours
        self._stack = contextlib.AsyncExitStack()

    @property
    def labs(self):
        return [lab for lab in (self.direct, *self.border.values()) if lab]

    def start(self):
        """Ours; a port is looked for when those before it are taken."""
        self.direct = labs.DirectLab(self.folder / 'direct', **self._options)
        self._held.enter_context(labs.hold(self.direct.addresses_of_others()))
        self.direct.start()
        for transport, letters in (('TCP', 'abcdefgh'), ('TLS', 'abcdefgh'),
                                   ('UDP', 'efgh')):
            self.border[transport] = borderlabs.BorderLab(
                self.folder / transport.lower(), letters, transport.lower(),
                databases=transport.lower(), **self._options)
            self._held.enter_context(labs.hold(
                self.border[transport].addresses_of_others()))
            self.border[transport].start()

    def stop(self):
        self._held.close()
        for lab in self.labs:
            lab.stop()

    async def __aenter__(self):
        """The others'."""
        self._held.close()
        for letter in 'cdefg':
            self.servers[letter] = await self._run(
                self.direct.server_of(self.direct[letter]))
        for transport, lab in self.border.items():
            for letter, server in lab.servers_of_others().items():
                self.servers[transport, letter] = await self._run(server)
            for letter, gateway in lab.foreign_gateways().items():
                self.gateways[transport, letter] = await self._run(gateway)
        return self

    async def _run(self, node):
        return await self._stack.enter_async_context(node)

    async def __aexit__(self, *_):
        await self._stack.aclose()

    def other(self, transport):
        """The foreign system that is reached by that transport, and its
        server."""
        letter = {'UDP': 'd', 'TCP': 'c', 'TLS': 'f'}[transport]
        return self.direct[letter], self.servers[letter]

    def pair(self, partner, primary):
        """Of a user that no other row has."""
        number = next(self._numbers)
        assert number < labs.TWINS[0]
        return Pair(number, primary, partner)

    def client(self, pair, transport, host=CLIENT_HOST, *, lab=None,
               name=CLIENT_NAME, **options):
        """`lab`, `name`: of its certificate."""
        if transport == 'TLS':
            options['tls'] = self._contexts(lab or self.direct, name)
            options['tls_port'] = lablib.free_port(host)
        return Client(pair.partner_id, host, lablib.free_port(host),
                      transport.lower(), **options)

    @staticmethod
    def target(system, transport):
        port = system.tls_port if transport == 'TLS' else system.port
        return Target(system.host, port, transport.lower(),
                      frozenset([labtls.server_name(system)]))

    def _contexts(self, lab, name):
        if (lab, name) not in self._made:
            self._made[lab, name] = labs.contexts_of(lab, lab.peers[1], name)
        return self._made[lab, name]

    async def ask(self, client, pair, verb='authorization', **changes):
        """A request of the Python client to the server of the partner; its
        outcome."""
        return await client.run(
            self.target(pair.partner, client.transport.upper()),
            pair.partner.name,
            client.request(verb, pair.primary_id, **changes))

    async def ue(self, pair, verb, transport, *options, service='mcptt',
                 profile=1):
        """mcmig-ue: its exit status and its steps."""
        process = await asyncio.create_subprocess_exec(
            self.direct.program('mcmig-ue'), verb, '--json', '--server',
            pair.partner.next_hop(transport.lower()),
            '--partner-id', pair.partner_id, '--primary-id', pair.primary_id,
            '--profile', str(profile), '--service', service,
            *self._credentials(pair, transport), *options,
            stdout=asyncio.subprocess.PIPE)
        output, _ = await process.communicate()
        return process.returncode, [json.loads(line)
                                    for line in output.splitlines()]

    def _credentials(self, pair, transport):
        """Of mcmig-ue, on TLS."""
        if transport != 'TLS':
            return ()
        lab, name = self.direct, CLIENT_NAME
        self._contexts(lab, name)
        stem = lab.folder / name.removeprefix('dns:')
        return ('--certificate', f'{stem}.pem', '--key', f'{stem}-key.pem',
                '--ca', str(lab.folder / 'ca/ca.pem'),
                '--server-name', labtls.server_name(pair.partner))

    @staticmethod
    async def migrations(system, pair):
        """Statuses of this user's at a system of ours. Not from a thread: until
        exec() its child would hold the port that a row is just looking at."""
        process = await asyncio.create_subprocess_exec(
            system.lab.program('mcmigctl'), '-s', str(system.ctl_socket),
            '--json', 'migrations', pair.primary_id,
            stdout=asyncio.subprocess.PIPE)
        output, _ = await process.communicate()
        return [found['status'] for found in json.loads(output)]


async def until(condition, seconds=20):
    """For what becomes true without an event that a row could see."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


async def until_status(world, system, pair, status):
    async with asyncio.timeout(20):
        while status not in await world.migrations(system, pair):
            await asyncio.sleep(0.05)


async def run_row(world, wanted, places):
    """None, or what went wrong."""
    async with places:
        try:
            async with asyncio.timeout(ROW_S):
                await wanted.run(world, wanted.transport)
        except Exception:
            return traceback.format_exc()
    return None


async def run_rows(world, wanted):
    places = asyncio.Semaphore(AT_ONCE)
    async with world:
        failures = await asyncio.gather(
            *(run_row(world, each, places) for each in wanted))
    return dict(zip(wanted, failures))


def run_all(folder, wanted=None, **options):
    """{row: None or what went wrong}."""
    world = World(folder, **options)
    world.start()
    try:
        return asyncio.run(run_rows(world, rows if wanted is None
                                    else wanted))
    finally:
        world.stop()

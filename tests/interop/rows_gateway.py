# SPDX-License-Identifier: BSD-2-Clause
"""Our gateway and foreign neighbours: as exit point between the server of
e.example and the gateway of h.example, as entry point between the gateway of
g.example and the server of f.example."""

import asyncio

from peer import document, sip
from rows_client import says
from senders import Sender
from world import ALL, STRANGER, row, until_status

EXIT = 'Python server → mcmig gateway → Python gateway'
ENTRY = 'Python gateway → mcmig gateway → Python server'


def at_exit(world, transport):
    """Of e.example, what its server says to its gateway; and the gateway of
    h.example."""
    lab = world.border[transport]
    pair = world.pair(lab['e'], lab['h'])
    target = lab.target_of(lab['e'].gateways[0], is_inside=True)
    server = world.servers[transport, 'e']
    return (Sender(server.stack, target, pair),
            world.gateways[transport, 'h'])


def at_entry(world, transport, letter='g'):
    """Of g.example, what its gateway says to that of f.example; and the
    server of f.example."""
    lab = world.border[transport]
    pair = world.pair(lab[letter], lab['f'])
    target = lab.target_of(lab['f'].gateways[0])
    gateway = world.gateways[transport, letter]
    return (Sender(gateway.outside, target, pair, name=gateway.identity),
            world.servers[transport, 'f'])


def is_answered(status, expected, warning=None):
    """`status`: of the next hop, 0 for none; `expected`: of our gateway."""
    @row(EXIT, f'the next hop says {status or "nothing"}: {expected}',
         ALL if status in (0, 403, 503) else ('UDP', 'TCP'))
    async def run(world, transport):
        sender, gateway = at_exit(world, transport)
        gateway.answer_with(sender.pair.primary_id, 'request', status)
        answer = await sender.say(sender.request())
        assert answer.status == expected, answer
        assert warning is None or answer.warning == warning
        assert 'contact' not in dict(answer.headers)
        assert (answer.text('Retry-After') is not None) == (expected == 503)


for each in ((202, 202), (302, 502), (400, 400), (401, 403), (403, 403),
             (404, 404), (407, 403), (408, 504),
             (481, 481, 'procedure not awaited'), (500, 500), (503, 503),
             (603, 603), (0, 504)):
    is_answered(*each)


def expect(found, **wanted):
    for name, value in wanted.items():
        assert found[name] == value, (name, found[name], value)


async def check_anew(world, transport, sender, heard, gateway, identity):
    """`heard`: what has come out of our gateway, nothing of what went in."""
    name = gateway.system.name
    fields = {key.lower(): value for key, value in heard.headers}
    assert len(heard.all('Via')) == 1
    assert set(fields) == {
        'via', 'max-forwards', 'from', 'to', 'call-id', 'cseq',
        'p-asserted-identity', 'p-asserted-service', 'accept-contact',
        'content-type', 'content-length'}, set(fields)
    service = document.SERVICES['mcptt']
    expect({key.replace('-', '_'): value for key, value in fields.items()},
           max_forwards='41', to=f'<{identity}>', cseq='1 MESSAGE',
           p_asserted_identity=f'<sip:mcgateway@{name}>',
           p_asserted_service=service.icsi, content_type=service.media_type,
           accept_contact=service.accept_contact)
    assert heard.uri == identity
    sender_uri, parameters = sip.read_address(fields['from'])
    assert sender_uri == f'sip:mcgateway@{name}' and parameters['tag']


SECRETS = (('Subject', 'secret'), ('P-Charging-Vector', 'icid-value=secret'),
           ('P-Access-Network-Info', '3GPP-E-UTRAN-FDD; secret=1'),
           ('Contact', '<sip:secret@127.0.0.1>'), ('User-Agent', 'secret'),
           ('Via', 'SIP/2.0/TCP secret.example;branch=z9hG4bKsecret'))


@row(EXIT, 'header by header, all is anew', ALL)
async def anew_at_exit(world, transport):
    sender, gateway = at_exit(world, transport)
    request = sender.request(order=17)
    answer = await sender.say(request, more=SECRETS, multipart=True,
                              max_forwards=42)
    says(answer, 200)
    ours = sender.pair.partner.gateways[0]
    heard = next(message for is_exit, message in gateway.passed
                 if request.procedure in message.body.decode())
    await check_anew(world, transport, sender, heard, ours,
                     'sip:mcgateway@h.example')
    assert heard.via.host == ours.outside_host
    assert b'secret' not in sip.write(heard)
    assert document.read(heard.text('Content-Type'), heard.body) == request


@row(ENTRY, 'header by header, all is anew', ALL)
async def anew_at_entry(world, transport):
    sender, server = at_entry(world, transport)
    request = sender.request('deauthorization', order=17)
    says(await sender.say(request, more=SECRETS, multipart=True,
                          max_forwards=42), 200)
    ours = sender.pair.primary.gateways[0]
    heard = next(message for message in server.passed
                 if request.procedure in message.body.decode())
    await check_anew(world, transport, sender, heard, ours, 'sip:f.example')
    assert heard.via.host == ours.inside_host
    assert b'secret' not in sip.write(heard)
    assert document.read(heard.text('Content-Type'), heard.body) == request


@row(EXIT, 'the text of a failure is not that of the sender')
async def text(world, transport):
    sender, gateway = at_exit(world, transport)
    lab = world.border[transport]
    sender.pair = world.pair(lab['h'], lab['e'])
    response = sender.request().response('failure', 'user-unknown', 'secret')
    sender.name = 'sip:e.example'
    answer = await sender.say(response, to='sip:h.example')
    says(answer, 481, 'procedure not awaited')
    heard = next(message for _, message in gateway.passed
                 if response.procedure in message.body.decode())
    found = document.read(heard.text('Content-Type'), heard.body)
    assert found.cause == 'user-unknown' and 'secret' not in (found.text or '')


def is_turned_away(name, status, warning, changes=None, letter='g', **options):
    @row(ENTRY, f'turned away: {name}')
    async def run(world, transport):
        sender, _ = at_entry(world, transport, letter)
        lab = world.border[transport]
        request = sender.request(**(changes(lab, sender.pair) if changes
                                    else {}))
        says(await sender.say(request, **options), status, warning)


is_turned_away('an access token', 403, 'access token not allowed here',
               lambda *_: {'token': 'abc.def.ghi'})
is_turned_away('no sequence', 400, 'sequence missing',
               lambda *_: {'sequence': None})
is_turned_away('no procedure ID', 400, 'procedure ID missing',
               lambda *_: {'procedure': None})
is_turned_away('a partner ID of another system', 403,
               'peer may not speak for this MC system',
               lambda lab, pair: {'partner_id': lab['h'].visitor(1)})
is_turned_away('what is not for its own system', 403,
               'peer may not speak for this MC system',
               lambda lab, pair: {'primary_id': lab['h'].user(1)})
is_turned_away('IDs of no system that it knows', 404,
               'primary MC system unknown',
               lambda *_: {'primary_id': 'sip:user00001@z.example'})
is_turned_away('the P-Asserted-Identity of another system', 403,
               'P-Asserted-Identity is not of this peer',
               asserted='sip:mcgateway@h.example')
is_turned_away('Max-Forwards 0', 483, '', max_forwards=0)
is_turned_away('Require', 420, '', more=(('Require', '100rel'),))
is_turned_away('a procedure that its policy does not let pass', 403,
               '179 service not authorized with the interconnected system',
               lambda *_: {'service': 'mcdata'}, letter='h')


@row(ENTRY, 'turned away: a source that it does not know', ALL)
async def unknown(world, transport):
    sender, _ = at_entry(world, transport)
    async with world.client(sender.pair, transport, name=STRANGER,
                            lab=world.border[transport]) as stranger:
        sender.stack = stranger.stack
        says(await sender.say(sender.request()), 403, 'unknown peer')


@row(ENTRY, 'turned away: its own servers come in on the inside alone', ALL)
async def wrong_side(world, transport):
    sender, server = at_entry(world, transport)
    sender.stack = server.stack
    answer = await sender.say(sender.request())
    if transport == 'TLS':  # whose certificates are of a CA of their own
        assert answer is None
    else:
        says(answer, 403, 'unknown peer')


def server_says(status, expected, warning=None):
    @row(ENTRY, f'the server says {status or "nothing"}: {expected}', ALL)
    async def run(world, transport):
        sender, server = at_entry(world, transport)
        server.primary.behave(sender.pair.primary_id, answer=status,
                              retry_after=7)
        answer = await sender.say(sender.request())
        assert answer.status == expected, answer
        assert warning is None or answer.warning == warning


server_says(404, 404)
server_says(503, 503)
server_says(0, 504)


@row(EXIT, 'OPTIONS: 200, on both sides', ALL)
async def options(world, transport):
    sender, gateway = at_exit(world, transport)
    ours = sender.pair.partner.gateways[0]
    for stack, is_inside in ((sender.stack, True), (gateway.outside, False)):
        message = sip.Message('OPTIONS', 'sip:e.example', headers=[
            ('Max-Forwards', 70), ('From', '<sip:h.example>;tag=1'),
            ('To', '<sip:e.example>'), ('Call-ID', sip.new_tag()),
            ('CSeq', '7 OPTIONS')])
        answer = await stack.ask(world.border[transport].target_of(
            ours, is_inside), message, 5)
        assert answer.status == 200 and 'MESSAGE' in answer.all('Allow')


SERVER = 'mcmig server → Python gateway'


def request_meets(name, expected, *statuses):
    @row(SERVER, f'a request meets with {name}', ('TCP', 'TLS'))
    async def run(world, transport):
        lab = world.border[transport]
        pair = world.pair(lab['c'], lab['h'])
        world.gateways[transport, 'c'].answer_with(pair.primary_id, 'request',
                                                   *statuses)
        token = pair.partner.token(pair.partner_id)
        async with world.client(pair, 'TCP', token=token) as client:
            outcome = await world.ask(client, pair)
            assert outcome.result == expected


request_meets('504, then 200', 'success', 504)
request_meets('503 with Retry-After, then 200', 'success', 503)
request_meets('502, then 200', 'success', 502)
request_meets('403: primary-refused', 'primary-refused', 403)
request_meets('404: primary-refused', 'primary-refused', 404)


def response_meets(name, expected, *statuses):
    @row(SERVER, f'its success meets with {name}', ('TCP', 'TLS'))
    async def run(world, transport):
        lab = world.border[transport]
        pair = world.pair(lab['h'], lab['d'])
        world.gateways[transport, 'd'].answer_with(pair.primary_id,
                                                   'response', *statuses)
        sender = Sender(world.servers[transport, 'h'].stack, lab.target_of(
            lab['h'].gateways[0], is_inside=True), pair)
        says(await sender.say(sender.request()), 200)
        if expected:
            await until_status(world, pair.primary, pair, expected)
            return
        async with asyncio.timeout(10):
            while await world.migrations(pair.primary, pair):
                await asyncio.sleep(0.05)


response_meets('404, then with 481: forgotten', None, 404, 481)
response_meets('504, then with 200 for one that is awaited: confirmed',
               'active', 504, 200)

# SPDX-License-Identifier: BSD-2-Clause
"""The same requests as another hand may write them, and what nobody may."""

import asyncio
import re

from peer import document, sip
from peer.node import message_of
from rows_client import PAIR, is_success, says
from world import row


class Writer:
    """A client, and its request as text that may be changed."""

    def __init__(self, world, client, pair, transport):
        self.client = client
        self.target = world.target(pair.partner, transport)
        self.request = client.request('authorization', pair.primary_id)
        self.branch = sip.new_branch()
        message = message_of(self.request, client.letter(pair.partner.name))
        message.headers.insert(0, ('Via', client.stack.via_of(
            client.transport, self.branch)))
        self.head, _, self.body = sip.write(message).partition(b'\r\n\r\n')
        self.outcomes = client.listen(self.request.procedure)

    def replace(self, pattern, text):
        """In the head."""
        changed = re.sub(pattern, text, self.head.decode(), flags=re.M)
        assert changed != self.head.decode(), pattern
        self.head = changed.encode()

    def rewrite(self, pattern, text):
        """In the body, whose length is adjusted."""
        changed = re.sub(pattern, text, self.body.decode(), flags=re.S)
        assert changed != self.body.decode(), pattern
        self.body = changed.encode()
        self.measure()

    def measure(self):
        self.head = re.sub(rb'Content-Length: \d+', b'Content-Length: %d'
                           % len(self.body), self.head)

    @property
    def data(self):
        return self.head + b'\r\n\r\n' + self.body

    async def ask(self):
        return await self.client.stack.exchange(
            self.target, (self.branch, 'MESSAGE'), self.data, 10)

    async def succeeds(self):
        says(await self.ask(), 200)
        response = await asyncio.wait_for(self.outcomes.get(), 10)
        assert response.result == 'success'
        return response


def hand(name, over=('UDP', 'TCP')):
    """The function changes a request, which is taken all the same."""
    def register(change):
        @row(PAIR, f'in another hand: {name}', over)
        async def run(world, transport):
            pair = world.pair(world.direct.b, world.direct.a)
            async with world.client(pair, transport) as client:
                writer = Writer(world, client, pair, transport)
                change(writer)
                await writer.succeeds()

        return change

    return register


@hand('compact header fields, any case, any order')
def compact(writer):
    for long, short in (('Via', 'v'), ('From', 'f'), ('To', 't'),
                        ('Call-ID', 'i'), ('Content-Type', 'c'),
                        ('Content-Length', 'l'), ('Accept-Contact', 'a')):
        writer.replace(f'^{long}: ', f'{short}:')
    writer.replace('^CSeq: ', 'cSEQ : ')
    first, *lines = writer.head.split(b'\r\n')
    writer.head = b'\r\n'.join([first, *reversed(lines)])


@hand('folded lines, display names, fields that nobody knows')
def folded(writer):
    writer.replace('^From: <', 'From: "A \\\\"visitor\\\\", from a" <')
    writer.replace('^To: <', 'To: B Example\r\n <')
    writer.replace('^Accept-Contact: ', 'X-Unknown: a, b;c="d"\r\n'
                   'Accept-Contact:\r\n\t')


@hand('a proxy on the way')
def proxied(writer):
    writer.replace('^(Via: [^\r]*)', r'\1, SIP/2.0/UDP [2001:db8::1]:5060'
                   ';branch=z9hG4bKfirst;received=192.0.2.77')
    writer.replace('^Max-Forwards: 70', 'Max-Forwards: 68\r\n'
                   'P-Charging-Vector: icid-value=1;orig-ioi=c.example')


@hand('XML with prefixes, references, other quotes')
def prefixes(writer):
    writer.rewrite('<migration xmlns=', '<m:migration xmlns:m=')
    for name in ('migration', 'authorization-request', 'profile-index',
                 'partner-mc-service-id', 'primary-mc-service-id'):
        writer.body = re.sub(rb'<(/?)%s\b' % name.encode(),
                             rb'<\1m:%s' % name.encode(), writer.body)
    writer.rewrite('>sip:v', '>&#115;ip&#x3A;v')
    writer.rewrite('<mcpttinfo xmlns="(.*?)"', r"<mcpttinfo xmlns='\1'")


@hand('XML with what others have put beside ours')
def beside(writer):
    writer.rewrite('<mcptt-Params>', '<!-- c --><mcptt-Params new="1">'
                   '<session-type>private</session-type>'
                   '<mcptt-calling-user-id type="Normal"><mcpttURI>'
                   'sip:v@b.example</mcpttURI></mcptt-calling-user-id>')
    writer.rewrite('<anyExt>', '<anyExt>\r\n<a xmlns="urn:x:other"><b/></a>')


@hand('XML over many lines, with CRLF')
def lines(writer):
    writer.rewrite('><', '>\r\n\t <')


@hand('XML without a declaration')
def bare(writer):
    writer.rewrite(r'<\?xml.*?\?>\s*', '')


@hand('XML with a byte order mark')
def marked(writer):
    writer.body = b'\xef\xbb\xbf' + writer.body
    writer.measure()


@hand('the media type in capitals, with a charset')
def charset(writer):
    writer.replace('application/vnd.3gpp.mcptt-info.xml',
                   'Application/VND.3GPP.mcptt-info+XML ; charset=UTF-8')


@hand('the procedure ID in capitals')
def capitals(writer):
    procedure = writer.request.procedure
    writer.rewrite(procedure, procedure.upper())


@hand('bytes after the body', over=('UDP',))
def after(writer):
    writer.body += b'\r\n\r\n'


@hand('no Content-Length', over=('UDP',))
def no_length(writer):
    writer.replace('\r\nContent-Length: .*', '')


@hand('empty lines before it', over=('TCP',))
def keepalive(writer):
    writer.head = b'\r\n\r\n\r\n' + writer.head


@row(PAIR, 'in another hand: byte by byte, then two at once', ('TCP',))
async def pieces(world, transport):
    pair, other = (world.pair(world.direct.b, world.direct.a)
                   for _ in range(2))
    async with world.client(pair, transport) as client:
        writer = Writer(world, client, pair, transport)
        connection = await client.stack.connect(writer.target)
        for i in range(len(writer.data)):
            connection.send(writer.data[i:i + 1])
            await asyncio.sleep(0)
        await asyncio.wait_for(writer.outcomes.get(), 10)
        writers = [Writer(world, client, each, transport)
                   for each in (pair, other)]
        connection.send(b''.join(each.data for each in writers))
        for each in writers:
            await asyncio.wait_for(each.outcomes.get(), 10)


@row(PAIR, 'without rport: answered at the port of the Via', ('UDP',))
async def no_rport(world, transport):
    pair = world.pair(world.direct.b, world.direct.a)
    async with world.client(pair, transport) as client:
        writer = Writer(world, client, pair, transport)
        writer.replace(';rport', '')
        await writer.succeeds()


LEAF = '<partner-mc-service-id>'
BAD = (
    # What is replaced in the body, by what, status and text.
    ('^.*$', '', 400, 'body is empty'),
    ('</mcpttinfo>', '', 400, 'body is not well-formed XML, line N'),
    (r'\?>', '?><!DOCTYPE a>', 400, 'DOCTYPE in the body'),
    ('UTF-8', 'ISO-8859-1', 400,
     'XML declaration has an encoding other than UTF-8'),
    ('mcpttInfo:1.0', 'mcpttInfo:2.0', 400,
     'namespace of mcpttinfo is not urn:3gpp:ns:mcpttInfo:1.0'),
    ('(</?)mcpttinfo', r'\1mcdatainfo', 400,
     'root element is not mcpttinfo'),
    ('(</?)mcptt-Params', r'\1other', 400, None),
    ('(</?)anyExt', r'\1other', 400, None),
    ('5fec72a9', '5fec72aa', 400, 'migration missing in anyExt'),
    ('(<migration .*</migration>)', r'\1\1', 400,
     'more than one migration element'),
    ('<authorization-request.*</authorization-request>', '', 400,
     'migration is empty'),
    ('(<authorization-request.*</authorization-request>)', r'\1\1', 400,
     'more than one element in migration'),
    ('(</?)authorization-request', r'\1reauthorization-request', 400,
     'unknown element in migration'),
    ('procedure="', 'procedure="x', 400, 'procedure is not a UUID'),
    ('order="', 'order="0', 400,
     'order is not a number from 1 to 2^63-1'),
    ('order="', 'sequence="5" order="', 400,
     "sequence not allowed in a client's request"),
    ('order="', 'other="5" order="', 400, None),
    ('<profile-index>1</profile-index>', '', 400,
     'profile-index missing in authorization-request'),
    ('<profile-index>1<', '<profile-index>256<', 400,
     'profile-index is not a number from 0 to 255'),
    ('<profile-index>1<', '<profile-index>01<', 400,
     'profile-index is not a number from 0 to 255'),
    ('(<profile-index>1</profile-index>)', r'\1\1', 400,
     'profile-index twice in authorization-request'),
    ('(<partner.*</partner-mc-service-id>)(<primary.*?e-id>)', r'\2\1', 400,
     None),
    ('</authorization-request>', '<result>success</result>'
     '</authorization-request>', 400, None),
    (LEAF, LEAF + '<!-- c -->', 400,
     'partner-mc-service-id holds more than text'),
    (LEAF + 'sip:', LEAF + 'sips:', 400,
     'partner-mc-service-id is not a SIP URI that names a user'),
    ('(sip:[^<]*)', r'\1;a=b', 400,
     'partner-mc-service-id is not a SIP URI that names a user'),
    (LEAF + 'sip:[^<]*', LEAF + 'sip:user@a.example', 404, None),
    ('sip:[^<]*@a.example', 'sip:user@z.example', 404,
     'primary MC system unknown'),
    ('<anyExt>', '<anyExt type="Encrypted">', 400,
     'encrypted content is not supported'),
    ('<anyExt>', '<anyExt>' + '<a>' * 20 + '</a>' * 20, 400,
     'elements nested deeper than 16'),
    ('<anyExt>', '<anyExt>' + '<a/>' * 256, 400,
     'more than 256 elements'),
    ('<anyExt>', '<anyExt>' + ' ' * 65536, 413, None),
)


def is_bad(number, pattern, text, status, warning):
    @row(PAIR, f'malformed document {number}: {status} {warning or ""}'
         .strip(), ('TCP',))
    async def run(world, transport):
        pair = world.pair(world.direct.b, world.direct.a)
        async with world.client(pair, transport) as client:
            writer = Writer(world, client, pair, transport)
            writer.rewrite(pattern, text)
            answer = await writer.ask()
            found = re.sub(r'line \d+', 'line N', answer.warning)
            assert answer.status == status, answer
            assert warning is None or found == warning, found


for number, each in enumerate(BAD, 1):
    is_bad(number, *each)


def is_bad_head(pattern, text, status, warning='', more=None):
    name = re.sub(r'\W+', ' ', text).strip() or f'no {pattern[:-4].strip()}'

    @row(PAIR, f'turned away: {name}: {status}')
    async def run(world, transport):
        pair = world.pair(world.direct.b, world.direct.a)
        async with world.client(pair, transport) as client:
            writer = Writer(world, client, pair, transport)
            writer.replace(pattern, text)
            method = writer.head.split()[0].decode()
            answer = await client.stack.exchange(
                writer.target, (writer.branch, method), writer.data, 10)
            says(answer, status, warning)
            assert not more or answer.all(more)


is_bad_head('MESSAGE', 'INFO', 405, more='Allow')
is_bad_head('MESSAGE', 'CANCEL', 481)
is_bad_head('^MESSAGE sip:', 'MESSAGE sips:', 416)
is_bad_head('^Max-Forwards: 70', 'Max-Forwards: 0', 483)
is_bad_head('^Max-Forwards: 70', 'Require: 100rel', 420, more='Unsupported')
is_bad_head('^Content-Type: .*', 'Content-Type: text/plain\r', 415,
            'Content-Type is not of an MC service', more='Accept')

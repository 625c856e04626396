# SPDX-License-Identifier: BSD-2-Clause
"""What of a system's inside may not leave it, and how that is found out: words
that were heard inside, and all that no list of ours allows outside."""

import base64
import ipaddress
import re
from xml.etree import ElementTree

import documents
import lablib
import sippeer

# What a request may have outside, and what an answer may.
REQUEST_HEADERS = {
    'via', 'max-forwards', 'from', 'to', 'call-id', 'cseq',
    'p-asserted-identity', 'p-asserted-service', 'accept-contact',
    'content-type', 'content-length'}
PROBE_HEADERS = {'via', 'max-forwards', 'from', 'to', 'call-id', 'cseq',
                 'content-length'}
ANSWER_HEADERS = {'via', 'from', 'to', 'call-id', 'cseq', 'warning',
                  'retry-after', 'accept', 'allow', 'unsupported',
                  'content-length'}
ELEMENTS = {
    'authorization-request', 'authorization-response',
    'deauthorization-request', 'deauthorization-response', 'partner-mc-service-id',
    'primary-mc-service-id', 'profile-index', 'result', 'cause', 'text',
    'migration'}
ATTRIBUTES = {'procedure', 'sequence', 'order'}
PHRASES = {  # RFC 3261 21, as the stack writes them
    200: 'OK', 202: 'Accepted', 400: 'Bad Request', 403: 'Forbidden',
    404: 'Not Found', 405: 'Method Not Allowed', 408: 'Request Timeout',
    413: 'Request Entity Too Large', 415: 'Unsupported Media Type',
    416: 'Unsupported URI Scheme', 420: 'Bad Extension',
    480: 'Temporarily Unavailable', 481: 'Call/Transaction Does Not Exist',
    482: 'Loop Detected', 483: 'Too Many Hops', 486: 'Busy Here',
    488: 'Not Acceptable Here', 500: 'Internal Server Error',
    501: 'Not Implemented', 502: 'Bad Gateway', 503: 'Service Unavailable',
    504: 'Gateway Time-out',
    513: 'Message Too Large', 580: 'Precondition Failure',
    600: 'Busy Everywhere',
    603: 'Decline', 604: 'Does Not Exist Anywhere', 606: 'Not Acceptable'}
PRODUCTS = ('mcmig', 'mcmigd', 'sofia', 'sofia-sip', 'nta', 'libmcmig')
INSIDE_NETWORKS = [ipaddress.ip_network(network) for network in
                   ('127.1.0.0/16', '127.4.0.0/16')]

ADDRESS = re.compile(r'(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])')
HOST = re.compile(r'(?i)(?:sips?:(?:[^@\s<>;,]*@)?|\d/(?:UDP|TCP|TLS)\s+|'
                  r'received=|maddr=)([a-z][a-z0-9.-]*[a-z0-9])')
TAG = re.compile(r'(?i);\s*tag=([^;,\s>]+)')
BRANCH = re.compile(r'(?i);\s*branch=([^;,\s>]+)')
TOKEN = re.compile(r'<mc\w+String>([^<]+)</mc\w+String>')
WARNING = re.compile(r'\d{3}\s+(\S+)\s+"([^"]*)"')


# The stack's own: a header that it cannot read.
BAD_HEADER = re.compile(r'Bad [A-Za-z-]+ Header')


# What a Warning of a gateway may say, whatever was said to it.
WARNINGS = {
    'procedure not awaited', 'procedure ID missing', 'sequence missing',
    'access token not allowed here',
    'both MC service IDs are of the same MC system',
    'neither MC service ID is hosted here',
    'partner MC service ID not hosted here', 'partner MC system unknown',
    'primary MC system unknown', 'no MC service server for this user',
    'peer may not speak for this MC system',
    'P-Asserted-Identity is not of this peer',
    '101 service authorisation failed',
    '179 service not authorized with the interconnected system',
    'quota of this peer exhausted', 'quota of this user exhausted',
    'loop detected', 'too many hops', 'unknown peer', 'too much under way',
    'request not valid', 'request refused', 'not found', 'body too large',
    'media type not supported', 'not reachable now', 'no such procedure',
    'failure of the next MC server', 'refused by the next MC server',
    'try again later', 'no answer in time',
    'partner-mc-service-id is not a SIP URI that names a user',
    'order is not a number from 1 to 2^63-1'}

TEXTS = {
    'A newer procedure of this user counts.',
    'This migration has ended since.',
    'The partner MC system does not admit this user.',
    'Migration with the other MC system is switched off.',
    'The partner MC service ID is held by or reserved for another user.',
    'This user is here under another partner MC service ID.',
    'This user is not migrated to this MC system.',
    'The primary MC system does not know this user.',
    'The primary MC system has disabled this user.',
    'This user has no MC service user profile with this index.',
    'This user may not migrate to this MC system with this profile.',
    'The primary MC system refused the request.',
    'The primary MC system gave no answer in time.', 'The request failed.'}


def documented_warnings():
    """Of documents and headers: the tables of doc/protocol.md, where `...`
    stands for names that are fixed too."""
    text = (lablib.ROOT / 'doc/protocol.md').read_text()
    for line in text.splitlines():
        if re.match(r'\| \d{3} \| `', line):
            for sample in re.findall(r'`([^`]+)`', line):
                pattern = re.escape(sample).replace(
                    r'\.\.\.', '(?:access token|[A-Za-z-]+)')
                yield re.compile(re.sub(r'\bN\b', r'\\d+', pattern))


DOCUMENTED = list(documented_warnings())


def is_public(warning):
    return warning in WARNINGS or any(pattern.fullmatch(warning)
                                      for pattern in DOCUMENTED)


class Finding:
    def __init__(self, kind, word, where):
        self.kind = kind
        self.word = word
        self.where = where

    def __repr__(self):
        return f'{self.kind}: {self.word!r} in {self.where!r}'


class Inside:
    """Words of the inside by kind. `public`: what the outside may know."""

    def __init__(self, public):
        self.public = {word.lower() for word in public}
        self.words = {}  # word: kind

    def add(self, kind, *words):
        for word in words:
            if word and word.lower() not in self.public:
                self.words[word] = kind

    def learn(self, message):
        """A message that was heard inside."""
        for name, value in message.headers:
            self.add('address', *ADDRESS.findall(value))
            self.add('host', *HOST.findall(value))
            if name in ('from', 'to', 'f', 't'):
                self.add('tag', *TAG.findall(value))
            elif name in ('via', 'v'):
                self.add('branch', *BRANCH.findall(value))
            elif name in ('call-id', 'i'):
                self.add('Call-ID', value, value.partition('@')[0])
                self.add('host', value.partition('@')[2])
            elif name in ('server', 'user-agent'):
                self.add('product', value, *re.findall(r'[A-Za-z]+', value))
            elif name == 'warning':
                for agent, text in WARNING.findall(value):
                    self.add('host', agent)
                    self.add('free text', text)
        for token in TOKEN.findall(message.body.decode('utf-8', 'replace')):
            self.add('token', token, *token.split('.'))

    def _forms(self, word):
        """As it is, and as somebody might have written it otherwise."""
        yield word
        if len(word) > 5:
            # Not the last characters: they depend on what follows.
            yield base64.b64encode(word.encode()).decode()[:-4].lower()
        if ADDRESS.fullmatch(word):
            number = int(ipaddress.ip_address(word))
            yield f'{number:08x}'
            yield str(number)

    def find_words(self, data):
        text = data.decode('utf-8', 'replace')
        lower = text.lower()
        for word, kind in self.words.items():
            for form in self._forms(word.lower()):
                if form in lower and re.search(
                        r'(?<![a-z0-9])' + re.escape(form) + r'(?![a-z0-9])',
                        lower):
                    yield Finding(kind, word, text)
        for address in ADDRESS.findall(text):
            if is_inside(address):
                yield Finding('address', address, text)


def is_inside(address):
    try:
        number = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(number in network for network in INSIDE_NETWORKS)


def split_messages(data):
    """The messages of a stream, and what is left."""
    messages = []
    while True:
        message, data = sippeer.split_stream(data)
        if message is None:
            return messages, data
        messages.append(message)


def header_findings(message, allowed):
    for name, value in message.headers:
        if name not in allowed:
            yield Finding('header', name, value)


def answer_findings(message):
    yield from header_findings(message, ANSWER_HEADERS)
    phrase = message.start.split(' ', 2)[2]
    if (phrase != PHRASES.get(message.status, '')
            and not BAD_HEADER.fullmatch(phrase)):
        yield Finding('free text', phrase, message.start)
    if message.body:
        yield Finding('free text', message.body, message.start)
    warning = message.header('warning')
    if warning:
        found = WARNING.fullmatch(warning)
        if not found or not is_public(found.group(2)):
            yield Finding('free text', warning, message.start)


def document_findings(body):
    """The document has nothing but what the model has."""
    if b'<!--' in body or b'<?' in body.replace(b'<?xml ', b'', 1):
        yield Finding('free text', 'comment or instruction', body)
    try:
        root = ElementTree.fromstring(body)
        service = documents.Parsed(body).service
    except (ElementTree.ParseError, KeyError, ValueError, AttributeError):
        yield Finding('free text', body, 'what is no document')
        return
    own = f'{{{documents.NAMESPACE}}}'
    outer = [f'{{urn:3gpp:ns:{service}Info:1.0}}{name}' for name in
             (f'{service}info', f'{service}-Params', 'anyExt')]
    for element in root.iter():
        name = element.tag.removeprefix(own)
        if element.tag not in outer and (name == element.tag
                                         or name not in ELEMENTS):
            yield Finding('header', element.tag, body)
        if set(element.attrib) - ATTRIBUTES:
            yield Finding('header', str(element.attrib), body)
        if name == 'text' and element.text not in TEXTS:
            yield Finding('free text', element.text, body)


def request_findings(message):
    if message.method == 'OPTIONS':
        yield from header_findings(message, PROBE_HEADERS)
        if message.body:
            yield Finding('free text', message.body, message.start)
        return
    yield from header_findings(message, REQUEST_HEADERS)
    # MC service IDs are the document's alone.
    head = '\n'.join([message.start] + [value for _, value in message.headers])
    for user in re.findall(r'(?:user|visitor)\d+', head):
        yield Finding('identity', user, head)
    yield from document_findings(message.body)


def find(data, inside):
    """Findings in one stream or datagram that left a gateway."""
    findings = list(inside.find_words(data))
    messages, rest = split_messages(data)
    if rest.strip():
        findings.append(Finding('free text', rest, 'what is no message'))
    for one in messages:
        message = sippeer.Message(one)
        findings += (answer_findings(message) if message.is_response
                     else request_findings(message))
    return findings

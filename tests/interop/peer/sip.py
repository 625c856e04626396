# SPDX-License-Identifier: BSD-2-Clause
"""SIP messages (RFC 3261 7 and 20): reader and writer, no more of them than
MESSAGE and OPTIONS need."""

import dataclasses
import re
import secrets

COMPACT = {'a': 'accept-contact', 'c': 'content-type', 'e': 'content-encoding',
           'f': 'from', 'i': 'call-id', 'k': 'supported',
           'l': 'content-length', 'm': 'contact', 's': 'subject', 't': 'to',
           'v': 'via'}
REASONS = {200: 'OK', 202: 'Accepted', 302: 'Moved Temporarily',
           400: 'Bad Request', 401: 'Unauthorized', 403: 'Forbidden',
           404: 'Not Found', 405: 'Method Not Allowed',
           408: 'Request Timeout', 413: 'Request Entity Too Large',
           415: 'Unsupported Media Type', 416: 'Unsupported URI Scheme',
           420: 'Bad Extension', 481: 'Call/Transaction Does Not Exist',
           482: 'Loop Detected', 483: 'Too Many Hops',
           500: 'Server Internal Error', 502: 'Bad Gateway',
           503: 'Service Unavailable', 504: 'Server Time-out',
           603: 'Decline'}
LINE_OF_REQUEST = re.compile(r'([A-Z]+) (\S+) SIP/2\.0\Z')
LINE_OF_ANSWER = re.compile(r'SIP/2\.0 ([1-6]\d\d) (.*)\Z')
HEADER = re.compile(r'([\w.!%*+`\'~-]+)[ \t]*:[ \t]*(.*?)[ \t]*\Z', re.S)
VIA = re.compile(r'SIP\s*/\s*2\.0\s*/\s*(UDP|TCP|TLS)\s+'
                 r'(\[[0-9a-fA-F:.]+\]|[\w.-]+)(?:\s*:\s*(\d+))?\s*(;.*)?\Z',
                 re.I | re.S)
COOKIE = 'z9hG4bK'


class Malformed(Exception):
    """Not a SIP message, or a header field that is none of its kind."""


class Refusal(Exception):
    """What answers a request instead of what was hoped for."""

    def __init__(self, status, text=None, headers=()):
        super().__init__(f'{status} {text}')
        self.status = status
        self.text = text
        self.headers = tuple(headers)


@dataclasses.dataclass
class Message:
    """A request (method, uri) or an answer (status)."""

    method: str = None
    uri: str = None
    status: int = None
    headers: list = dataclasses.field(default_factory=list)
    body: bytes = b''

    def all(self, name):
        """Every value of that header field, lists taken apart."""
        return [value for key, text in self.headers if key == name.lower()
                for value in split_list(text)]

    def text(self, name):
        """The whole of a field that stands once; None if it does not."""
        found = [text for key, text in self.headers if key == name.lower()]
        if len(found) > 1:
            raise Malformed(name)
        return found[0] if found else None

    def must(self, name):
        text = self.text(name)
        if not text:
            raise Malformed(name)
        return text

    @property
    def cseq(self):
        found = re.fullmatch(r'(\d{1,10})\s+(\S+)', self.must('CSeq'))
        if not found or int(found[1]) >= 2 ** 31:
            raise Malformed('CSeq')
        return int(found[1]), found[2]

    @property
    def via(self):
        vias = self.all('Via')
        if not vias:
            raise Malformed('Via')
        return Via.read(vias[0])

    @property
    def warning(self):
        """The text of the first Warning 399; '' without."""
        for value in self.all('Warning'):
            found = re.fullmatch(r'399 \S+ "(.*)"', value)
            if found:
                return found[1]
        return ''


@dataclasses.dataclass
class Via:
    transport: str
    host: str
    port: int
    parameters: dict

    @classmethod
    def read(cls, text):
        found = VIA.match(text)
        if not found:
            raise Malformed('Via')
        return cls(found[1].upper(), found[2].strip('[]'),
                   int(found[3]) if found[3] else None,
                   read_parameters(found[4] or ''))

    def __str__(self):
        host = f'[{self.host}]' if ':' in self.host else self.host
        port = f':{self.port}' if self.port else ''
        return f'SIP/2.0/{self.transport} {host}{port}' + ''.join(
            f';{name}' if value is None else f';{name}={value}'
            for name, value in self.parameters.items())


def read_parameters(text):
    parameters = {}
    for part in re.findall(r';\s*((?:"(?:\\.|[^"\\])*"|[^;"])+)', text):
        name, equals, value = part.strip().partition('=')
        name = name.strip().lower()
        if not name or name in parameters:
            raise Malformed('parameters')
        parameters[name] = value.strip() if equals else None
    return parameters


def split_list(text):
    """At its commas, but for those in quotes and angle brackets."""
    return [part.strip() for part in re.findall(
        r'((?:"(?:\\.|[^"\\])*"|<[^>]*>|[^,"<])+)', text) if part.strip()]


def read_address(text):
    """(URI, parameters) of a name-addr or an addr-spec."""
    found = re.fullmatch(r'\s*(?:"(?:\\.|[^"\\])*"|[^<"]*)\s*<([^<>\s]+)>'
                         r'\s*(;.*)?', text, re.S)
    if found:
        return found[1], read_parameters(found[2] or '')
    uri, semicolon, rest = text.strip().partition(';')
    if not re.fullmatch(r'[\w+.-]+:\S+', uri):
        raise Malformed('address')
    return uri, read_parameters(semicolon + rest)


def read_head(text):
    lines = re.sub(r'\r\n[ \t]+', ' ', text).split('\r\n')
    message = Message()
    if found := LINE_OF_REQUEST.match(lines[0]):
        message.method, message.uri = found.groups()
    elif found := LINE_OF_ANSWER.match(lines[0]):
        message.status = int(found[1])
    else:
        raise Malformed('start line')
    for line in lines[1:]:
        found = HEADER.match(line)
        if not found:
            raise Malformed('header line')
        name = found[1].lower()
        message.headers.append((COMPACT.get(name, name), found[2]))
    return message


def content_length(message):
    text = message.text('Content-Length')
    if text is None:
        return None
    if not re.fullmatch(r'\d{1,9}', text):
        raise Malformed('Content-Length')
    return int(text)


def read_datagram(data):
    head, blank, body = data.lstrip(b'\r\n').partition(b'\r\n\r\n')
    if not blank:
        raise Malformed('no end of headers')
    message = read_head(head.decode('utf-8', 'surrogateescape'))
    length = content_length(message)
    if length is not None and length > len(body):
        raise Malformed('Content-Length')
    message.body = body[:length]
    return message


def write(message):
    if message.status is None:
        first = f'{message.method} {message.uri} SIP/2.0'
    else:
        first = f'SIP/2.0 {message.status} ' \
                f'{REASONS.get(message.status, "Answer")}'
    lines = [first, *(f'{name}: {value}' for name, value in message.headers
                      if name.lower() != 'content-length'),
             f'Content-Length: {len(message.body)}', '', '']
    return '\r\n'.join(lines).encode('utf-8', 'surrogateescape') \
        + message.body


def new_branch():
    return COOKIE + secrets.token_hex(12)


def new_tag():
    return secrets.token_hex(6)

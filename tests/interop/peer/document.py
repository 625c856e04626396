# SPDX-License-Identifier: BSD-2-Clause
"""The info document with our migration element (doc/protocol.md section 3)."""

import dataclasses
import re
import secrets
import uuid
from xml.parsers import expat
from xml.sax import saxutils

from . import ids
from .sip import Refusal, read_parameters

MIGRATION = 'urn:uuid:5fec72a9-f7d2-40d2-a6ec-5e5a7fd7607b'
BODY_MAX = 65536
DEPTH_MAX = 16
ELEMENTS_MAX = 256
TOKEN_MAX = 16384
LEAVES = {
    ('authorization', 'request'): ('partner-mc-service-id',
                                   'primary-mc-service-id', 'profile-index'),
    ('deauthorization', 'request'): ('partner-mc-service-id',
                                     'primary-mc-service-id'),
    'response': ('partner-mc-service-id', 'primary-mc-service-id', 'result',
                 'cause', 'text')}
CAUSES = ('superseded', 'ended', 'not-admitted', 'system-disabled',
          'partner-id-in-use', 'other-partner-id', 'not-migrated',
          'user-unknown', 'user-disabled', 'profile-unknown', 'not-permitted',
          'primary-refused', 'primary-unreachable', 'other')


@dataclasses.dataclass(frozen=True)
class Service:
    """The names of section 1."""

    name: str
    media_type: str
    namespace: str
    icsi: str
    accept_contact: str

    @classmethod
    def of(cls, name):
        return cls(name, f'application/vnd.3gpp.{name}-info+xml',
                   f'urn:3gpp:ns:{name}Info:1.0',
                   f'urn:urn-7:3gpp-service.ims.icsi.{name}',
                   f'*;+g.3gpp.{name};require;explicit')


SERVICES = {name: Service.of(name) for name in ('mcptt', 'mcvideo', 'mcdata')}


@dataclasses.dataclass
class Document:
    service: str
    verb: str  # authorization or deauthorization
    kind: str  # request or response
    partner_id: str
    primary_id: str
    profile_index: int = None
    result: str = None
    cause: str = None
    text: str = None
    procedure: str = None
    sequence: int = None
    order: int = None
    token: str = None

    @property
    def key(self):
        """What a procedure is known by (6.1.1)."""
        return (self.service, self.procedure, ids.canonical(self.partner_id),
                ids.canonical(self.primary_id))

    def other(self, **changes):
        return dataclasses.replace(self, **changes)

    def response(self, result, cause=None, text=None):
        return self.other(kind='response', result=result, cause=cause,
                          text=text, profile_index=None, order=None,
                          token=None)


# ------------------------------------------------------------------- writing

def write(document):
    service = SERVICES[document.service]
    name = service.name
    attributes = ''.join(
        f' {key}="{value}"' for key, value in
        (('procedure', document.procedure), ('sequence', document.sequence),
         ('order', document.order)) if value is not None)
    leaves = (('partner-mc-service-id', document.partner_id),
              ('primary-mc-service-id', document.primary_id),
              ('profile-index', document.profile_index),
              ('result', document.result), ('cause', document.cause),
              ('text', document.text))
    inner = ''.join(f'<{key}>{saxutils.escape(str(value))}</{key}>'
                    for key, value in leaves if value is not None)
    token = '' if document.token is None else \
        f'<{name}-access-token type="Normal"><{name}String>' \
        f'{saxutils.escape(document.token)}</{name}String>' \
        f'</{name}-access-token>'
    element = f'{document.verb}-{document.kind}'
    return (f'<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<{name}info xmlns="{service.namespace}"><{name}-Params>{token}'
            f'<anyExt><migration xmlns="{MIGRATION}">'
            f'<{element}{attributes}>{inner}</{element}>'
            f'</migration></anyExt></{name}-Params></{name}info>\n').encode()


def body_of(document, multipart=False):
    """(Content-Type, body)."""
    media_type = SERVICES[document.service].media_type
    data = write(document)
    if not multipart:
        return media_type, data
    boundary = secrets.token_hex(8)
    parts = (('text/plain; charset=utf-8', b'a part that nobody asked for'),
             (f'{media_type}; charset="utf-8"', data))
    lines = b''.join(b'--%s\r\nContent-Type: %s\r\n\r\n%s\r\n'
                     % (boundary.encode(), kind.encode(), text)
                     for kind, text in parts)
    return (f'multipart/mixed;boundary="{boundary}"',
            b'preamble\r\n' + lines + f'--{boundary}--\r\n'.encode())


# ------------------------------------------------------------------- reading

def refuse(text):
    raise Refusal(400, text)


def read_media_type(text):
    found = re.fullmatch(r'([\w.+-]+)\s*/\s*([\w.+-]+)\s*(;.*)?', text, re.S)
    if not found:
        refuse('Content-Type is malformed')
    parameters = {name: (value or '').strip('"') for name, value
                  in read_parameters(found[3] or '').items()}
    return f'{found[1]}/{found[2]}'.lower(), parameters


def service_of(media_type, parameters):
    service = next((service for service in SERVICES.values()
                    if service.media_type == media_type), None)
    if service and parameters.get('charset', 'utf-8').lower() != 'utf-8':
        refuse('charset of Content-Type is not UTF-8')
    return service


def parts_of(body, boundary):
    """(media type, parameters, header fields, data) of each part."""
    delimiter = b'--' + boundary.encode()
    pieces = re.split(rb'(?:\A|\r\n)' + re.escape(delimiter), body)
    if len(pieces) < 2:
        refuse('multipart body without its boundary')
    for i, piece in enumerate(pieces[1:], 1):
        if piece.startswith(b'--'):
            return
        blank, newline, rest = piece.partition(b'\r\n')
        if blank.strip() or not newline or i == len(pieces) - 1:
            refuse('multipart body is not closed')
        head, blank, data = (b'\r\n' + rest).partition(b'\r\n\r\n')
        if not blank:
            refuse('header fields of a body part are malformed')
        fields = dict(re.findall(r'\r\n([\w-]+):[ \t]*([^\r]*)',
                                 head.decode('ascii', 'replace')))
        fields = {name.lower(): value.strip()
                  for name, value in fields.items()}
        yield (*read_media_type(fields.get('content-type', 'text/plain')),
               fields, data)
    refuse('multipart body is not closed')


def info_part(body, parameters):
    if not parameters.get('boundary'):
        refuse('multipart/mixed without a boundary')
    found = []
    for media_type, inner, fields, data in parts_of(body,
                                                    parameters['boundary']):
        if media_type.startswith('multipart/'):
            raise Refusal(415, 'nested multipart body')
        service = service_of(media_type, inner)
        if not service:
            continue
        if fields.get('content-transfer-encoding', '8bit').lower() not in \
                ('7bit', '8bit', 'binary'):
            raise Refusal(415, 'MC info body part is encoded')
        found.append((service, data))
    if not found:
        raise Refusal(415, 'multipart body without an MC info part')
    if len(found) > 1:
        refuse('more than one MC info body part')
    return found[0]


class Element:
    def __init__(self, name, attributes):
        self.namespace, _, self.name = name.rpartition(' ')
        self.attributes = attributes
        self.children = []
        self.text = ''
        self.only_text = True  # no comment, CDATA or anything else inside

    def all(self, namespace, name):
        return [child for child in self.children
                if (child.namespace, child.name) == (namespace, name)]

    def one(self, namespace, name):
        found = self.all(namespace, name)
        if not found:
            refuse(f'{name} missing in {self.name}')
        if len(found) > 1:
            refuse(f'more than one {name} element')
        return found[0]


class Tree:
    """Reads XML into elements, or refuses."""

    def __init__(self):
        self.root = None
        self.open = []
        self.count = 0

    def start(self, name, attributes):
        element = Element(name, attributes)
        self.count += 1
        if self.count > ELEMENTS_MAX:
            refuse('more than 256 elements')
        if len(self.open) >= DEPTH_MAX:
            refuse('elements nested deeper than 16')
        if 'xmlenc' in element.namespace or \
                attributes.get('type') == 'Encrypted':
            refuse('encrypted content is not supported')
        if self.open:
            self.open[-1].children.append(element)
            self.open[-1].only_text = False
        else:
            self.root = element
        self.open.append(element)

    def end(self, _):
        self.open.pop()

    def characters(self, text):
        if self.open:
            self.open[-1].text += text

    def other(self, *_):
        if self.open:
            self.open[-1].only_text = False

    @staticmethod
    def declaration(_, encoding, __):
        if encoding and encoding.lower() != 'utf-8':
            refuse('XML declaration has an encoding other than UTF-8')

    @staticmethod
    def doctype(*_):
        refuse('DOCTYPE in the body')

    def read(self, data):
        parser = expat.ParserCreate('UTF-8', ' ')
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.CharacterDataHandler = self.characters
        parser.CommentHandler = self.other
        parser.ProcessingInstructionHandler = self.other
        parser.StartCdataSectionHandler = self.other
        parser.XmlDeclHandler = self.declaration
        parser.StartDoctypeDeclHandler = self.doctype
        try:
            parser.Parse(data, True)
        except expat.ExpatError as error:
            refuse(f'body is not well-formed XML, line {error.lineno}')
        return self.root


def read_number(text, name, low, high):
    if not re.fullmatch('0|[1-9][0-9]{0,18}', text) or \
            not low <= int(text) <= high:
        refuse(f'{name} is not a number from {low} to '
               + ('2^63-1' if high == 2 ** 63 - 1 else str(high)))
    return int(text)


def read_token(params, service):
    name = service.name
    found = params.all(service.namespace, f'{name}-access-token')
    if not found:
        return None
    if len(found) > 1:
        refuse(f'more than one {name}-access-token element')
    if found[0].attributes.get('type', 'Normal') != 'Normal':
        refuse(f'type of {name}-access-token is not Normal')
    token = found[0].one(service.namespace, f'{name}String').text
    if not re.fullmatch(r'[!-~]{1,%d}' % TOKEN_MAX, token):
        refuse('access token is empty')
    return token


def read_leaves(element, wanted):
    values = {}
    for child in element.children:
        name = child.name
        if child.namespace != MIGRATION or name not in wanted:
            refuse(f'unknown element in {element.name}')
        if name in values:
            refuse(f'{name} twice in {element.name}')
        if child.attributes:
            refuse(f'unknown attribute of {name}')
        if not child.only_text:
            refuse(f'{name} holds more than text')
        values[name] = child.text
    if list(values) != [name for name in wanted if name in values]:
        refuse(f'leaves in the wrong order in {element.name}')
    for name in wanted:
        if name not in values and name not in ('cause', 'text'):
            refuse(f'{name} missing in {element.name}')
    return values


def check_result(values):
    result, cause = values.get('result'), values.get('cause')
    if result is None:
        return
    if result not in ('success', 'failure'):
        refuse('result is neither success nor failure')
    if result == 'failure' and cause is None:
        refuse('cause missing with result failure')
    if result == 'success' and (cause or values.get('text')) is not None:
        refuse('cause given with result success')
    if cause is not None:
        if not re.fullmatch(r'[a-z][a-z0-9-]{0,63}', cause):
            refuse('cause is not the name of a cause')
        if cause not in CAUSES:
            values['cause'] = 'other'


def read_attributes(element):
    values = dict(element.attributes)
    if set(values) - {'procedure', 'sequence', 'order'}:
        refuse(f'unknown attribute in {element.name}')
    if 'procedure' in values:
        if not re.fullmatch(r'[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}'
                            r'-[0-9a-fA-F]{12}', values['procedure']):
            refuse('procedure is not a UUID')
        values['procedure'] = str(uuid.UUID(values['procedure']))
    for name in ('sequence', 'order'):
        if name in values:
            values[name] = read_number(values[name], name, 1, 2 ** 63 - 1)
    return values


def read_element(service, migration):
    if len(migration.children) != 1:
        refuse('migration is empty' if not migration.children
               else 'more than one element in migration')
    element = migration.children[0]
    verb, _, kind = element.name.partition('-')
    wanted = LEAVES.get((verb, kind)) or (
        kind == 'response' and verb in ('authorization', 'deauthorization')
        and LEAVES[kind])
    if not wanted or element.namespace != MIGRATION:
        refuse('unknown element in migration')
    values = read_leaves(element, wanted)
    check_result(values)
    if 'profile-index' in values:
        values['profile_index'] = read_number(values.pop('profile-index'),
                                              'profile-index', 0, 255)
    document = Document(
        service.name, verb, kind, values.pop('partner-mc-service-id'),
        values.pop('primary-mc-service-id'), **values,
        **read_attributes(element))
    partner_id, primary_id = document.key[2:]
    for name, value in (('partner', partner_id), ('primary', primary_id)):
        if not value:
            refuse(f'{name}-mc-service-id is not a SIP URI that names a user')
    if partner_id == primary_id:
        refuse('partner and primary MC service ID are equal')
    return document


def read(content_type, body):
    if len(body) > BODY_MAX:
        raise Refusal(413, 'body larger than 65536 bytes')
    if not content_type:
        raise Refusal(415, 'Content-Type missing')
    media_type, parameters = read_media_type(content_type)
    service = service_of(media_type, parameters)
    if not service:
        if media_type != 'multipart/mixed':
            raise Refusal(415, 'Content-Type is not of an MC service')
        service, body = info_part(body, parameters)
    if not body:
        refuse('body is empty')
    root = Tree().read(body)
    name = service.name
    if (root.namespace, root.name) != (service.namespace, f'{name}info'):
        refuse(f'root element is not {name}info')
    params = root.one(service.namespace, f'{name}-Params')
    any_ext = params.one(service.namespace, 'anyExt')
    migration = any_ext.one(MIGRATION, 'migration')
    document = read_element(service, migration)
    document.token = read_token(params, service)
    return document

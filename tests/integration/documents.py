# SPDX-License-Identifier: BSD-2-Clause
"""The information documents, written out by hand: the tests must not believe
what the library believes."""

import re
import time
import uuid
from xml.etree import ElementTree

NAMESPACE = 'urn:uuid:5fec72a9-f7d2-40d2-a6ec-5e5a7fd7607b'
SERVICES = ('mcptt', 'mcvideo', 'mcdata')


def new_procedure():
    return str(uuid.uuid4())


def now_ms():
    return time.time_ns() // 1_000_000


def now_us():
    return time.time_ns() // 1_000


def content_type(service='mcptt'):
    return f'application/vnd.3gpp.{service}-info+xml'


def service_headers(service, identity, kind):
    """`kind`: Preferred from a client, Asserted between servers."""
    return [(f'P-{kind}-Identity', f'<{identity}>'),
            (f'P-{kind}-Service', f'urn:urn-7:3gpp-service.ims.icsi.{service}'),
            ('Accept-Contact', f'*;+g.3gpp.{service};require;explicit')]


def document(element, partner_id, primary_id, *, service='mcptt', profile=None,
             procedure=None, sequence=None, order=None, result=None,
             cause=None):
    """bytes; what is None is left out."""
    attributes = ''.join(
        f' {name}="{value}"' for name, value in
        (('procedure', procedure), ('sequence', sequence), ('order', order))
        if value is not None)
    children = ''.join(
        f'<{name}>{value}</{name}>' for name, value in
        (('partner-mc-service-id', partner_id),
         ('primary-mc-service-id', primary_id), ('profile-index', profile),
         ('result', result), ('cause', cause)) if value is not None)
    return (f'<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<{service}info xmlns="urn:3gpp:ns:{service}Info:1.0">'
            f'<{service}-Params><anyExt><migration xmlns="{NAMESPACE}">'
            f'<{element}{attributes}>{children}</{element}>'
            f'</migration></anyExt></{service}-Params></{service}info>'
            ).encode()


class Parsed:
    """What a document of the daemon says."""

    def __init__(self, body):
        root = ElementTree.fromstring(body)
        self.service = re.match(r'\{urn:3gpp:ns:(\w+)Info:1.0\}',
                                root.tag).group(1)
        (flow,) = root.find(f'.//{{{NAMESPACE}}}migration')
        self.element = flow.tag.partition('}')[2]
        self.procedure = flow.get('procedure')
        self.sequence = flow.get('sequence')
        self.order = flow.get('order')
        token = root.find(f'.//{{*}}{self.service}-access-token/*')
        self.access_token = None if token is None else token.text
        values = {child.tag.partition('}')[2]: child.text for child in flow}
        self.partner_id = values['partner-mc-service-id']
        self.primary_id = values['primary-mc-service-id']
        self.profile = values.get('profile-index')
        self.result = values.get('result')
        self.cause = values.get('cause')

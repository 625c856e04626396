# SPDX-License-Identifier: BSD-2-Clause
"""Hidden means hidden: a server inside that puts a canary into everything it
says, in what it sends and in what it answers; none is heard outside."""

import os

import pytest

import documents
import gateways
import hidden

pytestmark = pytest.mark.skipif(
    os.environ.get('MCMIG_STORE', 'sqlite') != 'sqlite',
    reason='there is no store here: once is enough')
SETTINGS = {'gateway': {'attempt_deadline': '300ms', 'entry_deadline': '600ms',
                        'exit_deadline': '900ms'}}
CANARY = 'kanarienvogel'
BODY_CANARIES = (
    (b'<migration ', f'<!-- {CANARY} --><migration '.encode()),
    (b'<mcpttinfo ', f'<mcpttinfo {CANARY}="{CANARY}" xmlns:k="urn:{CANARY}" '
     .encode()),
    (b'<anyExt>', f'<mode-of-operation>{CANARY}</mode-of-operation><anyExt>'
     f'<x xmlns="urn:{CANARY}">{CANARY}</x>'.encode()),
    (b'?>\n', f'?>\n<?{CANARY} {CANARY}?>\n'.encode()),
)
HEADER_CANARIES = [
    ('Via', f'SIP/2.0/TCP as1.{CANARY}.b.example:5062;branch=z9hG4bK{CANARY}2'),
    ('User-Agent', f'{CANARY}/1.0'), ('Server', f'{CANARY}/1.0'),
    ('Organization', CANARY), ('Subject', CANARY), ('X-Canary', CANARY),
    ('Contact', f'<sip:{CANARY}@127.1.2.1>'), ('Call-Info', f'<sip:{CANARY}>'),
    ('Record-Route', f'<sip:{CANARY}.b.example;lr>'),
    ('P-Charging-Vector', f'icid-value={CANARY};icid-generated-at=127.1.2.1'),
    ('P-Access-Network-Info', f'3GPP-E-UTRAN;utran-cell-id-3gpp={CANARY}'),
    ('P-Visited-Network-ID', f'"{CANARY}"'), ('Geolocation', f'<cid:{CANARY}>'),
    ('History-Info', f'<sip:{CANARY}@b.example>;index=1'),
    ('Date', 'Sat, 13 Nov 2010 23:29:00 GMT'), ('MIME-Version', '1.0'),
    ('Content-Disposition', f'render;handling={CANARY}'),
    ('Reply-To', f'<sip:{CANARY}@b.example>'), ('Priority', CANARY),
    ('Supported', CANARY), ('Allow', CANARY.upper()), ('Expires', '4711'),
    ('Timestamp', '4711.4711'), ('In-Reply-To', f'{CANARY}@b.example'),
    ('Warning', f'399 as1.{CANARY} "{CANARY}"'),
    ('Retry-After', f'4711 ({CANARY})'),
    ('WWW-Authenticate', f'Digest realm="{CANARY}", nonce="{CANARY}"'),
    ('Error-Info', f'<sip:{CANARY}@b.example>'),
    ('Authentication-Info', f'nextnonce="{CANARY}"'),
    ('P-Asserted-Service', f'urn:urn-7:3gpp-service.ims.icsi.{CANARY}'),
    ('Accept-Contact', f'*;+g.3gpp.{CANARY}'), ('Accept', f'text/{CANARY}'),
]


def canary_words():
    inside = hidden.Inside(public=('a.example', 'b.example'))
    inside.add('canary', CANARY, '4711', '13 Nov 2010')
    return inside


def assert_no_canary(peers):
    received = [data for peer in peers for data in peer.received]
    assert received
    text = b''.join(received).lower()
    # Also inside of other words, unlike what chance may bring about.
    assert CANARY.encode() not in text, text
    findings = [finding for data in received
                for finding in hidden.find(data, canary_words())]
    assert not findings, findings[:3]


@pytest.fixture
def alone(make_lab, make_peer):
    """A gateway of b.example between a server and a gateway of the test."""
    server = make_peer('127.1.2.1', 'tcp')
    primary = make_peer('127.2.1.1', 'tcp', auto_reply=200)
    third = make_peer('127.2.3.1', 'tcp')
    lab = make_lab(gateways.GatewayLab, server, [primary], third,
                   settings=SETTINGS)
    return lab.gateway, server, primary


def with_canaries(body, service='mcptt'):
    for old, new in BODY_CANARIES:
        assert old in body
        body = body.replace(old, new, 1)
    return body


def multipart(body):
    boundary = f'{CANARY}-boundary'
    parts = [f'{CANARY}: preamble',
             f'--{boundary}', f'Content-Type: text/plain;name={CANARY}', '',
             CANARY, f'--{boundary}', f'Content-ID: <{CANARY}@b.example>',
             f'Content-Type: {documents.content_type()}', '',
             body.decode(), f'--{boundary}--', CANARY, '']
    return '\r\n'.join(parts).encode(), \
        f'multipart/mixed;boundary={boundary};x={CANARY}'


def documents_with_canaries():
    ids = ('sip:visitor00001@b.example', 'sip:user00001@a.example')
    request = with_canaries(gateways.request_document(*ids))
    response = with_canaries(documents.document(
        'authorization-response', ids[1].replace('user', 'visitor'),
        ids[0].replace('visitor', 'user'), procedure=documents.new_procedure(),
        sequence=documents.now_us(), result='failure', cause='not-permitted'
    ).replace(b'</cause>', f'</cause><text>{CANARY}</text>'.encode()))
    unknown = documents.document(
        'authorization-response', 'sip:visitor00001@a.example',
        'sip:user00001@b.example', procedure=documents.new_procedure(),
        sequence=documents.now_us(), result='failure', cause=CANARY)
    return {'request': (request, documents.content_type()),
            'response': (response, documents.content_type()),
            'unknown cause': (unknown, documents.content_type()),
            'in a multipart body': (multipart(request))}


@pytest.mark.parametrize('what', documents_with_canaries())
def test_request_of_a_talkative_server(alone, what):
    gateway, server, primary = alone
    body, content_type = documents_with_canaries()[what]
    branch = server.send(
        gateway.inside, f'sip:{CANARY}@a.example;{CANARY}={CANARY}', body,
        content_type=content_type,
        replace={'From': f'"{CANARY}" <sip:{CANARY}@b.example>;tag={CANARY};'
                         f'{CANARY}={CANARY}',
                 'To': f'"{CANARY}" <sip:{CANARY}@a.example>',
                 'Call-ID': f'{CANARY}@as1.{CANARY}.b.example',
                 'CSeq': '4711 MESSAGE'},
        headers=[('P-Asserted-Identity', f'"{CANARY}" <sip:{CANARY}@b.example>'
                  )] + HEADER_CANARIES, branch=f'z9hG4bK{CANARY}')
    assert server.response(branch).status == 200
    assert_no_canary([primary])
    heard = primary.request()
    parsed = documents.Parsed(heard.body)
    assert parsed.partner_id.startswith('sip:visitor')
    assert heard.uri == gateways.identity('a')


@pytest.mark.parametrize('status', (
    200, 202, 301, 302, 305, 400, 401, 403, 404, 407, 408, 415, 420, 480, 481,
    482, 486, 488, 499, 500, 502, 503, 504, 513, 580, 600, 603, 604, 606, 699))
def test_answer_of_a_talkative_server(alone, status):
    gateway, server, primary = alone

    def talk(message):
        lines = [f'SIP/2.0 {status} {CANARY}']
        lines += [f'{name}: {message.header(name)}'
                  for name in ('via', 'from', 'call-id', 'cseq')]
        lines += [f'to: "{CANARY}" {message.header("to")};tag={CANARY}']
        lines += [f'{name}: {value}' for name, value in HEADER_CANARIES
                  if name != 'Via']
        lines += ['content-type: text/plain', f'content-length: {len(CANARY)}',
                  '', CANARY]
        message.answer_with('\r\n'.join(lines).encode())

    server.auto_reply = talk
    answer = gateways.say(primary, gateway.outside, gateways.request_document(
        'sip:visitor00001@a.example', 'sip:user00001@b.example'),
        speaker=gateways.identity('a'), target=gateways.identity('b'))
    assert answer.status >= 200
    assert_no_canary([primary])

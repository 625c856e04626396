# SPDX-License-Identifier: BSD-2-Clause
"""Bad input gets a clear error, and nothing is stored."""

import pytest

import documents

PARTNER = 'sip:visitor00001@b.example'
PRIMARY = 'sip:user00001@a.example'


def good(**options):
    options = {'profile': 1, 'procedure': documents.new_procedure(), **options}
    return documents.document('authorization-request',
                              options.pop('partner_id', PARTNER),
                              options.pop('primary_id', PRIMARY), **options)


def replaced(old, new):
    body = good()
    assert old in body
    return body.replace(old, new, 1)


DEEP = b'<anyExt>' + b'<x xmlns="urn:x">' * 40 + b'</x>' * 40
NAMESPACE = documents.NAMESPACE.encode()
PROFILE = b'<profile-index>1</profile-index>'
PARTNER_ELEMENT = (b'<partner-mc-service-id>' + PARTNER.encode()
                   + b'</partner-mc-service-id>')
PRIMARY_ELEMENT = (b'<primary-mc-service-id>' + PRIMARY.encode()
                   + b'</primary-mc-service-id>')

# name: document, status, what the Warning says
CLIENT_CASES = {
    'empty': (b'', 400, 'body is empty'),
    'not XML': (b'hello', 400, 'not well-formed'),
    'truncated': (good()[:-20], 400, 'not well-formed'),
    'more after the end': (good() + b'<x/>', 400, 'not well-formed'),
    'DOCTYPE': (replaced(b'<mcpttinfo', b'<!DOCTYPE mcpttinfo><mcpttinfo'),
                400, 'DOCTYPE'),
    'entities': (replaced(b'<mcpttinfo', b'<!DOCTYPE m [<!ENTITY e "x">]>'
                          b'<mcpttinfo'), 400, 'DOCTYPE'),
    'external entity': (
        replaced(b'<mcpttinfo', b'<!DOCTYPE m [<!ENTITY e SYSTEM '
                 b'"file:///etc/passwd">]><mcpttinfo')
        .replace(b'user00001', b'&e;'), 400, 'DOCTYPE'),
    'UTF-16': (good().decode().replace('UTF-8', 'UTF-16').encode('utf-16'),
               400, 'UTF-8'),
    'too deep': (replaced(b'<anyExt>', DEEP), 400, 'nested deeper'),
    'over 64 kB': (replaced(b'<anyExt>', b'<!--' + b'x' * 65536 + b'-->'
                            b'<anyExt>'), 413, ''),
    'wrong root': (good().replace(b'mcpttinfo', b'info'), 400,
                   'root element is not mcpttinfo'),
    'wrong namespace': (replaced(b'mcpttInfo:1.0', b'mcpttInfo:2.0'), 400,
                        'namespace'),
    'root of another service': (good(service='mcvideo'), 400,
                                'root element is not mcpttinfo'),
    'migration in another namespace': (replaced(NAMESPACE, b'urn:x'), 400,
                                       'migration missing'),
    'unknown request': (good().replace(b'authorization-request', b'request'),
                        400, 'unknown element in migration'),
    'no partner ID': (replaced(PARTNER_ELEMENT, b''), 400,
                      'partner-mc-service-id missing'),
    'no primary ID': (replaced(PRIMARY_ELEMENT, b''), 400,
                      'primary-mc-service-id missing'),
    'no profile index': (replaced(PROFILE, b''), 400, 'profile-index missing'),
    'partner ID twice': (replaced(PARTNER_ELEMENT, PARTNER_ELEMENT * 2), 400,
                         'partner-mc-service-id twice'),
    'primary ID twice': (replaced(PRIMARY_ELEMENT, PRIMARY_ELEMENT * 2), 400,
                         'primary-mc-service-id twice'),
    'profile index twice': (replaced(PROFILE, PROFILE * 2), 400,
                            'profile-index twice'),
    'migration twice': (replaced(b'</migration>', b'</migration><migration '
                                 b'xmlns="' + NAMESPACE + b'"/>'), 400,
                        'more than one migration'),
    'two requests': (replaced(b'</authorization-request>',
                              b'</authorization-request>'
                              b'<deauthorization-request/>'), 400,
                     'more than one element in migration'),
    'comment inside an ID': (replaced(b'user00001', b'user<!-- -->00001'), 400,
                             'more than text'),
    'partner ID is no URI': (good(partner_id='visitor'), 400,
                             'partner-mc-service-id is not a SIP URI'),
    'primary ID is no URI': (good(primary_id='a b'), 400,
                             'primary-mc-service-id is not a SIP URI'),
    'tel URI': (good(primary_id='tel:+493012345'), 400,
                'primary-mc-service-id is not a SIP URI'),
    'ID without user': (good(partner_id='sip:b.example'), 400,
                        'partner-mc-service-id is not a SIP URI'),
    'IDs equal': (good(primary_id=PARTNER), 400, 'are equal'),
    'partner system unknown': (good(partner_id='sip:visitor@c.example',
                                    primary_id='sip:user@d.example'), 404,
                               'neither MC service ID'),
    'primary system unknown': (good(primary_id='sip:user@c.example'), 404,
                               'primary MC system unknown'),
    'both of this system': (good(primary_id='sip:user00001@b.example'), 400,
                            'same MC system'),
    'profile index no number': (good(profile='one'), 400,
                                'profile-index is not a number'),
    'profile index negative': (good(profile='-1'), 400,
                               'profile-index is not a number'),
    'profile index too large': (good(profile='256'), 400,
                                'profile-index is not a number'),
    'profile index huge': (good(profile='9' * 40), 400, 'profile-index'),
    'procedure no UUID': (good(procedure='17'), 400,
                          'procedure is not a UUID'),
    'order no number': (good(order='soon'), 400, 'order is not a number'),
    'sequence from a client': (good(sequence='17'), 400, 'sequence'),
    'encrypted': (replaced(b'<profile-index>', b'<profile-index '
                           b'type="Encrypted">'), 400, 'encrypted'),
}


def assert_refused(answer, status, warning):
    assert answer.status == status, answer
    text = answer.header('warning') or ''
    assert warning in text
    if warning:
        assert text.startswith('399 b.example "'), text


@pytest.fixture
def unchanged(lab, rows):
    """Fails when a table of b.example has another number of rows after."""
    before = rows(lab.b)
    yield
    assert rows(lab.b) == before


@pytest.mark.parametrize('case', CLIENT_CASES)
def test_client_document(lab, make_peer, client_request, unchanged, case):
    body, status, warning = CLIENT_CASES[case]
    # What is over 64 kB does not fit in a datagram.
    peer = make_peer(transport='tcp')
    assert_refused(client_request(peer, lab.b, body), status, warning)
    assert peer.requests.empty()


CONTENT_TYPES = {
    'none': (None, 415, ''),
    'unknown service': ('application/vnd.3gpp.mcfoo-info+xml', 415,
                        'not of an MC service'),
    'text': ('text/plain', 415, 'not of an MC service'),
    'multipart without boundary': ('multipart/mixed', 400, 'boundary'),
}


@pytest.mark.parametrize('case', CONTENT_TYPES)
def test_content_type(lab, make_peer, client_request, unchanged, case):
    content_type, status, warning = CONTENT_TYPES[case]
    answer = client_request(make_peer(), lab.b, good(),
                            content_type=content_type)
    assert_refused(answer, status, warning)
    if status == 415:
        assert documents.content_type('mcdata') in answer.header('accept')


# A system speaks only for its own: what a.example may not say to b.example.
SERVER_CASES = {
    'IDs swapped': ({'partner_id': PRIMARY, 'primary_id': PARTNER,
                     'element': 'authorization-response',
                     'result': 'success', 'profile': None}, 404,
                    'not hosted here'),
    'no sequence': ({'sequence': None}, 400, 'sequence missing'),
    'no procedure': ({'procedure': None}, 400, 'procedure ID missing'),
    'sequence 0': ({'sequence': '0'}, 400, 'sequence is not a number'),
    'partner system unknown': ({'partner_id': 'sip:visitor00001@c.example'},
                               404, 'partner MC system unknown'),
    'neither is ours': ({'primary_id': 'sip:user00001@c.example'}, 404,
                        'neither MC service ID'),
}


@pytest.mark.parametrize('case', SERVER_CASES)
def test_server_document(lab, make_peer, server_request, unchanged, case):
    changes, status, warning = SERVER_CASES[case]
    options = {'partner_id': 'sip:visitor00001@a.example',
               'primary_id': 'sip:user00001@b.example', 'profile': 1,
               'procedure': documents.new_procedure(),
               'sequence': documents.now_us(),
               'element': 'authorization-request', **changes}
    body = documents.document(options.pop('element'),
                              options.pop('partner_id'),
                              options.pop('primary_id'), **options)
    assert_refused(server_request(make_peer(), lab.b, body), status, warning)


def test_response_nobody_waits_for(lab, make_peer, server_request, unchanged):
    body = documents.document(
        'authorization-response', PARTNER, PRIMARY, result='success',
        procedure=documents.new_procedure(), sequence=documents.now_us())
    assert_refused(server_request(make_peer(), lab.b, body), 481,
                   'procedure not awaited')


def test_response_for_an_id_hosted_elsewhere(lab, make_peer, server_request,
                                             unchanged):
    """404: a 481 would drop a migration that its partner has stored."""
    body = documents.document(
        'authorization-response', 'sip:visitor00001@a.example',
        'sip:user00001@b.example', result='success',
        procedure=documents.new_procedure(), sequence=documents.now_us())
    assert_refused(server_request(make_peer(), lab.b, body), 404,
                   'not hosted here')


def test_peer_that_may_not(make_solo, make_peer, server_request, rows):
    """Its address is no server of a.example."""
    solo = make_solo(make_peer())
    solo.b.store.execute(
        "UPDATE mc_server SET uri = 'sip:127.0.0.2:5060;transport=udp'")
    body = documents.document(
        'authorization-request', 'sip:visitor00001@a.example',
        'sip:user00001@b.example', profile=1,
        procedure=documents.new_procedure(), sequence=documents.now_us())
    solo.b.ctl('reload')
    before = rows(solo.b)
    assert_refused(server_request(make_peer(), solo.b, body), 403,
                   'may not speak')
    assert rows(solo.b) == before


SIP_CASES = {
    'INVITE': ({'method': 'INVITE'}, 405),
    'REGISTER': ({'method': 'REGISTER'}, 405),
    'CANCEL': ({'method': 'CANCEL'}, 481),
    'tel request URI': ({'uri': 'tel:+493012345'}, 416),
    'Require': ({'headers': [('Require', '100rel')]}, 420),
    'Max-Forwards': ({'replace': {'Max-Forwards': '0'}}, 483),
    'no Call-ID': ({'replace': {'Call-ID': None}}, 400),
    'CSeq of another method': ({'replace': {'CSeq': '1 OPTIONS'}}, 400),
}


@pytest.mark.parametrize('case', SIP_CASES)
def test_sip(lab, make_peer, unchanged, case):
    options, status = SIP_CASES[case]
    options = {'uri': 'sip:b.example', 'sender': PARTNER,
               'content_type': documents.content_type(), **options}
    answer = make_peer().ask(lab.b.server, options.pop('uri'), good(),
                             **options)
    assert answer.status == status, answer
    if status == 405:
        assert {method.strip() for method
                in answer.header('allow').split(',')} == {'MESSAGE', 'OPTIONS'}
    if status == 420:
        assert answer.header('unsupported') == '100rel'


def test_options(lab, make_peer):
    answer = make_peer().ask(lab.b.server, 'sip:b.example', method='OPTIONS',
                             sender=PARTNER)
    assert answer.status == 200

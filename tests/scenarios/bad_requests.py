# SPDX-License-Identifier: BSD-2-Clause
"""Requests that are refused: which status, and that nothing is stored."""

from cases import NONE, PROCEDURES, case

MCPTT_INFO = 'application/vnd.3gpp.mcptt-info+xml'
REQUEST = '''<?xml version="1.0" encoding="UTF-8"?>
<mcpttinfo xmlns="urn:3gpp:ns:mcpttInfo:1.0"><mcptt-Params><anyExt>\
<migration xmlns="urn:uuid:5fec72a9-f7d2-40d2-a6ec-5e5a7fd7607b">\
<authorization-request procedure="@procedure@"@sequence_attribute@>\
<partner-mc-service-id>@partner_id@</partner-mc-service-id>\
<primary-mc-service-id>@primary_id@</primary-mc-service-id>\
<profile-index>0</profile-index></authorization-request></migration></anyExt>\
</mcptt-Params></mcpttinfo>'''


def body(old, new):
    """A good document with one thing in it changed."""
    assert old in REQUEST, old
    return {'body': REQUEST.replace(old, new)}


SWAPPED = (REQUEST.replace('@partner_id@', '@third@')
           .replace('@primary_id@', '@partner_id@')
           .replace('@third@', '@primary_id@'))

BAD = {
    'not XML': (400, {'body': 'good morning'}),
    'truncated': (400, {'body': REQUEST[:300]}),
    'empty body': (400, {'body': ''}),
    'DOCTYPE': (400, body('<mcpttinfo', '<!DOCTYPE x SYSTEM "y"><mcpttinfo')),
    'too deep': (400, body('<profile-index>', '<a>' * 100 + '</a>' * 100
                           + '<profile-index>')),
    'wrong root': (400, {'body': REQUEST.replace('mcpttinfo>', 'info>')
                         .replace('<mcpttinfo ', '<info ')}),
    'wrong namespace': (400, body('mcpttInfo:1.0', 'mcpttInfo:9.0')),
    'no profile index': (400, body('<profile-index>0</profile-index>', '')),
    'profile index twice': (400, body(
        '</authorization-request>',
        '<profile-index>0</profile-index></authorization-request>')),
    'profile index is a word': (400, body('>0<', '>zero<')),
    'profile index too large': (400, body('>0<', '>256<')),
    'no primary ID': (400, body('<primary-mc-service-id>@primary_id@'
                                '</primary-mc-service-id>', '')),
    'partner ID is no SIP URI': (400, body('@partner_id@', 'tel:+15551234')),
    'IDs equal': (400, body('@primary_id@', '@partner_id@')),
    'procedure is no UUID': (400, body('procedure="@procedure@"',
                                       'procedure="1"')),
    'wrong type': (415, {'type': 'text/plain'}),
    'unknown extension': (420, {'headers': 'Require: teleport\n'
                                'Max-Forwards: 70', 'expect': 'Unsupported'}),
    'other scheme': (416, {'request_uri': 'tel:+15551234'}),
    'no hops left': (483, {'headers': 'Max-Forwards: 0'}),
    'other method': (405, {'method': 'PUBLISH', 'expect': 'Allow:'}),
}

BAD_AT_PARTNER = {
    'unknown system': (404, {'body': REQUEST.replace(
        '@primary_id@', 'sip:user@elsewhere.example')}),
    'both IDs ours': (400, {'body': REQUEST.replace(
        '@primary_id@', 'sip:user@b.example')}),
    'IDs swapped': (400, {'body': SWAPPED}),
    'sequence': (400, {'sequence_attribute': ' sequence="12345678"'}),
}

BAD_AT_PRIMARY = {
    'no sequence': (400, {'sequence_attribute': ''}),
    'sequence is a word': (400, {'sequence_attribute': ' sequence="next"'}),
    'no procedure': (400, body(' procedure="@procedure@"', '')),
    'IDs swapped': (400, {'body': SWAPPED}),
}


def send_bad(stage, at, status, changes):
    """Sends it, and expects the status."""
    changes = {'body': REQUEST, **changes}
    values = {'method': 'MESSAGE', 'type': MCPTT_INFO,
              'request_uri': 'sip:b.example', 'headers': 'Max-Forwards: 70',
              'expect': 'Warning: 399' if status in (400, 403, 404) else '.',
              'status': status, **changes}
    known = {**stage.values, **values}
    for word in ('sequence_attribute', 'partner_id', 'primary_id',
                 'procedure'):
        values['body'] = values['body'].replace(f'@{word}@', str(known[word]))
    stage.send('bad_request', at=at, **values)


def refuse(stage, at, status, changes):
    """The same, with an untouched store."""
    stage.procedure()
    send_bad(stage, at, status, changes)
    stage.expect_rows(PROCEDURES, NONE)


@case('partner', over=('tcp',), path=('direct',),
      what={**BAD, **BAD_AT_PARTNER})
def refuses(stage, what):
    status, changes = {**BAD, **BAD_AT_PARTNER}[what]
    stage.values['from'] = stage.values['partner_id']
    refuse(stage, 'client', status, {'sequence_attribute': '', **changes})


@case('primary', over=('tcp',), path=('direct',),
      what={**BAD, **BAD_AT_PRIMARY})
def refuses_partner(stage, what):
    status, changes = {**BAD, **BAD_AT_PRIMARY}[what]
    stage.values['from'] = f'sip:{stage.values["partner_system"]}'
    refuse(stage, 'peer', status,
           {'sequence_attribute': ' sequence="12345678"', **changes})

# SPDX-License-Identifier: BSD-2-Clause
"""What a gateway refuses, inside and outside: with which status, Warning and
counter, and that nobody behind it hears of it."""

from bad_requests import BAD, REQUEST, SWAPPED, body, send_bad
from cases import NONE, PROCEDURES, case
from gateway_cases import FLOWS, begin, listen, send, sides, warning

DOCUMENT = 'gateway_refused_document'
CLIENT = 'gateway_refused_client'
PEER = 'gateway_refused_peer'
UNKNOWN = 'gateway_refused_unknown'
IDENTITY = 'gateway_refused_identity'
POLICY = 'gateway_refused_policy'

SEQUENCE = ' sequence="12345678"'
RESPONSE = (REQUEST.replace('authorization-request', 'authorization-response')
            .replace('<profile-index>0</profile-index>',
                     '<result>success</result>'))
TOKEN = ('<mcptt-Params>', '<mcptt-Params><mcptt-access-token type="Normal">'
         '<mcpttString>eyJh.eyJz.c2ln</mcpttString></mcptt-access-token>')

# Name: status, what is changed, counter, Warning.
AT_GATEWAY = {
    'no sequence': (400, {'sequence_attribute': ''}, CLIENT,
                    'sequence missing'),
    'sequence is a word': (400, {'sequence_attribute': ' sequence="next"'},
                           DOCUMENT, '.+'),
    'no procedure': (400, body(' procedure="@procedure@"', ''), CLIENT,
                     'procedure ID missing'),
    'access token': (403, body(*TOKEN), CLIENT,
                     'access token not allowed here'),
    'IDs swapped': (403, {'body': SWAPPED}, PEER,
                    'peer may not speak for this MC system'),
    'response without result': (400, {'body': RESPONSE.replace(
        '<result>success</result>', '')}, DOCUMENT, '.+'),
    'response with another result': (400, {'body': RESPONSE.replace(
        'success', 'perhaps')}, DOCUMENT, '.+'),
    'response with token': (403, {'body': RESPONSE.replace(*TOKEN)}, CLIENT,
                            'access token not allowed here'),
    'one hop left': (483, {'headers': 'Max-Forwards: 1'}, 'gateway_looped',
                     'too many hops'),
    'three identities': (400, {
        'headers': 'P-Asserted-Identity: <sip:a@b.example>, <sip:b@b.example>,'
                   ' <sip:c@b.example>'}, 'sip_refused_identity', '.+'),
    'identity that is none': (400, {'headers': 'P-Asserted-Identity: <<>'},
                              'sip_replies_4xx', '.+'),
}
# Those that every server refuses: before the gateway sees them, or by the
# document.
EVERYWHERE = {
    name: (status, changes,
           DOCUMENT if status in (400, 415) else 'sip_replies_4xx',
           '.+' if status == 400 else None)
    for name, (status, changes) in BAD.items()}
ALL = {**EVERYWHERE, **AT_GATEWAY}


def refused(stage, counter):
    """Nobody behind the gateway hears of it."""
    return stage.counted(**{'gateway_attempts': 0, 'sip_replies_4xx': 1,
                            counter: 1})


@case('exit', over=('tcp',), alone=True, what=ALL)
@case('entry', over=('tcp',), alone=True, what=ALL)
def refuses(stage, what):
    status, changes, counter, text = ALL[what]
    sender = sides(stage)[0]
    begin(stage, 'response' if 'response' in what else 'request')
    system = 'own_system' if sender == 'inside' else 'peer_system'
    stage.values['from'] = f'sip:{stage.values[system]}'
    with refused(stage, counter):
        send_bad(stage, sender, status, {
            'sequence_attribute': SEQUENCE,
            **({'expect': warning(text)} if text else {}), **changes})
    stage.expect_rows(PROCEDURES, NONE)


# -------------------------------------------------------- who speaks for whom

NOT_HIS = 'peer may not speak for this MC system'
NOBODY = '(primary|partner) MC system unknown'
SAME = 'both MC service IDs are of the same MC system'
UNSERVED = 'no MC service server for this user'
# Whose the ID of the one that speaks is, whose that of the one it speaks to.
WRONG_SYSTEMS = {
    'exit': {
        'third speaks': ('third', 'peer', 403, PEER, NOT_HIS),
        'peer speaks': ('peer', 'peer', 403, PEER, NOT_HIS),
        'nobody speaks': ('nobody', 'peer', 404, UNKNOWN, NOBODY),
        'to nobody': ('own', 'nobody', 404, UNKNOWN, NOBODY),
        'to ourselves': ('own', 'own', 400, UNKNOWN, SAME),
    },
    'entry': {
        'third speaks': ('third', 'own', 403, PEER, NOT_HIS),
        'we speak': ('own', 'own', 403, PEER, NOT_HIS),
        'nobody speaks': ('nobody', 'own', 404, UNKNOWN, NOBODY),
        'to nobody': ('peer', 'nobody', 404, UNKNOWN, NOBODY),
        'to third': ('peer', 'third', 403, PEER, NOT_HIS),
        'to itself': ('peer', 'peer', 403, PEER, NOT_HIS),
        'to unserved': ('peer', 'unserved', 404, UNKNOWN, UNSERVED),
    },
}


def mc_service_id(stage, user, whose):
    systems = {'own': stage.values['own_system'],
               'peer': stage.values['peer_system'],
               'third': 'third.example', 'nobody': 'elsewhere.example'}
    if whose == 'unserved':
        user, whose = 'nobody', 'own'
    return f'sip:{user}@{systems[whose]}'


def of_wrong_system(stage, flow, what):
    speaker, target, status, counter, text = \
        WRONG_SYSTEMS[stage.values['role']][what]
    begin(stage, flow)
    partner, primary = (speaker, target) if flow == 'request' else \
        (target, speaker)
    stage.values['partner_id'] = mc_service_id(stage, 'visitor', partner)
    stage.values['primary_id'] = mc_service_id(stage, 'user', primary)
    with refused(stage, counter):
        send(stage, flow, status=status, expect=warning(text))
    stage.expect_rows(PROCEDURES, NONE)


@case('exit', over=('tcp',), alone=True, flow=FLOWS, what=WRONG_SYSTEMS['exit'])
def refuses_wrong_system(stage, flow, what):
    of_wrong_system(stage, flow, what)


@case('entry', over=('tcp',), alone=True, flow=FLOWS,
      what=WRONG_SYSTEMS['entry'])
def refuses_system(stage, flow, what):
    of_wrong_system(stage, flow, what)


FORGED = ('sip:third.example', 'sip:admin@elsewhere.example',
          'sip:b.example.third.example',
          'sip:mcgateway@third.example:5060;user=phone')


@case('exit', over=('tcp',), alone=True, flow=FLOWS, identity=FORGED)
@case('entry', over=('tcp',), alone=True, flow=FLOWS, identity=FORGED)
def refuses_forged_identity(stage, flow, identity):
    begin(stage, flow)
    with refused(stage, IDENTITY):
        send(stage, flow, asserted=identity, status=403,
             expect=warning('P-Asserted-Identity is not of this peer'))


@case('exit', over=('tcp',), alone=True)
@case('entry', over=('tcp',), alone=True)
def refuses_identity_of_the_other_side(stage):
    begin(stage, 'request')
    other = 'peer_system' if stage.values['role'] == 'exit' else 'own_system'
    with refused(stage, IDENTITY):
        send(stage, 'request', asserted=f'sip:{stage.values[other]}',
             status=403)


@case('exit')
@case('entry')
def passes_any_identity_of_the_sender(stage):
    """A telephone number too, which belongs to no system; none of it goes
    further."""
    begin(stage, 'request')
    sender = sides(stage)[0]
    system = 'own_system' if sender == 'inside' else 'peer_system'
    taker = listen(stage, 'request', hidden='depot|tel:')
    send(stage, 'request',
         asserted=f'sip:depot@{stage.values[system].upper()}:5070>, '
                  '<tel:+15551234')
    taker.finish()


# ---------------------------------------------------------------- who sends

@case('exit', alone=True, flow=FLOWS)
@case('entry', alone=True, flow=FLOWS)
def refuses_unknown_peer(stage, flow):
    begin(stage, flow)
    with refused(stage, 'gateway_unknown_peers'):
        send(stage, flow, host=stage.values['unlisted_host'], status=403,
             expect=warning('unknown peer'))


@case('exit', alone=True, flow=FLOWS)
@case('entry', alone=True, flow=FLOWS)
def refuses_peer_of_the_other_side(stage, flow):
    """An address inside is nobody outside, and the reverse."""
    begin(stage, flow)
    sender, taker = sides(stage)
    with refused(stage, 'gateway_unknown_peers'):
        send(stage, flow, host=stage.values[f'{sender}_host'],
             remote=stage.remote(taker), status=403,
             expect=warning('unknown peer'))


@case('exit', alone=True)
def refuses_a_loop(stage):
    """Our own message, come back by the one that it was sent to."""
    begin(stage, 'request')
    taker = listen(stage, 'request')
    send(stage, 'request')
    tag = taker.finish()['heard_tag']
    with refused(stage, 'sip_refused_loop'):
        stage.send('partner_request', at='peer', from_tag=tag, status=482,
                   expect=warning('loop detected'))


# ------------------------------------------------------------------- policy

NOT_AUTHORIZED = warning('179 service not authorized with the interconnected '
                         'system')


def against_policy(stage, verb, service='mcptt', flow='request'):
    begin(stage, flow, verb, service=service)
    with refused(stage, POLICY):
        send(stage, flow, status=403, expect=NOT_AUTHORIZED)
    stage.expect_rows(PROCEDURES, NONE)


def within_policy(stage, verb, service='mcptt', flow='request'):
    begin(stage, flow, verb, service=service)
    taker = listen(stage, flow)
    send(stage, flow)
    taker.finish()


@case('exit', alone=True, gateway={'requests_to': ['mcdata:*'],
                                   'requests_from': ['*']})
@case('entry', alone=True, gateway={'requests_from': ['mcdata:*'],
                                    'requests_to': ['*']})
def policy_of_services(stage):
    against_policy(stage, 'authorization')
    against_policy(stage, 'deauthorization', 'mcvideo')
    within_policy(stage, 'authorization', 'mcdata')


@case('exit', alone=True, gateway={'requests_to': ['*:deauthorization']})
@case('entry', alone=True, gateway={'requests_from': ['*:deauthorization']})
def policy_of_procedures(stage):
    against_policy(stage, 'authorization')
    within_policy(stage, 'deauthorization')


@case('exit', alone=True, flow=FLOWS, gateway={'enabled': False})
@case('entry', alone=True, flow=FLOWS, gateway={'enabled': False})
def disabled_system(stage, flow):
    against_policy(stage, 'authorization', flow=flow)


@case('exit', gateway={'requests_to': ['mcdata:*'], 'requests_from': ['*']})
@case('entry', gateway={'requests_from': ['mcdata:*'], 'requests_to': ['*']})
def response_passes_whatever_the_policy(stage):
    """Of a procedure that was let through before."""
    within_policy(stage, 'authorization', flow='response')


# ------------------------------------------------- at the server behind it

@case('primary', path=('gateway',))
def peer_goes_round_the_gateway(stage):
    """Who is reached by the gateway is nobody at the server itself."""
    stage.procedure()
    stage.send('partner_request', remote=stage.remote('client'), status=403,
               expect='Warning: 399')
    stage.expect_rows(PROCEDURES, NONE)


@case('primary', path=('direct',))
def peer_goes_through_the_gateway(stage):
    """And the reverse: our gateway does not speak for who is reached
    directly; nobody told it of this one either."""
    stage.procedure()
    stage.send('partner_request', remote=stage.values['gateway_outside'],
               status=403, expect='unknown peer')
    stage.expect_rows(PROCEDURES, NONE)

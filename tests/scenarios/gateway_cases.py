# SPDX-License-Identifier: BSD-2-Clause
"""Cases of the gateway alone, between a server of b.example and the gateway of
another MC system, both played by SIPp: each message that leaves (exit) or
enters (entry)."""

from bad_requests import send_bad
from cases import VERBS, case
from play import Failure, failure

FLOWS = ('request', 'response')
SENT = {'request': 'partner_request', 'response': 'primary_response'}
TAKEN = {'request': 'primary_request', 'response': 'partner_response'}

# What a next hop says, and what the one before us hears.
STATUSES = {
    '202 Accepted': 202, '302 Moved Temporarily': 502, '400 Bad Request': 400,
    '401 Unauthorized': 403, '403 Forbidden': 403, '404 Not Found': 404,
    '407 Proxy Authentication Required': 403, '408 Request Timeout': 504,
    '413 Request Entity Too Large': 413, '415 Unsupported Media Type': 415,
    '480 Temporarily Unavailable': 480,
    '481 Call/Transaction Does Not Exist': 481, '486 Busy Here': 486,
    '500 Server Internal Error': 500, '502 Bad Gateway': 502,
    '503 Service Unavailable': 503, '504 Server Time-out': 504,
    '600 Busy Everywhere': 600, '603 Decline': 603}
WARNINGS = {
    '400': 'sequence missing', '403': '101 service authorisation failed',
    '404': 'partner MC service ID not hosted here',
    '481': 'procedure not awaited'}
RETRY_AFTER = {'0': 2, '7': 7, '4000': 60, 'soon': 2}


def sides(stage):
    """Who sends, who takes."""
    exits = stage.values['role'] == 'exit'
    return ('inside', 'peer') if exits else ('peer', 'inside')


def begin(stage, flow, verb='authorization', **values):
    """A new procedure; whose IDs are whose follows from who asks whom."""
    own, peer = stage.values['own_system'], stage.values['peer_system']
    is_ours_the_partner = (stage.values['role'] == 'exit') == \
        (flow == 'request')
    partner, primary = (own, peer) if is_ours_the_partner else (peer, own)
    user = stage.values['user']
    stage.values.update(
        partner_system=partner, primary_system=primary,
        partner_id=f'sip:{user.replace("user", "visitor")}@{partner}',
        primary_id=f'sip:{user}@{primary}')
    stage.procedure(verb, **values)


def listen(stage, flow, at=None, **values):
    """The one who takes hears nothing of where the message comes from."""
    sender, taker = sides(stage)
    host = stage.values[f'{sender}_host'].replace('.', '[.]')
    values.setdefault('hidden', host)
    return stage.listen(TAKEN[flow], at=at or taker, **values)


def send(stage, flow, **values):
    stage.send(SENT[flow], at=sides(stage)[0], **values)


def warning(text):
    return f'Warning: 399 b.example &quot;{text}&quot;'


@case('exit', verb=VERBS, flow=FLOWS)
@case('entry', verb=VERBS, flow=FLOWS)
def passes(stage, verb, flow):
    begin(stage, flow, verb)
    taker = listen(stage, flow)
    send(stage, flow)
    heard = taker.finish()
    if flow == 'request' and \
            int(heard['sequence']) != stage.values['sequence']:
        raise Failure('the sequence has changed')


@case('exit', service=('mcvideo', 'mcdata'), flow=FLOWS)
@case('entry', service=('mcvideo', 'mcdata'), flow=FLOWS)
def passes_other_service(stage, service, flow):
    begin(stage, flow, service=service)
    taker = listen(stage, flow)
    send(stage, flow)
    taker.finish()


@case('exit', cause=('not-permitted', 'user-unknown', 'superseded'))
@case('entry', cause=('not-permitted', 'user-unknown', 'superseded'))
def passes_failure(stage, cause):
    """With the fixed text of its cause: a free one may tell of the inside."""
    said = failure(cause)
    begin(stage, 'response', **said)
    taker = listen(stage, 'response', hidden='depot')
    send(stage, 'response',
         result=f'{said["result"]}<text>see table users of depot</text>')
    taker.finish()


MORE_HEADERS = '''Max-Forwards: 70
User-Agent: Depot/7 (depot1)
Subject: from depot1
Contact: <sip:depot1.inside:5060>
X-Depot: 1
Record-Route: <sip:depot1.inside;lr>
P-Charging-Vector: icid-value=depot1'''


@case('exit')
@case('entry')
def passes_no_other_header(stage):
    begin(stage, 'request')
    sender = sides(stage)[0]
    taker = listen(stage, 'request', hidden='[Dd]epot|Subject|Route|icid')
    stage.values['from'] = f'sip:depot1@{stage.values["own_system"]}'
    send_bad(stage, sender, 200, {
        'headers': MORE_HEADERS, 'sequence_attribute':
            f' sequence="{stage.values["sequence"]}"'
            f' order="{stage.values["order"]}"'})
    taker.finish()


@case('exit', flow=FLOWS)
@case('entry', flow=FLOWS)
def passes_hops_as_they_are(stage, flow):
    """At most 70, and one less each time."""
    for given, expected in ((2, 1), (200, 70)):
        begin(stage, flow)
        taker = listen(stage, flow, hops=expected)
        send(stage, flow, hops_given=given)
        taker.finish()


@case('exit', status=STATUSES)
@case('entry', status=STATUSES)
def passes_status(stage, status):
    begin(stage, 'request')
    taker = listen(stage, 'request', status_line=status,
                   answer_header='Warning: 399 depot.inside "ask depot"')
    expected = STATUSES[status]
    send(stage, 'request', status=expected, unexpected='depot',
         expect='SIP/2.0' if expected < 300 else warning('.+'))
    taker.finish()


@case('exit', status=WARNINGS)
@case('entry', status=WARNINGS)
def passes_known_warning(stage, status):
    begin(stage, 'response')
    text = WARNINGS[status]
    taker = listen(stage, 'response', status_line=f'{status} No',
                   answer_header=f'Warning: 399 depot.inside "{text}"')
    send(stage, 'response', status=status, unexpected='depot',
         expect=warning(text))
    taker.finish()


@case('exit', seconds=RETRY_AFTER)
@case('entry', seconds=RETRY_AFTER)
def bounds_retry_after(stage, seconds):
    begin(stage, 'request')
    taker = listen(stage, 'request', status_line='503 Service Unavailable',
                   answer_header=f'Retry-After: {seconds}')
    send(stage, 'request', status=503,
         expect=f'Retry-After: {RETRY_AFTER[seconds]}[^0-9]')
    taker.finish()


@case('exit', flow=FLOWS, alone=True)
@case('entry', flow=FLOWS, alone=True)
def passes_a_retransmission_once(stage, flow):
    begin(stage, flow)
    with stage.counted(gateway_attempts=1, sip_retransmissions=1):
        taker = listen(stage, flow)
        stage.send(f'{SENT[flow]}_retransmitted', at=sides(stage)[0])
        taker.finish()


@case('exit', alone=True)
@case('entry', alone=True)
def passes_the_first_answer_of_its_own(stage):
    begin(stage, 'request')
    with stage.counted(sip_dropped_stray_response=2):
        taker = stage.listen('answers_twice', at=sides(stage)[1],
                             status_line='404 Not Found',
                             other_status_line='200 OK')
        send(stage, 'request', status=404)
        taker.finish()


@case('exit', over=('udp',), flow=FLOWS)
@case('entry', over=('udp',), flow=FLOWS)
def sends_again_what_is_lost(stage, flow):
    begin(stage, flow)
    taker = listen(stage, flow, lose=2)
    send(stage, flow)
    taker.finish()


@case('exit', alone=True)
@case('entry', alone=True)
def next_hop_silent(stage):
    begin(stage, 'request')
    with stage.counted(gateway_timed_out=1, gateway_attempts=1):
        taker = listen(stage, 'request', status_line='100 Trying')
        send(stage, 'request', status=504, expect=warning('no answer in time'))
        taker.finish()


@case('exit', over=('tcp',), alone=True)
@case('entry', over=('tcp',), alone=True)
def next_hop_refuses_connections(stage):
    begin(stage, 'request')
    with stage.counted(gateway_timed_out=1):
        send(stage, 'request', status=504, expect=warning('no answer in time'))


ELSEWHERE = ('408 Request Timeout', '500 Server Internal Error',
             '503 Service Unavailable', '100 Trying')


@case('exit', two_hops=True, alone=True, status=ELSEWHERE)
@case('entry', two_hops=True, alone=True, status=ELSEWHERE)
def fails_over(stage, status):
    begin(stage, 'request')
    with stage.counted(gateway_failed_over=1, gateway_attempts=2):
        first = listen(stage, 'request', status_line=status)
        second = listen(stage, 'request', at='second')
        send(stage, 'request')
        first.finish()
        second.finish()


@case('exit', over=('tcp',), two_hops=True, alone=True)
@case('entry', over=('tcp',), two_hops=True, alone=True)
def fails_over_from_refused_connections(stage):
    begin(stage, 'response')
    with stage.counted(gateway_failed_over=1):
        second = listen(stage, 'response', at='second')
        send(stage, 'response')
        second.finish()


@case('exit', two_hops=True, alone=True, status=(
    '403 Forbidden', '481 Call/Transaction Does Not Exist', '603 Decline'))
@case('entry', two_hops=True, alone=True, status=(
    '403 Forbidden', '481 Call/Transaction Does Not Exist', '603 Decline'))
def does_not_fail_over(stage, status):
    """It was decided."""
    begin(stage, 'response')
    with stage.counted(gateway_failed_over=0, gateway_attempts=1):
        first = listen(stage, 'response', status_line=status)
        send(stage, 'response', status=status[:3])
        first.finish()


@case('exit', two_hops=True)
@case('entry', two_hops=True)
def last_answer_passes(stage):
    begin(stage, 'request')
    first = listen(stage, 'request', status_line='100 Trying')
    second = listen(stage, 'request', at='second',
                    status_line='503 Service Unavailable',
                    answer_header='Retry-After: 9')
    send(stage, 'request', status=503, expect='Retry-After: 9')
    first.finish()
    second.finish()

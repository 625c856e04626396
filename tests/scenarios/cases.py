# SPDX-License-Identifier: BSD-2-Clause
"""The cases: each message of each flow of TS 23.280 10.6.3.3, good and bad.

The server under test is that of b.example. As partner it hosts
sip:visitorNNNNN@..., as primary it is home to sip:userNNNNN@...; SIPp plays
everybody else. Each case plays on the direct path and through b.example's
gateway, where SIPp is the other system's gateway."""

import itertools

from play import failure

CASES = []
BOTH = ('udp', 'tcp')
PATHS = ('direct', 'gateway')
VERBS = ('authorization', 'deauthorization')

MAPPING = '''SELECT status FROM partner_mapping
             WHERE partner_id = '@partner_id@' '''
MIGRATION = '''SELECT active FROM primary_migration
               WHERE primary_id = '@primary_id@' AND partner_id <> '' '''
PROCEDURES = '''SELECT COUNT(*) FROM "procedure"
                WHERE primary_id = '@primary_id@' '''
LIVE = '''SELECT COUNT(*) FROM "procedure" WHERE state <> 4
          AND primary_id = '@primary_id@' '''
OUTCOME = '''SELECT state, outcome FROM "procedure"
             WHERE procedure_id = '@procedure@' '''
REDIRECTION = '''SELECT target_mc_service_id, direction FROM redirection
                 WHERE mc_service_id = '@primary_id@' '''
ACTIVE, RESERVED, ENDED = [('1',)], [('2',)], [('3',)]
DONE = [('4', '1')]
NONE = [('0',)]


def case(role, *, over=BOTH, path=PATHS, provision='', alone=False,
         gateway=None, two_hops=False, **each):
    """Registers a case for each transport and path, and with further keywords
    for each of their values together. The roles 'exit' and 'entry' are those of
    the gateway, between two SIPp; `gateway`: settings of the peer system there,
    `two_hops`: who takes the messages has a second address."""
    def register(function):
        of_gateway = role in ('exit', 'entry')
        paths = ('gateway',) if of_gateway else path
        for variant in itertools.product(*each.values()):
            words = [role, function.__name__, *map(str, variant)]
            for transport, way in itertools.product(over, paths):
                CASES.append({
                    'name': ' '.join(words).replace('_', ' '), 'role': role,
                    'of_gateway': of_gateway, 'transport': transport,
                    'path': way,
                    'provision': provision, 'alone': alone,
                    'gateway': gateway or {}, 'two_hops': two_hops,
                    'play': lambda stage, v=dict(zip(each, variant)):
                        function(stage, **v)})
        return function
    return register


# ------------------------------------------------------------------- partner

def go_through(stage, verb, **response):
    """A whole procedure at the partner server."""
    stage.procedure(verb)
    client = stage.listen('client_response', **response)
    primary = stage.listen('primary_request')
    stage.send('client_request')
    sequence = primary.finish()['sequence']
    stage.values['sequence'] = sequence
    stage.send('primary_response', **response)
    client.finish()


@case('partner')
def authorization(stage):
    go_through(stage, 'authorization')
    stage.expect_rows(MAPPING, ACTIVE)
    stage.await_rows(OUTCOME, DONE)


@case('partner')
def deauthorization(stage):
    go_through(stage, 'authorization')
    go_through(stage, 'deauthorization')
    stage.await_rows(MAPPING, ENDED)
    stage.await_rows(LIVE, NONE)


@case('partner', service=('mcvideo', 'mcdata'))
def other_service(stage, service):
    stage.values['service'] = service
    go_through(stage, 'authorization')
    go_through(stage, 'deauthorization')


@case('partner', cause=('user-unknown', 'user-disabled', 'profile-unknown',
                        'not-permitted', 'superseded'))
def primary_says_no(stage, cause):
    go_through(stage, 'authorization', **failure(cause))
    stage.expect_rows(MAPPING, [])


@case('partner', status=('403 Forbidden', '404 Not Found',
                         '481 Call/Transaction Does Not Exist'))
def primary_refuses(stage, status):
    stage.procedure()
    client = stage.listen('client_response', **failure('primary-refused'))
    primary = stage.listen('primary_request', status_line=status)
    stage.send('client_request')
    primary.finish()
    client.finish()
    stage.expect_rows(MAPPING, [])


@case('partner')
def primary_busy(stage):
    stage.procedure()
    client = stage.listen('client_response')
    primary = stage.listen('primary_request', answer_header='Retry-After: 1',
                           status_line='503 Service Unavailable')
    stage.send('client_request')
    primary.finish()
    primary = stage.listen('primary_request')
    stage.values['sequence'] = primary.finish()['sequence']
    stage.send('primary_response')
    client.finish()
    stage.expect_rows(MAPPING, ACTIVE)


@case('partner')
def primary_silent(stage):
    stage.procedure()
    client = stage.listen('client_response', **failure('primary-unreachable'))
    stage.send('client_request')
    client.finish()
    stage.expect_rows(MAPPING, [])


@case('partner', over=('udp',))
def request_to_primary_lost(stage):
    stage.procedure()
    client = stage.listen('client_response')
    primary = stage.listen('primary_request', lose=1)
    stage.send('client_request')
    stage.values['sequence'] = primary.finish()['sequence']
    stage.send('primary_response')
    client.finish()


@case('partner', verb=VERBS)
def response_before_answer(stage, verb):
    """The response flow counts as the 2xx of the request."""
    if verb == 'deauthorization':
        go_through(stage, 'authorization')
    stage.procedure(verb)
    client = stage.listen('client_response')
    primary = stage.listen('primary_request', status_line='100 Trying')
    stage.send('client_request')
    stage.values['sequence'] = primary.finish()['sequence']
    stage.send('primary_response')
    client.finish()
    stage.await_rows(OUTCOME, DONE)


@case('partner')
def deauthorization_primary_silent(stage):
    """Finished locally at the deadline, then told on until the 200."""
    go_through(stage, 'authorization')
    stage.procedure('deauthorization')
    client = stage.listen('client_response')
    stage.send('client_request')
    client.finish()
    stage.expect_rows(MAPPING, RESERVED)
    stage.listen('primary_request').finish()
    stage.await_rows(MAPPING, ENDED)


@case('partner')
def deauthorization_primary_refuses(stage):
    """The user leaves all the same, and a 4xx does not end the telling."""
    go_through(stage, 'authorization')
    stage.procedure('deauthorization')
    client = stage.listen('client_response')
    primary = stage.listen('primary_request', status_line='403 Forbidden')
    stage.send('client_request')
    primary.finish()
    client.finish()
    stage.listen('primary_request').finish()
    stage.await_rows(MAPPING, ENDED)


@case('partner')
def client_request_retransmitted(stage):
    stage.procedure()
    client = stage.listen('client_response')
    primary = stage.listen('primary_request')
    stage.send('client_request_retransmitted')
    stage.values['sequence'] = primary.finish()['sequence']
    stage.send('primary_response')
    client.finish()
    stage.expect_rows(PROCEDURES, [('1',)])


@case('partner')
def procedure_repeated(stage):
    """The stored outcome is delivered again; the primary hears nothing."""
    go_through(stage, 'authorization')
    stage.await_rows(OUTCOME, DONE)
    client = stage.listen('client_response')
    stage.send('client_request')
    client.finish()
    stage.expect_rows(PROCEDURES, [('1',)])


@case('partner')
def procedure_of_ended_migration_repeated(stage):
    go_through(stage, 'authorization')
    authorization_values = dict(stage.values)
    go_through(stage, 'deauthorization')
    stage.await_rows(MAPPING, ENDED)
    stage.values = authorization_values
    client = stage.listen('client_response', **failure('ended'))
    stage.send('client_request')
    client.finish()


@case('partner')
def superseded(stage):
    stage.procedure()
    first_client = stage.listen('client_response', **failure('superseded'))
    first_primary = stage.listen('primary_request')
    stage.send('client_request')
    first = {**stage.values, **first_primary.finish()}
    stage.procedure()
    primary = stage.listen('primary_request')
    stage.send('client_request')
    first_client.finish()
    client = stage.listen('client_response')
    stage.values['sequence'] = primary.finish()['sequence']
    stage.send('primary_response')
    client.finish()
    stage.values = first
    stage.send('primary_response', status=481, expect='procedure not awaited')


@case('partner', over=('udp',))
def response_to_client_lost(stage):
    stage.procedure()
    client = stage.listen('client_response', lose=1)
    primary = stage.listen('primary_request')
    stage.send('client_request')
    stage.values['sequence'] = primary.finish()['sequence']
    stage.send('primary_response')
    client.finish()


@case('partner')
def client_busy(stage):
    stage.procedure()
    client = stage.listen('client_response', answer_header='Retry-After: 1',
                          status_line='503 Service Unavailable')
    primary = stage.listen('primary_request')
    stage.send('client_request')
    stage.values['sequence'] = primary.finish()['sequence']
    stage.send('primary_response')
    client.finish()
    stage.listen('client_response').finish()
    stage.await_rows(OUTCOME, DONE)


@case('partner', status=('404 Not Found', '481 Gone', '603 Decline'))
def client_refuses_response(stage, status):
    """At least once, until its 2xx or its expiry."""
    stage.procedure()
    client = stage.listen('client_response', status_line=status)
    primary = stage.listen('primary_request')
    stage.send('client_request')
    stage.values['sequence'] = primary.finish()['sequence']
    stage.send('primary_response')
    client.finish()
    stage.expect_rows(MAPPING, ACTIVE)
    stage.listen('client_response').finish()
    stage.await_rows(OUTCOME, DONE)


@case('partner', verb=VERBS)
def response_not_awaited(stage, verb):
    stage.procedure(verb)
    stage.send('primary_response', status=481, expect='procedure not awaited')
    stage.expect_rows(PROCEDURES, NONE)


@case('partner')
def response_of_other_sequence(stage):
    stage.procedure()
    client = stage.listen('client_response')
    primary = stage.listen('primary_request')
    stage.send('client_request')
    sequence = int(primary.finish()['sequence'])
    stage.send('primary_response', sequence=sequence + 1, status=481,
               expect='procedure not awaited')
    stage.send('primary_response', sequence=sequence)
    client.finish()


@case('partner')
def response_for_unhosted_partner(stage):
    stage.procedure()
    stage.send('primary_response', status=404, expect='Warning: 399',
               partner_id='sip:visitor@elsewhere.example')
    stage.expect_rows(PROCEDURES, NONE)


@case('partner')
def response_retransmitted(stage):
    stage.procedure()
    client = stage.listen('client_response')
    primary = stage.listen('primary_request')
    stage.send('client_request')
    stage.values['sequence'] = primary.finish()['sequence']
    stage.send('primary_response_retransmitted')
    client.finish()


@case('partner')
def response_repeated(stage):
    """Its mapping is of exactly that procedure and sequence."""
    go_through(stage, 'authorization')
    stage.send('primary_response')
    stage.expect_rows(MAPPING, ACTIVE)


@case('partner')
def response_from_unlisted_address(stage):
    stage.procedure()
    stage.send('primary_response', host=stage.values['unlisted_host'],
               status=403, expect='Warning: 399')


def decided_against(stage, verb, cause):
    """Step 2: the primary hears nothing, the client a failure."""
    stage.procedure(verb)
    client = stage.listen('client_response', **failure(cause))
    stage.send('client_request')
    client.finish()


@case('partner', provision='''DELETE FROM admission
      WHERE partner_id = '@partner_id@';''')
def not_admitted(stage):
    decided_against(stage, 'authorization', 'not-admitted')


@case('partner', provision='''UPDATE mc_system SET enabled = FALSE
      WHERE name = '@primary_system@';''')
def system_disabled(stage):
    decided_against(stage, 'authorization', 'system-disabled')


@case('partner')
def not_migrated(stage):
    decided_against(stage, 'deauthorization', 'not-migrated')


@case('partner', provision='''INSERT INTO admission
      (primary_system, primary_id, partner_id)
      VALUES ('@primary_system@', 'sip:other@@primary_system@',
              '@partner_id@');''')
def partner_id_in_use(stage):
    go_through(stage, 'authorization')
    stage.values['primary_id'] = f'sip:other@{stage.values["primary_system"]}'
    decided_against(stage, 'authorization', 'partner-id-in-use')


@case('partner', provision='''INSERT INTO admission
      (primary_system, primary_id, partner_id)
      VALUES ('@primary_system@', '@primary_id@', 'sip:second-@user@@b.example');
      ''')
def other_partner_id(stage):
    go_through(stage, 'authorization')
    stage.values['partner_id'] = f'sip:second-{stage.values["user"]}@b.example'
    decided_against(stage, 'authorization', 'other-partner-id')


@case('partner', alone=True)
def store_away(stage):
    stage.procedure()
    with stage.store_locked():
        stage.send('client_request', status=503, expect='Retry-After')
    stage.expect_rows(PROCEDURES, NONE)
    go_through(stage, 'authorization')


# ------------------------------------------------------------------- primary

def ask(stage, verb='authorization', **answer):
    """The partner's request, and the server's response flow to it."""
    stage.procedure(verb)
    partner = stage.listen('partner_response', **answer)
    stage.send('partner_request')
    partner.finish()


@case('primary')
def migrates(stage):
    ask(stage)
    stage.await_rows(MIGRATION, [('1',)])
    stage.await_rows(LIVE, NONE)
    stage.expect_rows(REDIRECTION,
                      [(stage.values['partner_id'], 'to_partner')])


@case('primary')
def returns(stage):
    ask(stage)
    stage.await_rows(MIGRATION, [('1',)])
    ask(stage, 'deauthorization')
    stage.expect_rows(MIGRATION, [('0',)])
    stage.expect_rows(REDIRECTION, [])
    stage.await_rows(LIVE, NONE)


@case('primary', service=('mcvideo', 'mcdata'))
def user_of_other_service(stage, service):
    stage.values['service'] = service
    ask(stage)
    stage.await_rows(MIGRATION, [('1',)])
    ask(stage, 'deauthorization')
    stage.expect_rows(MIGRATION, [('0',)])


def refused_user(stage, cause, profile=0, **answer):
    stage.procedure(profile=profile)
    partner = stage.listen('partner_response', **failure(cause), **answer)
    stage.send('partner_request')
    partner.finish()
    stage.expect_rows(MIGRATION, [])
    stage.await_rows(LIVE, NONE)


@case('primary', provision="DELETE FROM mc_user WHERE primary_id = '@primary_id@';")
def user_unknown(stage):
    refused_user(stage, 'user-unknown')


@case('primary', provision='''UPDATE mc_user SET enabled = FALSE
      WHERE primary_id = '@primary_id@';''')
def user_disabled(stage):
    refused_user(stage, 'user-disabled')


@case('primary')
def profile_unknown(stage):
    refused_user(stage, 'profile-unknown', profile=9)


@case('primary')
def not_permitted(stage):
    refused_user(stage, 'not-permitted', profile=3)


@case('primary')
def sequence_not_above_confirmed(stage):
    ask(stage)
    stage.await_rows(MIGRATION, [('1',)])
    confirmed = int(stage.values['sequence'])
    stage.procedure(sequence=confirmed - 1)
    partner = stage.listen('partner_response', **failure('superseded'))
    stage.send('partner_request')
    partner.finish()
    stage.expect_rows(MIGRATION, [('1',)])


@case('primary')
def older_than_deauthorization(stage):
    """The number of the last de-authorization outlives the row."""
    ask(stage, 'deauthorization')
    last = int(stage.values['sequence'])
    stage.procedure(sequence=last - 1)
    partner = stage.listen('partner_response', **failure('superseded'))
    stage.send('partner_request')
    partner.finish()
    stage.expect_rows(MIGRATION, [])


@case('primary')
def response_not_awaited(stage):
    """481 drops it."""
    ask(stage, status_line='481 Call/Transaction Does Not Exist')
    stage.await_rows(LIVE, NONE)
    stage.expect_rows(MIGRATION, [])
    stage.expect_rows(REDIRECTION, [])


@case('primary', status=('202 Accepted', '403 Forbidden', '404 Not Found',
                         '503 Service Unavailable', '603 Decline'))
def response_tried_again(stage, status):
    """Only 200 confirms, only 481 drops a success."""
    ask(stage, status_line=status)
    stage.expect_rows(MIGRATION, [])
    stage.listen('partner_response').finish()
    stage.await_rows(MIGRATION, [('1',)])


@case('primary', status=('404 Not Found', '481 Gone'))
def failure_response_refused(stage, status):
    """A failure response ends with any final answer below 500."""
    refused_user(stage, 'not-permitted', profile=3, status_line=status)


@case('primary')
def failure_response_tried_again(stage):
    stage.procedure(profile=3)
    partner = stage.listen('partner_response', **failure('not-permitted'),
                           status_line='503 Service Unavailable')
    stage.send('partner_request')
    partner.finish()
    stage.listen('partner_response', **failure('not-permitted')).finish()
    stage.await_rows(LIVE, NONE)


@case('primary')
def deauthorization_response_refused(stage):
    """No answer to its response undoes a de-authorization."""
    ask(stage)
    stage.await_rows(MIGRATION, [('1',)])
    ask(stage, 'deauthorization', status_line='481 Gone')
    stage.await_rows(LIVE, NONE)
    stage.expect_rows(MIGRATION, [('0',)])


@case('primary')
def deauthorization_overtakes(stage):
    """It ends every unconfirmed procedure below its sequence, which is not
    heard of again: what comes is the de-authorization's response."""
    ask(stage, status_line='503 Service Unavailable',
        answer_header='Retry-After: 3')
    stage.procedure('deauthorization')
    stage.send('partner_request')
    stage.expect_rows(LIVE, [('1',)])
    stage.listen('partner_response').finish()
    stage.await_rows(LIVE, NONE)
    stage.expect_rows(REDIRECTION, [])


@case('primary', over=('udp',), verb=VERBS)
def response_lost(stage, verb):
    stage.procedure(verb)
    partner = stage.listen('partner_response', lose=1)
    stage.send('partner_request')
    partner.finish()
    stage.await_rows(LIVE, NONE)


@case('primary', verb=VERBS)
def request_retransmitted(stage, verb):
    stage.procedure(verb)
    partner = stage.listen('partner_response')
    stage.send('partner_request_retransmitted')
    partner.finish()
    stage.expect_rows(PROCEDURES, [('1',)])


@case('primary', verb=VERBS)
def request_repeated(stage, verb):
    """As a new transaction, after its end: taken, and nothing runs twice."""
    ask(stage, verb)
    stage.await_rows(LIVE, NONE)
    stage.send('partner_request')
    stage.expect_rows(PROCEDURES, [('1',)])


@case('primary', verb=VERBS)
def request_from_unlisted_address(stage, verb):
    stage.procedure(verb)
    stage.send('partner_request', host=stage.values['unlisted_host'],
               status=403, expect='Warning: 399')
    stage.expect_rows(PROCEDURES, NONE)


@case('primary', alone=True)
def store_away(stage):
    stage.procedure()
    with stage.store_locked():
        stage.send('partner_request', status=503, expect='Retry-After')
    stage.expect_rows(PROCEDURES, NONE)
    ask(stage)

# SPDX-License-Identifier: BSD-2-Clause
"""Migrations between systems that speak TLS with each other, direct and by
gateways: there and back, with certificates that are renewed meanwhile, with
peers that die."""

import itertools
import signal
import ssl
import threading

import pytest
from cryptography import x509

import documents
import gateways
import labtls
import tlspeer
from test_migration import assert_outcome, redirection

IMPATIENT = {**gateways.IMPATIENT, '': {'log_level': 'debug',
                                        'sip_t1': '100ms'}}
CONNECTIONS_MAX = 4     # that a daemon opens for any number of procedures
ROUNDS = 5


@pytest.fixture(scope='module')
def direct(module_lab):
    return module_lab(transport='tls', settings=IMPATIENT)


@pytest.fixture(scope='module')
def hidden(module_lab):
    return module_lab(transport='tls', gateways=1, settings=IMPATIENT)


@pytest.fixture(params=('direct', 'hidden'))
def either(request):
    return request.getfixturevalue(request.param)


def there_and_back(lab, user, pair, wait_until, service='mcptt'):
    assert_outcome(user(lab.b, 'authorize', pair, service=service), 0)
    wait_until(lambda: redirection(lab.a, pair.primary_id)
               == {service: pair.partner_id})
    assert_outcome(user(lab.b, 'deauthorize', pair, service=service), 0)
    wait_until(lambda: redirection(lab.a, pair.primary_id) == {})
    wait_until(lambda: redirection(lab.b, pair.partner_id)
               == {service: pair.primary_id})


@pytest.mark.smoke
@pytest.mark.parametrize('service', documents.SERVICES)
def test_there_and_back(either, user, pair, wait_until, service):
    there_and_back(either, user, pair, wait_until, service)


def test_causes_come_through(either, user, pair):
    assert_outcome(user(either.b, 'authorize', pair, profile=3), 1,
                   'not-permitted')


def test_connections_are_kept(either, user, make_pair, wait_until):
    """Nothing goes without TLS, and few connections do for all."""
    counters = {daemon.title: gateways.Counters(daemon)
                for daemon in either.daemons}
    for _ in range(ROUNDS):
        there_and_back(either, user, make_pair(), wait_until)
    for daemon in either.daemons:
        opened = counters[daemon.title]['sip.tls_opened']
        assert opened <= CONNECTIONS_MAX, daemon.title
    for system in either.systems:
        assert counters[system.title]['sip.client_sent'] >= 2 * ROUNDS


def test_who_is_connected(either, user, pair, wait_until):
    """mcmigctl says it with the names of the certificates."""
    there_and_back(either, user, pair, wait_until)
    for daemon, other in ((either.daemons[0], either.daemons[1]),
                          (either.daemons[1], either.daemons[0])):
        if either.gateways:
            other = daemon.gateways[0]
        shown = daemon.ctl_text('tls')
        assert f'dns:{other.node}.{other.name}' in shown
        assert 'TLSv1.3' in shown


# ------------------------------------------------------------------ renewal

def renew(lab, daemon):
    if daemon in lab.systems:
        lab.certificates.renew_server(daemon)
    else:
        lab.certificates.renew_inside(daemon)
        lab.certificates.renew_outside(daemon)
    daemon.ctl('reload')


class Load:
    """Migrations there and back without a pause, each of users of its own."""

    def __init__(self, lab, user, make_pair, count):
        self._ended = threading.Event()
        self.outcomes = []
        self._threads = [threading.Thread(
            target=self._run, args=(lab, user, make_pair()))
            for _ in range(count)]

    def _run(self, lab, user, pair):
        for verb in itertools.cycle(('authorize', 'deauthorize')):
            self.outcomes.append(user(lab.b, verb, pair)[0])
            if self._ended.is_set() and verb == 'deauthorize':
                return

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def wait_for_more(self, wait_until, count):
        start = len(self.outcomes)
        wait_until(lambda: len(self.outcomes) >= start + count)


def test_certificates_are_renewed_under_load(either, user, make_pair,
                                             wait_until):
    """Nobody notices: not a message has to be sent again."""
    counters = {daemon.title: gateways.Counters(daemon)
                for daemon in either.daemons}
    with Load(either, user, make_pair, 4) as load:
        for _ in range(2):
            for daemon in either.daemons:
                renew(either, daemon)
                load.wait_for_more(wait_until, 4)
    assert not any(load.outcomes)
    for daemon in either.daemons:
        for name in ('sip.client_transport_failed', 'sip.client_timed_out',
                     'sip.tls_handshakes_failed'):
            assert counters[daemon.title][name] == 0, (daemon.title, name)


def test_all_is_revoked_under_load(make_lab, user, make_pair, wait_until):
    """And shown anew: what was on its way is sent again."""
    lab = make_lab(transport='tls', settings=IMPATIENT)
    with Load(lab, user, make_pair, 4) as load:
        load.wait_for_more(wait_until, 4)
        for daemon in lab.daemons:
            old = daemon.lab.folder / f'{daemon.title}.pem'
            revoked = x509.load_pem_x509_certificate(old.read_bytes())
            renew(lab, daemon)
            lab.certificates.inside(daemon).revoke(revoked)
        lab.certificates.write_crls()
        for daemon in lab.daemons:
            daemon.ctl('reload')
        load.wait_for_more(wait_until, 8)
    assert not any(load.outcomes)


def test_all_start_anew_under_load(make_lab, user, make_pair, wait_until):
    """Above memory_max: certificates are read again, connections made again,
    and what was on its way arrives."""
    lab = make_lab(transport='tls', gateways=1, settings=IMPATIENT)
    with Load(lab, user, make_pair, 2) as load:
        for daemon in lab.daemons:
            daemon.adjust({'': {'memory_max': 1}})
            daemon.process.send_signal(signal.SIGHUP)
            wait_until(lambda one=daemon: 'recycled=1' in one.log.read_text())
        load.wait_for_more(wait_until, 4)
    assert not any(load.outcomes)


# ------------------------------------------------------ the sides of a gateway

OTHER_HOST = '127.3.9.1'


def refusal(address, authority, name):
    """What who shows this name gets to see of a gateway."""
    context = tlspeer.context_of(
        authority.issue([name]), authority.trusted(),
        # Only its own certificate is to be judged here.
        verify_mode=ssl.CERT_NONE)
    return tlspeer.fault(address, context, OTHER_HOST)


def test_certificate_of_the_other_side(hidden):
    """Whoever may come in from outside is nobody inside, and the other way
    round."""
    gateway, certificates = hidden.a.gateways[0], hidden.certificates
    assert refusal(gateway.inside_address, certificates.outside(hidden.b),
                   labtls.outside_name(hidden.b)) == 'TLSV1_ALERT_UNKNOWN_CA'
    assert refusal(gateway.outside_address, certificates.inside(hidden.a),
                   labtls.server_name(hidden.a)) == 'TLSV1_ALERT_UNKNOWN_CA'


def test_name_of_the_other_side(hidden):
    """Another system's CA may sign any name: the side says what it is
    worth."""
    authority = hidden.certificates.outside(hidden.b)
    peer = tlspeer.Peer(authority.issue([labtls.server_name(hidden.a)]),
                        authority.trusted(), OTHER_HOST)
    try:
        assert gateways.say(
            peer, hidden.a.gateways[0].outside_address,
            gateways.request_document('sip:visitor00001@a.example',
                                      'sip:user00001@b.example'),
            speaker=gateways.identity('b'),
            target=gateways.identity('a')).status == 403
    finally:
        peer.close()


# ------------------------------------------------------- clients over TLS too

CLIENT = 'dns:ue.b.example'


@pytest.fixture(scope='module')
def clients(module_lab):
    """Only those with that name are clients of its servers."""
    return module_lab(transport='tls', settings={
        **IMPATIENT, 'migration': {**IMPATIENT['migration'],
                                   'clients': [CLIENT]}})


@pytest.fixture
def client(clients, ue, pair, tmp_path):
    """mcmig-ue with a certificate of this name, which takes the server for
    who has that name."""
    def run(verb, name=CLIENT, server_name='dns:b1.b.example'):
        files = clients.certificates.outside(clients.b).issue([name]).save(
            tmp_path / 'ue')
        return ue(verb, clients.b.tls_address, pair, '--certificate',
                  files[0], '--key', files[1], '--ca',
                  clients.folder / 'ca/ca.pem', '--server-name', server_name,
                  '--timeout', '2', transport='tls')

    return run


def test_client_over_tls(clients, client, pair, wait_until):
    assert_outcome(client('authorize'), 0)
    wait_until(lambda: redirection(clients.a, pair.primary_id)
               == {'mcptt': pair.partner_id})
    assert_outcome(client('deauthorize'), 0)
    wait_until(lambda: redirection(clients.a, pair.primary_id) == {})


def test_client_of_another_name(client):
    status, steps = client('authorize', 'dns:ue.a.example')
    assert status == 2
    assert steps[-2]['status'] == 403


def test_client_that_meets_another_server(client):
    """It says nothing to it."""
    status, _ = client('authorize', server_name='dns:b2.b.example')
    assert status == 3


def test_client_without_its_files(ue, clients, pair):
    assert ue('authorize', clients.b.tls_address, pair,
              transport='tls')[0] == 64


# -------------------------------------------------------------- who is away

@pytest.mark.parametrize('who', ('a-gateway', 'b-gateway', 'a'))
def test_away_and_back(hidden, asks, pair, wait_until, who):
    """Each gets a new connection as soon as it is there again."""
    daemon = next(one for one in hidden.daemons if one.title == who)
    daemon.kill()
    procedure = documents.new_procedure()
    waiting = asks(hidden.b, 'authorize', pair, '--procedure', procedure)
    gateways.wait_for_log(hidden.b, 'msg="answered"', procedure,
                          'status=0' if who == 'b-gateway' else 'status=504')
    daemon.start()
    daemon.wait_ready()
    assert_outcome(waiting.result(), 0)
    wait_until(lambda: redirection(hidden.a, pair.primary_id)
               == {'mcptt': pair.partner_id})


def test_away_and_back_direct(direct, asks, pair, wait_until):
    direct.a.kill()
    procedure = documents.new_procedure()
    waiting = asks(direct.b, 'authorize', pair, '--procedure', procedure)
    gateways.wait_for_log(direct.b, 'msg="answered"', procedure, 'status=0')
    direct.a.start()
    direct.a.wait_ready()
    assert_outcome(waiting.result(), 0)


def test_second_gateway(make_lab, user, pair, wait_until):
    """Both show the same name outside: the one is as good as the other."""
    lab = make_lab(transport='tls', gateways=2, settings=IMPATIENT)
    for letter in 'ab':
        lab[letter].gateways[0].kill()
    there_and_back(lab, user, pair, wait_until)


def test_three_systems_on_ipv6(make_lab, user, pair, wait_until):
    lab = make_lab(transport='tls', systems=3, host='::1', settings=IMPATIENT)
    there_and_back(lab, user, pair, wait_until)

# SPDX-License-Identifier: BSD-2-Clause
"""Certificates that nobody may be believed by, in both directions: what the
peer sees, what is counted and logged, that nothing is kept, and that a good
peer is served meanwhile."""

import ipaddress
import itertools
import os
import pathlib
import signal
import ssl
import subprocess
import types

import pytest
from cryptography import x509

import conftest
import documents
import gateways
import labca
import tlspeer
from test_migration import assert_outcome

pytestmark = conftest.once
SETTINGS = {'': {'log_level': 'debug', 'sip_t1': '50ms'},
            'tls': {'handshake_timeout': '500ms'},
            'migration': {'retry_min': '100ms', 'retry_max': '500ms',
                          'authorization_deadline': '1s'}}
OWN = 'dns:a1.a.example'        # what b.example knows a.example's server by
STRANGER = labca.Authority('somebody else')


@pytest.fixture(scope='module')
def lab(module_lab):
    """It knows c.example too, though not by any certificate of a.example."""
    return module_lab(tlspeer.SoloLab, settings=SETTINGS, systems=3,
                      host='127.0.0.1')


def log_offset(system):
    return system.log.stat().st_size


def log_since(system, offset):
    with open(system.log, 'rb') as log:
        log.seek(offset)
        return log.read().decode()


def self_signed(lab):
    authority = labca.Authority('a1.a.example')
    return labca.Certificate(authority.certificate, authority.key)


def too_long(lab):
    return labca.below(lab.ca.root(), 4).issue([OWN])


def by_no_ca(lab):
    return labca.Authority('no CA', lab.ca.root(), is_ca=False).issue([OWN])


def beyond_path_length(lab):
    above = labca.Authority('leaves only', lab.ca.root(), path_length=0)
    return labca.Authority('below', above).issue([OWN])


def without_chain(lab):
    whole = lab.ca.issue([OWN])
    return labca.Certificate(whole.certificate, whole.key)


def revoked(lab):
    """Before the daemon has read its list: see the fixture."""
    return lab.revoked


# What is shown, what of it the peer sees, what the log says.
INBOUND = {
    'expired': (lambda lab: lab.ca.issue([OWN], ends=-1),
                'SSLV3_ALERT_CERTIFICATE_EXPIRED', 'has expired'),
    'not yet valid': (lambda lab: lab.ca.issue([OWN], starts=1),
                      'SSLV3_ALERT_BAD_CERTIFICATE', 'not yet valid'),
    'other CA': (lambda lab: STRANGER.issue([OWN]),
                 'TLSV1_ALERT_UNKNOWN_CA', 'unable to get local issuer'),
    'self-signed': (self_signed, 'TLSV1_ALERT_UNKNOWN_CA', 'self-signed'),
    'no CA certificate above': (by_no_ca, 'TLSV1_ALERT_UNKNOWN_CA',
                                'invalid CA certificate'),
    'path length': (beyond_path_length, 'TLSV1_ALERT_UNKNOWN_CA',
                    'path length constraint exceeded'),
    'chain too long': (too_long, 'TLSV1_ALERT_UNKNOWN_CA', 'chain too long'),
    'without its chain': (without_chain, 'TLSV1_ALERT_UNKNOWN_CA',
                          'unable to get local issuer'),
    'no name': (lambda lab: lab.ca.issue([], common_name='a1.a.example'),
                'SSLV3_ALERT_HANDSHAKE_FAILURE', 'no subject alternative'),
    'address alone': (lambda lab: lab.ca.issue([x509.IPAddress(
        ipaddress.ip_address('127.0.0.1'))]),
                      'SSLV3_ALERT_HANDSHAKE_FAILURE',
                      'no subject alternative'),
    'wildcard': (lambda lab: lab.ca.issue(['dns:*.a.example']),
                 'SSLV3_ALERT_HANDSHAKE_FAILURE', 'no subject alternative'),
    'NUL in its name': (lambda lab: lab.ca.issue([f'{OWN}\0.evil.example']),
                        'SSLV3_ALERT_HANDSHAKE_FAILURE',
                        'no subject alternative'),
    'for mail': (lambda lab: lab.ca.issue([OWN], purposes=['mail']),
                 'SSLV3_ALERT_UNSUPPORTED_CERTIFICATE', 'extended key usage'),
    'weak key': (lambda lab: lab.ca.issue([OWN], algorithm='rsa1024'),
                 'SSLV3_ALERT_BAD_CERTIFICATE', 'too weak'),
    'revoked': (revoked, 'SSLV3_ALERT_CERTIFICATE_REVOKED', 'revoked'),
    'none at all': (lambda lab: None, 'TLSV13_ALERT_CERTIFICATE_REQUIRED',
                    'did not return a certificate'),
}


@pytest.fixture(scope='module', autouse=True)
def revocation(lab):
    lab.revoked = lab.ca.issue([OWN])
    assert lab.fault(tlspeer.context_of(lab.revoked, lab.root)) is None
    lab.ca.revoke(lab.revoked.certificate)
    lab.certificates.write_crls()
    lab.b.ctl('reload')


@pytest.mark.parametrize('case', INBOUND)
def test_inbound(lab, rows, wait_until, case):
    make, seen, logged = INBOUND[case]
    context = tlspeer.context_of(
        make(lab), lab.root, set_ciphers='DEFAULT:@SECLEVEL=0')
    counters = gateways.Counters(lab.b)
    before, offset = rows(lab.b), log_offset(lab.b)
    attempts = itertools.count(1)

    def is_logged():
        """Not more often than so many times a second."""
        assert lab.fault(context) == seen
        assert counters['sip.tls_handshakes_failed'] == next(attempts)
        return logged in log_since(lab.b, offset)

    wait_until(is_logged)
    assert lab.serves()
    assert rows(lab.b) == before


def test_inbound_on_tls_1_2(lab):
    """There it is told within the handshake."""
    context = tlspeer.context_of(
        lab.ca.issue([OWN], ends=-1), lab.root,
        maximum_version=ssl.TLSVersion.TLSv1_2)
    with lab.connect() as connection, \
            pytest.raises(ssl.SSLError, match='CERTIFICATE_EXPIRED'):
        context.wrap_socket(connection)


# ------------------------------------------- a good one, but not of this name

def response(pair):
    """To what b.example has never asked."""
    return documents.document(
        'authorization-response', pair.partner_id, pair.primary_id,
        procedure=documents.new_procedure(), sequence=documents.now_us(),
        result='success')


@pytest.fixture
def speaks(lab, server_request, pair):
    """The answer to what only a.example may say, from who shows this."""
    peers = []

    def speak(*names):
        peers.append(tlspeer.Peer(lab.ca.issue(names), lab.root))
        over_tls = types.SimpleNamespace(server=lab.b.tls_address,
                                         name=lab.b.name)
        return server_request(peers[0], over_tls, response(pair))

    yield speak
    for peer in peers:
        peer.close()


NOT_AWAITED = 481


@pytest.mark.parametrize('name', (
    'dns:c1.c.example', 'dns:a.example', 'dns:a1.a.example.evil.example',
    'dns:x.a1.a.example', 'uri:a1.a.example', 'uri:sip:a.example'))
def test_certificate_of_another_system(lab, speaks, rows, name):
    """It says it were a.example, and it has its address: 403."""
    before = rows(lab.b)
    assert speaks(name).status == 403
    assert rows(lab.b) == before
    assert lab.serves()


def test_certificate_with_several_names(speaks):
    """One of them suffices: a cluster may share one (RFC 5922 7.1)."""
    assert speaks('dns:other.example', 'uri:sip:x',
                  'dns:A1.a.Example').status == NOT_AWAITED


def test_address_alone_is_not_believed(lab, make_peer, server_request, rows,
                                       pair):
    """What a.example may say on TLS nobody may on TCP, whatever its address:
    the directory has no source without a certificate."""
    before = rows(lab.b)
    assert server_request(make_peer(transport='tcp'), lab.b,
                          response(pair)).status == 403
    assert rows(lab.b) == before


# ---------------------------------------------------------------- outbound

OUTBOUND = {
    'expired': (INBOUND['expired'][0], 'has expired'),
    'not yet valid': (INBOUND['not yet valid'][0], 'not yet valid'),
    'other CA': (INBOUND['other CA'][0], 'unable to get local issuer'),
    'chain too long': (too_long, 'chain too long'),
    'no name': (INBOUND['no name'][0], 'no subject alternative'),
    'wildcard': (INBOUND['wildcard'][0], 'no subject alternative'),
    'revoked': (revoked, 'revoked'),
    'of another system': (lambda lab: lab.ca.issue(['dns:c1.c.example']),
                          "dns:c1.c.example"),
    'of the domain above': (lambda lab: lab.ca.issue(['dns:a.example']),
                            "dns:a.example"),
}


@pytest.fixture
def primary(lab):
    """Of the lab's peer, which shows something else for once."""
    lab.peer.end_connections()
    yield lab.peer
    lab.peer.certificate = lab.good
    lab.peer.settings = {}
    lab.peer.instead = None
    lab.peer.auto_reply = 200
    lab.peer.end_connections()


def says_nothing_to(lab, ue, pair, peer):
    """b.example gives the procedure up; not one byte of it has left."""
    received = len(peer.received)
    counters = gateways.Counters(lab.b)
    assert_outcome(ue('authorize', lab.b.server, pair), 1,
                   'primary-unreachable')
    assert len(peer.received) == received
    assert lab.serves()
    return counters


@pytest.mark.parametrize('case', OUTBOUND)
def test_outbound(lab, ue, pair, primary, case):
    make, logged = OUTBOUND[case]
    primary.certificate = make(lab)
    offset = log_offset(lab.b)
    counters = says_nothing_to(lab, ue, pair, primary)
    assert counters['sip.tls_handshakes_failed'] \
        + counters['sip.tls_other_name'] >= 1
    assert logged in log_since(lab.b, offset)


def test_outbound_that_refuses_us(lab, ue, pair, primary):
    primary.ca = STRANGER.trusted()
    try:
        says_nothing_to(lab, ue, pair, primary)
    finally:
        primary.ca = lab.root


def test_outbound_on_an_old_version(lab, ue, pair, primary):
    primary.settings = {
        'set_ciphers': 'DEFAULT:@SECLEVEL=0',
        'minimum_version': ssl.TLSVersion.TLSv1,
        'maximum_version': ssl.TLSVersion.TLSv1_1}
    says_nothing_to(lab, ue, pair, primary)


def say(words):
    """And keep the connection."""
    def speak(connection):
        connection.sendall(words)
        return connection.dup()

    return speak


INSTEAD_OF_TLS = {
    'silence': (lambda connection: connection.dup(),
                'sip.tls_handshakes_timed_out'),
    'end': (lambda connection: None, 'sip.tls_handshakes_failed'),
    'garbage': (say(b'\xff' * 1000), 'sip.tls_handshakes_failed'),
    'SIP': (say(b'SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n'),
            'sip.tls_handshakes_failed'),
    'half a record': (say(b'\x16\x03\x03\1\0'),
                      'sip.tls_handshakes_timed_out'),
    'alert': (say(b'\x15\x03\x03\0\2\2\x28'),
              'sip.tls_handshakes_failed'),
}


@pytest.mark.parametrize('case', INSTEAD_OF_TLS)
def test_outbound_to_what_speaks_no_tls(lab, ue, pair, primary, case):
    primary.instead, counter = INSTEAD_OF_TLS[case]
    counters = says_nothing_to(lab, ue, pair, primary)
    assert counters[counter] >= 1


AFTER_THE_HANDSHAKE = {
    'garbage': lambda message: message.answer_with(b'\xff\0' * 1000),
    'end': lambda message: message.connection.end(),
    'half an answer': lambda message: message.answer_with(
        b'SIP/2.0 200 OK\r\nVia: '),
    'answer to another': lambda message: message.answer_with(
        b'SIP/2.0 200 OK\r\nVia: SIP/2.0/TLS 127.0.0.1;branch=z9hG4bKx\r\n'
        b'From: <sip:b.example>;tag=1\r\nTo: <sip:a.example>;tag=2\r\n'
        b'Call-ID: x\r\nCSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n'),
    'nothing': lambda message: None,
}


@pytest.mark.parametrize('case', AFTER_THE_HANDSHAKE)
def test_outbound_to_what_speaks_no_sip(lab, ue, pair, primary, case):
    """It is given up in time, and what comes next is asked anew."""
    primary.auto_reply = AFTER_THE_HANDSHAKE[case]
    assert_outcome(ue('authorize', lab.b.server, pair), 1,
                   'primary-unreachable')
    assert lab.serves()
    primary.auto_reply = 200
    primary.end_connections()
    received = len(primary.received)
    ue('authorize', lab.b.server, pair, '--timeout', '2')
    assert len(primary.received) > received


# ------------------------------------------------------------------ reload

def test_renewal_is_seen(lab, wait_until):
    """A new certificate on disk is shown after a reload, not before, and the
    connections that there are stay."""
    def shown():
        with lab.session() as connection:
            return connection.getpeercert(binary_form=True)

    kept = lab.session()
    old = shown()
    lab.certificates.renew_server(lab.b)
    assert shown() == old
    os.kill(lab.b.pid, signal.SIGHUP)
    wait_until(lambda: shown() != old)
    assert lab.serves(kept)


@pytest.mark.parametrize('setting, content', (
    ('certificate', b''), ('key', b'no key\n'), ('ca', None), ('crl', b'')))
def test_reload_of_a_bad_file(lab, setting, content):
    """The old ones stay in use; it says which setting."""
    file = pathlib.Path(lab.b.sections['tls'][setting])
    good, offset = file.read_bytes(), log_offset(lab.b)
    try:
        file.unlink()
        if content is not None:
            labca.write_secret(file, content)
        done = subprocess.run(
            [lab.program('mcmigctl'), '-s', lab.b.ctl_socket, 'reload'],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=20, check=False)
        assert done.returncode != 0
        assert f'tls.{setting}' in log_since(lab.b, offset)
        assert lab.serves()
    finally:
        labca.write_secret(file, good)
    lab.b.ctl('reload')


def test_revoked_while_connected(lab, wait_until):
    """A connection ends with the trust in it."""
    certificate = lab.ca.issue(['dns:a2.a.example'])
    context = tlspeer.context_of(certificate, lab.root)
    with lab.session(context) as connection:
        connection.settimeout(tlspeer.WAIT_S)
        connection.sendall(tlspeer.options())
        assert connection.recv(65536)
        lab.ca.revoke(certificate.certificate)
        lab.certificates.write_crls()
        lab.b.ctl('reload')
        assert connection.recv(65536) == b''
    assert lab.serves()


def test_expired_while_connected(lab):
    """Of the peer: the connection ends by itself."""
    certificate = lab.ca.issue([OWN], ends=3 / 86400)
    with lab.session(tlspeer.context_of(certificate, lab.root)) as connection:
        connection.settimeout(tlspeer.WAIT_S)
        connection.sendall(tlspeer.options())
        assert connection.recv(65536)
        assert connection.recv(65536) == b''
    assert lab.serves()


def test_no_list_is_no_trust(lab):
    """A CRL that is out of date counts as none: refused, and logged."""
    file = pathlib.Path(lab.b.sections['tls']['crl'])
    good, offset = file.read_bytes(), log_offset(lab.b)
    labca.write_public(file, lab.ca.crl(ends=-1) + lab.ca.root().crl())
    lab.b.ctl('reload')
    try:
        assert lab.fault() is not None
        assert 'out of date' in log_since(lab.b, offset)
    finally:
        labca.write_public(file, good)
        lab.b.ctl('reload')
    assert lab.serves()

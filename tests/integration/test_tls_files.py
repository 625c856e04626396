# SPDX-License-Identifier: BSD-2-Clause
"""The files of TLS: what --check, a start and a reload make of them."""

import datetime
import subprocess

import labca
import labdaemon
import lablib
import pytest

HOST = '127.1.8.1'
MONTH = 60


class Node(labdaemon.Daemon):
    """mcmigd with the module ctl alone, and a listener for TLS."""

    def __init__(self, lab):
        super().__init__(lab, 'node', 'b.example', 'b1')
        self.ca = labca.Authority()
        self.ca.save(lab.folder / 'ca')
        self.stem = lab.folder / 'own'
        self.issue(ends=MONTH)
        self.sections = {
            '': self.top_settings(['ctl'], [f'tls:{HOST}:0']),
            'tls': {'certificate': f'{self.stem}.pem',
                    'key': f'{self.stem}-key.pem',
                    'ca': str(lab.folder / 'ca' / 'ca.pem')},
            'ctl': {'socket': str(self.ctl_socket)}}
        self.write_configuration()

    def issue(self, **options):
        certificate = self.ca.issue(['dns:own.b.example'], **options)
        certificate.save(self.stem)
        return certificate

    def run(self, *arguments):
        return subprocess.run(
            [self.lab.program('mcmigd'), '-c', self.conf, *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            timeout=30, check=False)

    def refuses(self):
        """--check does; what it says."""
        done = self.run('--check')
        assert done.returncode == 1
        assert done.stdout == ''
        return done.stderr

    def reload_fails(self):
        done = subprocess.run(
            [self.lab.program('mcmigctl'), '-s', self.ctl_socket, 'reload'],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            timeout=30, check=False)
        assert done.returncode == 1
        assert 'the certificates are not valid, the old ones stay' in \
            done.stderr
        return self.log.read_text()

    def expires_in(self):
        return next((row['value'] for row in self.ctl('stats')
                     if row['name'] == 'tls.certificate_expires_in'), None)

    def serve(self):
        self.start()
        self.wait_ready()


@pytest.fixture
def node(make_lab):
    lab = make_lab(start=False)
    lablib.link_modules(lab.build, lab.folder / 'modules')
    node = Node(lab)
    yield node
    if node.process and node.process.poll() is None:
        node.process.kill()
        node.process.wait()


def expires(row):
    return datetime.datetime.strptime(row['expires'], '%Y-%m-%dT%H:%M:%SZ')


def test_serves(node):
    assert node.run('--check').returncode == 0
    node.serve()
    row, = node.ctl('tls')
    left = (expires(row) - datetime.datetime.utcnow()).total_seconds()
    assert row['certificate'] == 'own' and row['side'] == 'inside'
    assert row['names'] == ['dns:own.b.example']
    assert abs(left - MONTH * 86400) < 120
    assert abs(node.expires_in() - left) < 120
    assert 'level=warning' not in node.log.read_text()


def test_tls_without_a_certificate(node):
    del node.sections['tls']
    node.write_configuration()
    text = node.refuses()
    assert 'TLS needs a certificate: name certificate, key and ca in the ' \
        'section tls' in text
    assert f'entry="tls:{HOST}:0"' in text


@pytest.mark.parametrize('setting', ('certificate', 'key', 'ca', 'crl'))
def test_missing_file(node, setting):
    node.sections['tls'][setting] = str(node.lab.folder / 'missing.pem')
    node.write_configuration()
    text = node.refuses()
    assert f'tls.{setting}: cannot read it: No such file' in text
    assert 'missing.pem' in text


def test_key_of_another(node):
    node.ca.issue(['dns:own.b.example']).save(node.lab.folder / 'other')
    node.sections['tls']['key'] = str(node.lab.folder / 'other-key.pem')
    node.write_configuration()
    assert 'it is not the key of the certificate' in node.refuses()


def test_key_that_everybody_reads(node):
    (node.lab.folder / 'own-key.pem').chmod(0o644)
    assert 'everybody may read it' in node.refuses()


def test_outside_of_its_own(node):
    """Its files count as those of the inside do."""
    node.sections['tls_outside'] = {
        **node.sections['tls'], 'ca': f'{node.stem}.pem'}
    node.write_configuration()
    assert "tls_outside.ca: a certificate in it is no CA's" in node.refuses()


@pytest.mark.parametrize('days, level, text', (
    (29, 'warning', 'our certificate expires soon'),
    (0.5, 'warning', 'our certificate expires soon'),
    (-1, 'error', 'our certificate has expired')))
def test_expiry_is_told_of(node, days, level, text):
    """And it is no reason not to start."""
    node.issue(ends=days)
    node.serve()
    lines = [line for line in node.log.read_text().splitlines()
             if text in line]
    assert len(lines) == 1
    assert f'level={level}' in lines[0] and 'name="inside"' in lines[0]
    assert abs(node.expires_in() - max(days, 0) * 86400) < 120


def test_renewal(node):
    node.issue(ends=2)
    node.serve()
    node.issue(ends=MONTH)
    node.ctl('reload')
    assert node.expires_in() > (MONTH - 1) * 86400
    node.issue(ends=-1)
    assert 'the new one has expired, and the old one has not' in \
        node.reload_fails()
    assert node.expires_in() > (MONTH - 1) * 86400


def test_certificate_taken_away(node):
    node.serve()
    del node.sections['tls']
    node.write_configuration()
    assert 'TLS needs a certificate' in node.reload_fails()
    assert len(node.ctl('tls')) == 1


def test_certificate_added(node):
    """Nothing listens there: that needs a restart, and the reload says so."""
    tls = node.sections.pop('tls')
    node.sections['']['listen'] = [f'tcp:{HOST}:0']
    node.write_configuration()
    node.serve()
    assert node.ctl('tls') == []
    assert node.expires_in() is None
    node.sections['tls'] = tls
    node.write_configuration()
    node.ctl('reload')
    assert node.ctl('tls') == []
    assert 'a certificate where there was none needs a restart' in \
        node.log.read_text()

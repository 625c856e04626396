# SPDX-License-Identifier: BSD-2-Clause
"""scripts/lab and scripts/demo.py, as people use them."""

import itertools
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import sys

import pytest

import lablib
from labproc import pid_is_of

SCRIPTS = lablib.ROOT / 'scripts'


def run(*command):
    return subprocess.run(
        [sys.executable, '-B', *map(str, command)], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
        env={**os.environ, 'MCMIG_BUILD': str(lablib.build_folder())},
        check=False)


@pytest.fixture
def on_store(store_kind):
    return ('--postgres',) if store_kind == 'postgres' else ()


numbers = itertools.count(1)


@pytest.fixture
def start(folder, on_store):
    """Starts a lab; the variables of its lab.env."""
    path = folder / f'by-hand{next(numbers)}'

    def make(*options):
        done = run(SCRIPTS / 'lab', 'start', path, '--users', '3', *on_store,
                   *options)
        assert done.returncode == 0, done.stderr
        assert (path / 'lab.env').read_text() == done.stdout
        return path, lablib.read_env(path)

    yield make
    if (path / 'lab.env').exists():
        run(SCRIPTS / 'lab', 'stop', path)


def daemons(path, variables):
    """Those that run, of those that lab.env names."""
    files = {'PID': '.conf', 'GATEWAY_PID': '-gateway.conf',
             'IDMS_PID': '-token-key.pem', 'SCSCF_PID': '-scscf.cfg',
             'HSS_PID': '-hss.profiles'}
    found = {name: path / (name.split('_')[1].lower()
                           + files[name.split('_', 2)[2]])
             for name in variables if name.endswith('PID')}
    return {name for name, file in found.items()
            if pid_is_of(int(variables[name]), file)}


def test_lab_with_gateways(start):
    path, variables = start('--gateways', '--systems', '3')
    assert len(daemons(path, variables)) == 9
    assert run(SCRIPTS / 'lab', 'start', path).returncode == 1
    done = subprocess.run(
        [lablib.build_folder() / 'src/mcmig-ue', 'authorize', '--server',
         f'sip:{variables["LAB_C_SERVER"]}', '--login',
         variables['LAB_C_IDMS'], '--profile', '1', '--partner-id',
         'sip:b-visitor00003@c.example', '--primary-id',
         'sip:user00003@b.example'], timeout=60, check=False)
    assert done.returncode == 0
    assert run(SCRIPTS / 'lab', 'stop', path).returncode == 0
    assert not daemons(path, variables)
    assert not (path / 'lab.env').exists()


def test_lab_with_an_ims(start):
    path, variables = start('--ims', '--tls', '--gateways')
    assert len(daemons(path, variables)) == 10
    done = run(SCRIPTS / 'imsue.py', 'authorize', '--scscf',
               variables['LAB_B_SCSCF'], '--login', variables['LAB_B_IDMS'],
               '--profile', '1', '--partner-id',
               'sip:visitor00003@b.example', '--primary-id',
               'sip:user00003@a.example')
    assert done.returncode == 0, done.stdout
    done = run(SCRIPTS / 'imsue.py', 'register', '--scscf',
               variables['LAB_A_SCSCF'], '--id', 'sip:user00003@a.example')
    assert done.returncode == 0, done.stdout
    assert run(SCRIPTS / 'lab', 'stop', path).returncode == 0
    assert not daemons(path, variables)


def test_lab_over_tls(start):
    """Its CA makes certificates for others too."""
    path, variables = start('--tls', '--systems', '3')
    assert len(daemons(path, variables)) == 3
    done = run(SCRIPTS / 'lab-ca', 'issue', path / 'c-ca', path / 'guest',
               '--name', 'dns:guest.c.example')
    assert done.returncode == 0, done.stderr
    context = ssl.create_default_context(cafile=path / 'ca/ca.pem')
    context.check_hostname = False
    context.load_cert_chain(path / 'guest.pem', path / 'guest-key.pem')
    host, port = variables['LAB_C_SERVER_TLS'].rsplit(':', 1)
    with socket.create_connection((host, int(port)), 10) as connection, \
            context.wrap_socket(connection) as session:
        names = session.getpeercert()['subjectAltName']
    assert names == (('DNS', 'c1.c.example'),)


def test_certificate_authority(tmp_path):
    def lab_ca(*arguments):
        return run(SCRIPTS / 'lab-ca', *arguments).returncode

    root, below, stem = (tmp_path / name for name in ('ca', 'below', 'own'))
    assert lab_ca('init', root) == 0
    assert lab_ca('init', below, '--under', root) == 0
    assert lab_ca('issue', below, stem, '--name', 'dns:a.example',
                  '--name', 'uri:sip:a.example') == 0
    assert stem.with_suffix('.pem').read_text().count('BEGIN') == 2
    assert (tmp_path / 'own-key.pem').stat().st_mode & 0o777 == 0o600
    assert lab_ca('init', root) == 1
    assert lab_ca('issue', root, stem, '--name', 'a.example') == 1
    assert lab_ca('revoke', root, tmp_path / 'own.pem') == 1
    before = (below / 'crl.pem').read_bytes()
    assert lab_ca('revoke', below, tmp_path / 'own.pem') == 0
    assert (below / 'crl.pem').read_bytes() != before


def test_plain_lab(start):
    """Two systems on one address, no tokens: as it has always been."""
    path, variables = start()
    assert daemons(path, variables) == {'LAB_A_PID', 'LAB_B_PID'}
    assert {f'LAB_{letter}_{name}' for letter in 'AB' for name in
            ('CTL', 'PID', 'SERVER', 'STORE')} == set(variables)
    assert variables['LAB_A_SERVER'].startswith('127.0.0.1:')
    assert run(SCRIPTS / 'lab', 'stop', path).returncode == 0
    assert not daemons(path, variables)


@pytest.mark.parametrize('options', (('--systems', '1'), ('--systems', '27'),
                                     ('--gateways', '--host', '::1'),
                                     ('--ims', '--host', '::1')))
def test_lab_that_cannot_be(tmp_path, options):
    done = run(SCRIPTS / 'lab', 'start', tmp_path / 'lab', *options)
    assert done.returncode == 1
    assert done.stderr.startswith('lab: ')


def steps_of(text):
    """Labels of the first ladder."""
    ladder = text.split('de-authorization')[0]
    return [line.split()[0] for line in ladder.splitlines()
            if line[:5].strip().replace('-', '').isdigit()]


def test_demonstration(on_store):
    done = run(SCRIPTS / 'demo.py', *on_store)
    assert done.returncode == 0, done.stderr
    assert steps_of(done.stdout) == [str(i) for i in range(1, 13)]
    for name in ('client', 'partner server', 'partner gateway',
                 'primary gateway', 'primary server'):
        assert name in done.stdout


def test_demonstration_of_the_direct_path():
    done = run(SCRIPTS / 'demo.py', '--direct')
    assert done.returncode == 0, done.stderr
    assert steps_of(done.stdout) == ['1', '2', '3-5', '6-7', '8-10', '11',
                                     '12']


@pytest.mark.parametrize('options', (('--tls',), ('--tls', '--direct')))
def test_demonstration_over_tls(options):
    done = run(SCRIPTS / 'demo.py', *options)
    assert done.returncode == 0, done.stderr
    assert steps_of(done.stdout)[-1] == '12'
    assert '== request ==' in done.stdout
    assert '-- response --' in done.stdout
    assert 'dns:b1.b.example' in done.stdout
    assert 'TLSv1.3' in done.stdout


def test_demonstration_that_is_interrupted():
    """Nothing is left."""
    with subprocess.Popen(
            [sys.executable, '-B', str(SCRIPTS / 'demo.py')], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={**os.environ,
                 'MCMIG_BUILD': str(lablib.build_folder())}) as process:
        for line in process.stdout:
            if 'mcmig-ue authorize' in line:
                break
        left = [int(path.name) for path in pathlib.Path('/proc').glob('[0-9]*')
                if is_child_of(path, process.pid)]
        assert len(left) >= 6
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait(60) == 128 + signal.SIGINT
    assert not any(is_daemon(pid) for pid in left)


def is_child_of(path, parent):
    try:
        fields = (path / 'stat').read_text().rpartition(')')[2].split()
    except OSError:
        return False
    return int(fields[1]) == parent


def is_daemon(pid):
    try:
        text = pathlib.Path(f'/proc/{pid}/cmdline').read_bytes()
    except OSError:
        return False
    return b'mcmig' in text or b'idms' in text

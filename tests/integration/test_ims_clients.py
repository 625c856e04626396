# SPDX-License-Identifier: BSD-2-Clause
"""Clients of other makes behind the S-CSCF, as far as they can go."""

import contextlib
import pathlib
import subprocess

import pytest

import documents
import labproc
from imsserver import Server, request_of

FOREIGN = pathlib.Path(__file__).resolve().parent / 'foreign'
HOST = '127.4.2.5'
RUN_S = 20


@pytest.fixture(scope='module')
def server(module_lab):
    server = Server(module_lab)
    yield server
    server.primary.close()


@pytest.fixture
def listener(make_peer):
    """Where the responses to a client that only sends are heard."""
    return make_peer(HOST, 'udp', 200)


def run(*command):
    """Its output, if it succeeds."""
    done = subprocess.run([str(word) for word in command], text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=RUN_S, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout


# -------------------------------------------------------------------- sipsak

def sip_text(start, fields, body=b''):
    lines = [start, *(f'{name}: {value}' for name, value in fields),
             f'Content-Length: {len(body)}', '', '']
    return '\r\n'.join(lines).encode() + body


def test_sipsak(server, listener, pair, tmp_path):
    """It registers and asks, from one port; it cannot listen."""
    port = labproc.free_port(HOST)
    procedure = documents.new_procedure()

    def shoot(name, *arguments):
        file = tmp_path / name
        file.write_bytes(sip_text(*arguments))
        return run('sipsak', '-vv', '--no-crlf', '--filename', file,
                   '--sip-uri', f'sip:{server.scscf.address}',
                   '--hostname', HOST, '--local-ip', HOST, '--local-port',
                   port, '--symmetric', '--transport', 'udp')

    common = [('Max-Forwards', '70'), ('From', f'<{pair.partner_id}>;tag=1')]
    shoot('register', 'REGISTER sip:b.example SIP/2.0', [
        *common, ('To', f'<{pair.partner_id}>'), ('Call-ID', 'r' + procedure),
        ('CSeq', '1 REGISTER'),
        ('Contact', f'<sip:visitor@{listener.host}:{listener.port}>')])
    shoot('message', 'MESSAGE sip:b.example SIP/2.0', [
        *common, ('To', '<sip:b.example>'), ('Call-ID', procedure),
        ('CSeq', '2 MESSAGE'),
        *documents.service_headers('mcptt', pair.partner_id, 'Preferred'),
        ('Content-Type', documents.content_type())],
          request_of(pair, procedure=procedure))
    assert server.decide(server.asked(pair)).status == 200
    response = documents.Parsed(listener.request().body)
    assert (response.procedure, response.result) == (procedure, 'success')


# ---------------------------------------------------------------------- SIPp

def render(name, folder, **values):
    text = (FOREIGN / name).read_text()
    for word, value in values.items():
        text = text.replace(f'@{word}@', value)
    file = folder / name
    file.write_text(text)
    return file


@contextlib.contextmanager
def started(*command):
    with subprocess.Popen([str(word) for word in command], text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as process:
        try:
            yield process
        finally:
            process.kill()


def sipp(server, file, port, transport):
    return ('sipp', '-sf', file, '-i', HOST, '-p', port, '-m', '1',
            '-t', {'udp': 'u1', 'tcp': 't1'}[transport], '-nostdin',
            '-timeout', f'{RUN_S}s', '-timeout_error', '-recv_timeout',
            RUN_S * 1000, server.scscf.address)


@pytest.mark.parametrize('transport', ('udp', 'tcp'))
def test_sipp(server, pair, tmp_path, transport):
    """Two of them: one asks, one hears."""
    procedure = documents.new_procedure()
    ports = [labproc.free_port(HOST) for _ in range(2)]
    hear = render('sipp-hear.xml', tmp_path, procedure=procedure)
    ask = render('sipp-ask.xml', tmp_path, partner_id=pair.partner_id,
                 contact=f'{HOST}:{ports[1]};transport={transport}',
                 document=request_of(pair, procedure=procedure).decode())
    with started(*sipp(server, hear, ports[1], transport)) as hearing:
        run(*sipp(server, ask, ports[0], transport))
        assert server.decide(server.asked(pair)).status == 200
        output = hearing.communicate(timeout=RUN_S)[0]
        assert hearing.returncode == 0, output

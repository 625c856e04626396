# SPDX-License-Identifier: BSD-2-Clause
"""What doc/interop.md tells whoever brings a server of their own: x.example is
the Python one here."""

import asyncio
import os
import re
import shlex
import shutil
import tempfile

import lablib
import pytest
import table
from peer.directory import Directory, System
from peer.server import Server

HOST = '127.9.0.1'
USERS = {'sip:alice@x.example': (1,)}


def block(kind, with_text):
    """That code block of the document."""
    return next(text for text in re.findall(
        rf'```{kind}\n(.*?)```', table.DOCUMENT.read_text(), re.S)
        if with_text in text)


def commands():
    text = block('sh', 'mcmig-ue').replace('\\\n', ' ')
    return [line for line in text.splitlines() if 'mcmig-ue' in line]


@pytest.fixture
def lab():
    folder = tempfile.mkdtemp(prefix='mcmig-interop.', dir='/tmp')
    lab = lablib.Lab(folder, store=os.environ.get('MCMIG_STORE', 'sqlite'),
                     users=2)
    lab.start()
    yield lab
    lab.stop()
    shutil.rmtree(folder)


def server_of(lab, port):
    b = System('b.example', [f'sip:{lab.b.server};transport=tcp'])
    return Server('x.example', HOST, port, Directory('x.example', [b]),
                  {'admits': lambda *_: True, 'hosts': lambda _: True},
                  {'users': USERS, 'permitted': lambda *_: True})


async def play(lab, port):
    async with server_of(lab, port):
        for line in commands():
            line = line.replace('$LAB_B_SERVER', lab.b.server) \
                .replace(f'{HOST}:5060', f'{HOST}:{port}')
            program, *arguments = shlex.split(line)
            for verb in ('authorize', 'deauthorize'):
                process = await asyncio.create_subprocess_exec(
                    lab.program(program.rpartition('/')[2]), verb,
                    *arguments[1:], stdout=asyncio.subprocess.PIPE)
                output, _ = await process.communicate()
                assert process.returncode == 0, output.decode()


def test_a_server_of_your_own(lab):
    port = lablib.free_port(HOST)
    lab.b.store.execute(block('sql', 'x.example').replace(
        f'{HOST}:5060', f'{HOST}:{port}'))
    lab.b.ctl('reload')
    asyncio.run(play(lab, port))


def test_commands_are_there():
    assert len(commands()) == 2

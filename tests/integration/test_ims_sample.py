# SPDX-License-Identifier: BSD-2-Clause
"""What doc/ims.md and doc/examples show is taken as it stands."""

import re
import subprocess
from xml.etree import ElementTree

import pytest

import lablib

DOC = lablib.ROOT / 'doc'


def configurations():
    """Those of doc/ims.md, and the example."""
    text = (DOC / 'ims.md').read_text()
    yield from re.findall(r'^```\n(modules.*?)^```$', text,
                          re.MULTILINE | re.DOTALL)
    yield (DOC / 'examples/ims.conf').read_text()


@pytest.mark.parametrize('text', configurations(), ids=('ims.md', 'ims.conf'))
def test_configuration(text, tmp_path):
    lablib.link_modules(lablib.build_folder(), tmp_path / 'modules')
    jwks = tmp_path / 'idms.jwks'
    jwks.write_text('{"keys": []}')
    file = tmp_path / 'mcmigd.conf'
    file.write_text(f'module_directory = "{tmp_path}/modules"\n'
                    + text.replace('/etc/mcmig/idms.jwks', str(jwks)))
    done = subprocess.run(
        [lablib.build_folder() / 'src/mcmigd', '-c', file, '--check'],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=30, check=False)
    assert done.returncode == 0, done.stdout


def triggers(name):
    """(METHOD, its registration types, the session cases) of each of them."""
    root = ElementTree.parse(DOC / 'examples/ims' / name)
    for point in root.iter('TriggerPoint'):
        yield (point.findtext('SPT/Method'),
               [kind.text for kind in point.iter('RegistrationType')],
               [case.text for case in point.iter('SessionCase')])


def test_filter_criteria_of_visitors():
    assert list(triggers('visitor-profile.xml')) == [
        ('REGISTER', [], []), ('MESSAGE', [], ['0'])]


def test_filter_criteria_of_our_own_users():
    assert list(triggers('home-profile.xml')) == [('REGISTER', ['0', '2'], [])]

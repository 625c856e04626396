# SPDX-License-Identifier: BSD-2-Clause
"""All rows of the matrix run once, side by side, on MCMIG_STORE."""

import os
import pathlib
import shutil
import sys
import tempfile

import pytest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import flows  # noqa: E402
import world  # noqa: E402


@pytest.fixture(scope='session')
def results():
    """A folder of its own: short, and open to the cluster's user."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix='mcmig-interop.',
                                           dir='/tmp'))
    folder.chmod(0o711)
    yield world.run_all(folder, flows.rows,
                        store=os.environ.get('MCMIG_STORE', 'sqlite'))
    shutil.rmtree(folder)

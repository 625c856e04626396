# SPDX-License-Identifier: BSD-2-Clause
"""The upgrade of a store from schema version 1: it ends as a fresh one, keeps
what is stored, is refused where it does not fit, and a daemon waits for it."""

import re
import subprocess

import lablib
import pytest

HERE = lablib.ROOT / 'tests/integration/schemas'
# The secret is not the upgrade's to touch; no other store has it.
TABLES = ('secret', 'mc_service', 'mc_system_domain', 'mc_server', 'mc_user',
          'user_profile', 'permission', 'admission', 'node', 'user_state',
          'partner_mapping', 'primary_migration')
STATE = '''
INSERT INTO node (name, incarnation, lease_until)
VALUES ('b7', 3, '2026-01-31T00:00:00Z');
INSERT INTO user_state (service, primary_id, role, version, last_sequence,
    last_order, last_epoch, confirmed_epoch, touched_us{column})
VALUES (1, 'sip:user00001@b.example', 2, 7, 1, 2, 3, 3, 5{value});
INSERT INTO partner_mapping (service, partner_id, primary_id, primary_system,
    version, status, procedure_id, sequence, profile_index, started_us,
    ended_us{column})
VALUES (2, 'sip:visitor00009@b.example', 'sip:user00009@a.example',
    'a.example', 4, 1, '00000000-0000-4000-8000-000000000009', 9, 1, 9,
    0{value});
INSERT INTO primary_migration (service, primary_id, partner_system, partner_id,
    active, procedure_id, sequence, deauthorized_sequence, epoch,
    profile_index, started_us, ended_us)
VALUES (1, 'sip:user00001@b.example', 'a.example',
    'sip:visitor00001@a.example', {true},
    '00000000-0000-4000-8000-000000000001', 1, 0, 3, 2, 5, 0);
'''
STATE_OF = {'sqlite': {'column': '', 'value': '', 'true': '1'},
            'postgres': {'column': ', written_by', 'value': ", '3'",
                         'true': 'TRUE'}}


class SqliteSide:
    folder = lablib.ROOT / 'db/sqlite'
    old = HERE / 'sqlite-1.sql'

    def empty(self, store):
        store.file.unlink()

    def run(self, store, file, *options):
        """As the file says that it is run."""
        with open(file, encoding='utf-8') as script:
            return subprocess.run(['sqlite3', *options, store.file],
                                  stdin=script, capture_output=True, text=True,
                                  timeout=60, check=False)

    def upgrade(self, store):
        return self.run(store, self.folder / 'upgrade-2.sql', '-bail')

    def careless_upgrade(self, store):
        return self.run(store, self.folder / 'upgrade-2.sql')

    def structure(self, store):
        rows = store.query('SELECT type, name, tbl_name, sql '
                           'FROM sqlite_master ORDER BY type, name')
        return [(*names, re.sub(r'\s|--.*', '', sql)) for *names, sql in rows]


class PostgresSide:
    folder = lablib.ROOT / 'db/postgresql'
    old = HERE / 'postgresql-1.sql'

    def empty(self, store):
        store.execute('DROP SCHEMA mcmig CASCADE')

    def run(self, store, file, *options):
        return subprocess.run(['psql', '-X', '-q', *options, '-f', file,
                               str(store)], capture_output=True, text=True,
                              timeout=60, check=False)

    def upgrade(self, store):
        return self.run(store, self.folder / 'upgrade-2.sql', '-v',
                        'ON_ERROR_STOP=1')

    def careless_upgrade(self, store):
        return self.run(store, self.folder / 'upgrade-2.sql')

    def structure(self, store):
        dump = lablib.run(['pg_dump', '--schema-only', '--no-owner',
                           '--schema=mcmig', '-d', str(store)])
        # A key that newer ones draw for each dump.
        return [line for line in dump.splitlines()
                if not re.match(r'\\(un)?restrict', line)]


@pytest.fixture
def side(store_kind):
    return SqliteSide() if store_kind == 'sqlite' else PostgresSide()


@pytest.fixture
def old_lab(make_lab, side, store_kind):
    """Prepared, not started: b.example has a store of version 1."""
    lab = make_lab(start=False)
    lab.prepare()
    lab.fresh = side.structure(lab.b.store)
    side.empty(lab.b.store)
    done = side.run(lab.b.store, side.old)
    assert not done.returncode and not done.stderr, done.stderr
    lab.b.store.execute((lab.folder / 'b.sql').read_text())
    lab.b.store.execute(STATE.format(**STATE_OF[store_kind]))
    return lab


def contents(store):
    return {table: sorted(store.query(f'SELECT * FROM {table}'))
            for table in TABLES}


def versions(store):
    return store.query('SELECT version FROM schema_version ORDER BY 1')


def test_upgraded_is_as_fresh(old_lab, side):
    store = old_lab.b.store
    before = contents(store)
    assert all(before.values())
    assert side.structure(store) != old_lab.fresh
    done = side.upgrade(store)
    assert not done.returncode, done.stderr
    assert side.structure(store) == old_lab.fresh
    assert versions(store) == [('1',), ('2',)]
    assert contents(store) == before
    assert sorted(store.query('SELECT name, path FROM mc_system')) == [
        ('a.example', 'direct'), ('b.example', 'direct')]


def refused(done):
    return done.returncode != 0 and 'nothing is changed' in done.stderr


@pytest.mark.parametrize('version', [2, 3])
def test_other_version_is_refused(make_lab, side, version):
    lab = make_lab(start=False, users=20)
    lab.prepare()
    store = lab.b.store
    store.execute(f'UPDATE schema_version SET version = {version}')
    before = side.structure(store), contents(store)
    assert refused(side.upgrade(store))
    side.careless_upgrade(store)
    assert (side.structure(store), contents(store)) == before
    assert versions(store)[-1] == (str(version),)


def test_daemon_waits_for_the_upgrade(old_lab, side, ue, pair, wait_until):
    old_lab.a.start()
    old_lab.b.start()
    old_lab.a.wait_ready()
    old_lab.b.wait_ready(store_up=False)
    wait_until(lambda: 'upgrade-2.sql' in
               (old_lab.b.ctl('status')['store'].get('reason') or ''))
    assert not side.upgrade(old_lab.b.store).returncode
    wait_until(old_lab.b.store_is_up)
    assert ue('authorize', old_lab.b.server, pair)[0] == 0

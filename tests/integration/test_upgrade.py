# SPDX-License-Identifier: BSD-2-Clause
"""The upgrade of a store from each older schema version: it ends as a fresh one,
keeps what is stored, is refused where it does not fit, and a daemon waits for
it."""

import re
import subprocess

import lablib
import pytest

CURRENT = 3
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
INSERT INTO procedure (service, primary_id, procedure_id, partner_id, sequence,
    role, verb, state, outcome, cause, telling, profile_index, "order", epoch,
    peer_system, client_uri, created_us, deadline_us, finished_us, node,
    incarnation{live})
VALUES (2, 'sip:user00009@a.example', '00000000-0000-4000-8000-000000000009',
    'sip:visitor00009@b.example', 9, 1, 1, 4, 1, 0, {false}, 1, 2, 0,
    'a.example', 'sip:127.0.0.1:5091;transport=tcp', 1, 2, 3, 'b7', 3{not_live});
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
STATE_OF = {'sqlite': {'column': '', 'value': '', 'true': '1', 'false': '0',
                       'live': '', 'not_live': ''},
            'postgres': {'column': ', written_by', 'value': ", '3'",
                         'true': 'TRUE', 'false': 'FALSE', 'live': ', is_live',
                         'not_live': ', FALSE'}}


class SqliteSide:
    folder = lablib.ROOT / 'db/sqlite'
    old = HERE / 'sqlite-{}.sql'

    def empty(self, store):
        store.file.unlink()

    def run(self, store, file, *options):
        """As the file says that it is run."""
        with open(file, encoding='utf-8') as script:
            return subprocess.run(['sqlite3', *options, store.file],
                                  stdin=script, capture_output=True, text=True,
                                  timeout=60, check=False)

    def upgrade(self, store, to):
        return self.run(store, self.folder / f'upgrade-{to}.sql', '-bail')

    def careless_upgrade(self, store, to):
        return self.run(store, self.folder / f'upgrade-{to}.sql')

    def structure(self, store):
        rows = store.query('SELECT type, name, tbl_name, sql '
                           'FROM sqlite_master ORDER BY type, name')
        return [(*names, re.sub(r'\s|--.*', '', sql)) for *names, sql in rows]


class PostgresSide:
    folder = lablib.ROOT / 'db/postgresql'
    old = HERE / 'postgresql-{}.sql'

    def empty(self, store):
        store.execute('DROP SCHEMA mcmig CASCADE')

    def run(self, store, file, *options):
        return subprocess.run(['psql', '-X', '-q', *options, '-f', file,
                               str(store)], capture_output=True, text=True,
                              timeout=60, check=False)

    def upgrade(self, store, to):
        return self.run(store, self.folder / f'upgrade-{to}.sql', '-v',
                        'ON_ERROR_STOP=1')

    def careless_upgrade(self, store, to):
        return self.run(store, self.folder / f'upgrade-{to}.sql')

    def structure(self, store):
        dump = lablib.run(['pg_dump', '--schema-only', '--no-owner',
                           '--schema=mcmig', '-d', str(store)])
        # A key that newer ones draw for each dump.
        return [line for line in dump.splitlines()
                if not re.match(r'\\(un)?restrict', line)]


@pytest.fixture
def side(store_kind):
    return SqliteSide() if store_kind == 'sqlite' else PostgresSide()


@pytest.fixture(params=range(1, CURRENT))
def old_version(request):
    return request.param


@pytest.fixture
def old_lab(make_lab, side, store_kind, old_version):
    """Prepared, not started: b.example has a store of an older version."""
    lab = make_lab(start=False)
    lab.prepare()
    lab.fresh = side.structure(lab.b.store)
    side.empty(lab.b.store)
    done = side.run(lab.b.store, str(side.old).format(old_version))
    assert not done.returncode and not done.stderr, done.stderr
    lab.b.store.execute((lab.folder / 'b.sql').read_text())
    lab.b.store.execute(STATE.format(**STATE_OF[store_kind]))
    return lab


def contents(store):
    return {table: sorted(store.query(f'SELECT * FROM {table}'))
            for table in TABLES}


def versions(store):
    return store.query('SELECT version FROM schema_version ORDER BY 1')


def test_upgraded_is_as_fresh(old_lab, side, old_version):
    store = old_lab.b.store
    before = contents(store)
    assert all(before.values())
    assert side.structure(store) != old_lab.fresh
    for to in range(old_version + 1, CURRENT + 1):
        done = side.upgrade(store, to)
        assert not done.returncode, done.stderr
    assert side.structure(store) == old_lab.fresh
    assert versions(store) == [(str(each),) for each in
                               range(old_version, CURRENT + 1)]
    assert contents(store) == before
    assert sorted(store.query('SELECT name, path FROM mc_system')) == [
        ('a.example', 'direct'), ('b.example', 'direct')]
    assert store.query('SELECT procedure_id, client_uri, client_identity '
                       'FROM procedure') == [
        ('00000000-0000-4000-8000-000000000009',
         'sip:127.0.0.1:5091;transport=tcp', '')]


def refused(done):
    return done.returncode != 0 and 'nothing is changed' in done.stderr


@pytest.mark.parametrize('to', range(2, CURRENT + 1))
@pytest.mark.parametrize('past', [0, 1])
def test_other_version_is_refused(make_lab, side, to, past):
    """One that has been upgraded, and one that is further than that."""
    lab = make_lab(start=False, users=20)
    lab.prepare()
    store = lab.b.store
    version = to + past
    store.execute(f'UPDATE schema_version SET version = {version}')
    before = side.structure(store), contents(store)
    assert refused(side.upgrade(store, to))
    side.careless_upgrade(store, to)
    assert (side.structure(store), contents(store)) == before
    assert versions(store)[-1] == (str(version),)


def test_upgrade_is_not_skipped(make_lab, side):
    lab = make_lab(start=False, users=20)
    lab.prepare()
    store = lab.b.store
    side.empty(store)
    assert not side.run(store, str(side.old).format(1)).returncode
    before = side.structure(store)
    assert refused(side.upgrade(store, CURRENT))
    assert side.structure(store) == before
    assert versions(store) == [('1',)]


def test_daemon_waits_for_the_upgrade(old_lab, side, old_version, ue, pair,
                                      wait_until):
    old_lab.a.start()
    old_lab.b.start()
    old_lab.a.wait_ready()
    old_lab.b.wait_ready(store_up=False)
    for to in range(old_version + 1, CURRENT + 1):
        wait_until(lambda: f'upgrade-{to}.sql' in
                   (old_lab.b.ctl('status')['store'].get('reason') or ''))
        assert not side.upgrade(old_lab.b.store, to).returncode
    wait_until(old_lab.b.store_is_up)
    assert ue('authorize', old_lab.b.server, pair)[0] == 0

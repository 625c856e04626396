# SPDX-License-Identifier: BSD-2-Clause
"""The store goes away and comes back."""

import sqlite3
import time

import pytest

import documents


def authorization(pair):
    return documents.document('authorization-request', pair.partner_id,
                              pair.primary_id, profile=1,
                              procedure=documents.new_procedure())


def store_is_up(system):
    return system.ctl('status')['store']['up']


@pytest.fixture
def postgres_lab(store_kind, make_lab):
    if store_kind != 'postgres':
        pytest.skip('for PostgreSQL')
    return make_lab(own_store=True)


def test_postgres_away(postgres_lab, make_peer, client_request, ue, pair,
                       wait_until):
    lab = postgres_lab
    lab.cluster.stop('--immediate')
    wait_until(lambda: not store_is_up(lab.b))
    started = time.monotonic()
    answer = client_request(make_peer(), lab.b, authorization(pair))
    assert time.monotonic() - started < 1
    assert answer.status == 503
    assert int(answer.header('retry-after')) > 0

    lab.cluster.start()
    wait_until(lambda: store_is_up(lab.a) and store_is_up(lab.b), 30)
    assert ue('authorize', lab.b.server, pair)[0] == 0


def test_client_waits_for_postgres(postgres_lab, ue, pair, wait_until):
    """mcmig-ue tries again; the outage is over before its timeout."""
    lab = postgres_lab
    lab.cluster.stop('--immediate')
    wait_until(lambda: not store_is_up(lab.b))
    status, steps = ue('authorize', lab.b.server, pair, '--timeout', '1')
    assert status == 2
    assert steps[1]['status'] == 503
    lab.cluster.start()
    assert ue('authorize', lab.b.server, pair)[0] == 0


def test_start_without_postgres(postgres_lab, ue, pair, wait_until):
    lab = postgres_lab
    lab.b.stop()
    lab.cluster.stop()
    lab.b.start()
    lab.b.wait_ready(store_up=False)
    assert not store_is_up(lab.b)
    lab.cluster.start()
    wait_until(lambda: store_is_up(lab.a) and store_is_up(lab.b), 30)
    assert ue('authorize', lab.b.server, pair)[0] == 0


def test_sqlite_blocked_by_an_operator(store_kind, make_lab, make_peer,
                                       client_request, ue, pair):
    """An open transaction of somebody else: 503, and later all is well."""
    if store_kind != 'sqlite':
        pytest.skip('for SQLite')
    lab = make_lab()
    operator = sqlite3.connect(lab.b.store.file, isolation_level=None)
    operator.execute('BEGIN IMMEDIATE')
    answer = client_request(make_peer(), lab.b, authorization(pair))
    assert answer.status == 503
    operator.execute('ROLLBACK')
    operator.close()
    assert ue('authorize', lab.b.server, pair)[0] == 0

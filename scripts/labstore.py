# SPDX-License-Identifier: BSD-2-Clause
"""Stores of the lab: a SQLite file, or a database of a PostgreSQL cluster."""

import contextlib
import os
import pathlib
import re
import sqlite3

from labproc import ROOT, run

SQL_S = 600  # a hundred thousand users take a while


class SqliteStore:
    """One file."""

    module = 'store_sqlite'

    def __init__(self, file):
        self.file = pathlib.Path(file)

    def __str__(self):
        return str(self.file)

    def settings(self):
        return {'file': str(self.file)}

    def create(self):
        self.execute((ROOT / 'db/sqlite/schema.sql').read_text())

    @contextlib.contextmanager
    def _connection(self):
        connection = sqlite3.connect(self.file, timeout=10)
        try:
            connection.execute('PRAGMA foreign_keys = ON')
            yield connection
        finally:
            connection.close()

    def execute(self, sql):
        with self._connection() as connection:
            connection.executescript(sql)

    def query(self, sql):
        """Rows of strings, the same as PostgresStore's."""
        with self._connection() as connection:
            return [tuple('' if value is None else str(value)
                          for value in row)
                    for row in connection.execute(sql)]


class PostgresStore:
    """One database of a cluster; the schema is mcmig."""

    module = 'store_postgres'

    def __init__(self, cluster_conninfo, database):
        self.cluster_conninfo = cluster_conninfo
        self.database = database

    def __str__(self):
        return re.sub(r'\bdbname=\S+', f'dbname={self.database}',
                      self.cluster_conninfo)

    def settings(self):
        return {'conninfo': str(self)}

    def create(self):
        self._psql(f'CREATE DATABASE {self.database}', self.cluster_conninfo)
        self.execute((ROOT / 'db/postgresql/schema.sql').read_text())

    def _psql(self, sql, conninfo=None):
        return run(['psql', '-X', '-q', '-A', '-t', '-F', '\t',
                    '-v', 'ON_ERROR_STOP=1', '-d', conninfo or str(self)],
                   text_in=sql, timeout=SQL_S,
                   env={**os.environ, 'PGOPTIONS': '-c search_path=mcmig'})

    def execute(self, sql):
        self._psql(sql)

    def query(self, sql):
        return [tuple(line.split('\t'))
                for line in self._psql(sql).splitlines()]


class Cluster:
    """A private PostgreSQL cluster in a folder; `fast` is for tests."""

    script = ROOT / 'scripts/pg-cluster'

    def __init__(self, folder, fast=False):
        self.folder = pathlib.Path(folder)
        self.options = ['--fast'] if fast else []
        self.conninfo = None

    def start(self):
        run([self.script, 'start', self.folder, *self.options], timeout=120)
        self.conninfo = (self.folder / 'conninfo').read_text().strip()

    def stop(self, *options):
        """Also what a start that failed has left."""
        if (self.folder / 'data').exists():
            run([self.script, 'stop', self.folder, *options], timeout=60)

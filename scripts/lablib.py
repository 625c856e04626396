# SPDX-License-Identifier: BSD-2-Clause
"""Two MC systems, a.example and b.example, on this machine: daemons, stores,
users. scripts/lab, scripts/quickstart and tests/integration stand on it."""

import contextlib
import json
import os
import pathlib
import random
import re
import select
import shlex
import signal
import socket
import sqlite3
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODULES = ('store_sqlite', 'store_postgres', 'migration', 'ctl')
START_S = 30
STOP_S = 30
COMMAND_S = 30
SQL_S = 600  # a hundred thousand users take a while


class LabError(Exception):
    """What went wrong, for a person."""


def build_folder():
    return pathlib.Path(os.environ.get('MCMIG_BUILD', ROOT / 'build'))


def free_port(host):
    """One that is free on UDP and TCP now.

    Below the range from which the kernel takes ports of outgoing connections,
    so that none of those takes it before the daemon does.
    """
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    for port in random.sample(range(20000, 32000), 200):
        with socket.socket(family, socket.SOCK_DGRAM) as udp, \
                socket.socket(family, socket.SOCK_STREAM) as tcp:
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                udp.bind((host, port))
                tcp.bind((host, port))
            except OSError:
                continue
            return port
    raise LabError(f'no free port on {host}')


def run(command, text_in=None, timeout=COMMAND_S, **options):
    """Its standard output; LabError with its standard error if it fails.

    ^C is not for it, and waits for it: what it starts is there to be stopped.
    """
    with subprocess.Popen([str(word) for word in command], text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, start_new_session=True,
                          **options) as process:
        try:
            output, error = process.communicate(text_in, timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        except BaseException:
            process.wait(timeout)
            raise
    if process.returncode:
        raise LabError(f'{command[0]}: exit {process.returncode}\n{error}')
    return output


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


def pid_is_of(pid, conf):
    """Whether that process (still) is the daemon with this configuration."""
    try:
        words = pathlib.Path(f'/proc/{pid}/cmdline').read_bytes().split(b'\0')
    except OSError:
        return False
    return os.fsencode(conf) in words


def wait_for_exit(pid, seconds):
    """True when the process, a child or not, is gone or a zombie."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        os.close(descriptor)


def stop_daemon(pid, conf):
    """In order, then less so."""
    for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
        if not pid_is_of(pid, conf):
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        if wait_for_exit(pid, STOP_S):
            return


class LogReader:
    """Lines of a daemon's log as they are written, from an offset on; ends
    with the daemon."""

    def __init__(self, file, pid, offset=0):
        self._tail = subprocess.Popen(
            ['tail', '-c', f'+{offset + 1}', '-f', '--', str(file)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self._pidfd = os.pidfd_open(pid)
        self._rest = b''

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._tail.kill()
        self._tail.stdout.close()
        self._tail.wait()
        os.close(self._pidfd)

    def fileno(self):
        return self._tail.stdout.fileno()

    def read(self):
        """The complete lines of what is there; blocks while nothing is."""
        self._rest += os.read(self.fileno(), 65536)
        *lines, self._rest = self._rest.split(b'\n')
        return [line.decode('utf-8', 'replace') for line in lines]

    def lines(self, seconds):
        """Until the daemon ends or the time is over."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            ready = select.select([self, self._pidfd], [], [], left)[0]
            if self in ready:
                yield from self.read()
            elif ready:
                return


def render(sections):
    """A configuration file of {section: {setting: value}}; '' is the top."""
    def value_text(value):
        if isinstance(value, (list, tuple)):
            return '{ ' + ', '.join(map(value_text, value)) + ' }'
        if isinstance(value, bool):
            return 'true' if value else 'false'
        return str(value) if isinstance(value, int) else json.dumps(value)

    def settings_text(settings, indent=''):
        return ''.join(f'{indent}{name} = {value_text(value)}\n'
                       for name, value in settings.items())

    return settings_text(sections['']) + ''.join(
        f'{name} {{\n{settings_text(settings, "    ")}}}\n'
        for name, settings in sections.items() if name)


def link_modules(build, folder):
    """The modules of an uninstalled build, in one folder."""
    folder.mkdir(exist_ok=True)
    for module in MODULES:
        found = sorted(build.rglob(f'.libs/{module}.so'))
        link = folder / f'{module}.so'
        if found and not link.exists():
            link.symlink_to(found[0])


class System:
    """One MC system: its daemon, its store, its users."""

    def __init__(self, lab, letter, host):
        self.lab = lab
        self.letter = letter
        self.name = f'{letter}.example'
        self.host = host
        self.port = free_port(host)
        self.conf = lab.folder / f'{letter}.conf'
        self.log = lab.folder / f'{letter}.log'
        self.ctl_socket = lab.folder / f'{letter}.ctl'
        self.store = None
        self.pid = None
        self.process = None
        self.log_offset = 0  # where the log of this run begins
        self.sections = {}

    @property
    def server(self):
        host = f'[{self.host}]' if ':' in self.host else self.host
        return f'{host}:{self.port}'

    def user(self, number):
        return f'sip:user{number:05}@{self.name}'

    def visitor(self, number):
        return f'sip:visitor{number:05}@{self.name}'

    def configure(self, settings):
        self.sections = {
            '': {'modules': [self.store.module, 'migration', 'ctl'],
                 'module_directory': str(self.lab.folder / 'modules'),
                 'system': self.name, 'node': f'{self.letter}1',
                 'listen': [f'udp:{self.server}', f'tcp:{self.server}'],
                 'log_level': 'info'},
            self.store.module: self.store.settings(),
            'ctl': {'socket': str(self.ctl_socket)},
            'migration': {},
        }
        for section, values in settings.items():
            self.sections.setdefault(section, {}).update(values)
        self.write_configuration()

    def write_configuration(self):
        self.conf.write_text(render(self.sections))

    def start(self):
        with open(self.log, 'ab') as log:
            self.log_offset = log.tell()
            self.process = subprocess.Popen(
                [self.lab.program('mcmigd'), '-c', str(self.conf)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True)
        self.pid = self.process.pid

    def wait_ready(self, store_up=True):
        """Until it serves; each line of its log is a reason to ask it."""
        with LogReader(self.log, self.pid, self.log_offset) as reader:
            for line in reader.lines(START_S):
                with contextlib.suppress(LabError):
                    if not store_up and 'msg="ready"' in line:
                        return
                    if self.store_is_up():
                        return
        raise LabError(f'{self.name} does not get ready:\n'
                       + self.log.read_text(errors='replace')[-2000:])

    def store_is_up(self):
        return self.ctl_socket.exists() and self.ctl('status')['store']['up']

    def ctl(self, *arguments):
        return json.loads(self.ctl_text('--json', *arguments))

    def ctl_text(self, *arguments):
        return run([self.lab.program('mcmigctl'), '-s', self.ctl_socket,
                    *arguments])

    def stop(self):
        """Its exit status; 0 if it did not run."""
        if not self.pid:
            return 0
        stop_daemon(self.pid, self.conf)
        return self.reap()

    def kill(self):
        if self.pid:
            self.process.kill()
            self.reap()

    def reap(self):
        status = self.process.wait(STOP_S)
        self.pid = self.process = None
        return status


class Lab:
    """Both systems. `settings` go into both configurations; a `cluster` that
    is given runs already, and stays."""

    def __init__(self, folder, *, store='sqlite', users=100, build=None,
                 host='127.0.0.1', transport='tcp', settings=None,
                 cluster=None, databases='lab'):
        self.folder = pathlib.Path(folder).absolute()
        self.build = pathlib.Path(build or build_folder()).absolute()
        self.users = users
        self.transport = transport
        self.settings = settings or {}
        self.databases = databases
        self.cluster = cluster
        self.own_cluster = store == 'postgres' and not cluster
        if self.own_cluster:
            self.cluster = Cluster(self.folder / 'postgres')
        self.folder.mkdir(parents=True, exist_ok=True)
        # The cluster's folder inside belongs to an unprivileged user.
        self.folder.chmod(0o711)
        self.a = System(self, 'a', host)
        self.b = System(self, 'b', host)
        self.systems = (self.a, self.b)

    def program(self, name):
        return str(self.build / 'src' / name)

    def _store_of(self, system):
        if self.cluster:
            return PostgresStore(self.cluster.conninfo,
                                 f'{self.databases}_{system.letter}')
        return SqliteStore(self.folder / f'{system.letter}.db')

    def _provision(self, system, peer):
        script = self.folder / f'{system.letter}.sql'
        script.write_text(run([
            ROOT / 'scripts/provision', '--users', self.users, system.name,
            peer.name, f'sip:{peer.server};transport={self.transport}']))
        system.store.create()
        system.store.execute(script.read_text())

    def prepare(self):
        """Everything but the daemons."""
        if self.own_cluster:
            self.cluster.start()
        link_modules(self.build, self.folder / 'modules')
        for system in self.systems:
            system.store = self._store_of(system)
            self._provision(system, self.b if system is self.a else self.a)
            system.configure(self.settings)

    def start(self):
        try:
            self.prepare()
            for system in self.systems:
                system.start()
            for system in self.systems:
                system.wait_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self):
        for system in self.systems:
            system.stop()
        if self.own_cluster:
            self.cluster.stop()

    def write_env(self):
        variables = {}
        for system in self.systems:
            prefix = f'LAB_{system.letter.upper()}_'
            variables.update({
                prefix + 'SERVER': system.server,
                prefix + 'CTL': system.ctl_socket,
                prefix + 'STORE': system.store,
                prefix + 'PID': system.pid,
            })
        (self.folder / 'lab.env').write_text(
            ''.join(f'{name}={shlex.quote(str(value))}\n'
                    for name, value in sorted(variables.items())))


def read_env(folder):
    lines = (pathlib.Path(folder) / 'lab.env').read_text().splitlines()
    return dict(shlex.split(line)[0].split('=', 1) for line in lines)


def stop_lab(folder):
    """Stops what `lab start` of another process has left running."""
    folder = pathlib.Path(folder).absolute()
    variables = read_env(folder)
    for letter in 'ab':
        stop_daemon(int(variables[f'LAB_{letter.upper()}_PID']),
                    str(folder / f'{letter}.conf'))
    if (folder / 'postgres/data/postmaster.pid').exists():
        Cluster(folder / 'postgres').stop()
    (folder / 'lab.env').unlink()

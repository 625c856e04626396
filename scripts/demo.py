# SPDX-License-Identifier: BSD-2-Clause
"""What quickstart shows: a user of a.example migrates to b.example and comes
back. An arrow is drawn when the one at its head has logged the message."""

import argparse
import contextlib
import json
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid

import ladder
import lablib

STEP_S = 40
POLL_S = 0.02


def parse_log(line):
    """The fields of a logfmt line."""
    return {name: value.strip('"') for name, value in
            re.findall(r'(\w+)=("[^"]*"|\S*)', line)}


def read_client(process, show):
    line = process.stdout.readline()
    if not line:
        return False
    show.take('ue', json.loads(line))
    return True


def command_of(lab, verb, pair, profile):
    """mcmig-ue with its options, a line each."""
    lines = [['mcmig-ue', verb, '--server', f'sip:{lab.b.server}'],
             ['--partner-id', pair[1]], ['--primary-id', pair[0]]]
    if verb == 'authorize':
        lines[-1] += ['--profile', str(profile)]
    if lab.login:
        lines.append(['--login', lab.b.identity_management.url])
    return lines


def run_client(lab, verb, pair, profile):
    """mcmig-ue and all logs at once, until every step was seen; the ID of
    the procedure."""
    procedure = str(uuid.uuid4())
    lines = command_of(lab, verb, pair, profile)
    print('$ ' + ' \\\n    '.join(map(' '.join, lines)) + '\n')
    command = [lab.program('mcmig-ue'), *sum(lines, [])[1:], '--json',
               '--procedure', procedure]
    draw = ladder.by_gateways if lab.gateways else ladder.direct
    show = ladder.Show(*draw(verb, bool(lab.certificates)), procedure)
    with contextlib.ExitStack() as stack:
        sources = {stack.enter_context(lablib.LogReader(
            daemon.log, daemon.pid)): daemon.node[:-1]
                   for daemon in lab.daemons}
        client = stack.enter_context(subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True))
        sources[client.stdout] = 'ue'
        deadline = time.monotonic() + STEP_S
        while sources and not show.is_complete():
            left = max(0, deadline - time.monotonic())
            ready = select.select(list(sources), [], [], left)[0]
            if not ready:
                break
            for reader in ready:
                if reader is client.stdout:
                    if not read_client(client, show):
                        del sources[reader]
                    continue
                for line in reader.read():
                    show.take(sources[reader], parse_log(line))
        status = client.wait(STEP_S)
    if status or not show.is_complete():
        raise lablib.LabError('\n  '.join(
            [f'mcmig-ue: exit {status}, not seen:', *show.missing()]))
    return procedure


def wait_for_redirection(system, identity, expected):
    """The primary confirms after the 200: a moment after the last step."""
    deadline = time.monotonic() + STEP_S
    while targets(system, identity) != expected:
        if time.monotonic() > deadline:
            raise lablib.LabError(f'{system.name}: no redirection of '
                                  f'{identity} to {expected}')
        time.sleep(POLL_S)


def targets(system, identity):
    return {row['target_mc_service_id']
            for row in system.ctl('redirection', identity)}


def show_reach(lab, pair):
    """Where a call to each of the two IDs would go now."""
    for system, identity in ((lab.a, pair[0]), (lab.b, pair[1])):
        found = sorted(targets(system, identity))
        print(f'  a call to {identity} at {system.name}: '
              + (f'goes to {found[0]}' if found else 'is not redirected'))
    print()


COLUMNS = {
    'procedures': ('role', 'verb', 'state', 'outcome', 'primary_id',
                   'partner_id'),
    'migrations': ('role', 'status', 'current', 'primary_id', 'partner_id',
                   'started'),
    'tls': ('certificate', 'side', 'address', 'names', 'cipher'),
}


def text_of(value):
    if isinstance(value, list):
        return ' '.join(value)
    return {True: 'yes', False: 'no', None: '-'}.get(value, str(value))


def table(columns, rows):
    """Of what mcmigctl shows only what matters here."""
    texts = [columns] + [[text_of(row[name]) for name in columns]
                         for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts)]
    for line in texts:
        print('  ' + '  '.join(text.ljust(width) for text, width
                               in zip(line, widths)).rstrip())
    print()


def show_tables(lab, pair, procedure):
    for system, identity in ((lab.a, pair[0]), (lab.b, pair[1])):
        for command, argument in (('procedures', procedure),
                                  ('migrations', identity)):
            print(f'$ mcmigctl -s {system.ctl_socket.name} '
                  f'{command} {argument}')
            table(COLUMNS[command], system.ctl(command, argument))


def show_certificates(lab):
    """Who the partner's side has spoken with, and as whom."""
    for daemon in (lab.b, *lab.b.gateways):
        print(f'$ mcmigctl -s {daemon.ctl_socket.name} tls')
        table(COLUMNS['tls'], daemon.ctl('tls'))


def title(text):
    print(f'\n== {text}\n')


def show_lab(lab, store):
    for system in lab.systems:
        print(f'{system.name}: server {system.server} on {store}'
              + ''.join(f', gateway {gateway.inside} inside and '
                        f'{gateway.outside} outside'
                        for gateway in system.gateways))
    if lab.login:
        print('b.example: identity management '
              + lab.b.identity_management.url)


def demonstrate(lab):
    pair = (lab.a.user(1), lab.b.visitor(1))
    title(f'{pair[0]} at home')
    show_reach(lab, pair)
    title('migration service authorization (TS 23.280 10.6.3.3.1)')
    procedure = run_client(lab, 'authorize', pair, 1)
    wait_for_redirection(lab.a, pair[0], {pair[1]})
    title('migrated')
    show_reach(lab, pair)
    show_tables(lab, pair, procedure)
    title('migration service de-authorization (TS 23.280 10.6.3.3.2)')
    procedure = run_client(lab, 'deauthorize', pair, 1)
    wait_for_redirection(lab.a, pair[0], set())
    wait_for_redirection(lab.b, pair[1], {pair[0]})
    title('home again')
    show_reach(lab, pair)
    show_tables(lab, pair, procedure)
    if lab.certificates:
        title('certificates on TLS, drawn === above (RFC 5922)')
        show_certificates(lab)


def handle_signals(handler):
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)


def end(number, _):
    """What was started is stopped all the same: see main."""
    sys.exit(128 + number)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('.')[0])
    parser.add_argument('--postgres', action='store_true')
    parser.add_argument('--direct', action='store_true',
                        help='without MC gateway servers and tokens')
    parser.add_argument('--tls', action='store_true',
                        help='between servers and gateways')
    args = parser.parse_args()
    # Not in $TMPDIR: sockets need a short path, and the cluster's user a way in.
    folder = tempfile.mkdtemp(prefix='mcmig-', dir='/tmp')
    store = 'postgres' if args.postgres else 'sqlite'
    lab = lablib.Lab(folder, store=store, users=3,
                     transport='tls' if args.tls else 'tcp',
                     gateways=0 if args.direct else 1, login=True,
                     settings={'': {'log_level': 'debug'}})
    handle_signals(end)
    try:
        lab.start()
        show_lab(lab, 'PostgreSQL' if args.postgres else 'SQLite')
        demonstrate(lab)
    except lablib.LabError as error:
        sys.exit(f'quickstart: {error}')
    finally:
        handle_signals(signal.SIG_IGN)
        lab.stop()
        shutil.rmtree(folder)
    print('All stopped and removed.')


if __name__ == '__main__':
    main()

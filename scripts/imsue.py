#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""An MC service client in an IMS: mcmig-ue's document by way of an S-CSCF.

  imsue.py register --scscf URI --id ID [--expires SECONDS]
  imsue.py authorize|deauthorize --scscf URI [OPTION-OF-mcmig-ue...]

authorize and deauthorize register the partner ID, send the document that
mcmig-ue makes of the options (--partner-id, --primary-id, --profile, --service,
--token or --login), and wait for the response, a MESSAGE from the S-CSCF. URI:
sip:HOST:PORT[;transport=udp|tcp]. Exit status as of mcmig-ue.
"""

import argparse
import contextlib
import json
import queue
import re
import secrets
import subprocess
import sys
import time
from xml.etree import ElementTree

sys.dont_write_bytecode = True
import lablib  # noqa: E402
import sippeer  # noqa: E402

NAMESPACE = 'urn:uuid:5fec72a9-f7d2-40d2-a6ec-5e5a7fd7607b'
SUCCESS, FAILURE, REFUSED, SILENCE, USAGE = 0, 1, 2, 3, 64
EXPIRES_S = 600
ATTEMPT_S = 6
BACKOFF_S = 0.5


class Ue:
    """Registers one identity from one address, where it listens."""

    def __init__(self, scscf, identity, host='127.0.0.1'):
        address, _, transport = scscf.removeprefix('sip:').partition(
            ';transport=')
        self.scscf = address
        self.identity = identity
        self.user, _, self.domain = identity.partition(':')[2].partition('@')
        self.peer = sippeer.Peer(host, transport or 'udp', 200)
        self._call_id = secrets.token_hex(8)
        self._sequence = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.peer.close()

    def register(self, expires=EXPIRES_S, headers=()):
        """The answer."""
        peer = self.peer
        self._sequence += 1
        contact = f'<sip:{self.user}@{peer.host}:{peer.port}' \
                  f';transport={peer.transport}>;expires={expires}'
        return peer.ask(
            self.scscf, f'sip:{self.domain}', method='REGISTER',
            sender=self.identity,
            headers=[('Contact', contact), ('Expires', str(expires)),
                     *headers],
            replace={'To': f'<{self.identity}>', 'Call-ID': self._call_id,
                     'CSeq': f'{self._sequence} REGISTER'})

    def headers(self, service):
        return [('Route', f'<sip:orig@{self.scscf};lr>'),
                ('P-Preferred-Identity', f'<{self.identity}>'),
                ('P-Preferred-Service',
                 f'urn:urn-7:3gpp-service.ims.icsi.{service}'),
                ('Accept-Contact', f'*;+g.3gpp.{service};require;explicit')]

    def send(self, body, service='mcptt', headers=(), **options):
        """A document; the branch."""
        options.setdefault('content_type',
                           f'application/vnd.3gpp.{service}-info+xml')
        return self.peer.send(self.scscf, f'sip:{self.domain}', body,
                              sender=self.identity,
                              headers=[*self.headers(service), *headers],
                              **options)

    def ask(self, body, service='mcptt', seconds=sippeer.WAIT_S, **options):
        """The SIP answer to a document."""
        return self.peer.response(self.send(body, service, **options), seconds)

    def response(self, procedure, seconds):
        """The result and the cause of that procedure, when its response
        comes."""
        deadline = time.monotonic() + seconds
        while True:
            left = max(0, deadline - time.monotonic())
            flow = flow_of(self.peer.request(left).body)
            if flow.get('procedure') == procedure:
                return (flow.findtext(f'{{{NAMESPACE}}}result'),
                        flow.findtext(f'{{{NAMESPACE}}}cause'))


def flow_of(body):
    (flow,) = ElementTree.fromstring(body).find(f'.//{{{NAMESPACE}}}migration')
    return flow


class Procedure:
    """One authorization or de-authorization; each step is reported."""

    def __init__(self, ue, body, report, timeout):
        self.ue = ue
        self.body = body
        self.report = report
        self.service = re.search(rb':ns:(\w+)Info:', body).group(1).decode()
        self.procedure = flow_of(body).get('procedure')
        self.deadline = time.monotonic() + timeout

    def left(self):
        return max(0, self.deadline - time.monotonic())

    def run(self):
        """The exit status."""
        result = self._ask() or self._wait()
        self.report('end', exit=result)
        return result

    def _ask(self):
        """The same document until it is taken; a status if it is not."""
        while True:
            status = self._ask_once()
            if status == 200:
                return None
            if status and status != 408 and status < 500:
                return REFUSED
            if not self.left():
                return REFUSED if status else SILENCE
            time.sleep(min(BACKOFF_S, self.left()))

    def _ask_once(self):
        self.report('request', server=self.ue.scscf)
        try:
            answer = self.ue.ask(self.body, self.service,
                                 min(ATTEMPT_S, self.left()))
        except (queue.Empty, OSError):
            self.report('answer', status=0)
            return 0
        self.report('answer', status=answer.status,
                    warning=answer.header('warning'))
        return answer.status

    def _wait(self):
        try:
            result, cause = self.ue.response(self.procedure, self.left())
        except queue.Empty:
            return SILENCE
        self.report('response', result=result, cause=cause)
        return SUCCESS if result == 'success' else FAILURE


def report_json(step, **members):
    print(json.dumps({'step': step, **{
        name: value for name, value in members.items()
        if value is not None}}), flush=True)


def report_text(step, **members):
    print(step, *(f'{name}={value}' for name, value in members.items()
                  if value is not None), flush=True)


def document(verb, options):
    """What mcmig-ue would send."""
    done = subprocess.run(
        [lablib.build_folder() / 'src/mcmig-ue', verb, '--print-body',
         *options], stdout=subprocess.PIPE, check=False)
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout


def run(args, options):
    report = report_json if args.json else report_text
    if args.verb != 'register':
        options += ['--partner-id', args.partner_id]
        body = document(args.verb, options)
    with Ue(args.scscf, args.partner_id, args.host) as ue:
        status = ue.register(args.expires).status
        report('register', id=ue.identity, status=status)
        if status != 200:
            return REFUSED
        if args.verb == 'register':
            return SUCCESS
        return Procedure(ue, body, report, args.timeout).run()


def parse():
    """The arguments, and those for mcmig-ue."""
    parser = argparse.ArgumentParser(
        description=__doc__, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('verb', choices=('register', 'authorize',
                                         'deauthorize'))
    parser.add_argument('--scscf', required=True, metavar='URI')
    parser.add_argument('--id', '--partner-id', required=True,
                        dest='partner_id', metavar='ID')
    parser.add_argument('--expires', type=int, default=EXPIRES_S,
                        metavar='SECONDS')
    parser.add_argument('--host', default='127.0.0.1', metavar='IP',
                        help='own address (default 127.0.0.1)')
    parser.add_argument('--timeout', type=int, default=35, metavar='SECONDS')
    parser.add_argument('--json', action='store_true')
    args, options = parser.parse_known_args()
    if args.verb == 'register' and options:
        parser.error(f'unrecognized: {options}')
    return args, options


def main():
    args, options = parse()
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(run(args, options))


if __name__ == '__main__':
    main()

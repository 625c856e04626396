# SPDX-License-Identifier: BSD-2-Clause
"""The ladder that quickstart draws: parties, arrows between them, and what
shows in a party's log that a step has happened."""

import json

LABEL = 5


class Party:
    """`source`: whose log it is; `names`: of the heading, a line each."""

    def __init__(self, source, column, *names):
        self.source = source
        self.column = column
        self.names = names


class Step:
    """A line of the ladder, and what shows that it has happened."""

    def __init__(self, label, drawn, source, **fields):
        self.label = label
        self.drawn = drawn
        self.source = source
        self.fields = {name.rstrip('_'): value
                       for name, value in fields.items()}

    def matches(self, source, fields):
        return source == self.source and all(
            fields.get(name) == value for name, value in self.fields.items())


class Ladder:
    """The parties' vertical lines, and what is drawn on them. `tls`: between
    all but the first, which is the client."""

    def __init__(self, *parties, tls=False):
        self.parties = parties
        self.tls = tls
        self.width = parties[-1].column + 1

    def _line(self, marks):
        canvas = [' '] * self.width
        for party in self.parties:
            canvas[party.column] = '|'
        for column, mark in marks:
            canvas[column:column + len(mark)] = mark
        return ''.join(canvas).rstrip()

    def arrow(self, start, end, text):
        """Through the parties between, each of which passes it on."""
        between = sorted((start.column, end.column))
        stops = [party.column for party in self.parties
                 if between[0] <= party.column <= between[1]]
        marks = []
        for left, right in zip(stops, stops[1:]):
            line = '=' if self.tls and left > self.parties[0].column else '-'
            shaft = f' {text} '.center(right - left - 3, line)
            marks.append((left + 1, f'{line}{shaft}>'
                          if start.column < end.column
                          else f'<{shaft}{line}'))
        return self._line(marks)

    def note(self, party, text):
        """What a party decides, beside its line and inside the ladder."""
        is_last = party is self.parties[-1]
        return self._line([(party.column - 2 - len(text) if is_last
                            else party.column + 2, text)])

    def heading(self):
        for names in zip(*(party.names for party in self.parties)):
            canvas = ' ' * LABEL
            for party, name in zip(self.parties, names):
                start = max(len(canvas), party.column - len(name) // 2)
                canvas = canvas.ljust(start) + name + ' '
            yield canvas.rstrip()


def flows(verb):
    flow = 'authorization' if verb == 'authorize' else 'deauthorization'
    return f'{flow}-request', f'{flow}-response'


def first_steps(ladder, verb, client, partner, checked=''):
    request, _ = flows(verb)
    decided = ('pair is admitted' if verb == 'authorize'
               else 'pair is migrated here')
    return [
        Step('1', ladder.arrow(client, partner, 'request'), partner.source,
             msg='received', flow=request, from_='client', status='200'),
        Step('', ladder.arrow(partner, client, '200'), 'ue', step='answer',
             status=200),
        Step('2', ladder.note(partner, checked + decided), partner.source,
             msg='sent', flow=request, to='primary'),
    ]


def last_steps(ladder, verb, client, partner, primary):
    _, response = flows(verb)
    authorize = verb == 'authorize'
    return [
        Step('11', ladder.note(partner, 'mapping is stored' if authorize
                               else 'mapping has ended'),
             partner.source, msg='sent', flow=response, to='client'),
        Step('', ladder.arrow(partner, primary, '200'), primary.source,
             msg='answered', by='b.example', status='200'),
        *([Step('', ladder.note(primary, 'migration is confirmed'),
                primary.source, msg='answered', by='b.example',
                status='200')] if authorize else []),
        Step('12', ladder.arrow(partner, client, 'response'), 'ue',
             step='response', result='success'),
        Step('', ladder.arrow(client, partner, '200'), partner.source,
             msg='answered', by='client', status='200'),
    ]


def direct(verb, tls=False):
    """TS 23.280 10.6.3.3.1 or 10.6.3.3.2 without topology hiding."""
    client = Party('ue', 9, 'mcmig-ue', '')
    partner = Party('b', 33, 'b.example', 'partner server')
    primary = Party('a', 68, 'a.example', 'primary server')
    ladder = Ladder(client, partner, primary, tls=tls)
    request, response = flows(verb)
    return ladder, [
        *first_steps(ladder, verb, client, partner),
        Step('3-5', ladder.arrow(partner, primary, 'request'), 'a',
             msg='received', flow=request, from_='partner', status='200'),
        Step('6-7', ladder.note(primary, 'profile is permitted: migrating'
                                if verb == 'authorize'
                                else 'migration ends'),
             'a', msg='sent', flow=response, to='partner'),
        Step('8-10', ladder.arrow(primary, partner, 'response'), 'b',
             msg='received', flow=response, from_='primary', status='200'),
        *last_steps(ladder, verb, client, partner, primary),
    ]


def by_gateways(verb, tls=False):
    """The same, each message by the gateways of both systems."""
    client = Party('ue', 7, 'mcmig-ue', 'client')
    partner = Party('b', 23, 'b.example', 'partner server')
    partner_gateway = Party('bg', 39, 'b.example', 'partner gateway')
    primary_gateway = Party('ag', 55, 'a.example', 'primary gateway')
    primary = Party('a', 71, 'a.example', 'primary server')
    ladder = Ladder(client, partner, partner_gateway, primary_gateway, primary,
                    tls=tls)
    request, response = flows(verb)

    def hop(label, start, end, flow, **fields):
        return Step(label, ladder.arrow(start, end, flow.split('-')[1]),
                    end.source, msg='received', flow=flow, **fields)

    decided = ({'6': 'profile is permitted', '7': 'user is migrating'}
               if verb == 'authorize' else {'6-7': 'migration ends'})
    return ladder, [
        *first_steps(ladder, verb, client, partner, 'token is valid, '),
        hop('3', partner, partner_gateway, request),
        hop('4', partner_gateway, primary_gateway, request),
        hop('5', primary_gateway, primary, request, from_='partner',
            status='200'),
        *(Step(label, ladder.note(primary, text), 'a', msg='sent',
               flow=response, to='partner')
          for label, text in decided.items()),
        hop('8', primary, primary_gateway, response),
        hop('9', primary_gateway, partner_gateway, response),
        hop('10', partner_gateway, partner, response, from_='primary',
            status='200'),
        *last_steps(ladder, verb, client, partner, primary),
    ]


class Show:
    """Draws steps in their order as soon as each has been seen."""

    def __init__(self, ladder, steps, procedure):
        self.steps = steps
        self.seen = [False] * len(steps)
        self.drawn = 0
        self.procedure = procedure
        for line in ladder.heading():
            print(line)

    def take(self, source, fields):
        if fields.get('procedure') != self.procedure:
            return
        for i, step in enumerate(self.steps):
            if not self.seen[i] and step.matches(source, fields):
                self.seen[i] = True
        while not self.is_complete() and self.seen[self.drawn]:
            step = self.steps[self.drawn]
            print(f'{step.label:>{LABEL - 1}} {step.drawn[LABEL:]}',
                  flush=True)
            self.drawn += 1

    def is_complete(self):
        return self.drawn == len(self.steps)

    def missing(self):
        return [json.dumps({'log': step.source, **step.fields})
                for i, step in enumerate(self.steps) if not self.seen[i]]

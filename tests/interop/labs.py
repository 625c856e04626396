# SPDX-License-Identifier: BSD-2-Clause
"""MC systems of which some are mcmig's and some are the Python peers'. Each has
addresses of its own on the loopback, so each is known by its address."""

import pathlib
import sys

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.append(str(ROOT / 'scripts'))

import lablib  # noqa: E402
from peer.directory import Directory, System  # noqa: E402
from peer.server import Server, admits_lab_users  # noqa: E402

USERS = 600
DISABLED = range(USERS - 9, USERS + 1)  # users of the primary
NOT_ADMITTED = range(USERS - 19, USERS - 9)  # at the partner
# Each even one of them may have the partner ID of the next, and the reverse.
TWINS = range(USERS - 60, USERS - 20)
PROFILES = (0, 1, 2, 3)  # that scripts/provision makes; 3 may not migrate
DEADLINES = {'authorization': 4, 'deauthorization': 2, 'attempt': 1.5}


class DirectLab(lablib.Lab):
    """Without gateways. a.example and b.example are mcmig's; c.example (TCP),
    d.example (UDP) and e.example, which is switched off, are others'."""

    transports = {'d': 'udp'}
    ours = 'ab'

    def __init__(self, folder, **options):
        super().__init__(folder, systems=5, users=USERS, settings={
            '': {'log_level': 'debug'},
            'migration': {
                **{f'{name}_deadline': f'{seconds * 1000:.0f}ms'
                   for name, seconds in DEADLINES.items()}}}, **options)
        self.systems = [system for system in self.peers
                        if system.letter in self.ours]

    def uri_of(self, system):
        transport = self.transports.get(system.letter, 'tcp')
        return f'sip:{system.server};transport={transport}'

    def _provision(self, system):
        command = [ROOT / 'scripts/provision', '--users', self.users,
                   system.name]
        for peer in self.peers_of(system):
            command += [peer.name, self.uri_of(peer)]
        system.store.create()
        system.store.execute(lablib.run(command))
        system.store.execute(self.exceptions(system))

    def exceptions(self, system):
        """What of the provisioning is there to be refused."""
        peers = self.peers_of(system)
        disabled = ', '.join(f"'{system.user(n)}'" for n in DISABLED)
        strangers = ', '.join(f"'{peer.user(n)}'" for n in NOT_ADMITTED
                              for peer in peers)
        twins = ', '.join(
            f"('{peer.name}', '{peer.user(n)}', "
            f"'{system.visitor(n ^ 1, peer)}')"
            for n in TWINS for peer in peers)
        return (f'UPDATE mc_user SET enabled = false WHERE primary_id IN '
                f'({disabled}); DELETE FROM admission WHERE primary_id IN '
                f"({strangers}); UPDATE mc_system SET enabled = false "
                f"WHERE name = 'e.example'; INSERT INTO admission "
                f'(primary_system, primary_id, partner_id) VALUES {twins};')

    def server_of(self, system, **options):
        """The Python server of a system that is not ours."""
        systems = [System(peer.name, [self.uri_of(peer)])
                   for peer in self.peers_of(system)]
        users = {system.user(n): PROFILES for n in range(1, USERS + 1)}
        return Server(
            system.name, system.host, system.port,
            Directory(system.name, systems),
            {'admits': admits_lab_users, 'hosts': lambda _: True,
             'authorization_s': DEADLINES['authorization'],
             'deauthorization_s': DEADLINES['deauthorization']},
            {'users': users,
             'permitted': lambda _, profile, __: profile != 3},
            attempt_s=DEADLINES['attempt'], **options)

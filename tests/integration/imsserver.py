# SPDX-License-Identifier: BSD-2-Clause
"""A server behind a real S-CSCF, of which the test plays the users, and the
primary system a.example."""

import documents
import gateways
import labims
import sippeer
from conftest import SoloLab
from xml.etree import ElementTree

# Of these visitors requests in both cases are given to the server.
LOOPING = r'sip:visitor0039\d'
CLIENT_HOST = '127.4.2.1'


def looping_profile(folder):
    root = ElementTree.fromstring(
        (labims.PROFILES / 'visitor-profile.xml').read_text())
    for trigger in root.iter('TriggerPoint'):
        for point in trigger.findall('SPT'):
            if point.find('SessionCase') is not None or \
                    point.find('RequestURI') is not None:
                trigger.remove(point)
    file = folder / 'looping-profile.xml'
    file.write_bytes(ElementTree.tostring(root))
    return file


class BehindLab(SoloLab):
    """b.example behind what `make_front(lab)` makes instead of an S-CSCF."""

    def __init__(self, folder, peer, make_front, **options):
        super().__init__(folder, peer, host='127.1.2.1', **options)
        self.b.ims = make_front(self)


class PlayedScscf:
    """A peer of the test, in a lab."""

    def __init__(self, peer):
        self.peer = peer

    def settings(self):
        return {'peers': [self.peer.host],
                'next_hops': [f'sip:{self.peer.host}:{self.peer.port}'
                              ';transport=tcp'],
                'names': ['as.b.example']}

    def start(self):
        pass

    wait_ready = stop = start


class Server:
    """b.example and its S-CSCF; `primary` is a.example."""

    def __init__(self, module_lab):
        self.primary = sippeer.Peer('127.1.1.1', 'tcp', 200)
        self.lab = module_lab(SoloLab, self.primary, ims=True, start=False,
                              settings=gateways.IMPATIENT)
        self.b = self.lab.b
        self.scscf = self.b.ims
        self.scscf.hss.profiles.insert(
            0, (LOOPING, looping_profile(self.lab.folder)))
        self.lab.start()

    def registrations(self, identity):
        return self.b.ctl('ims', 'registrations', identity)

    def asked(self, pair):
        """The request that came to the primary for this pair."""
        while True:
            request = documents.Parsed(self.primary.request().body)
            if request.partner_id == pair.partner_id:
                return request

    def decide(self, request, result='success'):
        """The primary's response; the SIP answer."""
        body = gateways.response_document(request, result=result)
        return gateways.say(self.primary, self.b.server, body,
                            speaker='sip:a.example', target='sip:b.example')


def request_of(pair, verb='authorization', **options):
    """What a client asks."""
    options = {'procedure': documents.new_procedure(),
               'order': documents.now_ms(),
               'profile': 1 if verb == 'authorization' else None, **options}
    return documents.document(f'{verb}-request', pair.partner_id,
                              pair.primary_id, **options)

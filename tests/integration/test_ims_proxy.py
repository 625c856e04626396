# SPDX-License-Identifier: BSD-2-Clause
"""Where there is no IMS: Kamailio as plain proxy in front of a server, with and
without Record-Route, and as dispatcher in front of two nodes on one database,
or of two listeners of one server."""

import pytest

import documents
import gateways
import imsue
import labdaemon
import labims
import lablib
import sippeer
from imsserver import BehindLab, CLIENT_HOST, request_of

PROXY_HOST = '127.3.2.3'
NODE_HOST = '127.1.2.12'


@pytest.fixture(scope='module')
def primary():
    peer = sippeer.Peer('127.1.1.1', 'tcp', 200)
    yield peer
    peer.close()


def proxy_of(lab, servers, **options):
    return labims.Proxy(lab.folder, 'b-proxy', PROXY_HOST, 'b.example',
                        [f'sip:{server};transport=tcp' for server in servers],
                        **options)


def migrate(b, primary, pair, transport='tcp'):
    """A user comes by way of the proxy."""
    with imsue.Ue(f'sip:{b.ims.address};transport={transport}',
                  pair.partner_id, CLIENT_HOST) as client:
        assert client.register().status == 200
        answer = client.ask(request_of(pair))
        assert answer.status == 200, answer
        request = documents.Parsed(primary.request().body)
        assert request.partner_id == pair.partner_id
        answer = gateways.say(primary, b.server,
                              gateways.response_document(request),
                              speaker='sip:a.example', target='sip:b.example')
        assert answer.status == 200, answer
        response = client.peer.request()
        assert b.ims.address in response.header('via')
        assert documents.Parsed(response.body).procedure == request.procedure


@pytest.fixture(scope='module', params=(False, True),
                ids=('plain', 'record-route'))
def b(request, module_lab, primary):
    return module_lab(
        BehindLab, primary, lambda lab: proxy_of(
            lab, [lab.b.address], record_route=request.param),
        settings=gateways.IMPATIENT).b


@pytest.mark.parametrize('transport', ('tcp', 'udp'))
def test_proxy(b, primary, pair, transport):
    migrate(b, primary, pair, transport)


def test_no_registration_reaches_the_server(b):
    """The proxy is the registrar: the configured way is left."""
    assert b.ctl('ims', 'registrations') == []


# ----------------------------------------------------- between the MC systems

class BetweenLab(lablib.Lab):
    """Each of two systems knows the other by the address of the proxy."""

    def __init__(self, folder, record_route, **options):
        super().__init__(folder, **options)
        self.between = labims.Kamailio(
            self.folder, 'between', '127.3.9.1', 'between.cfg',
            ('RECORD_ROUTE',) if record_route else (),
            A=f'{self.a.address};transport={self.transport}',
            B=f'{self.b.address};transport={self.transport}')
        self.a.front = self.b.front = self.between.address

    def start_daemons(self):
        self.between.start()
        self.between.wait_ready()
        super().start_daemons()

    def stop(self):
        super().stop()
        self.between.stop()


@pytest.mark.parametrize('transport, record_route', (
    ('tcp', False), ('tcp', True), ('udp', True)))
def test_between_systems(make_lab, ue, pair, transport, record_route):
    lab = make_lab(BetweenLab, record_route, transport=transport)
    for verb in ('authorize', 'deauthorize'):
        status, steps = ue(verb, lab.b.address, pair)
        assert status == 0, steps
    text = lab.b.log.read_text()
    assert f'next_hop=sip:{lab.between.address}' in text


# ---------------------------------------------------------------- dispatcher

class Node(labdaemon.System):
    """A second one of b.example, on the same database."""

    def __init__(self, first):
        super().__init__(first.lab, first.letter, NODE_HOST)
        self.title, self.node = 'b2', 'b2'
        for name, suffix in (('conf', 'conf'), ('log', 'log'),
                             ('ctl_socket', 'ctl')):
            setattr(self, name, self.lab.folder / f'{self.title}.{suffix}')


class DispatcherLab(BehindLab):
    def __init__(self, folder, peer, **options):
        super().__init__(folder, peer, self.make_front, **options)

    def make_front(self, _):
        """The last server is none: what goes there first has to go on."""
        self.second = Node(self.b)
        return proxy_of(self, [self.b.address, self.second.address,
                               f'{NODE_HOST}:1'])

    @property
    def has_nodes(self):
        return self.cluster is not None

    def prepare(self):
        super().prepare()
        if self.has_nodes:
            self.second.store, self.second.ims = self.b.store, self.b.ims
            self.second.configure(self.settings)
            return
        listen = self.b.sections['']['listen']
        self.b.adjust({'': {'listen': [
            *listen, *(f'{kind}:{self.second.address}'
                       for kind in ('udp', 'tcp'))]}})

    def start_daemons(self):
        super().start_daemons()
        if self.has_nodes:
            self.second.start()
            self.second.wait_ready()

    def stop(self):
        self.second.kill()
        super().stop()


@pytest.fixture(scope='module')
def lab(module_lab, primary):
    return module_lab(DispatcherLab, primary, settings=gateways.IMPATIENT)


def test_dispatcher(lab, primary, make_pair):
    """In turns; whichever a request went to, its response may come to the
    other one."""
    for _ in range(6):
        migrate(lab.b, primary, make_pair())
    if lab.has_nodes:
        assert min(taken(lab.b), taken(lab.second)) >= 2


def taken(daemon):
    return daemon.log.read_text().count('msg="through the IMS"')


def test_node_that_dies(lab, primary, make_pair):
    if not lab.has_nodes:
        pytest.skip('SQLite has one node')
    lab.second.kill()
    for _ in range(3):
        migrate(lab.b, primary, make_pair())

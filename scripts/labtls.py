# SPDX-License-Identifier: BSD-2-Clause
"""Certificates of a lab whose servers and gateways speak TLS. Those that other
systems see come from a CA below a common one; where gateways hide the inside,
what speaks inside has a CA of its own system, which nobody else knows."""

import labca


def server_name(system):
    return f'dns:{system.node}.{system.name}'


def inside_name(gateway):
    return f'dns:{gateway.node}.{gateway.name}'


def outside_name(system):
    """The same for all gateways of a system: it tells nothing of them."""
    return f'dns:gateway.{system.name}'


class Certificates:
    """In the lab's folder: ca is the common root, X-ca that of a system below
    it, X-inside-ca that of its inside; crl.pem and X-inside-crl.pem have the
    CRLs of all CAs that a peer may come from."""

    def __init__(self, folder, systems, hidden):
        self.folder = folder
        self.hidden = hidden
        self._root = labca.Authority('mcmig lab')
        self._root.save(folder / 'ca')
        self._outside = {}
        self._inside = {}
        for system in systems:
            letter = system.letter
            self._outside[letter] = labca.Authority(f'{system.name} CA',
                                                    self._root)
            self._outside[letter].save(folder / f'{letter}-ca', folder / 'ca')
            if hidden:
                self._inside[letter] = labca.Authority(
                    f'{system.name} inside CA')
                self._inside[letter].save(folder / f'{letter}-inside-ca')
        self.write_crls()

    def outside(self, system):
        """The CA of what other systems see of it."""
        return self._outside[system.letter]

    def inside(self, system):
        return (self._inside if self.hidden else
                self._outside)[system.letter]

    def write_crls(self):
        """Anew, of what has been revoked."""
        authorities = [self._root, *self._outside.values()]
        labca.write_public(self.folder / 'crl.pem', b''.join(
            authority.crl() for authority in authorities))
        for letter, authority in self._inside.items():
            labca.write_public(self.folder / f'{letter}-inside-crl.pem',
                               authority.crl())

    def _section(self, stem, ca, crl):
        return {'certificate': str(self.folder / f'{stem}.pem'),
                'key': str(self.folder / f'{stem}-key.pem'),
                'ca': str(self.folder / ca / 'ca.pem'),
                'crl': str(self.folder / crl)}

    def _inside_section(self, system, stem):
        if not self.hidden:
            return self._section(stem, 'ca', 'crl.pem')
        return self._section(stem, f'{system.letter}-inside-ca',
                             f'{system.letter}-inside-crl.pem')

    def _issue(self, authority, name, stem, options):
        authority.issue([name], common_name=name.removeprefix('dns:'),
                        **options).save(self.folder / stem)

    def renew_server(self, system, **options):
        """Its certificate; the settings of its section."""
        self._issue(self.inside(system), server_name(system), system.title,
                    options)
        return self._inside_section(system, system.title)

    def renew_inside(self, gateway, **options):
        self._issue(self.inside(gateway.system), inside_name(gateway),
                    gateway.title, options)
        return self._inside_section(gateway.system, gateway.title)

    def renew_outside(self, gateway, **options):
        stem = f'{gateway.title}-outside'
        self._issue(self.outside(gateway.system),
                    outside_name(gateway.system), stem, options)
        return self._section(stem, 'ca', 'crl.pem')

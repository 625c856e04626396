# SPDX-License-Identifier: BSD-2-Clause
"""Certificate authorities of the lab, and certificates of every kind: those
that MC systems show each other on TLS (RFC 5922), and broken ones."""

import datetime
import os
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

STARTS = -2     # days from now: clocks differ
DAYS = 90       # nothing that mcmigd would warn of
CA_DAYS = 3650
PURPOSES = {'server': ExtendedKeyUsageOID.SERVER_AUTH,
            'client': ExtendedKeyUsageOID.CLIENT_AUTH,
            'mail': ExtendedKeyUsageOID.EMAIL_PROTECTION}
PEER_PURPOSES = ('server', 'client')    # either of them in turn
KINDS = {'dns': x509.DNSName, 'uri': x509.UniformResourceIdentifier}
ALGORITHMS = {
    'ecdsa': lambda: ec.generate_private_key(ec.SECP256R1()),
    'rsa': lambda: rsa.generate_private_key(65537, 2048),
    'rsa1024': lambda: rsa.generate_private_key(65537, 1024),
}
PEM = serialization.Encoding.PEM


def general_name(text):
    """'dns:NAME' or 'uri:URI', as the daemon writes them."""
    kind, separator, name = text.partition(':')
    if not separator or kind not in KINDS:
        raise ValueError(f'{text}: expected dns:NAME or uri:URI')
    return KINDS[kind](name)


def now():
    return datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)


def days(number):
    return datetime.timedelta(days=number)


def write_secret(file, data):
    """Where there was one it is replaced, never written into."""
    descriptor = os.open(f'{file}.new', os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
                         0o600)
    with os.fdopen(descriptor, 'wb') as stream:
        stream.write(data)
    os.replace(f'{file}.new', file)


def write_public(file, data):
    new = pathlib.Path(f'{file}.new')
    new.write_bytes(data)
    new.replace(file)


def private_bytes(key):
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


def identifiers(key, issuer_key):
    """By which a chain is found where names are alike (RFC 5280 4.2.1)."""
    yield x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False
    yield x509.AuthorityKeyIdentifier.from_issuer_public_key(
        issuer_key.public_key()), False


class Certificate:
    """One with its key, and what it is shown with: the CA certificates above
    it but the root's."""

    def __init__(self, certificate, key, chain=()):
        self.certificate = certificate
        self.key = key
        self.chain = tuple(chain)

    def pem(self):
        return b''.join(one.public_bytes(PEM)
                        for one in (self.certificate, *self.chain))

    def save(self, stem):
        """STEM.pem and STEM-key.pem: both, so that options can name them."""
        files = pathlib.Path(f'{stem}.pem'), pathlib.Path(f'{stem}-key.pem')
        write_secret(files[1], private_bytes(self.key))
        write_public(files[0], self.pem())
        return files


class Authority:
    """A CA: a root, or one below `issuer`. `is_ca` False: it only pretends to
    be one. It remembers what it has revoked."""

    def __init__(self, name='mcmig lab CA', issuer=None, is_ca=True,
                 path_length=None):
        self.key = ALGORITHMS['ecdsa']()
        self.issuer = issuer
        self.revoked = []
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signer = issuer or self
        self.certificate = self._sign(
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.certificate.subject if issuer else subject)
            .not_valid_before(now() - days(CA_DAYS))
            .not_valid_after(now() + days(CA_DAYS))
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number()),
            [(x509.BasicConstraints(is_ca, path_length if is_ca else None),
              True), (self._usage(is_ca), True),
             *identifiers(self.key, signer.key)], signer.key)

    @classmethod
    def load(cls, folder):
        """As Authority.save() wrote it."""
        folder = pathlib.Path(folder)
        self = cls.__new__(cls)
        self.key = serialization.load_pem_private_key(
            (folder / 'ca-key.pem').read_bytes(), None)
        self.certificate = x509.load_pem_x509_certificate(
            (folder / 'ca.pem').read_bytes())
        issuer = folder / 'issuer'
        self.issuer = cls.load(issuer) if issuer.exists() else None
        self.revoked = list(x509.load_pem_x509_crl(
            (folder / 'own-crl.pem').read_bytes()))
        return self

    def save(self, folder, issuer_folder=None):
        folder = pathlib.Path(folder)
        folder.mkdir()
        write_secret(folder / 'ca-key.pem', private_bytes(self.key))
        write_public(folder / 'ca.pem', self.certificate.public_bytes(PEM))
        if issuer_folder:
            (folder / 'issuer').symlink_to(
                pathlib.Path(issuer_folder).absolute())
        self.save_crls(folder)

    def save_crls(self, folder):
        write_public(pathlib.Path(folder) / 'own-crl.pem', self.crl())
        write_public(pathlib.Path(folder) / 'crl.pem', self.crls())

    @staticmethod
    def _usage(is_ca):
        return x509.KeyUsage(
            digital_signature=not is_ca, content_commitment=False,
            key_encipherment=False, data_encipherment=False,
            key_agreement=False, key_cert_sign=is_ca, crl_sign=is_ca,
            encipher_only=False, decipher_only=False)

    @staticmethod
    def _sign(builder, extensions, key):
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(key, hashes.SHA256())

    def chain(self):
        """From this one up to below the root."""
        return [self.certificate, *self.issuer.chain()] if self.issuer else []

    def root(self):
        return self.issuer.root() if self.issuer else self

    def trusted(self):
        """In PEM, what a peer trusts who trusts this one."""
        return self.root().certificate.public_bytes(PEM)

    def issue(self, names=(), *, common_name='mcmig lab', starts=STARTS, ends=DAYS,
              purposes=PEER_PURPOSES, algorithm='ecdsa'):
        """`names`: "dns:NAME", "uri:URI", or x509.GeneralName for what has no
        such form; `starts` and `ends`: in days from now, either may be past."""
        key = ALGORITHMS[algorithm]()
        extensions = [(x509.BasicConstraints(False, None), True),
                      (self._usage(False), True),
                      *identifiers(key, self.key)]
        if purposes:
            extensions.append((x509.ExtendedKeyUsage(
                [PURPOSES[purpose] for purpose in purposes]), False))
        if names:
            extensions.append((x509.SubjectAlternativeName(
                [general_name(name) if isinstance(name, str) else name
                 for name in names]), False))
        certificate = self._sign(
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME,
                                                        common_name)]))
            .issuer_name(self.certificate.subject)
            .not_valid_before(now() + days(starts))
            .not_valid_after(now() + days(ends))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number()), extensions, self.key)
        return Certificate(certificate, key, self.chain())

    def revoke(self, certificate):
        """An x509.Certificate of this CA."""
        if certificate.issuer != self.certificate.subject:
            raise ValueError('of another CA')
        self.revoked.append(
            x509.RevokedCertificateBuilder()
            .serial_number(certificate.serial_number)
            .revocation_date(now()).build())

    def crl(self, starts=STARTS, ends=DAYS):
        """In PEM, of what this one has revoked."""
        builder = (x509.CertificateRevocationListBuilder()
                   .issuer_name(self.certificate.subject)
                   .last_update(now() + days(starts))
                   .next_update(now() + days(ends))
                   .add_extension(x509.AuthorityKeyIdentifier
                                  .from_issuer_public_key(
                                      self.key.public_key()), False)
                   .add_extension(x509.CRLNumber(int(now().timestamp())),
                                  False))
        for revoked in self.revoked:
            builder = builder.add_revoked_certificate(revoked)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(PEM)

    def crls(self):
        """Of this one and all above it: a verifier wants one of each CA."""
        return self.crl() + (self.issuer.crls() if self.issuer else b'')


def below(authority, count):
    """The last of so many intermediate CAs below each other."""
    for i in range(count):
        authority = Authority(f'mcmig lab CA {i + 2}', authority)
    return authority

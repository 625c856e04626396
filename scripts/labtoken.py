# SPDX-License-Identifier: BSD-2-Clause
"""Keys and access tokens of the lab's identity managements (TS 33.180 B.2.2).

Each key is known by its thumbprint (RFC 7638), so whoever has the private key
needs nothing else to sign with it.
"""

import base64
import hashlib
import json
import os
import pathlib
import time

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import \
    decode_dss_signature

SERVICES = {'mcptt': ('mcptt_id', '3gpp:mc:ptt_service'),
            'mcvideo': ('mcvideo_id', '3gpp:mc:video_service'),
            'mcdata': ('mcdata_id', '3gpp:mc:data_service')}
CURVES = {'ES256': ec.SECP256R1, 'ES384': ec.SECP384R1, 'ES512': ec.SECP521R1}
ALGORITHMS = (*CURVES, 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512')
EXPIRES_S = 3600


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b'=').decode()


def number_text(number, size=None):
    return encode(number.to_bytes(size or (number.bit_length() + 7) // 8,
                                  'big'))


class Key:
    """A private key, and the one algorithm that it signs with."""

    def __init__(self, private, algorithm=None):
        self.private = private
        self.is_rsa = isinstance(private, rsa.RSAPrivateKey)
        if self.is_rsa:
            self.algorithm = algorithm or 'RS256'
        else:
            self.algorithm = next(name for name, curve in CURVES.items()
                                  if isinstance(private.curve, curve))

    @classmethod
    def create(cls, algorithm='ES256'):
        if algorithm in CURVES:
            return cls(ec.generate_private_key(CURVES[algorithm]()))
        return cls(rsa.generate_private_key(65537, 2048), algorithm)

    @classmethod
    def load(cls, file, algorithm=None):
        return cls(serialization.load_pem_private_key(
            pathlib.Path(file).read_bytes(), None), algorithm)

    def save(self, file):
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, 'wb') as stream:
            stream.write(self.private.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption()))

    @property
    def size(self):
        """Of a coordinate, in bytes."""
        return (self.private.curve.key_size + 7) // 8

    def numbers(self):
        numbers = self.private.public_key().public_numbers()
        if self.is_rsa:
            return {'e': number_text(numbers.e), 'kty': 'RSA',
                    'n': number_text(numbers.n)}
        return {'crv': f'P-{self.private.curve.key_size}', 'kty': 'EC',
                'x': number_text(numbers.x, self.size),
                'y': number_text(numbers.y, self.size)}

    @property
    def kid(self):
        text = json.dumps(self.numbers(), sort_keys=True,
                          separators=(',', ':'))
        return encode(hashlib.sha256(text.encode()).digest())

    def jwk(self):
        return {**self.numbers(), 'kid': self.kid, 'alg': self.algorithm,
                'use': 'sig'}

    def sign(self, data):
        digest = getattr(hashes, 'SHA' + self.algorithm[2:])()
        if self.is_rsa:
            scheme = padding.PKCS1v15() if self.algorithm[0] == 'R' else \
                padding.PSS(padding.MGF1(digest), digest.digest_size)
            return self.private.sign(data, scheme, digest)
        return b''.join(
            number.to_bytes(self.size, 'big') for number in
            decode_dss_signature(self.private.sign(data, ec.ECDSA(digest))))

    def token(self, claims, header=None):
        """`header`: further members, None for one that is left out."""
        members = {'alg': self.algorithm, 'kid': self.kid, 'typ': 'JWT',
                   **(header or {})}
        parts = [{name: value for name, value in part.items()
                  if value is not None} for part in (members, claims)]
        text = '.'.join(encode(json.dumps(part).encode()) for part in parts)
        return f'{text}.{encode(self.sign(text.encode()))}'


def jwks_of(*keys):
    return json.dumps({'keys': [key.jwk() for key in keys]}, indent=1) + '\n'


def make_key(key_file, jwks_file, algorithm='ES256'):
    """A new key, and its public half as a JWKS."""
    key = Key.create(algorithm)
    key.save(key_file)
    jwks_file.write_text(jwks_of(key))


def claims_of(user, services, issuer, audience, client='mcmig-ue',
              expires_s=EXPIRES_S):
    """Those of an access token for this MC service ID."""
    now = int(time.time())
    claims = {'iss': issuer, 'aud': audience, 'client_id': client,
              'iat': now, 'nbf': now, 'exp': now + expires_s,
              'scope': ' '.join(['openid'] + [SERVICES[service][1]
                                              for service in services])}
    for service in services:
        claims[SERVICES[service][0]] = user
    return claims


def claims_in(token):
    """Without any check."""
    payload = token.split('.')[1]
    return json.loads(base64.urlsafe_b64decode(
        payload + '=' * (-len(payload) % 4)))

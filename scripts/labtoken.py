# SPDX-License-Identifier: BSD-2-Clause
"""Keys of the lab's identity managements."""

import base64
import json
import os

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec


def make_key(key_file, jwks_file):
    """A new ES256 key, and its public half as a JWKS."""
    key = ec.generate_private_key(ec.SECP256R1())
    descriptor = os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, 'wb') as file:
        file.write(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption()))
    numbers = key.public_key().public_numbers()

    def text(number):
        return base64.urlsafe_b64encode(
            number.to_bytes(32, 'big')).rstrip(b'=').decode()

    jwks_file.write_text(json.dumps({'keys': [{
        'kty': 'EC', 'crv': 'P-256', 'alg': 'ES256', 'use': 'sig',
        'kid': jwks_file.stem, 'x': text(numbers.x), 'y': text(numbers.y)}]}))

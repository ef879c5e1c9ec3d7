"""Signatures on what readers are told, so that no relay or cache can make up, change or keep back an answer. Ed25519 (RFC 8032).

A signed document ends with `"key_id"` and `"sig"`; the signature covers its bytes before `,"key_id"`, closed with `}`, so that
no reader needs anybody's idea of canonical JSON. The signature of an answer without a body covers its freshness headers.
"""

import hashlib
import re
from base64 import b64decode, b64encode

import msgspec

_SIGNED = re.compile(rb'(\{.*),"key_id":"([0-9a-f]{16})","sig":"([A-Za-z0-9+/]{86}==)"\}', re.DOTALL)


class Signer:
    """Signs with one key. `seed` is 32 bytes in hex (`openssl rand -hex 32`). Raises ValueError for anything else."""

    def __init__(self, seed: str) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415 - slow, and only where a key is set
            Ed25519PrivateKey,
        )

        raw = bytes.fromhex(seed)
        if len(raw) != 32:
            raise ValueError(f"a signing key is 32 bytes in hex, not {len(raw)}; make one with: openssl rand -hex 32")
        self._key = Ed25519PrivateKey.from_private_bytes(raw)
        self.public = self._key.public_key().public_bytes_raw()
        """32 bytes; give them to readers by another way than this daemon."""
        self.key_id = hashlib.sha256(self.public).hexdigest()[:16]

    def sign(self, message: bytes) -> str:
        """The signature, base64."""
        return b64encode(self._key.sign(message)).decode()

    def document(self, body: bytes) -> bytes:
        """A JSON object with `key_id` and `sig` at its end.

        >>> Signer("00" * 32).document(b'{"state":"run"}')[:33]
        b'{"state":"run","key_id":"139e3940'
        """
        return b'%s,"key_id":"%s","sig":"%s"}' % (body[:-1], self.key_id.encode(), self.sign(body).encode())


def genuine(document: bytes, public: bytes) -> bool:
    """Was this document signed, exactly as it stands, with the key whose public side is these 32 bytes?

    >>> signer = Signer("00" * 32)
    >>> document = signer.document(b'{"state":"run"}')
    >>> genuine(document, signer.public), genuine(document.replace(b"run", b"ran"), signer.public)
    (True, False)
    """
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - as above
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

    parts = _SIGNED.fullmatch(document)
    if parts is None:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(b64decode(parts[3]), parts[1] + b"}")
    except InvalidSignature:
        return False
    return True


class Keys(msgspec.Struct, frozen=True):
    """What `GET /v1/keys` says: the public key in hex, for a first look; trust one that came another way."""

    key_id: str
    algorithm: str
    public_key: str


def keys_of(signer: Signer) -> Keys:
    """The public side."""
    return Keys(signer.key_id, "Ed25519", signer.public.hex())

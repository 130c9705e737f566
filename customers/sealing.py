"""Seal with a public key, open with a private one: web processes hold only public keys and cannot read what they seal.

HPKE (RFC 9180), X25519 / HKDF-SHA256 / AES-256-GCM. The place that a value belongs to is bound into `info`, because the
library's public interface has no additional data: a sealed value moved to another row, provider or field does not open.
A sealed value is the text `key id:base64url`.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from django.conf import settings


class SealError(Exception):
    """The value could not be sealed or opened. The sentence never holds the value."""


class NoPrivateKey(SealError):
    """This process cannot open it. Another one may: nothing is said of the value."""


class Secret:
    """An opened secret. It shows itself to nobody; `.reveal()` is called where it is used, and nowhere else."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("a secret does not leave its process")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sealed value lives: it opens nowhere else."""

    provider: str  # codes, not ids: a restored or copied database keeps them
    credential: str
    field: str

    def info(self, key_id: str) -> bytes:
        return "|".join(("portal.v1", self.provider, self.credential, self.field, key_id)).encode()


def _suite() -> hpke.Suite:
    return hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


def seal(value: str, place: Place) -> str:
    key_id, public = next(iter(settings.POOL_SEALING_PUBLIC_KEYS.items()))
    sealed = _suite().encrypt(value.encode(), X25519PublicKey.from_public_bytes(public), info=place.info(key_id))
    return f"{key_id}:{urlsafe_b64encode(sealed).decode()}"


def unseal(sealed: str, place: Place) -> Secret:
    key_id, _, encoded = sealed.partition(":")
    private = settings.POOL_SEALING_PRIVATE_KEYS.get(key_id)
    if private is None:
        raise NoPrivateKey(f"This process holds no private key {key_id!r}: only workers open pool keys.")
    try:
        opened = _suite().decrypt(
            urlsafe_b64decode(encoded), X25519PrivateKey.from_private_bytes(private), info=place.info(key_id)
        )
    except (InvalidTag, ValueError) as error:
        raise SealError("A sealed value does not open: it was sealed for another place, or was changed.") from error
    return Secret(opened.decode())


def new_key_pair() -> tuple[str, str]:
    """A fresh (private, public) pair in the form of the settings, without the id."""
    private = X25519PrivateKey.generate()
    return _encode(private.private_bytes_raw()), _encode(private.public_key().public_bytes_raw())


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")

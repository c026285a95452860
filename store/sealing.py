"""Secrets at rest: AES-256-GCM under the hub's secret key, with rotation by a list of keys.

The cryptography library takes 7 MB, which a hub with long-lived tokens can do without: it is loaded when first needed.
"""

import base64
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from leads.sealed import CannotUnseal

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class _Key:
    id: str
    cipher: "AESGCM"


class Sealer:
    """Seals with the newest key, opens with any of them. `keys`: newest first, each at least 16 characters."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise ValueError("no secret key")
        self._given = tuple(keys)

    @cached_property
    def _keys(self) -> list[_Key]:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return [_Key(_key_id(key), AESGCM(derive(key, "tokens"))) for key in self._given]

    def seal(self, plain: bytes, *, about: str) -> tuple[str, bytes]:
        """(key id, nonce + ciphertext). `about` is bound to it: a row copied to another place does not open."""
        nonce = os.urandom(NONCE_BYTES)
        newest = self._keys[0]
        return newest.id, nonce + newest.cipher.encrypt(nonce, plain, about.encode())

    def open(self, key_id: str, sealed: bytes, *, about: str) -> bytes:
        """Raises CannotUnseal."""
        from cryptography.exceptions import InvalidTag

        for key in self._keys:
            if key.id == key_id:
                try:
                    return key.cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], about.encode())
                except InvalidTag as exc:
                    raise CannotUnseal(f"what is stored for {about} was changed or belongs elsewhere") from exc
        raise CannotUnseal(f"the key that sealed {about} is not in hub.secret_key: add it at the end of the list")

    @property
    def key_ids(self) -> tuple[str, ...]:
        """Of the keys, newest first."""
        return tuple(map(_key_id, self._given))

    def is_newest(self, key_id: str) -> bool:
        return key_id == self._keys[0].id


def derive(key: str, purpose: str) -> bytes:
    """32 bytes for one purpose; knowing them tells nothing of the key or of another purpose's."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(hashes.SHA256(), 32, salt=b"leadhub", info=purpose.encode()).derive(key.encode())


def _key_id(key: str) -> str:
    digest = hashlib.sha256(b"leadhub key id" + key.encode()).digest()
    return base64.b32encode(digest[:5]).decode().lower()

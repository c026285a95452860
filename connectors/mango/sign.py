"""The signature of Mango Office: SHA-256 of key, JSON text and salt."""

import hashlib

from connectors.doors import Inbound, Refused, Unreadable, same_secret
from connectors.mango.settings import MangoSettings
from connectors.pbx import check_sender
from connectors.rawform import raw_fields


def verify(settings: MangoSettings, inbound: Inbound) -> None:
    """Token and address, then key and signature where they are set. Raises Refused.

    The text is signed as it was before the form was encoded, so it is taken byte for byte. A request with
    neither text nor signature is the cabinet's test of the connection: it proves nothing and nothing is made of it.
    """
    check_sender(settings, inbound)
    if settings.vpbx_api_key is None or settings.vpbx_api_salt is None:
        return
    fields = first_fields(inbound)
    if b"json" not in fields and b"sign" not in fields:
        return
    key, salt = (one.get_secret_value().encode() for one in (settings.vpbx_api_key, settings.vpbx_api_salt))
    expected = hashlib.sha256(key + fields.get(b"json", b"") + salt).hexdigest()
    key_is_ours = same_secret(_text(fields, b"vpbx_api_key"), key.decode())
    if not same_secret(_text(fields, b"sign").lower(), expected) or not key_is_ours:
        raise Refused("the key or the signature is wrong or missing")


def first_fields(inbound: Inbound) -> dict[bytes, bytes]:
    """Fields of the form as bytes; {} for what is no form at all."""
    try:
        pairs = raw_fields(inbound)
    except Unreadable:
        return {}
    fields: dict[bytes, bytes] = {}
    for name, value in pairs:
        fields.setdefault(name, value)
    return fields


def _text(fields: dict[bytes, bytes], name: bytes) -> str:
    return fields.get(name, b"").decode("latin-1")

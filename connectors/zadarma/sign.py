"""The signature of Zadarma: base64 of the hex digits of an HMAC-SHA1 over a few fields, others for each event."""

import base64
import hashlib
import hmac
from typing import Final

from connectors.doors import Inbound, Refused, Unreadable, same_secret
from connectors.multipart import read_multipart
from connectors.pbx import check_address
from connectors.rawform import MAX_FIELDS, raw_fields
from connectors.zadarma.settings import ZadarmaSettings

_INCOMING: Final = (b"caller_id", b"called_did", b"call_start")
_OUTGOING: Final = (b"internal", b"destination", b"call_start")
_RESULT: Final = (b"result",)
SIGNED: Final[dict[bytes, tuple[bytes, ...]]] = {
    **dict.fromkeys((b"NOTIFY_START", b"NOTIFY_INTERNAL", b"NOTIFY_END", b"NOTIFY_IVR"), _INCOMING),
    b"NOTIFY_ANSWER": (b"caller_id", b"destination", b"call_start"),
    **dict.fromkeys((b"NOTIFY_OUT_START", b"NOTIFY_OUT_END"), _OUTGOING),
    b"NOTIFY_RECORD": (b"pbx_call_id", b"call_id_with_rec"),
    **dict.fromkeys((b"SMS", b"NUMBER_LOOKUP", b"CALL_TRACKING", b"SPEECH_RECOGNITION"), _RESULT),
}
"""Event -> the fields that are signed, joined without anything between them."""


def verify(settings: ZadarmaSettings, inbound: Inbound) -> None:
    """Token and address, then the signature where the secret is set. Raises Refused.

    Nobody can check an event that he does not know: it is let through if it is signed at all, for it makes nothing,
    and a refusal may stop the later events of the call.
    """
    check_address(settings, inbound)
    if settings.secret is None or is_echo(inbound):
        return
    given = inbound.headers.get("signature", "")
    fields = first_fields(inbound)
    event = fields.get(b"event", b"")
    if event and event not in SIGNED and given:
        return
    signed = b"".join(fields.get(name, b"") for name in SIGNED.get(event, ()))
    digest = hmac.new(settings.secret.get_secret_value().encode(), signed, hashlib.sha1).hexdigest()
    if not event or not same_secret(given, base64.b64encode(digest.encode()).decode()):
        raise Refused("the signature is wrong or missing")


def is_echo(inbound: Inbound) -> bool:
    """The test of the address, sent by POST."""
    return bool(inbound.param("zd_echo")) and not inbound.body.strip()


def first_fields(inbound: Inbound) -> dict[bytes, bytes]:
    """Fields of the form as bytes, multipart or not; {} for what is no form at all."""
    content_type = inbound.headers.get("content-type", "")
    if content_type.lower().startswith("multipart/") or inbound.body.startswith(b"--"):
        pairs = [(one.name, one.data) for one in read_multipart(inbound.body, content_type, MAX_FIELDS)]
    else:
        try:
            pairs = raw_fields(inbound)
        except Unreadable:
            return {}
    fields: dict[bytes, bytes] = {}
    for name, value in pairs:
        fields.setdefault(name, value)
    return fields

import base64
import hashlib
import hmac
from datetime import timedelta

import pytest

from connectors.d360 import SOURCE, D360Settings
from connectors.doors import Refused
from tests.support.messengers import (
    KEYS,
    SENT,
    message,
    only,
    parsed_tree,
    sample,
    taken,
    tree_of,
    with_header,
    without,
)
from tests.support.requests import inbound

TEXT = "360dialog/msg-1-text"


def test_a_text_is_read_as_from_the_cloud_api() -> None:
    first = message(TEXT)
    assert first.lead is not None
    assert first.lead.touch is not None
    assert (first.chat_id, first.channel, first.author) == ("4915112345678", "whatsapp", "client")
    assert first.message_id == "wamid.HBgNNDkxNTExMjM0NTY3OBUCABIYFDNBMDAwMDAwMDAwMDAwMDAwMDA0AA=="
    assert (first.text, first.at) == ("Guten Tag, bitte um Rückruf", SENT + timedelta(seconds=120))
    assert (first.lead.name, first.lead.phones) == ("Jörg", ("+4915112345678",))
    assert first.lead.messengers == (("whatsapp", "4915112345678"), ("whatsapp", "DE.4410029"))
    assert first.lead.touch.channel == "messenger"


def test_header_and_signature_must_both_hold_where_both_are_set() -> None:
    request = sample(TEXT)
    for header in ("authorization", "x-360dialog-signature"):
        with pytest.raises(Refused):
            taken("360dialog", without(request, header))
    with pytest.raises(Refused):
        taken("360dialog", with_header(request, "authorization", lambda value: value.removeprefix("Bearer ")))


def test_the_signature_is_taken_in_hex_and_in_base64() -> None:
    request = sample(TEXT)
    secret = KEYS["360dialog"]["platform_secret"].encode()
    digest = hmac.new(secret, request.body, hashlib.sha256).digest()
    for given in (digest.hex(), f"sha256={digest.hex()}", base64.b64encode(digest).decode()):
        taken("360dialog", with_header(request, "x-360dialog-signature", lambda _, given=given: given))  # type: ignore[misc]  # bound now


def test_the_vector_of_the_signature() -> None:
    settings = D360Settings.model_validate({"platform_secret": "platform-secret"})
    given = "55cc98c26494d7fb08f9bf8898809bc28461100c839cc69cfaae86eeffb35634"
    SOURCE.verify(settings, inbound(b'{"a":1}', headers={"x-360dialog-signature": given}))


def test_older_numbers_send_a_bare_value() -> None:
    value = tree_of(TEXT)["entry"][0]["changes"][0]["value"]
    assert only(parsed_tree("360dialog", value)).message_id == message(TEXT).message_id

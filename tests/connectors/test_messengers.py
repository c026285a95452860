"""What holds for the door of every messenger."""

import json
import random
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.doors import Inbound, Refused, Unreadable
from tests.support.messengers import (
    DOORS,
    KEYS,
    SAMPLES,
    parsed_tree,
    replayed,
    sample,
    settings_of,
    taken,
    with_body,
    with_header,
    without,
)
from tests.support.requests import inbound

ALL = sorted(
    f"{path.parent.name}/{path.stem}"
    for vendor in DOORS
    for path in (SAMPLES / vendor).glob("*.http")
    if "handshake" not in path.stem
)
PROOF_HEADERS = {
    "telegram": "x-telegram-bot-api-secret-token",
    "whatsapp": "x-hub-signature-256",
    "instagram": "x-hub-signature-256",
    "360dialog": "x-360dialog-signature",
    "wazzup": "authorization",
    "viber": "x-viber-content-signature",
}
SECRETS = {
    "telegram": "secret_token",
    "whatsapp": "app_secret",
    "instagram": "app_secret",
    "360dialog": "platform_secret",
    "wazzup": "crm_key",
    "viber": "auth_token",
    "vk": "secret",
    "smsc": "secret_word",
    "smsru": "api_id",
}
SIGNS_ITS_BODY = ("whatsapp", "instagram", "360dialog", "viber", "smsru")
IN_HEADER = [name for name in ALL if name.partition("/")[0] in PROOF_HEADERS]


def refused(vendor: str, request: Inbound, changed: object = None) -> int:
    with pytest.raises(Refused) as caught:
        taken(vendor, request, changed)
    return caught.value.status


def test_the_samples_are_those_of_twelve_doors() -> None:
    assert len(DOORS) == 12
    assert {name.partition("/")[0] for name in ALL} == set(DOORS)


@pytest.mark.parametrize("name", ALL)
def test_every_sample_is_taken(name: str) -> None:
    vendor = name.partition("/")[0]
    parsed = replayed(name)
    reply = DOORS[vendor].reply(settings_of(vendor), sample(name), parsed, [])
    assert reply.status == 200


@pytest.mark.parametrize("name", ALL)
def test_a_repeat_makes_the_same(name: str) -> None:
    assert replayed(name) == replayed(name)


@pytest.mark.parametrize("name", [name for name in ALL if KEYS[name.partition("/")[0]].get("url_token")])
def test_another_address_is_refused(name: str) -> None:
    vendor, request = name.partition("/")[0], sample(name)
    token = KEYS[vendor]["url_token"]
    for tail in ("", token[:-1], f"{token}x", f"{token[:-1]}2", f"x{token}", "токен"):
        assert refused(vendor, replace(request, path_tail=tail)) == 403
    assert refused(vendor, replace(request, path_tail=f"{token}/more")) == 404


@pytest.mark.parametrize("name", IN_HEADER)
def test_a_sample_without_its_proof_is_refused(name: str) -> None:
    vendor = name.partition("/")[0]
    assert refused(vendor, without(sample(name), PROOF_HEADERS[vendor])) == 401


@pytest.mark.parametrize("name", IN_HEADER)
def test_a_proof_with_one_changed_character_is_refused(name: str) -> None:
    vendor = name.partition("/")[0]
    request = sample(name)
    given = request.headers[PROOF_HEADERS[vendor]]
    start = len(given) - 12  # the scheme in front of the secret may be written in either case
    for at in range(start, len(given)):
        other = "0" if given[at] != "0" else "1"
        forged = with_header(request, PROOF_HEADERS[vendor], lambda v, at=at, o=other: v[:at] + o + v[at + 1 :])  # type: ignore[misc]  # bound now
        assert refused(vendor, forged) == 401
    for forge in (str.swapcase, str.upper):
        if forge(given) != given and vendor != "wazzup":
            assert refused(vendor, with_header(request, PROOF_HEADERS[vendor], forge)) == 401
    assert refused(vendor, with_header(request, PROOF_HEADERS[vendor], lambda _: "ключ")) == 401


@pytest.mark.parametrize("name", [name for name in ALL if name.partition("/")[0] in SIGNS_ITS_BODY])
def test_a_signed_sample_with_one_changed_byte_is_refused(name: str) -> None:
    vendor = name.partition("/")[0]
    request = sample(name)
    for at in random.Random(name).sample(range(len(request.body)), 40):
        body = bytearray(request.body)
        body[at] ^= 1
        with pytest.raises((Refused, Unreadable)):
            taken(vendor, with_body(request, bytes(body)))
    assert refused(vendor, with_body(request, request.body + b" ")) == 401


@pytest.mark.parametrize("name", [name for name in ALL if name.partition("/")[0] in SECRETS])
def test_a_sample_signed_with_another_key_is_refused(name: str) -> None:
    vendor = name.partition("/")[0]
    key = SECRETS[vendor]
    assert refused(vendor, sample(name), settings_of(vendor, **{key: KEYS[vendor][key] + "x"})) in (401, 403)


@pytest.mark.parametrize("vendor", sorted(SECRETS))
def test_an_empty_secret_is_no_secret_and_is_refused_in_the_configuration(vendor: str) -> None:
    with pytest.raises(ValidationError):
        settings_of(vendor, **{SECRETS[vendor]: ""})


@pytest.mark.parametrize("vendor", sorted(SECRETS))
def test_secrets_are_not_shown(vendor: str) -> None:
    assert KEYS[vendor][SECRETS[vendor]] not in repr(settings_of(vendor))


@pytest.mark.parametrize("vendor", sorted(DOORS))
def test_the_address_alone_is_proof_enough_where_nothing_else_is_set(vendor: str) -> None:
    name = next(name for name in ALL if name.startswith(f"{vendor}/"))
    bare = DOORS[vendor].settings.model_validate(
        {"url_token": "tok-1", **({"confirmation": "c"} if vendor == "vk" else {})}
    )
    taken(vendor, replace(sample(name), path_tail="tok-1", headers={}), bare)


@pytest.mark.parametrize("vendor", sorted(DOORS))
def test_a_colleagues_message_brings_no_lead_and_a_clients_always_does(vendor: str) -> None:
    for name in (name for name in ALL if name.startswith(f"{vendor}/")):
        for made in replayed(name).messages:
            assert (made.lead is not None) == (made.author == "client")
            assert made.lead is None or made.lead.messengers or made.lead.phones


@pytest.mark.parametrize("name", ALL)
def test_only_what_nobody_wrote_is_a_touch_alone(name: str) -> None:
    opened = ("viber/msg-1-conversation-started", "vk/msg-3-message-allow", "instagram/msg-2-ig-me-referral")
    assert all(made.is_touch_only == (name in opened) for made in replayed(name).messages)


# --- whatever bytes come ------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)


def survives(vendor: str, body: bytes) -> None:
    bare = DOORS[vendor].settings.model_validate({"confirmation": "c"} if vendor == "vk" else {})
    try:
        parsed = DOORS[vendor].parse(bare, inbound(body), "RU")
    except (Unreadable, Refused):
        return
    for made in parsed.messages:
        assert made.chat_id
        assert made.message_id
        assert made.channel
        assert made.at is not None
        assert made.at.tzinfo is not None
        json.dumps(
            [made.text, made.author_name, *made.hints, *(made.lead.extra.values() if made.lead else ())]
        ).encode()


@given(vendor=st.sampled_from(sorted(DOORS)), body=st.binary(max_size=200))
@settings(max_examples=300)
def test_random_bytes_break_no_door(vendor: str, body: bytes) -> None:
    survives(vendor, body)


@given(vendor=st.sampled_from(sorted(DOORS)), tree=JSON)
@settings(max_examples=300)
def test_random_json_breaks_no_door(vendor: str, tree: object) -> None:
    survives(vendor, json.dumps(tree).encode())


@given(name=st.sampled_from(ALL), data=st.data())
@settings(max_examples=600)
def test_a_sample_with_anything_in_any_place_breaks_no_door(name: str, data: st.DataObject) -> None:
    vendor, body = name.partition("/")[0], sample(name).body
    if not body.startswith(b"{"):
        at = data.draw(st.integers(0, len(body)))
        survives(vendor, body[:at] + data.draw(st.binary(max_size=8)) + body[at + 1 :])
        return
    tree = json.loads(body)
    spots = list(places(tree))
    holder, key = data.draw(st.sampled_from(spots))
    holder[key] = data.draw(JSON)
    survives(vendor, json.dumps(tree).encode())


def places(tree: object) -> list[tuple[dict[str, object] | list[object], object]]:
    found: list[tuple[dict[str, object] | list[object], object]] = []
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in pairs:
        found.append((tree, key))  # type: ignore[arg-type]  # a key of this tree
        found += places(value)
    return found


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=20), max_size=6))
@settings(max_examples=100)
def test_random_forms_break_no_sms_door(fields: dict[str, str]) -> None:
    for vendor in ("smsc", "smsru"):
        survives(vendor, urlencode(fields).encode())


@pytest.mark.parametrize("vendor", sorted(DOORS))
def test_an_event_that_nobody_knows_makes_nothing(vendor: str) -> None:
    if vendor in ("smsc", "smsru"):
        return
    unknown = {"type": "brand_new", "event": "brand_new", "hook_type": "brand_new", "object": {"a": 1}, "n": [1]}
    proof = {"secret": KEYS[vendor].get("secret"), "group_id": KEYS[vendor].get("group_id")} if vendor == "vk" else {}
    parsed = parsed_tree(vendor, {**unknown, **proof})
    assert (parsed.leads, parsed.messages) == ((), ())

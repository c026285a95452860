"""What holds for every door of telephony: nobody gets in without proof, nothing breaks it, repeats are repeats."""

import hashlib
import json
import random
from contextlib import suppress
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.doors import Inbound, Refused, Unreadable
from tests.support.pbx import (
    DOORS,
    KEYS,
    NAMES,
    replayed,
    sample,
    settings_of,
    taken,
    twilio_signature,
)
from tests.support.requests import NOW, inbound

SECRETS = {
    "mango": ("vpbx_api_key", "vpbx_api_salt"),
    "zadarma": ("secret",),
    "twilio": ("auth_token",),
    "megafon": ("crm_token",),
}
IN_ADDRESS = [name for name in NAMES if "url_token" in KEYS[name.partition("/")[0]]]
SIGNED_BODIES = [name for name in NAMES if name.partition("/")[0] == "twilio"]
SIGNED_FIELDS = [name for name in NAMES if name.partition("/")[0] in ("mango", "twilio")]


def refused(vendor: str, request: Inbound, changed: Any = None) -> int:
    with pytest.raises(Refused) as caught:
        taken(vendor, request, changed)
    return caught.value.status


def test_the_samples_are_those_of_six_doors() -> None:
    assert {name.partition("/")[0] for name in NAMES} == set(DOORS)
    assert len(NAMES) == 48


@pytest.mark.parametrize("name", NAMES)
def test_every_sample_is_taken_and_answered_with_200(name: str) -> None:
    vendor, parsed = name.partition("/")[0], replayed(name)
    assert DOORS[vendor].reply(settings_of(vendor), sample(name), parsed, []).status == 200
    assert sample(name).method in DOORS[vendor].methods


@pytest.mark.parametrize("name", NAMES)
def test_a_repeat_makes_the_same(name: str) -> None:
    assert replayed(name) == replayed(name)


def test_no_two_events_share_an_id() -> None:
    ids = [made.event_id for name in NAMES for made in replayed(name).calls]
    assert len(set(ids)) == len(ids)


# --- proofs ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", IN_ADDRESS)
def test_another_address_is_refused(name: str) -> None:
    vendor, request = name.partition("/")[0], sample(name)
    token = KEYS[vendor]["url_token"]
    for tail in ("", token[:-1], f"{token}x", f"{token[:-1]}2", f"x{token}", "токен"):
        assert refused(vendor, replace(request, path_tail=tail)) == 403
    assert refused(vendor, replace(request, path_tail=f"{token}/more")) == 404


@pytest.mark.parametrize("name", [name for name in NAMES if name.partition("/")[0] in SECRETS])
def test_a_sample_made_with_another_key_is_refused(name: str) -> None:
    vendor = name.partition("/")[0]
    for key in SECRETS[vendor]:
        for other in (KEYS[vendor][key] + "x", KEYS[vendor][key][:-1] + "é", "x"):
            assert refused(vendor, sample(name), settings_of(vendor, **{key: other})) in (401, 403)


@pytest.mark.parametrize(("vendor", "key"), [(vendor, key) for vendor in SECRETS for key in SECRETS[vendor]])
def test_an_empty_secret_is_refused_in_the_configuration_and_none_is_shown(vendor: str, key: str) -> None:
    with pytest.raises(ValidationError):
        settings_of(vendor, **{key: ""})
    assert KEYS[vendor][key] not in repr(settings_of(vendor))


@pytest.mark.parametrize("name", [name for name in NAMES if name.partition("/")[0] in ("zadarma", "twilio")])
def test_a_signature_that_is_gone_or_changed_in_one_place_is_refused(name: str) -> None:
    vendor, request = name.partition("/")[0], sample(name)
    header = "signature" if vendor == "zadarma" else "x-twilio-signature"
    given = request.headers[header]
    without = {key: value for key, value in request.headers.items() if key != header}
    assert refused(vendor, replace(request, headers=without)) == 401
    changed = [given[:at] + ("0" if given[at] != "0" else "1") + given[at + 1 :] for at in range(len(given))]
    for forged in (*changed, given.swapcase(), given + "=", "", "подпись"):
        assert refused(vendor, replace(request, headers={**without, header: forged})) == 401


@pytest.mark.parametrize("name", SIGNED_FIELDS)
def test_a_signed_sample_with_one_changed_letter_in_any_field_is_refused(name: str) -> None:
    vendor, request = name.partition("/")[0], sample(name)
    pairs = parse_qsl(request.body.decode(), keep_blank_values=True)
    for at, (key, value) in enumerate(pairs):
        for forged in ((key, value + "1"), (key, value[1:] or "x"), (key + "x", value)):
            body = urlencode([*pairs[:at], forged, *pairs[at + 1 :]]).encode()
            assert refused(vendor, replace(request, body=body)) in (401, 403)


@pytest.mark.parametrize("name", SIGNED_BODIES)
def test_a_signed_sample_with_one_changed_byte_is_refused(name: str) -> None:
    vendor, request = name.partition("/")[0], sample(name)
    for at in random.Random(name).sample(range(len(request.body)), 40):
        body = bytearray(request.body)
        body[at] ^= 1
        assert refused(vendor, replace(request, body=bytes(body))) == 401


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("zadarma/")])
def test_the_fields_that_zadarma_signs_cannot_be_changed(name: str) -> None:
    request = sample(name)
    fields = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
    event = fields["event"].removeprefix("NOTIFY_")
    signed = {
        "ANSWER": ("caller_id", "destination", "call_start"),
        "OUT_START": ("internal", "destination", "call_start"),
        "OUT_END": ("internal", "destination", "call_start"),
        "RECORD": ("pbx_call_id", "call_id_with_rec"),
    }.get(event, ("caller_id", "called_did", "call_start"))
    for key in signed:
        forged = {**fields, key: fields[key] + "1"}
        assert refused("zadarma", replace(request, body=urlencode(forged).encode())) == 401


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("megafon/")])
def test_a_sample_of_megafon_with_another_or_no_token_is_refused(name: str) -> None:
    request = sample(name)
    token = b"crm_token=fake-crm-token-0001"
    for other in (b"", b"crm_token=", b"crm_token=fake-crm-token-0002", b"crm_tokem=fake-crm-token-0001"):
        assert refused("megafon", replace(request, body=request.body.replace(token, other))) == 403


# --- Twilio's address ----------------------------------------------------------------------------

URL = "https://hub.example.test/in/twilio/status?src=1"
FIELDS = {"CallSid": "CA1", "CallStatus": "completed", "From": "+12025550143"}
VECTOR = DOORS["twilio"].settings.model_validate({"auth_token": "testtoken"})


def twilio_request(signature: str, url: str = URL, **more: Any) -> Inbound:
    request = inbound(urlencode(FIELDS), query="src=1", headers={"X-Twilio-Signature": signature, **more})
    return replace(request, url=url)


def verify(request: Inbound, settings: Any = VECTOR) -> None:
    DOORS["twilio"].verify(settings, request)


def test_twilios_signature_is_that_of_the_documented_vectors() -> None:
    verify(twilio_request("KZjaOZc3I8EpkuGWCMUa42g5Jc4="))
    message = inbound("Body=Hi&From=%2B14155550123", headers={"X-Twilio-Signature": "6jHYUHy5Knlp85HtOd8Fg3IqZmo="})
    token = DOORS["twilio"].settings.model_validate({"auth_token": "auth-token"})
    verify(replace(message, url="https://leadhub.test/tw"), token)


@pytest.mark.parametrize(
    "url",
    [
        "http://hub.example.test/in/twilio/status?src=1",
        "https://hub.example.test:443/in/twilio/status?src=1",
        "https://hub.example.test:8443/in/twilio/status?src=1",
    ],
)
def test_scheme_and_port_of_our_own_address_do_not_matter(url: str) -> None:
    verify(twilio_request("KZjaOZc3I8EpkuGWCMUa42g5Jc4=", url))


def test_the_host_may_be_known_to_the_proxy_alone_or_to_the_owner() -> None:
    inside = "http://10.0.0.5:8080/in/twilio/status?src=1"
    with pytest.raises(Refused):
        verify(twilio_request("KZjaOZc3I8EpkuGWCMUa42g5Jc4=", inside))
    verify(twilio_request("KZjaOZc3I8EpkuGWCMUa42g5Jc4=", inside, **{"X-Forwarded-Host": "hub.example.test"}))
    verify(twilio_request("KZjaOZc3I8EpkuGWCMUa42g5Jc4=", inside, Host="hub.example.test"))
    for typed in (URL, URL.partition("?")[0]):
        owner = DOORS["twilio"].settings.model_validate({"auth_token": "testtoken", "webhook_url": typed})
        verify(twilio_request("KZjaOZc3I8EpkuGWCMUa42g5Jc4=", inside), owner)


@pytest.mark.parametrize(
    "url", [URL + "2", URL.replace("/status", "/voice"), URL.replace("hub.", "hub2."), URL.partition("?")[0]]
)
def test_another_path_query_or_host_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        verify(twilio_request("KZjaOZc3I8EpkuGWCMUa42g5Jc4=", url))


def test_a_shared_key_signs_by_sha256_with_a_secret_of_its_own() -> None:
    both = DOORS["twilio"].settings.model_validate({"auth_token": "testtoken", "shared_keys": {"key_1": "shared"}})
    signature = twilio_signature(URL, FIELDS, "shared", "sha256")
    told = "X-Twilio-Webhooks-Signature-Settings"
    verify(twilio_request(signature, **{told: "key=key_1,algorithm=HMAC_SHA256"}), both)
    for wrong in (
        "key=key_2,algorithm=HMAC_SHA256",
        "key=key_1,algorithm=MD5",
        "key=key_1",
        "",
        "algorithm=HMAC_SHA256",
    ):
        with pytest.raises(Refused):
            verify(twilio_request(signature, **{told: wrong}), both)
    verify(twilio_request("KZjaOZc3I8EpkuGWCMUa42g5Jc4="), both)


def test_a_json_body_is_proven_by_its_hash_in_the_address() -> None:
    body = b'{"CallSid": "CA1"}'
    query = f"bodySHA256={hashlib.sha256(body).hexdigest()}"
    url = f"https://hub.example.test/in/twilio?{query}"
    headers = {"X-Twilio-Signature": twilio_signature(url, {}, "testtoken"), "Content-Type": "application/json"}
    request = replace(inbound(body, query=query, headers=headers), url=url)
    verify(request)
    with pytest.raises(Refused):
        verify(replace(request, body=body + b" "))


def test_a_get_is_signed_with_its_query() -> None:
    url = f"https://hub.example.test/in/twilio?{urlencode(FIELDS)}"
    headers = {"X-Twilio-Signature": twilio_signature(url, {}, "testtoken")}
    request = replace(inbound(method="GET", query=urlencode(FIELDS), headers=headers), url=url)
    verify(request)
    assert DOORS["twilio"].parse(VECTOR, request, "US").calls[0].call_id == "CA1"
    with pytest.raises(Refused):
        verify(replace(request, url=url + "1"))


# --- addresses of senders ---------------------------------------------------------------------------


@pytest.mark.parametrize("vendor", sorted(DOORS))
def test_where_senders_are_listed_others_are_refused(vendor: str) -> None:
    name = next(name for name in NAMES if name.startswith(f"{vendor}/"))
    listed = settings_of(vendor, allowed_ips=["203.0.113.7", "198.51.100.0/24", "2001:db8::/32"])
    for ip in ("203.0.113.7", "198.51.100.200", "::ffff:203.0.113.7", "2001:db8::1"):
        taken(vendor, replace(sample(name), remote_ip=ip), listed)
    for ip in ("203.0.113.8", "", "unix:", "2001:db9::1"):
        assert refused(vendor, replace(sample(name), remote_ip=ip), listed) == 403
    with pytest.raises(ValidationError, match="address or network"):
        settings_of(vendor, allowed_ips=["everybody"])


# --- whatever bytes come ----------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)
TAILS = ("", "events/call", "events/summary", "events/recording", "events/record/added", "result/callback")


def survives(vendor: str, request: Inbound) -> None:
    door = DOORS[vendor]
    for settings_ in (door.settings(), settings_of(vendor)):
        with suppress(Refused):
            door.verify(settings_, request)
    try:
        parsed = door.parse(door.settings(), request, "RU")
    except (Refused, Unreadable):
        return
    for made in parsed.calls:
        assert made.call_id
        assert made.event_id
        for moment in (made.at, made.started_at, made.answered_at, made.ended_at):
            assert moment is None or (moment.tzinfo is not None and moment.microsecond == 0)
        for seconds in (made.ring_s, made.talk_s):
            assert seconds is None or seconds >= 0
        assert not (made.direction == "internal" and made.client)
        json.dumps([made.client, made.line, made.employee, made.recording_url, *made.extra.values()]).encode()
    for message in parsed.messages:
        assert message.message_id
        assert message.chat_id
        json.dumps([message.text, message.author_name]).encode()


@given(vendor=st.sampled_from(sorted(DOORS)), body=st.binary(max_size=200), tail=st.sampled_from(TAILS))
@settings(max_examples=300)
def test_random_bytes_break_no_door(vendor: str, body: bytes, tail: str) -> None:
    survives(vendor, inbound(body, path_tail=tail))


@given(vendor=st.sampled_from(sorted(DOORS)), tree=JSON, tail=st.sampled_from(TAILS))
@settings(max_examples=300)
def test_random_json_breaks_no_door(vendor: str, tree: object, tail: str) -> None:
    text = json.dumps(tree)
    survives(vendor, inbound(text, path_tail=tail))
    survives(vendor, inbound(urlencode({"json": text, "result": text, "event": "SMS"}), path_tail=tail))


@given(name=st.sampled_from(NAMES), data=st.data())
@settings(max_examples=600)
def test_a_sample_with_anything_in_any_field_breaks_no_door(name: str, data: st.DataObject) -> None:
    vendor, request = name.partition("/")[0], sample(name)
    strange = st.text(max_size=30) | st.sampled_from(
        ("0", "-1", "9" * 30, "1e9", "101", "+", "2026-13-01 00:00:00", "\x00")
    )
    if vendor in ("mango", "uis"):
        body = dict(parse_qsl(request.body.decode()))["json"] if vendor == "mango" else request.body.decode()
        tree = json.loads(body)
        key = data.draw(st.sampled_from(sorted(tree)))
        tree[key] = data.draw(JSON | strange)
        changed = json.dumps(tree)
        survives(
            vendor, replace(request, body=(urlencode({"json": changed}) if vendor == "mango" else changed).encode())
        )
        return
    pairs = dict(request.query if request.method == "GET" else parse_qsl(request.body.decode(), keep_blank_values=True))
    pairs[data.draw(st.sampled_from(sorted(pairs)))] = data.draw(strange)
    if request.method == "GET":
        survives(vendor, replace(request, query=list(pairs.items())))
    else:
        survives(vendor, replace(request, body=urlencode(pairs).encode()))


@given(name=st.sampled_from(NAMES), data=st.data())
@settings(max_examples=300)
def test_a_sample_with_bytes_changed_breaks_no_door(name: str, data: st.DataObject) -> None:
    request = sample(name)
    at = data.draw(st.integers(0, len(request.body)))
    body = request.body[:at] + data.draw(st.binary(max_size=8)) + request.body[at + data.draw(st.integers(0, 5)) :]
    survives(name.partition("/")[0], replace(request, body=body, received_at=NOW))

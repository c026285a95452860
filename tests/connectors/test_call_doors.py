"""What holds for every door of call tracking, widgets and smaller PBXs."""

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.doors import Inbound, Parsed, Refused, Unreadable
from tests.support.calldoors import DOORS, KEYS, NAMES, replayed, sample, settings_of, taken
from tests.support.requests import inbound

WITH_TOKEN = [name for name in NAMES if "url_token" in KEYS[name.partition("/")[0]]]
SECRETS = {"calltouch": "secret_param", "envybox": "key"}


def refused(vendor: str, request: Inbound, changed: object = None) -> int:
    with pytest.raises(Refused) as caught:
        taken(vendor, request, changed)
    return caught.value.status


def ids(parsed: Parsed) -> list[object]:
    return [
        *[made.lead_uid for made in parsed.leads],
        *[(made.call_id, made.event_id) for made in parsed.calls],
        *[(made.chat_id, made.message_id) for made in parsed.messages],
    ]


@pytest.mark.parametrize("name", NAMES)
def test_every_sample_is_taken_and_answered_200(name: str) -> None:
    vendor = name.partition("/")[0]
    parsed = replayed(name)
    assert parsed.leads or parsed.calls or parsed.messages
    assert DOORS[vendor].reply(settings_of(vendor), sample(name), parsed, []).status == 200


@pytest.mark.parametrize("name", NAMES)
def test_a_repeat_an_hour_later_has_the_same_ids(name: str) -> None:
    first, later = replayed(name), replayed(name, datetime(2026, 11, 24, 12, 2, tzinfo=UTC))
    assert ids(first) == ids(later)


def test_no_two_events_of_a_call_have_one_id() -> None:
    made = [
        (vendor, call.call_id, call.event_id)
        for vendor in DOORS
        for name in NAMES
        if name.startswith(f"{vendor}/")
        for call in replayed(name).calls
    ]
    assert len(set(made)) == len(made) == 14


@pytest.mark.parametrize("name", WITH_TOKEN)
def test_another_address_is_refused(name: str) -> None:
    vendor, request = name.partition("/")[0], sample(name)
    token = KEYS[vendor]["url_token"]
    for tail in ("", token[:-1], f"{token}x", f"{token[:-1]}2", f"x{token}", token.upper(), "токен"):
        assert refused(vendor, replace(request, path_tail=tail)) == 403
    assert refused(vendor, replace(request, path_tail=f"{token}/more")) == 404


@pytest.mark.parametrize("vendor", sorted(SECRETS))
def test_without_its_key_or_with_another_a_sample_is_refused(vendor: str) -> None:
    name = next(name for name in NAMES if name.startswith(f"{vendor}/"))
    request, key = sample(name), KEYS[vendor][SECRETS[vendor]]
    for at in range(len(key)):
        other = key[:at] + ("0" if key[at] != "0" else "1") + key[at + 1 :]
        forged = replace(
            request,
            query=[(field, other if value == key else value) for field, value in request.query],
            body=request.body.replace(key.encode(), other.encode()),
        )
        assert refused(vendor, forged) == 401
    bare = replace(request, query=[], body=request.body.replace(key.encode(), b""))
    assert refused(vendor, bare) == 401
    assert refused(vendor, replace(bare, body=b"\x00\xff")) == 401
    assert refused(vendor, request, settings_of(vendor, **{SECRETS[vendor]: key + "x"})) == 401


@pytest.mark.parametrize("vendor", sorted(SECRETS))
def test_key_and_token_must_both_hold_where_both_are_set(vendor: str) -> None:
    name = next(name for name in NAMES if name.startswith(f"{vendor}/"))
    both = settings_of(vendor, url_token="tok-1")
    assert refused(vendor, sample(name), both) == 403
    assert taken(vendor, replace(sample(name), path_tail="tok-1"), both) == replayed(name)


@pytest.mark.parametrize("vendor", sorted(SECRETS))
def test_an_empty_key_is_refused_in_the_configuration_and_a_key_is_not_shown(vendor: str) -> None:
    with pytest.raises(ValidationError):
        settings_of(vendor, **{SECRETS[vendor]: ""})
    assert KEYS[vendor][SECRETS[vendor]] not in repr(settings_of(vendor))


@pytest.mark.parametrize("vendor", sorted(DOORS))
def test_senders_can_be_limited_to_networks(vendor: str) -> None:
    name = next(name for name in NAMES if name.startswith(f"{vendor}/"))
    limited = settings_of(vendor, allowed_ips=["92.118.66.0/23", "2001:db8::/32"])
    assert refused(vendor, sample(name), limited) == 403
    for address in ("92.118.67.9", "::ffff:92.118.66.1", "2001:db8::1"):
        assert taken(vendor, replace(sample(name), remote_ip=address), limited) == replayed(name)


@pytest.mark.parametrize("vendor", sorted(DOORS))
def test_mistakes_in_the_settings_are_told(vendor: str) -> None:
    for wrong in ({"timezone": "Moscow"}, {"allowed_ips": ["everybody"]}, {"tocken": "x"}):
        with pytest.raises(ValidationError):
            settings_of(vendor, **wrong)


@pytest.mark.parametrize("vendor", sorted(DOORS))
def test_an_empty_request_and_an_unknown_event_make_nothing(vendor: str) -> None:
    bare = DOORS[vendor].settings.model_validate({})
    assert DOORS[vendor].parse(bare, inbound(), "RU") == Parsed()
    unknown = {"event": "brand_new", "EventType": "brand-new", "event_name": "brand_new", "leadtype": "brand_new"}
    body = (
        json.dumps(unknown) if vendor != "beeline" else "<Event><eventData type='NewEvent'><call/></eventData></Event>"
    )
    assert DOORS[vendor].parse(bare, inbound(body), "RU") == Parsed()


# --- whatever bytes come ------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)
WORDS = st.sampled_from(
    [
        "event",
        "uuid",
        "eventtype",
        "callid",
        "caller",
        "callee",
        "uniqueid",
        "linkedid",
        "id",
        "phone",
        "status",
        "date",
        "call_id",
        "type",
        "appeal_id",
        "duration",
        "billsec",
        "callerphone",
        "callphase",
        "leadtype",
        "calltime",
        "key",
        "direction",
        "disposition",
        "extension",
        "recording",
        "event_name",
    ]
)
VALUES = st.text(max_size=12) | st.sampled_from(
    [
        "call_start",
        "call_end",
        "dial-in",
        "hangup",
        "79990001122",
        "101",
        "in",
        "out",
        "99999999999999999",
        "-5",
        "1e9",
        "2026-13-45",
        "31.02.2026",
        "ANSWERED",
        "call_event",
        "chat_finished",
        "offline_message",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59",
        "٣٣٣",
        "00:99:99",
    ]
)


def survives(vendor: str, request: Inbound) -> None:
    bare = DOORS[vendor].settings.model_validate({})
    try:
        parsed = DOORS[vendor].parse(bare, request, "RU")
    except (Unreadable, Refused):
        return
    for made in parsed.calls:
        assert made.call_id
        assert made.event_id
        for at in (made.at, made.started_at, made.answered_at, made.ended_at):
            assert at is None or (at.tzinfo is not None and at.microsecond == 0)
        assert (made.disposition == "") or made.state == "ended"
        for length in (made.talk_s, made.ring_s):
            assert length is None or length >= 0
    for message in parsed.messages:
        assert message.chat_id
        assert message.message_id
    json.dumps(asdict(parsed), ensure_ascii=False, default=str).encode()  # no half surrogates


@given(vendor=st.sampled_from(sorted(DOORS)), body=st.binary(max_size=200))
@settings(max_examples=300)
def test_random_bytes_break_no_door(vendor: str, body: bytes) -> None:
    survives(vendor, inbound(body))


@given(vendor=st.sampled_from(sorted(DOORS)), tree=JSON | st.dictionaries(WORDS, JSON | VALUES, max_size=8))
@settings(max_examples=400)
def test_random_json_breaks_no_door(vendor: str, tree: object) -> None:
    survives(vendor, inbound(json.dumps(tree)))


@given(vendor=st.sampled_from(sorted(DOORS)), form=st.dictionaries(WORDS, VALUES, max_size=8))
@settings(max_examples=400)
def test_random_forms_break_no_door(vendor: str, form: dict[str, str]) -> None:
    survives(vendor, inbound(urlencode(form)))
    survives(vendor, inbound("", query=urlencode(form), method="GET"))


@given(name=st.sampled_from(NAMES), data=st.data())
@settings(max_examples=500)
def test_a_sample_with_anything_in_any_place_breaks_no_door(name: str, data: st.DataObject) -> None:
    request = sample(name)
    at = data.draw(st.integers(0, len(request.body)))
    until = at + data.draw(st.integers(0, 8))
    piece = data.draw(st.binary(max_size=8))
    survives(name.partition("/")[0], replace(request, body=request.body[:at] + piece + request.body[until:]))

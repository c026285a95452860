import base64
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.chats import hints, link_touch, own_phone
from connectors.doors import Unreadable
from connectors.rawform import raw_fields
from connectors.trees import items, moment, part, read_object, text
from tests.support.requests import NOW, inbound

# --- phones ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_", "e164"),
    [
        ("79161234567", "+79161234567"),
        ("+7 (916) 123-45-67", "+79161234567"),
        ("4915112345678", "+4915112345678"),
        ("5215512345678", "+525512345678"),
        ("525512345678", "+525512345678"),
        ("5491155550011", "+5491155550011"),
        ("89161234567", ""),
        ("RU.79161234567", ""),
        ("79161234567, 79161234568", ""),
        ("0000000000", ""),
        ("٧٩١٦١٢٣٤٥٦٧", ""),
        ("", ""),
    ],
)
def test_a_vendors_digits_are_a_whole_number_or_none(given_: str, e164: str) -> None:
    assert own_phone(given_) == e164


@pytest.mark.parametrize(
    ("written", "region", "found"),
    [
        ("звоните 8 (903) 555-01-02 или 8-916-123-45-67", "RU", ("+79035550102", "+79161234567")),
        ("+49 151 12345678", "RU", ("+4915112345678",)),
        ("79161234567", "GB", ("+79161234567",)),
        ("почта Anna@Example.test, пишите", "RU", ("anna@example.test",)),
        ("заказ 4341979279 от 20.11.2026 10:30, 1 200 000 рублей", "RU", ()),
        ("счёт 40702810900000012345", "RU", ()),
        ("a@b", "RU", ()),
        ("", "RU", ()),
    ],
)
def test_hints_are_what_reads_as_a_phone_or_an_address(written: str, region: str, found: tuple[str, ...]) -> None:
    assert hints(written, region) == found


def test_a_hint_at_the_end_of_a_long_message_is_found() -> None:
    assert hints("слово " * 500 + "8 903 555-01-02", "RU") == ("+79035550102",)


@given(st.text(st.sampled_from("0123456789+-() @.а"), max_size=60))
def test_hints_are_e164_or_addresses_whatever_is_written(written: str) -> None:
    for hint in hints(written, "RU"):
        assert "@" in hint or (hint[0] == "+" and hint[1:].isascii() and hint[1:].isdigit())


# --- links -------------------------------------------------------------------------------------------


def test_a_parameter_is_what_the_settings_say_before_anything_else() -> None:
    packed = base64.urlsafe_b64encode(b"utm_source=tg").decode()
    for param in ("17", "utm_source=vk", packed):
        touch = link_touch({param: {"utm_source": "own"}}, param, NOW, source="ignored")
        assert touch.utm == {"utm_source": "own"}


@given(st.text(st.sampled_from("ABCabc019_-="), min_size=1, max_size=64))
def test_a_parameter_that_only_looks_packed_is_a_campaign(param: str) -> None:
    touch = link_touch({}, param, NOW)
    assert touch.utm == {} or list(touch.utm) == ["utm_campaign"]


def test_a_link_of_an_ad_is_an_ad_and_a_message_without_any_a_messengers() -> None:
    assert link_touch({}, "x", NOW, is_ad=True).channel == "ad"
    assert link_touch({}, "", NOW, referrer="https://fb.me/1", click_ids={"ctwa_clid": "c"}).click_ids == {
        "ctwa_clid": "c"
    }
    assert link_touch({}, "", NOW).channel == "messenger"


# --- JSON and forms ----------------------------------------------------------------------------------


def test_what_is_missing_or_of_another_type_is_empty() -> None:
    tree = {"a": {"b": 5}, "list": [{"c": 1}, 2, None], "flag": True, "text": "x\x00"}
    assert (text(tree, "a", "b"), text(tree, "a", "c"), text(tree, "text", "b"), text(tree, "flag")) == (
        "5",
        "",
        "",
        "",
    )
    assert (part(tree, "a"), part(tree, "list"), part(tree, "a", "b", "c")) == ({"b": 5}, {}, {})
    assert (items(tree, "list"), items(tree, "a")) == ([{"c": 1}], [])
    assert text(tree, "text") == "x"
    assert text({"id": 2**63}, "id") == "9223372036854775808"


def test_an_empty_request_is_a_test_and_anything_but_an_object_unreadable() -> None:
    for body in ("", "  ", "{}", "[]"):
        assert read_object(inbound(body)) == {}
    for body in ("a=1", "[1]", '"x"', "{", "\xff"):
        with pytest.raises(Unreadable):
            read_object(inbound(body))


@pytest.mark.parametrize(
    ("value", "at"),
    [
        (1795161600, datetime(2026, 11, 20, 8, tzinfo=UTC)),
        ("1795161600", datetime(2026, 11, 20, 8, tzinfo=UTC)),
        (1795161600349, datetime(2026, 11, 20, 8, tzinfo=UTC)),
        (1795161600349123, datetime(2026, 11, 20, 8, tzinfo=UTC)),
        ("2026-11-20T08:00:00.900Z", datetime(2026, 11, 20, 8, tzinfo=UTC)),
        ("2026-11-20T11:00:00+03:00", datetime(2026, 11, 20, 8, tzinfo=UTC)),
        ("2026-11-20 11:00:00", datetime(2026, 11, 20, 8, tzinfo=UTC)),
        ("20.11.2026", NOW),
        ("", NOW),
        (None, NOW),
        (True, NOW),
        (10**400, NOW),
        ("٣", NOW),
        ("9999-12-31T23:59:59", NOW),
    ],
)
def test_a_moment_is_read_in_whole_seconds_or_is_that_of_the_request(value: object, at: datetime) -> None:
    assert moment(value, NOW + timedelta(microseconds=5), timezone(timedelta(hours=3))) == at


def test_fields_of_a_form_keep_their_bytes() -> None:
    assert raw_fields(inbound("a=%CF+b&a=%2B&c")) == [(b"a", b"\xcf b"), (b"a", b"+"), (b"c", b"")]
    assert raw_fields(inbound("")) == []
    with pytest.raises(Unreadable):
        raw_fields(inbound("nothing"))

"""Secrets of a source are taken out of what it sent, however they were written."""

import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.masking import Mask

SECRET = 'pä/ss "word"+&1'


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        quote(SECRET, safe="").lower(),
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        json.dumps(SECRET)[1:-1].replace("/", "\\/"),
        SECRET.replace("&", "&amp;").replace('"', "&quot;"),
        SECRET.replace("&", "&#38;").replace("ä", "&#xE4;"),
    ],
)
def test_a_secret_is_found_in_every_spelling(written: str) -> None:
    assert Mask([SECRET])(f"before {written} after") == "before *** after"


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=6, max_size=20), st.text(max_size=20))
def test_no_secret_survives(secret: str, around: str) -> None:
    text = f"{around}{secret}&x={quote_plus(secret)}&j={json.dumps(secret)}"
    shown = Mask([secret])(text)
    assert secret not in shown.replace("***", "\x00")
    assert shown.count("***") >= 1


def test_a_longer_secret_is_masked_before_a_shorter_one_inside_it() -> None:
    assert Mask(["tok-site-1", "tok-site-12345"])("/in/site/tok-site-12345") == "/in/site/***"


def test_a_short_secret_is_masked_only_where_it_stands_alone() -> None:
    assert Mask(["sms"])("/in/sms smsc sms=1") == "/in/*** smsc ***=1"


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ('{"google_key": "k-1", "name": "Ivan"}', '{"google_key": "***", "name": "Ivan"}'),
        ("name=Ivan&api_key=k-1&phone=1", "name=Ivan&api_key=***&phone=1"),
        ("crm_token=k-1", "crm_token=***"),
        ('--b\r\nContent-Disposition: form-data; name="secret"\r\n\r\nk-1\r\n--b', None),
        ('{"key": "question_1", "token": "response-1"}', '{"key": "question_1", "token": "response-1"}'),
        ("secretary=Anna&keyword=окна", "secretary=Anna&keyword=окна"),
    ],
)
def test_fields_that_are_called_like_secrets_are_masked_even_if_they_are_unknown(raw: str, shown: str | None) -> None:
    masked = Mask()(raw)
    assert "k-1" not in masked
    assert shown is None or masked == shown


def test_in_what_was_refused_every_proof_may_be_a_secret() -> None:
    assert (
        Mask().look('{"key": "k-1", "sign": "s-1", "name": "Ivan"}') == '{"key": "***", "sign": "***", "name": "Ivan"}'
    )

"""Splitting and stripping of Telegram's HTML."""

from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sandbox.telegram_html import parse_html
from connectors.telegram.markup import LIMIT, length, plain, split

WORDS = st.text(st.sampled_from("аб <>&\"'\n😀z"), max_size=30)
PIECES = st.lists(
    st.one_of(
        WORDS.map(lambda text: escape(text, quote=False)),
        WORDS.map(lambda text: f"<b>{escape(text, quote=False)}</b>"),
        WORDS.map(lambda text: f'<a href="https://hub.example.com/x">{escape(text, quote=False)}<i>и</i></a>'),
    ),
    max_size=20,
).map("".join)


@given(PIECES, st.integers(min_value=2, max_value=60))
def test_parts_fit_parse_and_keep_every_visible_character(html: str, limit: int) -> None:
    parts = split(html, limit)
    whole, _ = parse_html(html)
    assert "".join("".join(parse_html(part)[0] for part in parts).split()) == "".join(whole.split())
    for part in parts:
        assert length(part) <= limit
        assert parse_html(part)[0].strip()


def test_a_long_text_is_cut_at_line_ends() -> None:
    lines = [f"строка {number}" for number in range(2000)]
    parts = split("\n".join(lines))
    assert len(parts) > 1
    assert "\n".join(parts).split("\n") == lines
    assert all(length(part) <= LIMIT for part in parts)


def test_a_tag_open_at_the_cut_is_closed_and_opened_again() -> None:
    assert split("<b>раз\nдва</b>", 4) == ["<b>раз</b>", "<b>два</b>"]


def test_a_character_outside_the_basic_plane_counts_twice() -> None:
    assert length("😀") == 2
    assert [len(part) for part in split("😀" * 5, 4)] == [2, 2, 1]


@pytest.mark.parametrize("html", ["", "  \n ", "<b> </b>"])
def test_nothing_visible_gives_no_part(html: str) -> None:
    assert split(html) == []


def test_plain_keeps_what_only_looks_like_a_tag() -> None:
    assert plain("<b>2 &lt; 3 &amp; 4</b> < 5") == "2 < 3 & 4 < 5"

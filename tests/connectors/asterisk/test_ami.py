"""The manager interface's stream, cut anywhere."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.asterisk.ami import MAX_FIELDS, MAX_LINE, AmiParser, Block, action
from tests.support.calldoors import SAMPLES

STREAM = b"Asterisk Call Manager/7.0.3\r\n" + (SAMPLES / "asterisk/in-answered.ami").read_bytes()


def read(*pieces: bytes) -> list[Block]:
    parser = AmiParser()
    return [block for piece in pieces for block in parser.feed(piece)]


def test_a_stream_is_read_as_its_blocks() -> None:
    blocks = read(STREAM)
    assert [block["event"] for block in blocks] == [
        "Newchannel",
        "DialBegin",
        "DialEnd",
        "BridgeEnter",
        "Hangup",
        "Cdr",
    ]
    assert blocks[0]["calleridnum"] == "79990001010"
    assert blocks[4]["cause-txt"] == "Normal Clearing"
    assert blocks[5]["starttime"] == "2026-01-05 21:00:00"
    assert blocks[5]["callerid"] == '"79990001010" <79990001010>'
    assert blocks[5]["accountcode"] == ""


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_where_the_stream_is_cut_does_not_matter(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[a:b] for a, b in pairwise(edges)]
    assert read(*pieces) == read(STREAM)


def test_bare_line_feeds_are_read_as_well() -> None:
    assert read(STREAM.replace(b"\r\n", b"\n")) == read(STREAM)


def test_a_block_is_given_only_once_it_is_whole() -> None:
    parser = AmiParser()
    assert parser.feed(b"Event: Hangup\r\nUniqueid: 1\r\n") == []
    assert parser.feed(b"\r") == []
    assert parser.feed(b"\n") == [{"event": "Hangup", "uniqueid": "1"}]


def test_a_key_that_comes_twice_keeps_both_values() -> None:
    assert read(b"ChanVariable: a=1\r\nChanVariable: b=2\r\n\r\n") == [{"chanvariable": "a=1\nb=2"}]


@pytest.mark.parametrize(
    "spoilt",
    [
        b"Event: A\r\nX: " + b"x" * (MAX_LINE * 3) + b"\r\n\r\n",
        b"Event: A\r\n" + b"X: y\r\n" * (MAX_FIELDS + 1) + b"\r\n",
    ],
)
def test_a_block_over_its_limit_costs_only_itself(spoilt: bytes) -> None:
    after = b"Event: B\r\n\r\n"
    assert read(spoilt + after) == [{"event": "B"}]
    pieces = [spoilt[at : at + 1000] for at in range(0, len(spoilt), 1000)]
    assert read(*pieces, after) == [{"event": "B"}]


@given(st.lists(st.binary(max_size=60), max_size=10))
def test_random_bytes_break_nothing(pieces: list[bytes]) -> None:
    for block in read(*pieces, b"\r\n\r\n"):
        assert block


def test_a_command_is_its_fields_and_an_empty_line() -> None:
    assert action("Login", Username="hub", Secret="s") == b"Action: Login\r\nUsername: hub\r\nSecret: s\r\n\r\n"


def test_a_line_break_cannot_smuggle_in_a_second_command() -> None:
    for value in ("a\r\nAction: Originate", "a\n", "a\r"):
        with pytest.raises(ValueError, match="line break"):
            action("Login", Username=value)

"""Where values stand in a YAML text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.yaml_positions import Document, parse

TEXT = """\
# comment
hub:
  listen: "127.0.0.1:80"   # more
  list: [a, {b: 1}]
  block: |
    first
    second
  empty:
last: 2024-01-01
"""


def document(text: str = TEXT) -> Document:
    found, problems = parse(text.encode(), "x.yaml")
    assert problems == []
    return found


def test_values_keys_and_list_items_know_their_places() -> None:
    found = document()
    assert found.at(("hub",), key=True) == (2, 1)
    assert found.at(("hub", "listen")) == (3, 11)
    assert found.at(("hub", "listen"), key=True) == (3, 3)
    assert found.at(("hub", "list", 1, "b")) == (4, 17)
    assert found.at(("hub", "list", 1, "b"), key=True) == (4, 14)


def test_an_empty_value_stands_where_its_name_does() -> None:
    assert document().at(("hub", "empty")) == (8, 3)


def test_what_is_not_there_stands_where_its_surroundings_are() -> None:
    found = document()
    assert found.at(("hub", "listen", "nowhere")) == (3, 3)
    assert found.at(("hub", "nowhere", 3)) == (2, 1)
    assert found.at(("nowhere",)) == (1, 1)


def test_an_offset_counts_inside_the_quotes() -> None:
    problem = document().problem(("hub", "listen"), "here", offset=4)
    assert (problem.line, problem.column) == (3, 11 + 1 + 4)
    assert TEXT.splitlines()[2][problem.column - 1] == "0"


def test_an_offset_in_a_value_of_several_lines_is_where_the_value_begins() -> None:
    problem = document().problem(("hub", "block"), "here", offset=8)
    assert (problem.line, problem.column) == (5, 10)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("NO", "NO"),
        ("on", "on"),
        ("012", 12),
        ("0o12", 10),
        ("0x1f", 31),
        ("1_000", 1000),
        ("1e3", 1000.0),
        ("10:30", "10:30"),
        ("2024-01-01", "2024-01-01"),
        ("~", None),
        ("true", True),
        ("'true'", "true"),
        ("+7 916", "+7 916"),
        ("-100123", -100123),
        ('"\\ud83d\\ude00"', "😀"),
    ],
)
def test_scalars_follow_yaml_1_2(written: str, value: object) -> None:
    found = document(f"a: {written}\n").data["a"]
    assert found == value
    assert type(found) is type(value)


def test_merged_sections_keep_their_places_and_give_way() -> None:
    found = document("base: &b {x: 1, y: 2}\nmine:\n  <<: *b\n  y: 3\n")
    assert found.data["mine"] == {"y": 3, "x": 1}
    assert found.at(("mine", "x")) == (1, 14)
    assert found.at(("mine", "y")) == (4, 6)


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x85\x7f"), max_size=8)
LEAVES = st.integers() | st.booleans() | TEXTS
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abж", max_size=3), inner, max_size=4)
)


@settings(max_examples=60)
@given(TREES)
def test_what_json_writes_is_read_back_and_every_value_has_a_place(tree: object) -> None:
    import json

    text = json.dumps(tree, indent=1)
    found, problems = parse(text.encode(), "x")
    assert problems == []
    assert found.data == tree
    lines = text.splitlines()
    for path, scalar in found.scalars.items():
        line, column = found.at(path)
        first = lines[line - 1][column - 1]
        assert (first == '"') == scalar.quoted

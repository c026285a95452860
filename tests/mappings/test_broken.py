"""Mappings with a mistake in them (broken/*.yaml): each must be answered in exactly the words of the .txt beside it."""

from pathlib import Path

import pytest

from mappings.load import SYNC, mapping_names, parse_mapping
from mappings.problems import MappingError
from mappings.records import parse_record_mapping
from mappings.schema import ENTRY_PARTS, PARTS, SECTIONS
from mappings.transforms import TRANSFORMS
from mappings.views import NAMES

FOLDER = Path(__file__).with_name("broken")
FILES = sorted(FOLDER.rglob("*.yaml"))
KNOWN = {
    "<parts of a lead>": ", ".join(NAMES["lead"]),
    "<names>": ", ".join(NAMES),
    "<parts of a deal>": ", ".join(PARTS["deal"]),
    "<parts of a value>": ", ".join(ENTRY_PARTS),
    "<sections>": ", ".join(SECTIONS),
    "<transforms>": ", ".join(TRANSFORMS),
    "<mappings of enquiries>": ", ".join(mapping_names()),
    "<mappings of records>": ", ".join(mapping_names(under=SYNC)),
}
"""Long lists that grow; the words around them are exact."""


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_each_mistake_is_told_in_these_words(file: Path) -> None:
    expected = file.with_suffix(".txt").read_text(encoding="utf-8").rstrip("\n")
    for stands_for, words in KNOWN.items():
        expected = expected.replace(stands_for, words)
    parse = parse_record_mapping if file.parent.name == "sync" else parse_mapping
    with pytest.raises(MappingError) as caught:
        parse(file.read_bytes(), "m.yaml")
    assert str(caught.value) == expected


def test_there_are_as_many_as_promised_and_none_twice() -> None:
    assert len({file.read_bytes() for file in FILES}) == len(FILES) >= 60

"""`leadhub schema`: what it writes takes every example that we show, and refuses what it can see is wrong."""

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from cli.schema import FILES, schemas
from mappings.load import PRESETS
from tests.cli.inside import inside
from tests.cli.running import ROOT
from tests.jobs.config.test_messages import CASES
from tests.jobs.configs import VALID
from tests.test_docs import blocks

CONFIG, MAPPING, SYNC = FILES
BROKEN = ROOT / "tests" / "mappings" / "broken"
SEEN = re.compile(r"unknown part|is not allowed here|is true or false|is a section|is a dictionary|has no value")
SEEN_TOO = re.compile(r"unknown transform|is not a time span|is one value|is a whole number|needs a dictionary")
"""Kinds of mistakes that a schema can see; it cannot read expressions."""
SEEN_IN_CONFIG = re.compile(
    "unknown setting|unknown section|unknown type|must be true or false|must be a section|must be a list"
)


def load(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


@lru_cache(1)
def validators() -> dict[str, Draft202012Validator]:
    """By the file's name. Not made by every process that collects tests."""
    return {name: Draft202012Validator(schema) for name, schema in schemas().items()}


def mistakes(schema: str, value: Any) -> list[str]:
    return mistakes_by(validators()[schema], value)


def mistakes_by(validator: Draft202012Validator, value: Any) -> list[str]:
    return [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(value)]


@pytest.mark.parametrize("name", FILES)
def test_a_schema_is_a_schema(name: str) -> None:
    Draft202012Validator.check_schema(validators()[name].schema)


def test_every_configuration_shown_is_taken() -> None:
    texts = [VALID, *((ROOT / name).read_text(encoding="utf-8") for name in ("config.yaml", "cli/starter/config.yaml"))]
    for text in [*texts, *(block.text for block in blocks("yaml config"))]:
        assert mistakes(CONFIG, load(text)) == []


def test_every_mapping_shown_or_shipped_is_taken() -> None:
    files = [*PRESETS.glob("*.yaml"), *PRESETS.glob("texts/*.yaml"), *(ROOT / "cli/starter/mappings").glob("*.yaml")]
    texts = [file.read_text(encoding="utf-8") for file in files] + [block.text for block in blocks("yaml mapping")]
    assert len(texts) >= 7
    for text in texts:
        assert mistakes(MAPPING, load(text)) == []


def test_every_mapping_of_records_shown_or_shipped_is_taken() -> None:
    texts = [file.read_text(encoding="utf-8") for file in PRESETS.glob("sync/*.yaml")]
    texts += [block.text for block in blocks("yaml sync-mapping")]
    assert len(texts) >= 13
    for text in texts:
        assert mistakes(SYNC, load(text)) == []


def visible() -> Iterator[tuple[Path, str]]:
    for file in sorted(BROKEN.rglob("*.yaml")):
        told = file.with_suffix(".txt").read_text(encoding="utf-8")
        if SEEN.search(told) or SEEN_TOO.search(told):
            yield file, SYNC if file.parent.name == "sync" else MAPPING


@pytest.mark.parametrize(("file", "schema"), list(visible()), ids=lambda one: getattr(one, "stem", ""))
def test_a_mistake_in_a_mapping_is_seen_by_the_editor(file: Path, schema: str) -> None:
    assert mistakes(schema, load(file.read_text(encoding="utf-8"))) != []


VISIBLE = [
    case
    for case in CASES
    # What `assign` may hold has short forms: its mistakes are left to `leadhub check`.
    if SEEN_IN_CONFIG.search(case[2]) and "mappings/" not in case[2] and ".assign" not in case[2]
]


@pytest.mark.parametrize("text", [case[1] for case in VISIBLE], ids=[case[0] for case in VISIBLE])
def test_a_mistake_in_the_configuration_is_seen_by_the_editor(text: str) -> None:
    assert mistakes(CONFIG, load(text)) != []


def test_enough_mistakes_are_seen() -> None:
    assert len(VISIBLE) >= 15
    assert len(list(visible())) >= 30


def test_the_command_writes_all_three(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("hub: {}\n")
    from cli.frame import run
    from cli.main import build

    assert run(lambda: build()(["schema", str(tmp_path / "s")], prog_name="leadhub")) == 0
    for name in FILES:
        assert json.loads((tmp_path / "s" / name).read_text(encoding="utf-8"))["properties"]


def test_what_init_writes_names_its_schema_and_brings_it(tmp_path: Path) -> None:
    inside_folder = tmp_path / "hub"
    from cli.init import write_starter

    write_starter(inside_folder)
    for file in ("config.yaml", "mappings/amocrm-leads.yaml"):
        text = (inside_folder / file).read_text(encoding="utf-8")
        found = re.match(r"# yaml-language-server: \$schema=(\S+)\n", text)
        assert found is not None
        schema = json.loads(((inside_folder / file).parent / found[1]).read_text(encoding="utf-8"))
        assert mistakes_by(Draft202012Validator(schema), load(text)) == []
    assert inside("mapping", "test", folder=inside_folder).status == 0

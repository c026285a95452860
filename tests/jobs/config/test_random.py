"""Whatever a configuration looks like: it loads, or it is refused with ConfigError, and no secret is told."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from jobs.config.loading import ConfigError, load
from tests.jobs.configs import ENV, SECRET, VALID, write

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 100_000),
    st.floats(allow_nan=True),
    st.text(max_size=12),
    st.sampled_from(["", "*", "30s", "site", "sales", "webform", "amocrm", "ru", "a: b"]),
    st.sampled_from(["${AMO_TOKEN}", "${NOPE}", "${"]),
)
WORDS = """hub connections sources routes syncs alerts sandbox type from to when assign repeat mapping name channels
    listen secret_key access_token fallback after users strategy left right object oauth rate key << нет [0]"""
KEYS = st.sampled_from([*WORDS.split(), "a b"]) | st.text(max_size=6)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)
RELAXED = settings(max_examples=60)


def outcome(text: str | bytes) -> str:
    """Everything that a person could see of loading `text`: the messages, or how the settings show themselves."""
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), text)
        try:
            loaded = load(path, ENV)
        except ConfigError as error:
            refused = error
        else:
            return f"{loaded!r}{[problem.render() for problem in loaded.warnings]}"
    assert refused.problems
    assert all(problem.message for problem in refused.problems)
    return f"{refused}{refused.problems!r}"


def places(tree: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    children = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, child in children:
        yield from places(child, (*path, key))


def parent_of(tree: Any, path: tuple[str | int, ...]) -> Any:
    for part in path[:-1]:
        tree = tree[part]
    return tree


def valid_tree(*, literal: bool = False) -> Any:
    """VALID as a tree; with `literal` the secrets stand in the file itself."""
    text = VALID
    if literal:
        for name, value in ENV.items():
            text = text.replace(f"${{{name}}}", value)
    return YAML(typ="safe", pure=True).load(text)


@RELAXED
@given(TREES)
def test_any_tree_loads_or_is_refused(tree: Any) -> None:
    assert SECRET not in outcome(json.dumps(tree))


@RELAXED
@given(st.data(), TREES)
def test_any_part_may_be_replaced_by_anything(data: st.DataObject, tree: Any) -> None:
    config = valid_tree()
    path = data.draw(st.sampled_from([place for place in places(config) if place]))
    parent_of(config, path)[path[-1]] = tree
    shown = outcome(json.dumps(config, ensure_ascii=False))
    # Who names a route after the variable with the token shows it himself.
    assert SECRET not in shown or shown.startswith("Settings(")


@RELAXED
@given(st.data(), st.sampled_from(["delete", "rename", "double", "wrap", "into list"]))
def test_any_part_may_be_lost_or_misspelt_even_with_secrets_in_the_file(data: st.DataObject, how: str) -> None:
    config = valid_tree(literal=True)
    path = data.draw(st.sampled_from([place for place in places(config) if place]))
    parent, key = parent_of(config, path), path[-1]
    value = parent.pop(key)
    if how == "rename" and isinstance(key, str):
        cut = data.draw(st.integers(0, len(key) - 1))
        parent[key[:cut] + key[cut + 1 :]] = value
    elif how == "double" and isinstance(parent, dict):
        parent[key] = parent[f"{key}2"] = value
    elif how == "wrap" and isinstance(parent, dict):
        parent[key] = {"value": value}
    elif how == "into list" and isinstance(parent, dict):
        parent[key] = [value]
    assert SECRET not in outcome(json.dumps(config))


@RELAXED
@given(st.data())
def test_any_slip_of_the_keyboard_is_refused_or_loads(data: st.DataObject) -> None:
    text = VALID
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        length = data.draw(st.integers(0, 8))
        piece = data.draw(st.text(st.sampled_from("\t\n :-{}[]\"'#&*!|>%@`,?$abc\\ж\x00"), max_size=3))
        text = text[:at] + piece + text[at + length :]
    assert SECRET not in outcome(text)


@RELAXED
@given(st.data())
def test_any_order_of_lines_is_refused_or_loads(data: st.DataObject) -> None:
    lines = VALID.splitlines()
    kept = data.draw(st.lists(st.sampled_from(lines), max_size=len(lines)))
    assert SECRET not in outcome("\n".join(kept))


@RELAXED
@given(st.binary(max_size=200))
@example(b"\xff\xfe")
@example(b"\x00")
@example(b"a: " + b"[" * 1500)
@example(b"{" * 1500)
@example(b"a: &a [" + b"*a," * 10 + b"]")
@example(
    b"0: &a [x,x,x,x,x,x,x,x,x]\n"
    + b"".join(b"%d: &%c [%s]\n" % (n, 97 + n, b",".join([b"*%c" % (96 + n)] * 9)) for n in range(1, 9))
)
@example(b"hub: {max_body: 99999999999999999999999999999999999999999}")
@example(b"hub: {late_after: " + b"9" * 5000 + b"d}")
@example(b"hub: {late_after: 1" + b"0" * 400 + b"}")
@example(b"hub: {late_after: .inf, max_age: .nan}")
@example(b"? !!binary x\n: 1")
@example(b"<<: {<<: {hub: {}}}")
@example(b"<<: [1, {hub: {}}]")
@example(b"hub: !!python/object:os.system {}")
@example(b"hub: {timezone: ../../etc/passwd}")
@example(b"hub: {timezone: '\\0'}")
def test_any_bytes_are_refused_or_load(raw: bytes) -> None:
    outcome(raw)


@RELAXED
@given(st.binary(max_size=80))
def test_any_dotenv_is_refused_or_loads(raw: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), "hub: {}\n")
        (path.parent / ".env").write_bytes(raw)
        problems = []
        try:
            load(path, {})
        except ConfigError as error:
            problems = error.problems
        assert all(problem.file.endswith(".env") for problem in problems)


@RELAXED
@given(st.text(max_size=40), st.text(max_size=40))
def test_a_variable_never_breaks_the_yaml_around_it(before: str, value: str) -> None:
    assume("$" not in before and "\x00" not in value and value)
    text = json.dumps({"sources": {"a": {"type": "webform", "title": before + "${V}"}}})
    with tempfile.TemporaryDirectory() as folder:
        loaded = load(write(Path(folder), text), {"V": value})
        assert loaded.sources["a"].settings.model_dump()["title"] == before + value

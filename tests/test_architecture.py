"""The tree keeps its shape: imports run downward, time and chance come from one place, modules hold one idea."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from connectors.registry import CONNECTORS

ROOT = Path(__file__).parent.parent

MAY_IMPORT = {
    "cli": {"web", "jobs", "connectors", "store", "mappings", "leads"},
    "web": {"jobs", "connectors", "store", "mappings", "leads"},
    "jobs": {"connectors", "store", "mappings", "leads"},
    "connectors": {"mappings", "leads"},
    "store": {"leads"},
    "mappings": {"leads"},
    "leads": set[str](),
}
"""Package -> which of our packages it may import, beside itself."""

CLOCK = "leads/clock.py"
CHANCE = {
    "store/users.py": "tokens and password hashes want the machine's secret chance",
    "jobs/secret.py": "makes the hub's key",
    "jobs/signing_in.py": "an OAuth state must not be guessed",
    "web/session.py": "a session id must not be guessed",
}
"""Files that may draw from `secrets`, with the reason. Nobody may draw from `random`."""

NAMES_A_VENDOR = {"cli/demo.py": "chooses which of the sandbox CRMs to break"}

LONGEST = 400

CHECKLIST = (
    "auth refused",
    "rate limit",
    "unknown outcome",
    "paging",
    "duplicate find",
    "webhook signature",
    "deleted record",
    "unknown responsible user",
)


def modules() -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for name in MAY_IMPORT for path in (ROOT / name).rglob("*.py"))


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules ask of a module; its tree is let go, all of them together weigh 160 MB."""

    upward: list[str]
    clock_calls: list[str]
    draws: bool
    compared_vendors: list[str]
    undocumented: bool


@cache
def facts() -> dict[str, Facts]:
    return {module: _facts(module) for module in modules()}


def _facts(module: str) -> Facts:
    tree = ast.parse((ROOT / module).read_text(encoding="utf-8"), module)
    drawn = {"secrets", "random"} & set(imported(tree, module))
    return Facts(
        upward=upward(tree, module),
        clock_calls=clock_calls(tree),
        draws=bool(drawn) and not _only_typed(tree),
        compared_vendors=compared_vendors(tree),
        undocumented=bool(tree.body) and not ast.get_docstring(tree),
    )


def wrong(
    rule: Callable[[Facts], object], *, but_not: Callable[[str], bool] = lambda module: False
) -> dict[str, object]:
    """Module -> what the rule found there, for modules where it found anything."""
    return {module: found for module, one in facts().items() if not but_not(module) and (found := rule(one))}


def imported(tree: ast.Module, module: str) -> Iterator[str]:
    """Full dotted names of everything imported anywhere in the file."""
    package = Path(module).parent.parts
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            inside = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            yield ".".join(part for part in (inside, node.module) if part)


def upward(tree: ast.Module, module: str) -> list[str]:
    own = module.split("/")[0]
    tops = {name.split(".")[0] for name in imported(tree, module)}
    return sorted(tops & {*MAY_IMPORT, "tests"} - MAY_IMPORT[own] - {own})


def clock_calls(tree: ast.Module) -> list[str]:
    """What asks the machine for time, chance or sleep. `asyncio.sleep(0)` only lets others run."""
    asked = {
        ("asyncio", "sleep"),
        ("time", "time"),
        ("time", "sleep"),
        ("time", "monotonic"),
        ("time", "perf_counter"),
        ("datetime", "now"),
        ("datetime", "utcnow"),
        ("datetime", "today"),
        ("date", "today"),
        ("uuid", "uuid4"),
    }
    found = []
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        owner = node.func.value
        name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
        gives_way = bool(node.args) and isinstance(node.args[0], ast.Constant) and node.args[0].value == 0
        if ((name, node.func.attr) in asked and not gives_way) or (name == "random" and node.func.attr != "Random"):
            found.append(f"line {node.lineno}: {name}.{node.func.attr}")
    return found


def compared_vendors(tree: ast.Module) -> list[str]:
    names = set(CONNECTORS)
    found = []
    for node in ast.walk(tree):
        values: list[ast.expr] = []
        if isinstance(node, ast.Compare):
            values = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            values = [node.value]
        found += [f"line {v.lineno}: {v.value}" for v in values if isinstance(v, ast.Constant) and v.value in names]
    return found


def test_imports_run_downward_and_never_to_the_tests() -> None:
    assert wrong(lambda one: one.upward) == {}


@pytest.mark.parametrize(
    ("module", "source", "found"),
    [
        ("leads/x.py", "from store.db import Database", ["store"]),
        ("store/x.py", "def f():\n    import connectors.http", ["connectors"]),
        ("connectors/x.py", "import store, leads", ["store"]),
        ("jobs/x.py", "from tests.support import leads", ["tests"]),
        ("web/x.py", "from cli import frame\nfrom jobs.app import Hub", ["cli"]),
        ("connectors/amocrm/x.py", "from ..base import Target", []),
    ],
)
def test_an_upward_import_is_found_wherever_it_hides(module: str, source: str, found: list[str]) -> None:
    assert upward(ast.parse(source), module) == found


def test_time_and_chance_come_from_the_clock_that_is_passed_in() -> None:
    """The command line is the outermost shell: it may ask what day it is."""

    def outermost(module: str) -> bool:
        return module == CLOCK or module.startswith("cli/")

    assert wrong(lambda one: one.clock_calls, but_not=outermost) == {}
    assert wrong(lambda one: one.draws, but_not=lambda module: outermost(module) or module in CHANCE) == {}


def _only_typed(tree: ast.Module) -> bool:
    """`random` is used for `random.Random` alone, which whoever passes it in has seeded."""
    uses = [n for n in ast.walk(tree) if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)]
    return {n.attr for n in uses if n.value.id in ("random", "secrets")} <= {"Random"}  # type: ignore[attr-defined]  # a Name, as filtered


def test_a_call_of_the_machines_clock_is_found() -> None:
    source = "import asyncio, time, random\nasyncio.sleep(0)\nasyncio.sleep(1)\ntime.time()\nrandom.random()\n"
    assert clock_calls(ast.parse(source)) == ["line 3: asyncio.sleep", "line 4: time.time", "line 5: random.random"]


def test_generic_code_asks_what_a_vendor_can_do_and_not_which_it_is() -> None:
    found = wrong(
        lambda one: one.compared_vendors,
        but_not=lambda module: module.startswith("connectors/") or module in NAMES_A_VENDOR,
    )
    assert found == {}


def test_a_comparison_with_a_vendors_name_is_found() -> None:
    source = 'if connection.type == "amocrm":\n    pass\nmatch name:\n    case "hubspot":\n        pass\n'
    assert compared_vendors(ast.parse(source)) == ["line 1: amocrm", "line 4: hubspot"]


def test_a_module_says_in_its_first_line_what_it_is_for() -> None:
    assert wrong(lambda one: one.undocumented) == {}


def test_modules_stay_short_enough_to_hold_one_idea() -> None:
    lengths = {module: len((ROOT / module).read_text(encoding="utf-8").splitlines()) for module in modules()}
    assert {module: length for module, length in lengths.items() if length > LONGEST} == {}


@pytest.mark.parametrize("name", sorted(CONNECTORS))
def test_a_connector_keeps_notes_with_every_point_of_the_checklist(name: str) -> None:
    notes = (ROOT / "connectors" / name / "NOTES.md").read_text(encoding="utf-8").lower()
    missing = [point for point in CHECKLIST if point not in notes.partition("checklist")[2]]
    assert missing == []


def test_every_folder_of_tests_is_a_package() -> None:
    """With only some of them, `tests/connectors` would shadow `connectors`."""
    folders = {path.parent for path in (ROOT / "tests").rglob("*.py")}
    assert sorted(str(folder) for folder in folders if not (folder / "__init__.py").exists()) == []


def test_shipped_yaml_is_not_ignored_and_so_gets_into_the_wheel() -> None:
    lines = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.strip().endswith((".yaml", ".yml"))] == []
    assert list((ROOT / "mappings" / "presets").glob("*.yaml"))

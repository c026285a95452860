"""What README and docs say is true: commands exist, configurations load, links lead somewhere, the curl line works."""

import ast
import json
import re
import shlex
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from ruamel.yaml import YAML
from typer.core import TyperGroup

from cli.main import build
from jobs.config.loading import load
from jobs.mapping_trials import run_tests
from mappings.load import parse_mapping
from mappings.records import parse_record_mapping
from tests.support import door_pages, door_table
from tests.support.settings_tables import DOC, rewritten

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "connectors").glob("*/NOTES.md")], key=str)
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
MODULE = re.compile(r"`((?:cli|web|jobs|connectors|store|mappings|leads)/[\w/]+\.py)`")
LONGEST_DECISION = 45

BASE = """
connections:
  sales: {type: amocrm, base_url: "https://mycompany.amocrm.ru", access_token: token}
  b24: {type: bitrix24, webhook_url: "https://mycompany.bitrix24.ru/rest/1/abcdef/"}
sources:
  site: {type: webform}
  partners: {type: webform}
routes:
  - {from: ["*"], to: [sales]}
alerts:
  channels:
    ops: {type: telegram, bot_token: "1:abc", chat_id: -100}
"""
"""What an example that shows only one section is laid over."""

VALUES = {
    "B24_WEBHOOK": "https://mycompany.bitrix24.ru/rest/7/abcdefgh12345678/",
    "HEARTBEAT_URL": "https://heartbeat.example.com/1",
    "TG_TOKEN": "1:abcdef",
}


@dataclass(frozen=True)
class Block:
    """`kind` is what stands after the backticks."""

    page: str
    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(*kinds: str) -> list[Block]:
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        shown = [match for match in FENCE.finditer(text) if match[1] in kinds]
        found += [Block(name_of(page), text.count("\n", 0, one.start()) + 1, one[1], one[2]) for one in shown]
    return found


def commands(block: Block) -> list[str]:
    """Lines that a person types: all of a `sh` block, those after `$` of a recording."""
    lines = block.text.replace("\\\n", " ").splitlines()
    if block.kind == "console":
        lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return [line for line in lines if line.strip()]


# --- commands ----------------------------------------------------------------------------------


@pytest.mark.parametrize("block", blocks("sh", "console"), ids=str)
def test_what_is_to_be_typed_is_a_shells_language(block: Block) -> None:
    script = "\n".join(commands(block))
    done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("block", blocks("sh", "console"), ids=str)
def test_every_leadhub_command_and_option_exists(block: Block) -> None:
    for line in commands(block):
        for call in calls_of("leadhub", line):
            understood(call)


@pytest.mark.parametrize("page", [page for page in PAGES if "connectors" not in page.parts], ids=name_of)
def test_commands_named_in_the_text_exist(page: Path) -> None:
    for found in re.finditer(r"`leadhub ((?:[a-z]+ ?)+)", FENCE.sub("", page.read_text(encoding="utf-8"))):
        command: Any = typer.main.get_command(build())
        for word in found[1].split():
            if isinstance(command, TyperGroup):
                assert word in command.commands, f"leadhub {found[1]}"
                command = command.commands[word]


@pytest.mark.parametrize("block", blocks("sh", "console"), ids=str)
def test_every_make_target_exists(block: Block) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for line in commands(block):
        for call in calls_of("make", line):
            assert {word for word in call if "=" not in word} <= targets, line


def calls_of(program: str, line: str) -> list[list[str]]:
    """Arguments of each call of the program in a line of shell."""
    lexer = shlex.shlex(re.sub(r"\$\([^)]*\)", "2026-11-24", line), posix=True, punctuation_chars="&|;<>")
    lexer.whitespace_split = True
    found: list[list[str]] = []
    current: list[str] | None = None
    at_command = True
    for word in lexer:
        if set(word) <= set("&|;"):
            current, at_command = None, True
        elif set(word) <= set("<>"):
            current = None
        elif at_command:
            at_command = False
            if word == program or word.endswith(f"/bin/{program}"):
                current = []
                found.append(current)
        elif current is not None:
            current.append(word)
    return found


def understood(words: list[str]) -> None:
    """Parsed as the program would, and not run. Raises what typer raises for bad usage."""
    command: Any = typer.main.get_command(build())
    context = command.make_context("leadhub", list(words))
    while isinstance(command, TyperGroup):
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(name, list(rest), parent=context)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("leads lost", "No such command"),
        ("status --dya 2026-11-24", "No such option"),
        ("leads show", "Missing"),
        ("audit --days 0", "greater than or equal to 1"),
    ],
)
def test_a_command_that_does_not_exist_is_noticed(words: str, said: str) -> None:
    with pytest.raises(Exception, match=said):
        understood(words.split())


# --- configurations and mappings ---------------------------------------------------------------


@pytest.mark.parametrize("block", blocks("yaml config"), ids=str)
def test_every_configuration_shown_is_right(block: Block, tmp_path: Path) -> None:
    yaml = YAML(typ="safe")
    base, shown = yaml.load(BASE), yaml.load(block.text)
    for section, settings in shown.items():
        laid_over = isinstance(settings, dict) and section not in ("hub", "alerts") and "routes" not in shown
        base[section] = {**base.get(section, {}), **settings} if laid_over else settings
    file = tmp_path / "config.yaml"
    with file.open("w", encoding="utf-8") as out:
        yaml.dump(base, out)
    names = re.findall(r"\$\{(\w+)", block.text)
    settings = load(file, {name: VALUES.get(name, "a-secret-that-is-long-enough") for name in names})
    assert settings.routes


@pytest.mark.parametrize("block", blocks("yaml mapping"), ids=str)
def test_every_mapping_shown_is_right(block: Block) -> None:
    parse_mapping(block.text.encode(), block.page, name="amocrm-leads")


@pytest.mark.parametrize("block", blocks("yaml sync-mapping"), ids=str)
def test_every_mapping_of_records_shown_is_right(block: Block) -> None:
    assert parse_record_mapping(block.text.encode(), block.page, name="amocrm-hubspot-contact").pairs


@pytest.mark.parametrize("block", blocks("yaml example"), ids=str)
def test_every_example_shown_comes_out_as_it_says(block: Block, tmp_path: Path) -> None:
    (tmp_path / "mappings" / "tests").mkdir(parents=True)
    (tmp_path / "config.yaml").write_text("hub: {locale: ru, default_region: RU}\n", encoding="utf-8")
    mapping = next(one.text for one in blocks("yaml mapping") if "dictionaries" in one.text)
    (tmp_path / "mappings" / "amocrm-leads.yaml").write_text(mapping.replace(", required: true", ""), encoding="utf-8")
    (tmp_path / "mappings" / "tests" / "shown.yaml").write_text(block.text, encoding="utf-8")
    outcome = run_tests(load(tmp_path / "config.yaml", {}), datetime(2026, 11, 24, tzinfo=UTC))
    assert outcome.tests
    assert outcome.differences == ()


def test_every_yaml_block_is_checked() -> None:
    assert blocks("yaml", "yml") == []


def test_the_tables_of_settings_are_as_the_models_say() -> None:
    """`python -m tests.support.settings_tables` writes them anew."""
    assert rewritten(DOC.read_text(encoding="utf-8")) == DOC.read_text(encoding="utf-8")


def test_every_kind_of_settings_has_its_table() -> None:
    from connectors.registry import CHANNELS, CONNECTORS

    shown = DOC.read_text(encoding="utf-8")
    models: list[Any] = [one.settings for one in CONNECTORS.values()] + list(CHANNELS.values())
    assert [model.__name__ for model in models if f".{model.__name__}" not in shown] == []


def test_the_page_of_doors_is_as_they_declare() -> None:
    """`python -m tests.support.door_pages` writes it anew."""
    assert door_pages.page() == door_pages.DOC.read_text(encoding="utf-8")


@pytest.mark.parametrize("locale", door_table.READMES)
def test_the_table_of_doors_is_as_they_declare(locale: str) -> None:
    """`python -m tests.support.door_table` writes it anew."""
    readme = door_table.READMES[locale].read_text(encoding="utf-8")
    assert door_table.rewritten(readme, locale) == readme


def test_every_dependency_says_what_it_is_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.split(r"[\[><=;]", one)[0] for one in project["dependencies"]}
    told = (ROOT / "docs/decisions/0002-dependencies.md").read_text(encoding="utf-8")
    assert {name for name in names if f"`{name}`" not in told} == set()


# --- links and claims --------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_to_something(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    targets = [link.partition("#")[0] for link in LINK.findall(text) if "://" not in link]
    assert [target for target in targets if target and not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_tests_that_are_named_exist(page: Path) -> None:
    missing = []
    for file, test in TEST.findall(page.read_text(encoding="utf-8")):
        if not (ROOT / file).exists():
            missing.append(file)
        elif test and test not in functions_of(ROOT / file):
            missing.append(f"{file}::{test}")
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_modules_that_are_named_exist(page: Path) -> None:
    named = MODULE.findall(page.read_text(encoding="utf-8"))
    assert [module for module in named if not (ROOT / module).exists()] == []


@cache
def functions_of(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_decisions_are_numbered_short_and_whole() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [page.name[:4] for page in pages] == [f"{number:04}" for number in range(1, len(pages) + 1)]
    for number, page in enumerate(pages, 1):
        text = page.read_text(encoding="utf-8")
        assert text.startswith(f"# {number}. "), page.name
        assert len(text.splitlines()) <= LONGEST_DECISION, f"{page.name} is longer than half a page"
        assert all(f"**{part}.**" in text for part in ("Context", "Decision", "Rejected")), page.name


def test_both_readmes_say_the_same() -> None:
    english, russian = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.ru.md"))

    def shape(text: str) -> dict[str, Any]:
        prose = FENCE.sub("", text)
        typed = [re.sub(r" *#.*", "", code) for kind, code in FENCE.findall(text)]
        return {
            "headings": [line.split(" ")[0] for line in prose.splitlines() if line.startswith("#")],
            "code": typed,
            "links": sorted(link for link in LINK.findall(prose) if not link.startswith("README")),
            "commands": re.findall(r"^\| `([^|]*)", prose, re.MULTILINE),
            "items": len(re.findall(r"^(?:\d+\.|-) ", prose, re.MULTILINE)),
        }

    assert shape(english) == shape(russian)


# --- the first five minutes --------------------------------------------------------------------


def test_the_curl_line_of_the_readme_brings_a_lead_into_the_sandbox_crm(tmp_path: Path) -> None:
    line = next(
        line for block in blocks("console") if block.page == "README.md" for line in commands(block) if "/in/" in line
    )
    hub, sandbox = free_port(), free_port()
    config = (ROOT / "config.yaml").read_text(encoding="utf-8")
    file = tmp_path / "config.yaml"
    file.write_text(config.replace(":8080", f":{hub}").replace(":8090", f":{sandbox}"), encoding="utf-8")
    with serving(file) as greeting:
        assert line in greeting.replace(f":{hub}", ":8080"), "what `make run` prints is what the README shows"
        call = ["curl", "--silent", "--show-error", *shlex.split(line.replace(":8080", f":{hub}"))[1:]]
        answer = json.loads(subprocess.run(call, check=True, capture_output=True, timeout=120).stdout)
        assert answer["status"] == "accepted"
        again = json.loads(subprocess.run(call, check=True, capture_output=True, timeout=120).stdout)
        assert again == {"lead_id": answer["lead_id"], "status": "duplicate"}
        assert arrived(sandbox) == 1


def arrived(port: int) -> int:
    """Deals in the sandbox amoCRM, once there is one."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_sandbox/state", timeout=5) as answer:
            state = json.load(answer)
        amocrm = next(vendor for vendor in state["vendors"] if vendor["name"] == "amocrm")
        if total := int(amocrm["tables"][0]["total"]):
            return total
        time.sleep(0.05)
    return 0


@contextmanager
def serving(config: Path) -> Iterator[str]:
    """A hub as `make run` starts it; yields what it says first, ends it with SIGTERM."""
    command = [sys.executable, "-m", "cli.main", "serve", "--config", str(config)]
    log = config.with_suffix(".log")
    with log.open("w") as errors:
        hub = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True)
    assert hub.stdout is not None
    try:
        said = ""
        for line in hub.stdout:
            said += line
            if "Ctrl-C" in line:
                break
        assert "Ctrl-C" in said, log.read_text()
        yield said
        hub.terminate()
        assert hub.wait(15) == 0
    finally:
        hub.kill()
        hub.wait()
        hub.stdout.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])

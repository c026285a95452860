"""A table of broken configurations (broken_configs.txt): each must be answered in exactly these words."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.registry import CHANNELS, CONNECTORS, SOURCES
from jobs.config.loading import ConfigError, load
from mappings.load import SYNC, mapping_names
from tests.jobs.configs import write

TABLE = Path(__file__).with_name("broken_configs.txt")
SECRET = "Zq7secret"
ENVIRON = {"SITE_KEY": SECRET, "EMPTY": ""}
MAPPING = 'deal:\n  titel: x\n  title: "{{ led.name }}"\n'


def cases() -> Iterator[tuple[str, str, str]]:
    """(name, text of the file, expected messages) of each case in the table."""
    for part in TABLE.read_text(encoding="utf-8").split("\n=== ")[1:]:
        name, _, rest = part.partition("\n")
        text, _, messages = rest.partition(">>>\n")
        yield name, text, messages.strip("\n")


CASES = list(cases())


def refused(text: str | bytes) -> str:
    """What is said about `text`; in the current folder, so that file names are short."""
    write(Path(), text, broken=MAPPING)
    with pytest.raises(ConfigError) as caught:
        load(Path("config.yaml"), ENVIRON)
    return str(caught.value)


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("text", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_each_mistake_is_told_in_these_words(text: str, expected: str) -> None:
    known = {
        "<crms>": CONNECTORS,
        "<doors>": SOURCES,
        "<channels>": CHANNELS,
        "<mappings>": sorted({*mapping_names(), "own", "broken"}),
        "<record mappings>": mapping_names(under=SYNC),
    }
    for stands_for, names in known.items():
        expected = expected.replace(stands_for, ", ".join(names))
    said = refused(text)
    assert said == expected
    assert SECRET not in said


def test_the_table_is_as_long_as_promised() -> None:
    assert len({text for _, text, _ in CASES}) >= 60


def test_a_file_in_windows_1251_is_named_as_such() -> None:
    assert refused("hub:\n  # привет\n  locale: ru\n".encode("cp1251")) == (
        "config.yaml:2:5  the text is not UTF-8\n"
        "    it looks like windows-1251: save it as UTF-8, for example: iconv -f windows-1251 -t utf-8 config.yaml\n"
        "1 problem; nothing was started."
    )


def test_a_file_in_utf_16_is_named_as_such() -> None:
    assert refused("hub: {}\n".encode("utf-16")) == (
        "config.yaml:1:1  the text is not UTF-8\n    it looks like UTF-16: save it as UTF-8\n"
        "1 problem; nothing was started."
    )


def test_a_control_character_is_named_with_its_place() -> None:
    assert refused("hub:\n  locale: r\x07u\n") == (
        "config.yaml:2:12  the character U+0007 is not allowed in YAML\n1 problem; nothing was started."
    )


def test_a_file_that_is_not_there_says_how_to_get_one() -> None:
    with pytest.raises(ConfigError) as caught:
        load(Path("nowhere/config.yaml"), {})
    assert str(caught.value) == (
        "nowhere/config.yaml  no such file\n"
        "    `leadhub init` writes one; another is named with --config or LEADHUB_CONFIG\n"
        "1 problem; nothing was started."
    )


def test_a_folder_in_place_of_the_file_names_the_file() -> None:
    with pytest.raises(ConfigError) as caught:
        load(Path(), {})
    assert str(caught.value).startswith(".  is a folder\n    name the file in it: config.yaml\n")


def test_a_file_name_that_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        load(Path("a\0b"), {})
    assert "cannot be read" in str(caught.value)


def test_a_dotenv_line_that_cannot_be_read_is_named_with_its_file_and_line() -> None:
    Path(".env").write_text("A=1\n'B\nC=2\n")
    assert (
        refused("hub: {}\n")
        == ".env:2:1  this line cannot be read\n    write NAME=value\n1 problem; nothing was started."
    )


def test_a_dotenv_in_windows_1251_is_refused() -> None:
    Path(".env").write_bytes("A=привет\n".encode("cp1251"))
    assert refused("hub: {}\n").startswith(".env  the text is not UTF-8\n")


def test_a_preset_that_is_overridden_by_a_broken_file_stops_the_start() -> None:
    Path("mappings").mkdir()
    Path("mappings/hubspot-leads.yaml").write_text("deel: {}\n")
    text = "connections: {hs: {type: hubspot, access_token: a}}\nsources: {s: {type: webform}}\n"
    said = refused(text + "routes: [{from: s, to: hs}]\n")
    assert said.startswith('mappings/hubspot-leads.yaml:1:1  deel: unknown part "deel"\n')


def test_an_environment_variable_that_is_not_utf_8_is_named() -> None:
    write(Path(), "hub: {locale: '${L}'}\n")
    with pytest.raises(ConfigError) as caught:
        load(Path("config.yaml"), {"L": "ru\udcff"})
    assert "environment variable L is not UTF-8 text" in str(caught.value)

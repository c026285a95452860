"""Reading mapping files: every mistake at its place in words that say what would be right."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.engine import build
from mappings.load import load_mapping, mapping_names, parse_mapping
from mappings.problems import MappingError
from tests.mappings.samples import FACTS


def test_mapping_that_does_not_exist_is_told_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "ours.yaml").write_text("extends: amocrm-leads\n")
    with pytest.raises(MappingError) as caught:
        load_mapping("our", tmp_path)
    assert str(caught.value) == (
        "our  there is no such mapping\n"
        '    there are: amocrm-leads, bitrix24-leads, hubspot-leads, ours. Did you mean "ours"?'
    )
    assert mapping_names(tmp_path) == ["amocrm-leads", "bitrix24-leads", "hubspot-leads", "ours"]


def test_alias_bomb_is_refused() -> None:
    lines = ["a: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"k{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(MappingError, match="has more than 50000 values"):
        parse_mapping("\n".join(lines).encode(), "m.yaml")


def test_alias_to_itself_is_refused() -> None:
    with pytest.raises(MappingError, match="refers to itself"):
        parse_mapping(b"deal: &a {fields: *a}\n", "m.yaml")


def test_huge_file_is_refused() -> None:
    with pytest.raises(MappingError, match="is larger than 1000 kB"):
        parse_mapping(b"#" * 1_000_001, "m.yaml")


def test_empty_file_maps_nothing_but_is_a_mapping() -> None:
    drafted = build(parse_mapping(b"", "m.yaml"), FACTS)
    assert (drafted.note_text, drafted.task, drafted.company, drafted.problems) == ("", None, None, ())


def write(folder: Path, name: str, text: str) -> None:
    (folder / f"{name}.yaml").write_text(text, encoding="utf-8")


def test_own_file_lies_over_the_preset_of_the_same_name(tmp_path: Path) -> None:
    write(tmp_path, "amocrm-leads", "extends: amocrm-leads\ndeal:\n  title: Наша\n  stage: Новая\n")
    drafted = build(load_mapping("amocrm-leads", tmp_path, locale="ru"), FACTS)
    assert drafted.deal.text("title") == "Наша"
    assert drafted.deal.text("stage") == "Новая"
    assert drafted.deal.text("source") == "Сайт", "what the file does not name is the preset's"
    assert drafted.note_text.startswith("Заявка с сайта: «Расчёт окон»")
    assert drafted.deal.values["title"].place.file == f"{tmp_path.name}/amocrm-leads.yaml"


def test_field_is_overridden_by_its_name_alone(tmp_path: Path) -> None:
    text = """
extends: amocrm-leads
deal:
  fields:
    LEADHUB_LINK: null
    LEADHUB_FIRST_TOUCH: {optional: false}
    "Источник": "{{ lead.utm_source }}"
  utm: {utm_term: null}
  tags: [сайт]
task: false
company: false
note: null
"""
    write(tmp_path, "ours", text)
    drafted = build(load_mapping("ours", tmp_path, locale="ru"), FACTS)
    fields = {drawn.label: drawn for drawn in drafted.deal.fields}
    assert list(fields) == ["LEADHUB_FIRST_TOUCH", "LEADHUB_LAST_TOUCH", "Источник"]
    assert not fields["LEADHUB_FIRST_TOUCH"].optional
    assert fields["LEADHUB_FIRST_TOUCH"].value == "Google, органика"
    assert "utm_term" not in drafted.deal.utm
    assert drafted.deal.tags == ("сайт",)
    assert (drafted.task, drafted.company, drafted.note_text) == (None, None, "")


def test_files_may_extend_each_other_several_times(tmp_path: Path) -> None:
    write(tmp_path, "base", "extends: hubspot-leads\ndeal: {price: 5}\n")
    write(tmp_path, "shop", "extends: base\ndeal: {stage: new}\n")
    drafted = build(load_mapping("shop", tmp_path), FACTS)
    assert (drafted.deal.text("price"), drafted.deal.text("stage")) == ("5", "new")
    assert drafted.deal.text("source") == "Сайт"


def test_circle_of_extends_is_told(tmp_path: Path) -> None:
    write(tmp_path, "a", "extends: b\n")
    write(tmp_path, "b", "extends: a\n")
    with pytest.raises(MappingError) as caught:
        load_mapping("a", tmp_path)
    folder = tmp_path.name
    assert str(caught.value) == (
        f'{folder}/b.yaml:1:10  extends: "a" extends itself\n    the way: {folder}/a.yaml > {folder}/b.yaml'
    )


def test_problem_in_the_file_beneath_is_told_with_that_file(tmp_path: Path) -> None:
    write(tmp_path, "base", "deal: {titel: a}\n")
    write(tmp_path, "top", "extends: base\ndeal: {stag: b}\n")
    with pytest.raises(MappingError) as caught:
        load_mapping("top", tmp_path)
    places = [(Path(problem.file).name, problem.path) for problem in caught.value.problems]
    assert places == [("top.yaml", "deal.stag"), ("base.yaml", "deal.titel")]


def test_texts_come_in_the_language_of_the_hub() -> None:
    titles = {
        locale: build(load_mapping("hubspot-leads", locale=locale), FACTS).note_text.splitlines()[0]
        for locale in ("ru", "en")
    }
    assert titles == {
        "ru": "Заявка с сайта: «Расчёт окон», 24.11.2026 14:02",
        "en": "Enquiry from the site: “Расчёт окон”, 24 Nov 2026 14:02",
    }


PIECES = (
    *(
        "deal:",
        "contact:",
        "  title:",
        "  fields:",
        "    A:",
        "note:",
        "extends:",
        " amocrm-leads",
        " |",
        " x",
        " true",
    ),
    *(" '{{ lead.name }}'", "\n", "- a", "{", "}", " [", "]", ": ", "*a", "&a ", "!x ", "'", '"', "\t", " null", "5"),
)
YAMLISH = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)


@given(YAMLISH.map(str.encode) | st.binary(max_size=60))
def test_any_bytes_are_a_mapping_or_say_why_not(raw: bytes) -> None:
    try:
        mapping = parse_mapping(raw, "m.yaml")
    except MappingError as error:
        problems = error.problems
    else:
        build(mapping, FACTS)
        return
    assert problems
    for problem in problems:
        assert problem.message
        assert problem.line >= 0
        assert problem.column >= 0

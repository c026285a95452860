"""Reading mapping files: every mistake at its place in words that say what would be right."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.engine import build
from mappings.load import load_mapping, mapping_names, parse_mapping
from mappings.problems import MappingError
from mappings.views import NAMES
from tests.mappings.samples import FACTS

LEAD_PARTS = ", ".join(NAMES["lead"])
DEAL_PARTS = "title, pipeline, stage, price, source, comment, tags, utm, fields"

BROKEN = [
    (
        "deal:\n  titel: x\n",
        'm.yaml:2:3  deal.titel: unknown part "titel"\n'
        f'    allowed: {DEAL_PARTS}. Did you mean "title"?',
    ),
    (
        'deal:\n  "Источник": x\n',
        'm.yaml:2:3  deal["Источник"]: unknown part "Источник"\n'
        f"    allowed: {DEAL_PARTS}. Fields of the CRM stand under deal.fields.",
    ),
    (
        "deals: {title: x}\n",
        'm.yaml:1:1  deals: unknown part "deals"\n'
        '    allowed: extends, contact, company, deal, note, task. Did you mean "deal"?',
    ),
    ("deal: x\n", f"m.yaml:1:7  deal: is a section\n    its parts: {DEAL_PARTS}"),
    ("contact: false\n", "m.yaml:1:10  contact: is a section\n    its parts: name, fields"),
    ("- a\n", "m.yaml:1:1  a mapping is made of sections\n    for example: deal: {title: …}"),
    (
        "contact:\n  name: {{ lead.name }}\n",
        'm.yaml:2:9  contact.name: a value with braces must be in quotes\n    write: name: "{{ lead.name }}"',
    ),
    (
        'contact:\n  name: "{{ lead.nmae }}"\n',
        f'm.yaml:2:18  contact.name: lead has no "nmae"\n    allowed: {LEAD_PARTS}. Did you mean "name"?',
    ),
    (
        "note: |\n  Имя: {{ lead.name }}\n  Тел: {{ lead.fone }}\n",
        f'm.yaml:3:16  note: lead has no "fone"\n    allowed: {LEAD_PARTS}. Did you mean "phone"?',
    ),
    (
        "note: >\n  {{ lead.name }}\n  {{ lead.fone }}\n",
        f'm.yaml:1:7  note: lead has no "fone"\n    allowed: {LEAD_PARTS}. Did you mean "phone"?',
    ),
    ("contact: {name: '{{ lead.name'}\n", "m.yaml:1:26  contact.name: ends too early"),
    (
        "task: {text: x, due: soon}\n",
        "m.yaml:1:22  task.due: is not a time span\n    for example: 15m, 2h, 1h 30m, 1d",
    ),
    (
        'task: {text: x, when: "lead.phone = 1"}\n',
        'm.yaml:1:35  task.when: unexpected "="\n    to compare, write ==',
    ),
    (
        "company: {name: x, when: [a]}\n",
        "m.yaml:1:26  company.when: is a condition\n    for example: when: \"lead.utm_source == 'yandex'\"",
    ),
    (
        "deal:\n  fields:\n    - a\n",
        'm.yaml:3:5  deal.fields: is a section of fields\n    for example: "Источник": "{{ lead.utm_source }}"',
    ),
    (
        "deal: {fields: {A: {valeu: x}}}\n",
        'm.yaml:1:21  deal.fields.A.valeu: unknown part "valeu"\n'
        '    allowed: value, when, default, optional. Did you mean "value"?\n'
        'm.yaml:1:20  deal.fields.A: has no value\n    write: {value: "{{ lead.name }}"}',
    ),
    (
        "deal: {fields: {A: {value: x, optional: maybe}}}\n",
        "m.yaml:1:41  deal.fields.A.optional: is true or false",
    ),
    ("deal: {fields: {A: {value: x, default: [a]}}}\n", "m.yaml:1:40  deal.fields.A.default: is one value, not a list"),
    ("deal: {title: {value: {a: b}}}\n", "m.yaml:1:23  deal.title.value: is one value, not a section"),
    ("deal: {utm: {source: x}}\n",
     'm.yaml:1:14  deal.utm.source: unknown part "source"\n'
     "    allowed: utm_source, utm_medium, utm_campaign, utm_content, utm_term, gclid, yclid, fbclid, _ym_uid, "
     'client_id, roistat_visit, referrer. Did you mean "utm_source"?'),
    (
        "deal:\n  title: a\n  title: b\n",
        "m.yaml:3:3  deal.title: is written twice (first in line 2)",
    ),
    (
        "extends: amocrm-lead\n",
        'm.yaml:1:10  extends: there is no mapping "amocrm-lead"\n'
        '    there are: amocrm-leads, bitrix24-leads, hubspot-leads. Did you mean "amocrm-leads"?',
    ),
    ("extends: [a, b]\n", "m.yaml:1:10  extends: is the name of one mapping"),
    (
        "extends: ../secrets\n",
        'm.yaml:1:10  extends: there is no mapping "../secrets"\n'
        "    there are: amocrm-leads, bitrix24-leads, hubspot-leads.",
    ),
    (
        "deal: !python/object x\n",
        "m.yaml:1:7  deal: YAML tags are not used here\n    put a value that begins with ! in quotes",
    ),
    (
        "deal:\n\ttitle: a\n",
        "m.yaml:2:1  a tab is used for indentation\n    YAML wants spaces: two for each level",
    ),
    ("deal:\n  title: a: b\n", 'm.yaml:2:11  a ":" is not expected here\n    put a text that contains ": " in quotes'),
    ("deal:\n  title: 'a\n", "m.yaml:3:1  a quote is opened and never closed\n    it began in line 2"),
    (
        "deal: {tags: [a\n",
        "m.yaml:2:1  a list opened with [ is not closed\n"
        '    close it with "]", or add the missing ","; it began in line 1',
    ),
    ("deal:\n  title: *a\n", "m.yaml:2:10  a value cannot begin with *\n    put the value in quotes"),
    (
        "deal:\n  title: '{{ lead.foo }}'\n  price: '{{ 1 ** 2 }}'\nnote: '{% for x in y %}{% endfor %}'\n",
        f'm.yaml:2:19  deal.title: lead has no "foo"\n    allowed: {LEAD_PARTS}.\n'
        "m.yaml:3:14  deal.price: ** is not allowed\n"
        "m.yaml:4:11  note: loops are not allowed\n"
        "    for a list use a filter: lead.phones | join(', '), lead.extra | lines",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), BROKEN)
def test_broken_mapping_is_told_exactly(text: str, message: str) -> None:
    with pytest.raises(MappingError) as caught:
        parse_mapping(text.encode(), "m.yaml")
    assert str(caught.value) == message


def test_text_that_is_not_utf8_is_told() -> None:
    with pytest.raises(MappingError) as caught:
        parse_mapping("deal:\n  title: Заявка\n".encode("windows-1251"), "m.yaml")
    assert str(caught.value) == "m.yaml:2:1  the text is not UTF-8\n    save the file as UTF-8"


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
    with pytest.raises(MappingError, match="nested too deep, or too many parts"):
        parse_mapping("\n".join(lines).encode(), "m.yaml")


def test_alias_to_itself_is_refused() -> None:
    with pytest.raises(MappingError, match="nested too deep, or too many parts"):
        parse_mapping(b"deal: &a {fields: *a}\n", "m.yaml")


def test_huge_file_is_refused() -> None:
    with pytest.raises(MappingError, match="is larger than 500 kB"):
        parse_mapping(b"#" * 600_000, "m.yaml")


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

"""Names of a mapping -> ids of an account, and drafts without what the account refuses."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import DealDraft, FieldInfo, Kind, Metadata, NoteDraft, Pipeline, Stage, TaskDraft
from jobs.delivery.drafts import Dropped
from jobs.delivery.resolve import Directory, Resolved, resolve
from jobs.mapping_check import check_mapping
from mappings.engine import build
from mappings.load import load_mapping, parse_mapping
from mappings.schema import LeadMapping
from mappings.views import Facts
from tests.mappings.random_leads import FACTS as RANDOM_FACTS
from tests.mappings.random_leads import PRESETS as MAPPINGS
from tests.mappings.samples import BARE, FACTS, LEAD, NOW

FIELDS: tuple[FieldInfo, ...] = (
    FieldInfo("631245", "Источник заявки", "SRC"),
    FieldInfo("631246", "Город"),
    FieldInfo("631247", "город", "CITY_2"),
    FieldInfo("631248", "Вид работ", type="select", enums={"Окна": "11", "Двери": "12"}),
    FieldInfo("631249", "Итог", read_only=True),
    FieldInfo("631250", "Первое касание", "LEADHUB_FIRST_TOUCH"),
)
SALES = Pipeline("1", "Продажи", (Stage("10", "Новая"), Stage("142", "Успех", closed=True)), is_default=True)
SERVICE = Pipeline("2", "Сервис", (Stage("20", "Новая"), Stage("21", "Выезд")))
ACCOUNT = Directory(
    Metadata(
        pipelines=(SERVICE, SALES),
        fields={"deal": FIELDS, "contact": (FieldInfo("700", "Должность", "POSITION"),)},
        known=frozenset({"users", "pipelines", "fields"}),
    )
)
UNREAD = Directory(Metadata())
KEYS: dict[Kind, str] = {"contact": "person-1", "deal": "lead-1", "company": "company-1"}


def resolved(text: str, directory: Directory = ACCOUNT, facts: Facts = FACTS) -> Resolved:
    drafted = build(parse_mapping(text.encode(), "mappings/m.yaml"), facts)
    return resolve(drafted, directory, keys=KEYS, responsible="101")


def test_drafts_carry_keys_responsible_and_essentials() -> None:
    found = resolved("company: {name: ООО}")
    assert (found.contact.key, found.deal.key) == ("person-1", "lead-1")
    assert (found.contact.name, found.contact.phones, found.contact.emails) == ("Иван", LEAD.phones, LEAD.emails)
    assert (found.deal.source, found.deal.phones, found.deal.name) == ("Сайт", LEAD.phones, "Иван")
    assert (found.contact.responsible, found.deal.responsible) == ("101", "101")
    assert found.company is not None
    assert (found.company.key, found.company.name, found.company.responsible) == ("company-1", "ООО", "101")
    assert found.dropped == ()


@pytest.mark.parametrize(
    ("lead", "title"),
    [
        (LEAD, "Заявка: Иван"),
        (replace(LEAD, name=""), "Заявка: +7 916 123-45-67"),
        (replace(LEAD, name="", phones=()), "Заявка: ivan@example.ru"),
        (BARE.lead, "Заявка: без имени"),
    ],
)
def test_deal_has_a_title_whatever_the_mapping_says(lead: Any, title: str) -> None:
    found = resolved('deal: {title: "{{ 1 / 0 }}"}', facts=replace(FACTS, lead=lead))
    assert found.deal.title == title
    assert found.dropped == (Dropped("deal.title", "", "divides by zero", "mappings/m.yaml:1"),)


@pytest.mark.parametrize(
    ("label", "field_id"),
    [
        ("631245", "631245"),
        ("SRC", "631245"),
        ("src", "631245"),
        ("Источник заявки", "631245"),
        ("источник заявки", "631245"),
        ("Город", "631246"),
        ("город", "631247"),
        ("ГОРОД", "631246"),
    ],
)
def test_field_is_found_by_id_code_or_name_exactly_first(label: str, field_id: str) -> None:
    assert resolved(f'deal: {{fields: {{"{label}": x}}}}').deal.fields == {field_id: "x"}


@pytest.mark.parametrize(
    ("text", "dropped"),
    [
        ("deal: {fields: {Источник: x}}", ("Источник", "x", "в CRM нет такого поля")),
        ("deal: {fields: {Итог: x}}", ("Итог", "x", "поле только для чтения")),
        ("deal: {fields: {Вид работ: Крыша}}", ("Вид работ", "Крыша", "в списке поля нет такого значения")),
        ("deal: {pipeline: Опт}", ("pipeline", "Опт", "в CRM нет такой воронки")),
        ("deal: {pipeline: Продажи, stage: Выезд}", ("stage", "Выезд", "в воронке нет такого этапа")),
        ("contact: {fields: {Пол: м}}", ("Пол", "м", "в CRM нет такого поля")),
    ],
)
def test_what_the_account_does_not_have_is_dropped_and_told(text: str, dropped: tuple[str, str, str]) -> None:
    found = resolved(text)
    assert found.dropped == (Dropped(*dropped, where="mappings/m.yaml:1"),)
    assert (found.deal.fields, found.contact.fields, found.deal.stage) == ({}, {}, "")


def test_optional_field_is_dropped_in_silence() -> None:
    found = resolved("deal: {fields: {LEADHUB_LINK: {value: x, optional: true}, CITY_2: {value: y, optional: true}}}")
    assert (found.deal.fields, found.dropped) == ({"631247": "y"}, ())


@pytest.mark.parametrize(
    ("value", "written"),
    [("Окна", "11"), ("окна", "11"), ("12", "12"), ("[Окна, двери]", ["11", "12"]), ("[Окна, Крыша]", ["11"])],
)
def test_value_of_a_list_field_becomes_its_id(value: str, written: Any) -> None:
    assert resolved(f"deal: {{fields: {{Вид работ: {value}}}}}").deal.fields == {"631248": written}


def test_list_in_a_plain_field_is_one_text() -> None:
    lead = replace(LEAD, phones=("+79161234567", "+79161234568"))
    found = resolved('deal: {fields: {Город: "{{ lead.phones }}"}}', facts=replace(FACTS, lead=lead))
    assert found.deal.fields == {"631246": "+79161234567, +79161234568"}


def test_later_line_for_the_same_field_wins() -> None:
    found = resolved("deal: {fields: {SRC: preset, Источник заявки: ours}}")
    assert found.deal.fields == {"631245": "ours"}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("pipeline: Продажи", ("1", "")),
        ("pipeline: продажи", ("1", "")),
        ("pipeline: 2", ("2", "")),
        ("pipeline: Сервис, stage: Новая", ("2", "20")),
        ("stage: Новая", ("1", "10")),
        ("stage: Выезд", ("2", "21")),
        ("stage: 21", ("2", "21")),
        ("pipeline: Опт, stage: Новая", ("", "")),
        ("title: x", ("", "")),
    ],
)
def test_pipeline_and_stage_are_found_by_id_or_name(text: str, place: tuple[str, str]) -> None:
    found = resolved(f"deal: {{{text}}}")
    assert (found.deal.pipeline, found.deal.stage) == place


def test_without_a_field_list_ids_and_codes_are_believed_and_names_go_to_the_note() -> None:
    text = """
deal:
  pipeline: 2
  stage: Выезд
  fields:
    "631245": a
    UF_CRM_5: b
    "Источник": c
    LEADHUB_LINK: {value: d, optional: true}
"""
    found = resolved(text, UNREAD)
    assert found.deal.fields == {"631245": "a", "UF_CRM_5": "b"}
    assert (found.deal.pipeline, found.deal.stage) == ("2", "")
    assert [(one.field, one.value) for one in found.dropped] == [("stage", "Выезд"), ("Источник", "c")]
    assert {one.why for one in found.dropped} == {"список полей CRM не прочитан"}


@pytest.mark.parametrize(
    ("stage", "kept"),
    [
        ("C5:NEW", "C5:NEW"),
        ("NEW", "NEW"),
        ("142", "142"),
        ("New", ""),
        ("appointmentscheduled", "appointmentscheduled"),
        ("Новая", ""),
    ],
)
def test_without_a_pipeline_list_only_what_is_surely_an_id_is_sent(stage: str, kept: str) -> None:
    assert resolved(f'deal: {{stage: "{stage}"}}', UNREAD).deal.stage == kept


def test_note_tells_what_found_no_field() -> None:
    found = resolved('note: Заявка\ndeal: {pipeline: Опт, fields: {Источник: "{{ lead.utm_source }}"}}')
    assert found.note(found.dropped) == (
        "Заявка\nНе попало в поля:\nВоронка: Опт (в CRM нет такой воронки)\nИсточник: yandex (в CRM нет такого поля)"
    )
    assert found.note() == "Заявка"
    english = replace(found, locale="en")
    assert english.note((Dropped("City", "Omsk", "why"),)) == "Заявка\nNot written to fields:\nCity: Omsk (why)"


def test_note_passes_over_what_says_nothing_to_a_reader() -> None:
    found = resolved("note: Заявка")
    silent = (Dropped("responsible", "101", "x"), Dropped("deal.title", "", "x"), Dropped("a", "b", "x", optional=True))
    assert found.note(silent) == "Заявка"


# --- what the account refuses ------------------------------------------------------------------------

FULL = """
contact: {name: "{{ lead.name }}", fields: {POSITION: x}}
deal:
  title: t
  pipeline: Сервис
  stage: Выезд
  price: 5
  comment: "{{ lead.comment }}"
  tags: [сайт]
  utm: {utm_source: "{{ lead.utm_source }}"}
  fields: {SRC: a, Город: b}
"""


def without(*refused: str, bare: bool = False) -> tuple[DealDraft, list[tuple[str, str]]]:
    found = resolved(FULL)
    draft, dropped = found.without(found.deal, refused, bare=bare)
    assert isinstance(draft, DealDraft)
    assert found.without(draft, refused, bare=bare) == (draft, ()), "twice is as once"
    return draft, [(one.field, one.value) for one in dropped]


def test_refused_field_is_left_out_by_id_or_as_the_mapping_calls_it() -> None:
    for name in ("631245", "SRC", "src"):
        draft, dropped = without(name)
        assert draft.fields == {"631246": "b"}
        assert dropped == [("SRC", "a")]
        assert (draft.stage, draft.responsible) == ("21", "101"), "the rest stays"


def test_refused_field_is_told_with_its_line() -> None:
    found = resolved(FULL)
    _, dropped = found.without(found.deal, ["631246"])
    assert dropped == (Dropped("Город", "b", "CRM не приняла", "mappings/m.yaml:11"),)


@pytest.mark.parametrize(
    ("refused", "gone"),
    [
        (("stage",), [("stage", "21")]),
        (("pipeline",), [("pipeline", "2"), ("stage", "21")]),
        (("responsible",), [("responsible", "101")]),
        (("utm", "tags"), [("tags", "сайт"), ("utm", "utm_source=yandex")]),
        (("phones",), [("phones", "+79161234567")]),
        (("price", "nonsense"), [("price", "5")]),
        (("nonsense",), []),
        ((), []),
    ],
)
def test_refused_attribute_is_left_out(refused: tuple[str, ...], gone: list[tuple[str, str]]) -> None:
    draft, dropped = without(*refused)
    assert dropped == gone
    for name, _ in gone:
        assert not getattr(draft, name)


def test_bare_minimum_is_what_a_manager_needs_to_call() -> None:
    draft, dropped = without(bare=True)
    assert draft == DealDraft(
        key="lead-1",
        title="t",
        source="Сайт",
        comment=LEAD.comment,
        phones=LEAD.phones,
        emails=LEAD.emails,
        name="Иван",
    )
    assert [name for name, _ in dropped] == ["SRC", "Город", "pipeline", "stage", "price", "tags", "utm", "responsible"]
    draft, _ = without("comment", bare=True)
    assert (draft.comment, draft.source) == ("", "Сайт")


def test_contact_company_and_task_can_be_bare_too() -> None:
    found = resolved(FULL + "company: {name: ООО}\n")
    contact, _ = found.without(found.contact, (), bare=True)
    assert contact == replace(found.contact, responsible="", fields={})
    assert found.company is not None
    company, _ = found.without(found.company, (), bare=True)
    assert company == replace(found.company, responsible="")
    task = TaskDraft("k", "call", NOW, "7", responsible="101")
    assert found.without(task, ("responsible",))[0] == replace(task, responsible="")
    note = NoteDraft("k", "text", "7")
    assert found.without(note, ("text",), bare=True) == (note, ())


def test_links_made_meanwhile_survive() -> None:
    found = resolved(FULL)
    linked = replace(found.deal, contact_id="55", company_id="66")
    draft, _ = found.without(linked, ("631245",), bare=True)
    assert isinstance(draft, DealDraft)
    assert (draft.contact_id, draft.company_id) == ("55", "66")


def test_what_a_crm_demands_and_is_not_ours_is_told_once_under_its_name() -> None:
    told = resolved(FULL).demanded(("SRC", "631245", "stage", "Бюджет", "nonsense", "Бюджет"))
    assert told == (Dropped("Бюджет", "", "CRM не приняла"), Dropped("nonsense", "", "CRM не приняла"))


NAMES = st.sampled_from(
    ["631245", "631246", "SRC", "stage", "pipeline", "tags", "utm", "price", "responsible", "phones", "name", "?"]
)


@given(st.lists(NAMES, max_size=6), st.booleans())
def test_leaving_out_is_final_and_never_costs_the_key(refused: list[str], bare: bool) -> None:
    found = resolved(FULL)
    for draft in (found.deal, found.contact):
        once, dropped = found.without(draft, refused, bare=bare)
        assert found.without(once, refused, bare=bare) == (once, ())
        assert once.key == draft.key
        assert (once == draft) == (not dropped)


@given(
    RANDOM_FACTS,
    st.sampled_from([*MAPPINGS, parse_mapping(FULL.encode(), "m.yaml")]),
    st.sampled_from([ACCOUNT, UNREAD]),
)
def test_resolving_never_raises_on_any_lead(facts: Facts, mapping: LeadMapping, directory: Directory) -> None:
    found = resolve(build(mapping, facts), directory, keys=KEYS)
    assert found.deal.title
    assert found.contact.phones == facts.lead.phones
    assert found.note(found.dropped).startswith(found.note_text)
    bare, dropped = found.without(found.deal, (), bare=True)
    assert bare.key == "lead-1"
    assert found.note(dropped).startswith(found.note_text)


# --- every preset in an account that has nothing but what leadhub made ---------------------------------


@pytest.mark.parametrize("name", ["amocrm-leads", "bitrix24-leads", "hubspot-leads"])
@pytest.mark.parametrize("known", [frozenset({"fields", "pipelines"}), frozenset()])
def test_preset_drops_nothing_in_a_new_account(name: str, known: frozenset[str]) -> None:
    empty: dict[Kind, tuple[FieldInfo, ...]] = {"contact": (), "deal": (), "company": ()}
    directory = Directory(Metadata(fields=empty, known=known))
    found = resolve(build(load_mapping(name, locale="ru"), FACTS), directory, keys=KEYS)
    assert found.dropped == ()
    assert found.deal.fields == {}
    assert found.note().startswith("Заявка с сайта")


# --- the same questions before any lead comes ----------------------------------------------------------

WHERE = 'in amoCRM "sales" (checked live, 14:02)'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'deal:\n  fields:\n    "Источник": x',
            f'm.yaml:3:5  deal.fields["Источник"]: no such field of a deal {WHERE}\n'
            '    nearest: "Источник заявки" (id 631245, text). Or run: leadhub setup sales',
        ),
        (
            "contact: {fields: {qwe: x}}",
            f"m.yaml:1:20  contact.fields.qwe: no such field of a contact {WHERE}\n"
            "    write its name, code or id, or run: leadhub setup sales",
        ),
        ("deal: {fields: {Итог: x}}", f'm.yaml:1:17  deal.fields["Итог"]: the field is read-only {WHERE}'),
        (
            "deal: {fields: {Вид работ: Окно}}",
            f'm.yaml:1:17  deal.fields["Вид работ"]: "Окно" is not one of the values of this field {WHERE}\n'
            '    allowed: Окна, Двери. Did you mean "Окна"?',
        ),
        (
            "deal: {pipeline: Продажа}",
            f'm.yaml:1:18  deal.pipeline: no pipeline "Продажа" {WHERE}\n'
            '    there are: Сервис, Продажи. Did you mean "Продажи"?',
        ),
        (
            "deal: {pipeline: Сервис, stage: Выезды}",
            f'm.yaml:1:33  deal.stage: no stage "Выезды" in pipeline "Сервис" {WHERE}\n'
            '    there are: Новая, Выезд. Did you mean "Выезд"?',
        ),
        (
            "deal: {stage: Опт}",
            f'm.yaml:1:15  deal.stage: no stage "Опт" {WHERE}\n    there are: Новая, Выезд, Успех.',
        ),
    ],
)
def test_live_check_tells_what_a_lead_would_stumble_over(text: str, message: str) -> None:
    problems = check_mapping(parse_mapping(text.encode(), "m.yaml"), ACCOUNT, WHERE, "sales")
    assert [problem.render() for problem in problems] == [message]


@pytest.mark.parametrize(
    "text",
    [
        'deal: {pipeline: "{{ lead.form }}", stage: Выезд}',
        "deal: {pipeline: 2, stage: 21, fields: {SRC: x, город: y, Вид работ: [окна, 12]}}",
        "deal: {fields: {LEADHUB_LINK: {value: x, optional: true}}}",
        'deal: {fields: {Вид работ: "{{ lead.form }}"}}',
    ],
)
def test_live_check_finds_nothing_where_nothing_is_wrong(text: str) -> None:
    assert check_mapping(parse_mapping(text.encode(), "m.yaml"), ACCOUNT, WHERE, "sales") == []


def test_live_check_says_nothing_of_what_could_not_be_read() -> None:
    mapping = parse_mapping("deal: {pipeline: Нет, fields: {Нет: x}}".encode(), "m.yaml")
    assert check_mapping(mapping, UNREAD, WHERE, "sales") == []

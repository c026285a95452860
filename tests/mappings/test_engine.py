"""From a compiled mapping and a lead to drafts."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from leads.records import Lead
from mappings.engine import LINE_MAX, Drafted, build
from mappings.load import parse_mapping
from mappings.views import Facts
from tests.mappings.samples import BARE, FACTS, LEAD, NOW


def draft(text: str, facts: Facts = FACTS) -> Drafted:
    return build(parse_mapping(text.encode(), "m.yaml"), facts)


def deal_fields(text: str, facts: Facts = FACTS) -> dict[str, Any]:
    return {drawn.label: drawn.value for drawn in draft(text, facts).deal.fields}


def with_extra(**extra: str) -> Facts:
    return replace(FACTS, lead=replace(LEAD, extra=extra))


def test_fields_keep_the_type_of_their_expression() -> None:
    text = """
deal:
  fields:
    text: "{{ lead.utm_source }}"
    number: "{{ lead.extra.amount | number }}"
    count: "{{ lead.phones | length }}"
    flag: "{{ lead.phone is empty }}"
    list: "{{ lead.phones }}"
    time: "{{ lead.received_at }}"
    several: [a, "{{ lead.name }}", "{{ lead.company }}"]
    literal: 17
    yes: true
"""
    assert deal_fields(text) == {
        "text": "yandex",
        "number": "12500.5",
        "count": 1,
        "flag": False,
        "list": ["+79161234567"],
        "time": "2026-11-24T14:02:00+03:00",
        "several": ["a", "Иван"],
        "literal": "17",
        "yes": True,
    }


def test_empty_values_are_left_out_so_that_nothing_is_overwritten() -> None:
    text = """
contact: {name: "{{ lead.name }}", fields: {city: "{{ lead.extra.city }}", list: "{{ lead.phones }}"}}
deal: {price: "{{ lead.extra.amount }}", utm: {utm_source: "{{ lead.utm_source }}"}, tags: ["{{ lead.form }}", x, x]}
company: {name: "{{ lead.company }}"}
task: {text: "{{ lead.name }}"}
"""
    drafted = draft(text, BARE)
    assert (drafted.contact.values, drafted.contact.fields, drafted.deal.values) == ({}, (), {})
    assert (drafted.deal.utm, drafted.deal.tags) == ({}, ("x",))
    assert (drafted.company, drafted.task, drafted.problems) == (None, None, ())


def test_default_when_and_optional() -> None:
    text = """
deal:
  fields:
    A: {value: "{{ lead.extra.city }}", default: "{{ lead.form }}"}
    B: {value: x, when: "lead.utm_source == 'google'"}
    C: {value: x, when: "lead.utm_source == 'yandex'", optional: true}
"""
    drafted = draft(text)
    assert [(one.label, one.value, one.optional) for one in drafted.deal.fields] == [
        ("A", "Расчёт окон", False),
        ("C", "x", True),
    ]


def test_section_is_made_only_when_its_condition_holds() -> None:
    text = 'task: {text: call, due: 1h 30m, when: "lead.phones"}\ncompany: {name: ООО, when: "lead.company"}'
    assert draft(text).task is not None
    assert draft(text).company is None
    assert draft(text, BARE).task is None


@pytest.mark.parametrize(
    ("due", "span"),
    [("90s", 90), ("15m", 900), ("2h", 7200), ("1h 30m", 5400), ("1h30m", 5400), ("1d", 86400), ("0m", 0)],
)
def test_due_is_a_time_span(due: str, span: int) -> None:
    task = draft(f"task: {{text: call, due: {due}}}").task
    assert task is not None
    assert task.due == timedelta(seconds=span)


def test_time_of_the_task_is_the_callers_or_else_by_the_clock() -> None:
    text = "task: {text: \"by {{ task.due_at | date('%H:%M') }}\", due: 15m}"
    by_clock, given = draft(text).task, draft(text, replace(FACTS, due_at=NOW + timedelta(hours=3))).task
    assert by_clock is not None
    assert given is not None
    assert (by_clock.text, given.text) == ("by 14:17", "by 17:02")


@pytest.mark.parametrize(
    ("amount", "price"),
    [("12 500,50 ₽", "12500.5"), ("5000", "5000"), ("1.000.000", "1000000"), ("1e5", ""), ("", "")],
)
def test_price_is_read_from_what_people_type(amount: str, price: str) -> None:
    drafted = draft('deal: {price: "{{ lead.extra.amount }}"}', with_extra(amount=amount))
    assert drafted.deal.text("price") == price


def test_field_that_fails_is_left_out_and_told_and_the_rest_is_there() -> None:
    text = """
deal:
  title: "{{ lead.form }}"
  price: "{{ lead.comment }}"
  fields:
    A: "{{ lead.extra.amount * 2 }}"
    B: ok
    C: {value: x, when: "lead.extra.amount > 5"}
note: |
  {{ 1 / 0 }}
task: {text: call, when: "1 / 0"}
"""
    drafted = draft(text)
    assert drafted.deal.text("title") == "Расчёт окон"
    assert [one.label for one in drafted.deal.fields] == ["B"]
    assert (drafted.note_text, drafted.task) == ("", None)
    assert [(one.path, one.line, one.file) for one in drafted.problems] == [
        ("deal.price", 4, "m.yaml"),
        ("deal.fields.A", 6, "m.yaml"),
        ("deal.fields.C", 8, "m.yaml"),
        ("note", 9, "m.yaml"),
        ("task.text", 11, "m.yaml"),
    ]
    assert [one.message for one in drafted.problems][:3] == [
        "is not an amount of money",
        "adds or multiplies a text and a number; join texts with ~, make numbers with the filter number",
        "compares a text with a number; use the filter number: lead.extra.amount | number > 1000",
    ]


def test_problems_tell_nothing_of_the_person() -> None:
    text = 'deal: {price: "{{ lead.comment }}", title: "{{ lead.phone * 2 }}", fields: {A: "{{ lead.email + 1 }}"}}'
    told = " ".join(one.message for one in draft(text).problems)
    for personal in (*LEAD.phones, *LEAD.emails, LEAD.comment, LEAD.name):
        assert personal not in told


def test_names_and_titles_are_one_short_line() -> None:
    lead = replace(LEAD, name="Иван\n  Петров\t" + "х" * 400, form="a\r\nb")
    drafted = draft('deal: {title: "{{ lead.form }}", tags: ["{{ lead.name }}"]}', replace(FACTS, lead=lead))
    assert drafted.deal.text("title") == "a b"
    assert drafted.deal.tags[0].startswith("Иван Петров хх")
    assert len(drafted.deal.tags[0]) == LINE_MAX


def test_tags_are_flattened_and_not_repeated() -> None:
    text = "deal: {tags: [сайт, \"{{ lead.utm_source }}\", \"{{ ['a', 'сайт', ''] }}\"]}"
    assert draft(text).deal.tags == ("сайт", "yandex", "a")


def test_one_tag_needs_no_list() -> None:
    assert draft("deal: {tags: сайт}").deal.tags == ("сайт",)


def test_lines_of_a_note_that_are_empty_are_dropped() -> None:
    assert draft('note: "a\\n\\n  \\n{{ lead.company }}\\nb  "').note_text == "a\nb"


def test_essentials_do_not_depend_on_the_mapping() -> None:
    essentials = draft('contact: {name: "{{ 1 / 0 }}"}').essentials
    assert (essentials.name, essentials.phones, essentials.emails) == ("Иван", LEAD.phones, LEAD.emails)
    assert (essentials.comment, essentials.source, essentials.lead_id) == (LEAD.comment, "Сайт", LEAD.id)


def test_source_without_a_title_is_called_by_its_name() -> None:
    facts = Facts(lead=Lead(id="x", source="ats", received_at=NOW), now=NOW)
    assert draft('deal: {source: "{{ source.title }}"}', facts).deal.text("source") == "ats"


def test_decimal_in_a_field_is_plain_text() -> None:
    assert deal_fields('deal: {fields: {A: "{{ 1 / 4 + 2 }}", B: "{{ 10 * 1.0 }}"}}') == {"A": "2.25", "B": "10"}
    assert isinstance(Decimal(deal_fields('deal: {fields: {A: "{{ 1 / 3 }}"}}')["A"]), Decimal)

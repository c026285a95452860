"""The expression language: what it computes, what it refuses and in which words."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mappings.expressions import ExpressionError, compile_condition, compile_value, scope
from mappings.values import TEXT_CAP
from mappings.views import NAMES, lead_view, variables
from tests.mappings.samples import BARE, FACTS

SAMPLE = variables(FACTS)
NOTHING = variables(BARE)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain text", "plain text"),
        ("50 % off }}", "50 % off }}"),
        ("{{ lead.name }}", "Иван"),
        ("  {{ lead.name }}  ", "Иван"),
        ("{{ lead.phones }}", ("+79161234567",)),
        ("{{ lead.phone }}", "+79161234567"),
        ("{{ lead.utm_source }}", "yandex"),
        ("{{ lead.yclid }} {{ lead.ym_uid }}", "123456 "),
        ("{{ lead.utm.utm_term }}", "купить окна"),
        ("{{ lead.extra.amount | number }}", Decimal("12500.50")),
        ("{{ (lead.extra.amount | number) * 2 }}", Decimal("25001.00")),
        ("{{ lead.extra['Этаж'] }}", "5"),
        ("{{ lead.extra.Этаж }}", "5"),
        ("{{ lead.extra.absent }}", ""),
        ("{{ lead.extra.absent.deeper }}", ""),
        ("{{ lead.phones[0] }}{{ lead.phones[7] }}", "+79161234567"),
        ("{{ lead.name[:2] }}", "Ив"),
        ("{{ 'yes' if lead.email }}", "yes"),
        ("{{ 'yes' if not lead.email }}", ""),
        ("{{ lead.received_at.hour }}", 14),
        ("{{ now.weekday }}", 2),
        ("{{ lead.name ~ ', ' ~ lead.form }}", "Иван, Расчёт окон"),
        ("{% if lead.name %}a{% else %}b{% endif %}", "a"),
        ("{% if lead.company %}\n{{ lead.company }}\n{% endif %}\nend", "end"),
        ("{{ lead.link }}", "https://hub.example.com/leads/0199f0a0-0000-7000-8000-000000000001"),
        ("{{ source.title }}/{{ connection.type }}/{{ route.name }}", "Сайт/amocrm/site-to-sales"),
        ("{# a remark #}", ""),
        ("{{ 7 % 4 }}", 3),
        ("{{ 0.1 + 0.2 }}", Decimal("0.3")),
        ("{{ true }}", True),
    ],
)
def test_value_is_computed_with_its_type(text: str, value: Any) -> None:
    assert compile_value(text)(SAMPLE) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ '+79161234567' | phone }}", "+7 916 123-45-67"),
        ("{{ '+442079460958' | phone }}", "+44 20 7946 0958"),
        ("{{ 'no phone' | phone }}", "no phone"),
        ("{{ lead.phones | phone | join(' / ') }}", "+7 916 123-45-67"),
        ("{{ lead.received_at | date }}", "24.11.2026 14:02"),
        ("{{ first_touch.at | date('%d.%m.%Y') }}", "03.11.2026"),
        ("{{ '2026-01-02T03:04:05' | date('%d.%m') }}", "02.01"),
        ("{{ 'soon' | date }}", "soon"),
        ("{{ lead.company | default('none') }}", "none"),
        ("{{ lead.name | default('none') }}", "Иван"),
        ("{{ '12500.5' | money('₽') }}", "12\u00a0500,50\u00a0₽"),
        ("{{ 1000000 | money }}", "1\u00a0000\u00a0000"),
        ("{{ 'Щукин Юрий' | translit }}", "Shchukin Yuriy"),
        ("{{ 'abcdef' | truncate(4) }}", "abc…"),
        ("{{ 'окна' | sentence }}{{ 'Где вы?' | sentence }}{{ '' | sentence }}", "окна.Где вы?"),
        ("{{ 'a, b,,c' | split | join('-') }}", "a-b-c"),
        ("{{ last_touch | touch }}", "Яндекс.Директ, кампания «окна_весна», запрос «купить окна»"),
        ("{{ first_touch | channel }}", "органика"),
        ("{{ 'ad' | channel }}", "реклама"),
        ("{{ lead.extra | lines }}", "Этаж: 5\namount: 12 500,50 ₽"),
        ("{{ lead.page_url | page }}", "example.ru/okna/raschet"),
        ("{{ ['bad_phone'] | flags }}", "телефон не удалось прочитать"),
        ("{{ 21 | plural('день', 'дня', 'дней') }}", "день"),
        ("{{ 112 | plural('день', 'дня', 'дней') }}", "дней"),
        ("{{ 1 | plural('day', 'days') }}", "day"),
        ("{{ 'aXbX' | replace('X', '') | upper }}", "AB"),
        ("{{ lead.phones | first }}{{ lead.emails | last }}", "+79161234567ivan@example.ru"),
        ("{{ lead.phones | length }}", 1),
        ("{{ ' a ' | strip }}", "a"),
    ],
)
def test_filter_gives(text: str, value: Any) -> None:
    assert compile_value(text)(SAMPLE) == value


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12 500,50 ₽", "12500.50"),
        ("$1,299.90", "1299.90"),
        ("1.299,90 €", "1299.90"),
        ("12.500", "12500"),
        ("0.500", "0.500"),
        ("12,5", "12.5"),
        ("1,000,000", "1000000"),
        ("-5", "-5"),
        ("1 000 000 руб.", "1000000"),
        ("от 100 до 200", "0"),
        ("дорого", "0"),
        ("", "0"),
        ("4276380012345678901", "0"),
    ],
)
def test_number_reads_amounts_as_people_write_them(text: str, number: str) -> None:
    assert compile_value("{{ lead.comment | number }}")({"lead": _commented(text)}) == Decimal(number)


def _commented(text: str) -> object:
    return lead_view(replace(FACTS.lead, comment=text))


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("lead.utm_source == 'yandex'", True),
        ("lead.utm_source in ['google', 'bing']", False),
        ("lead.extra.amount | number > 10000", True),
        ("'окна' in lead.form | lower or lead.form is empty", False),
        ("'окон' in lead.form", True),
        ("not lead.company and lead.phone", True),
        ("repeat.number > 1", False),
        ("lead.received_at.hour >= 9 and now.weekday < 6", True),
        ("last_touch", True),
        ("lead.phone is empty", False),
        ("lead.flags", False),
    ],
)
def test_condition_is_true_or_false(text: str, answer: bool) -> None:
    assert compile_condition(text)(SAMPLE) is answer


def test_names_that_were_not_given_are_empty() -> None:
    values = "{{ lead.name }}{{ person.id }}{{ last_touch.utm_source }}{{ now }}{{ repeat.number }}"
    assert compile_value(values)({}) == "0"
    assert compile_condition("last_touch or first_touch or assigned or lead.phones")({}) is False


def test_every_name_and_part_can_be_read_of_a_full_and_of_an_empty_lead() -> None:
    for name, parts in NAMES.items():
        for part in parts if not isinstance(parts, str) else ():
            for context in (SAMPLE, NOTHING, {}):
                compile_value(f"{{{{ {name}.{part} }}}}")(context)


ALL_OF_LEAD = ", ".join(NAMES["lead"])
FILTERS = (
    "capitalize, channel, date, default, first, flags, join, last, length, lines, lower, money, number, page, phone, "
    "plural, replace, sentence, split, strip, title, touch, translit, trim, truncate, upper"
)
TOP = ", ".join(NAMES)


@pytest.mark.parametrize(
    ("text", "offset", "message", "hint"),
    [
        ("", 0, "the expression is empty", ""),
        ("{{ lead.name }}", 0, "a condition is written without braces", ""),
        ("lead.utm_source = 'x'", 16, 'unexpected "="', "to compare, write =="),
        ("lead.name && lead.phone", 10, 'unexpected "&"', "write and"),
        ("lead.name || lead.phone", 11, 'unexpected "|"', "for either of two, write or"),
        ("!lead.name", 0, 'unexpected "!"', "write not, or != for unequal"),
        ("lead.name == “x”", 13, "a quote that is not ' or \"", "write 'text' or \"text\""),
        ("lead.name == 'x", 13, "a quote is opened and never closed", ""),
        ("lead.name == $x", 13, "unexpected '$'", "texts stand in quotes: 'text'"),
        ("lead.name lead.phone", 10, 'unexpected "lead" after the expression', ""),
        ("lead.name and", 10, "ends too early", ""),
        ("(lead.name", 6, "ends too early", ""),
        ("lead.name)", 9, 'unexpected ")"', ""),
        (
            "lead.utm_source == yandex",
            19,
            'unknown name "yandex"',
            f"a text stands in quotes: 'yandex'. names: {TOP}.",
        ),
        (
            "laed.name",
            0,
            'unknown name "laed"',
            f"a text stands in quotes: 'laed'. names: {TOP}. Did you mean \"lead\"?",
        ),
        (
            "lead.utm_sorce == 'x'",
            5,
            'lead has no "utm_sorce"',
            f'allowed: {ALL_OF_LEAD}. Did you mean "utm_source"?',
        ),
        ("lead['nmae'] == 'x'", 5, 'lead has no "nmae"', f'allowed: {ALL_OF_LEAD}. Did you mean "name"?'),
        ("1 < 2\nand lead.nam", 15, 'lead has no "nam"', f'allowed: {ALL_OF_LEAD}. Did you mean "name"?'),
        ("lead.name.upper", 10, 'lead.name is a text and has no "upper"', "use a filter: lead.name | upper"),
        ("lead.phones.count", 12, 'lead.phones is a list and has no "count"', ""),
        (
            "now.our > 9",
            4,
            'now is a time and has no "our"',
            'allowed: year, month, day, hour, minute, weekday. Did you mean "hour"?',
        ),
        ("lead.name.upper()", 15, "calls are not allowed", "use a filter: lead.name | upper"),
        ("lead.name | uper", 12, 'unknown filter "uper"', f'filters: {FILTERS}. Did you mean "upper"?'),
        (
            "lead.name is blank",
            10,
            'unknown test "blank"',
            "after is: defined, empty, none, number, string, undefined.",
        ),
        ("2 ** 3", 0, "** is not allowed", ""),
        ("(" * 300 + "1" + ")" * 300, 0, "cannot be read: too deep, or a number too large", ""),
        ("1" * 9000, 0, "cannot be read: too deep, or a number too large", ""),
        (" " * 10_001, 10_000, "longer than 10000 characters", ""),
        ("not " * 70 + "true", 244, "nested too deep", ""),
    ],
)
def test_broken_condition_is_told_with_its_place(text: str, offset: int, message: str, hint: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_condition(text)
    assert (caught.value.message, caught.value.hint, caught.value.offset) == (message, hint, offset)


@pytest.mark.parametrize(
    ("text", "offset", "message", "hint"),
    [
        ("{{ lead.name", 8, "ends too early", ""),
        ("{{ lead.name }", 13, 'unexpected "}"', ""),
        ("a {{ }}", 5, 'Expected an expression, got "}}"', ""),
        ("{{ lead.name lead }}", 13, 'unexpected "lead"', ""),
        ("{% if lead.name = 'x' %}a{% endif %}", 16, 'unexpected "="', "to compare, write =="),
        ("{% if lead.name %}a", 18, "{% if %} without {% endif %}", ""),
        ("a{% endif %}", 4, "{% endif %} without a beginning", ""),
        (
            "{% for x in lead.phones %}{% endfor %}",
            3,
            "loops are not allowed",
            "for a list use a filter: lead.phones | join(', '), lead.extra | lines",
        ),
        ("{% set x = 1 %}", 3, "{% set %} is not allowed", ""),
        ("{% include 'x' %}", 3, "include is not allowed", ""),
        ("{% macro f() %}{% endmacro %}", 3, "macro is not allowed", ""),
        ("{% whatever %}", 3, 'unknown tag "whatever"', "allowed: if, elif, else, endif"),
        (
            "line\n  {%- if lead.name -%}  {{ lead.nam }} {%- endif %}",
            37,
            'lead has no "nam"',
            f'allowed: {ALL_OF_LEAD}. Did you mean "name"?',
        ),
    ],
)
def test_broken_value_is_told_with_its_place(text: str, offset: int, message: str, hint: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_value(text)
    assert (caught.value.message, caught.value.hint, caught.value.offset) == (message, hint, offset)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ 1 / 0 }}", "divides by zero"),
        (
            "{{ lead.extra.amount > 5 }}",
            "compares a text with a number; use the filter number: lead.extra.amount | number > 1000",
        ),
        (
            "{{ lead.name * 3 }}",
            "adds or multiplies a text and a number; join texts with ~, make numbers with the filter number",
        ),
        ("{{ lead }}", "is a whole record; name one part of it"),
        ("to {{ lead }}", "is a whole record; name one part of it"),
        ("{{ lead ~ '' }}", "is a whole record; name one part of it"),
        ("{{ lead.name | truncate('x') }}", "truncate takes a length of at least 1"),
        ("{{ lead.name | truncate(1, 2, 3) }}", "a filter has too many or too few arguments"),
        ("{{ now | date('%99999d') }}", "date knows %d %m %y %Y %H %M %S %j %p %A %a %B %b"),
        ("{{ lead.name | touch }}", "touch takes first_touch or last_touch"),
        ("{{ 5 | date }}", "date takes a time"),
        ("{{ lead.name | replace('', 'x') }}", "replace needs a text to look for"),
    ],
)
def test_what_cannot_be_computed_is_told_without_the_lead(text: str, message: str) -> None:
    value = compile_value(text)
    with pytest.raises(ExpressionError) as caught:
        value(SAMPLE)
    assert caught.value.message == message


@pytest.mark.parametrize(
    "text",
    [
        "{{ lead.__class__ }}",
        "{{ lead['__class__'] }}",
        "{{ lead.parts }}",
        "{{ lead.record }}",
        "{{ 'a'.__class__.__mro__ }}",
        "{{ lead.name.__class__ }}",
        "{{ lead.name['__class__'] }}",
        "{{ [].append(1) }}",
        "{{ range(9) }}",
        "{{ self }}",
        "{{ cycler }}",
        "{{ lead.name | attr('upper') }}",
        "{{ lead.name | safe }}",
        "{{ lead.phones | map('upper') }}",
        "{{ namespace() }}",
        "{% import 'x' as y %}",
        "{% extends 'x' %}",
        "{% block a %}{% endblock %}",
        "{% filter upper %}a{% endfilter %}",
        "{% autoescape true %}{% endautoescape %}",
    ],
)
def test_nothing_but_the_named_parts_can_be_reached(text: str) -> None:
    with pytest.raises(ExpressionError):
        compile_value(text)(SAMPLE)


@pytest.mark.parametrize("attribute", ["__class__", "keys", "get", "__init__", "items"])
def test_parts_of_a_table_are_fields_only(attribute: str) -> None:
    assert compile_value(f"{{{{ lead.extra.{attribute} }}}}")(SAMPLE) == ""
    with pytest.raises(ExpressionError):
        compile_value(f"{{{{ (lead.name ~ 'x').{attribute} }}}}")(SAMPLE)


@pytest.mark.parametrize(
    "text",
    [
        "{{ lead.comment }}{{ lead.comment }}",
        "{{ lead.comment | replace('a', 'aaaaaaaaaa') | replace('a', 'aaaaaaaaaa') | replace('a', lead.comment) }}",
        "{{ lead.comment | split('a') | join(lead.comment) }}",
        "{{ lead.comment | truncate(999999999) }}",
        "{{ lead.comment | split(' ') | join(lead.comment) }}",
    ],
)
def test_no_text_grows_without_bound(text: str) -> None:
    huge = {"lead": _commented("a b" * 1_000_000)}
    assert len(compile_value(f"x {text}")(huge)) <= TEXT_CAP


@pytest.mark.parametrize("text", ["'a' * 999999999", "'%99999999d' % 5", "['a'] * 99999999", "'a' + 5", "[1] + [2]"])
def test_arithmetic_is_for_numbers(text: str) -> None:
    with pytest.raises(ExpressionError, match="adds or multiplies"):
        compile_condition(text)(SAMPLE)


def test_text_of_a_lead_is_never_computed() -> None:
    evil = {"lead": _commented("{{ lead.phone }} {% if 1 %}")}
    assert compile_value("{{ lead.comment }}")(evil) == "{{ lead.phone }} {% if 1 %}"
    assert compile_value("> {{ lead.comment }}")(evil) == "> {{ lead.phone }} {% if 1 %}"


def test_markup_is_left_as_it_is() -> None:
    assert compile_value("> {{ lead.comment }}")({"lead": _commented("<b>&")}) == "> <b>&"


def test_values_computed_in_one_scope_do_not_touch_each_other() -> None:
    ready = scope(SAMPLE)
    first, second = compile_value("{{ lead.name }}"), compile_value("{{ lead.form }}")
    assert [first(ready), second(ready), first(ready)] == ["Иван", "Расчёт окон", "Иван"]


SYNTAX = """
    {{ }} {% %} {# #} if else endif for set raw endraw true none and not in is | . ( ) [ ] ' " == = + - * ~ % , : 0 1
    lead name extra phones last_touch touch phone date number now hour ё \\
"""
WORDS = st.sampled_from([*SYNTAX.split(), "\n"])
TEXTS = st.lists(WORDS, max_size=14).map(" ".join) | st.lists(WORDS, max_size=14).map("".join) | st.text(max_size=40)


@given(TEXTS)
@example("{{ lead.phones | date }}")
@example("{% raw %}{{ lead.name }}{% endraw %}")
def test_any_text_compiles_and_computes_or_says_why_not(text: str) -> None:
    for compile_text in (compile_value, compile_condition):
        compiled, error = _tried(compile_text, text)
        assert error is None or (error.message and 0 <= error.offset <= len(text))
        for context in (SAMPLE, NOTHING) if compiled else ():
            _, error = _tried(compiled, context)
            assert error is None or error.message


def _tried(action: Callable[[Any], Any], argument: Any) -> tuple[Any, ExpressionError | None]:
    try:
        return action(argument), None
    except ExpressionError as error:
        return None, error

"""The shipped presets: what a seller reads, in both languages, and what goes into which field."""

from dataclasses import replace
from datetime import timedelta

import pytest

from leads.calls import Call
from leads.records import Lead
from mappings.engine import Drafted, build
from mappings.load import load_mapping
from mappings.texts import FLAG_TEXTS, Locale
from mappings.views import Facts, Hub, Named
from tests.mappings.samples import BARE, FACTS, LEAD, NOW, REPEATED

PRESETS = ("amocrm-leads", "bitrix24-leads", "hubspot-leads")
MAPPINGS = {(name, locale): load_mapping(name, locale=locale) for name in PRESETS for locale in FLAG_TEXTS}


def drafted(name: str, facts: Facts) -> Drafted:
    locale: Locale = "ru" if facts.hub.locale == "ru" else "en"
    result = build(MAPPINGS[name, locale], facts)
    assert result.problems == ()
    return result


def english(facts: Facts) -> Facts:
    return replace(facts, hub=replace(facts.hub, locale="en"))


NOTE_RU = """\
Заявка с сайта: «Расчёт окон», 24.11.2026 14:02
Имя: Иван
Комментарий: Нужны 3 окна, дом кирпичный, этаж 5
Телефон: +7 916 123-45-67 · Почта: ivan@example.ru
Этаж: 5
amount: 12 500,50 ₽
Пришёл: Яндекс.Директ, кампания «окна_весна», запрос «купить окна»
Впервые: 03.11.2026, Google, органика
Страница: example.ru/okna/raschet
Ответственный: Анна Петрова (очередь «Окна», по кругу)
В leadhub: https://hub.example.com/leads/0199f0a0-0000-7000-8000-000000000001"""

NOTE_EN = """\
Enquiry from the site: “Расчёт окон”, 24 Nov 2026 14:02
Name: Иван
Comment: Нужны 3 окна, дом кирпичный, этаж 5
Phone: +7 916 123-45-67 · E-mail: ivan@example.ru
Этаж: 5
amount: 12 500,50 ₽
Came from: Yandex Direct, campaign “окна_весна”, query “купить окна”
First seen: 03 Nov 2026, Google, organic
Page: example.ru/okna/raschet
Responsible: Анна Петрова (очередь «Окна», по кругу)
In leadhub: https://hub.example.com/leads/0199f0a0-0000-7000-8000-000000000001"""


@pytest.mark.parametrize("name", PRESETS)
def test_note_holds_the_whole_enquiry(name: str) -> None:
    assert drafted(name, FACTS).note_text == NOTE_RU
    assert drafted(name, english(FACTS)).note_text == NOTE_EN


@pytest.mark.parametrize("name", PRESETS)
def test_repeat_is_told_in_the_first_line(name: str) -> None:
    assert drafted(name, REPEATED).note_text == f"Повторное обращение (2-е за 30 дней)\n{NOTE_RU}"
    assert drafted(name, english(REPEATED)).note_text == f"Repeat enquiry (no. 2 in 30 days)\n{NOTE_EN}"


@pytest.mark.parametrize("name", PRESETS)
def test_task_says_whom_to_call_about_what_until_when(name: str) -> None:
    lead = replace(LEAD, form="окна")
    facts = replace(FACTS, lead=lead, due_at=NOW + timedelta(minutes=15))
    task, task_en = drafted(name, facts).task, drafted(name, english(facts)).task
    assert task is not None
    assert task_en is not None
    assert task.text == "Позвонить: Иван, +7 916 123-45-67, окна. До 14:17"
    assert task_en.text == "Call: Иван, +7 916 123-45-67, окна. By 14:17"
    assert task.due == timedelta(minutes=15)


def test_task_that_is_due_another_day_says_which() -> None:
    task = drafted("amocrm-leads", replace(FACTS, due_at=NOW + timedelta(hours=19))).task
    assert task is not None
    assert task.text.endswith("До 25.11 09:02")


@pytest.mark.parametrize(
    ("lead", "text"),
    [
        (replace(LEAD, form="", comment="Сколько стоит?"), "Позвонить: Иван, +7 916 123-45-67, Сколько стоит? До"),
        (replace(LEAD, name="Анна К.", form="", comment=""), "Позвонить: Анна К., +7 916 123-45-67. До"),
        (
            replace(LEAD, phones=(), emails=(), form="", comment="Ещё есть?", messengers=(("telegram", "1"),)),
            "Ответить: Иван, Ещё есть? До",
        ),
        (replace(LEAD, name="", phones=(), emails=(), form="", comment=""), "Позвонить: Сайт. До"),
    ],
)
def test_task_reads_as_a_sentence_whatever_is_known(lead: Lead, text: str) -> None:
    task = drafted("amocrm-leads", replace(FACTS, lead=lead)).task
    assert task is not None
    assert task.text.startswith(text)


def test_task_of_a_call_missed_another_day_says_which() -> None:
    for missed_at, told in (
        (NOW - timedelta(minutes=5), "пропущенный 13:57"),
        (NOW - timedelta(days=1), "пропущенный 23.11 14:02"),
    ):
        call = Call(direction="in", client="+79161234567", disposition="missed", started_at=missed_at)
        task = drafted("amocrm-leads", replace(FACTS, lead=replace(LEAD, call=call))).task
        assert task is not None
        assert told in task.text


def test_task_of_a_hidden_caller_says_so() -> None:
    call = Call(direction="in", disposition="missed", started_at=NOW)
    task = drafted("amocrm-leads", replace(FACTS, lead=replace(LEAD, name="", phones=(), call=call))).task
    assert task is not None
    assert task.text.startswith("Перезвонить: номер скрыт, пропущенный 14:02. До")


def test_task_without_a_phone_names_the_mail_and_the_comment() -> None:
    lead = replace(LEAD, phones=(), form="", comment="Перезвоните " * 20)
    task = drafted("amocrm-leads", replace(FACTS, lead=lead)).task
    assert task is not None
    assert task.text.startswith("Позвонить: Иван, ivan@example.ru, Перезвоните Перезвоните")
    assert "…" in task.text
    assert len(task.text) < 120


@pytest.mark.parametrize(
    ("lead", "title", "title_en"),
    [
        (LEAD, "Расчёт окон: Иван", "Расчёт окон: Иван"),
        (replace(LEAD, name="", form=""), "Заявка: +7 916 123-45-67", "Enquiry: +7 916 123-45-67"),
        (replace(LEAD, name="", form="", phones=()), "Заявка: ivan@example.ru", "Enquiry: ivan@example.ru"),
        (BARE.lead, "Заявка: без имени", "Enquiry: no name"),
    ],
)
def test_title_names_the_person_as_well_as_it_can(lead: Lead, title: str, title_en: str) -> None:
    facts = replace(FACTS, lead=lead)
    for name in PRESETS:
        assert drafted(name, facts).deal.text("title") == title
        assert drafted(name, english(facts)).deal.text("title") == title_en


def test_note_of_a_lead_of_which_nothing_is_known_is_short() -> None:
    facts = replace(BARE, hub=Hub("ru", "Europe/Moscow"), lead=replace(BARE.lead, flags=("no_contact", "new_flag")))
    assert drafted("amocrm-leads", facts).note_text == (
        "Заявка с сайта: «site», 24.11.2026 14:02\nОбратите внимание: нет ни телефона, ни почты; new_flag"
    )


def test_enquiry_that_is_no_form_is_not_called_one() -> None:
    facts = replace(FACTS, source=Named("ats", "mango", "АТС"), lead=replace(LEAD, form=""))
    assert drafted("amocrm-leads", facts).note_text.splitlines()[0] == "Обращение: «АТС», 24.11.2026 14:02"
    first_line = drafted("amocrm-leads", english(facts)).note_text.splitlines()[0]
    assert first_line == "Enquiry: “АТС”, 24 Nov 2026 14:02"


def test_several_phones_and_messengers_are_all_in_the_note() -> None:
    lead = replace(LEAD, phones=(*LEAD.phones, "+442079460958"), emails=(), messengers=(("telegram", "4242"),))
    note = drafted("amocrm-leads", replace(FACTS, lead=lead)).note_text.splitlines()
    assert "Телефон: +7 916 123-45-67, +44 20 7946 0958" in note
    assert "Мессенджер: telegram: 4242" in note


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("amocrm-leads", ["LEADHUB_FIRST_TOUCH", "LEADHUB_LAST_TOUCH", "LEADHUB_LINK"]),
        ("bitrix24-leads", [f"UF_CRM_LEADHUB_{part}" for part in ("FIRST_TOUCH", "LAST_TOUCH", "LINK")]),
        ("hubspot-leads", ["leadhub_first_touch", "leadhub_last_touch", "leadhub_link"]),
    ],
)
def test_touches_and_link_go_to_the_fields_that_setup_makes(name: str, fields: list[str]) -> None:
    deal = drafted(name, FACTS).deal
    assert [(one.label, one.optional) for one in deal.fields] == [(label, True) for label in fields]
    assert [one.value for one in deal.fields] == [
        "Google, органика",
        "Яндекс.Директ, кампания «окна_весна», запрос «купить окна»",
        "https://hub.example.com/leads/0199f0a0-0000-7000-8000-000000000001",
    ]
    assert (deal.text("source"), deal.tags) == ("Сайт", ("Сайт",))


@pytest.mark.parametrize("name", PRESETS)
def test_marks_of_the_lead_are_written_and_else_those_of_the_last_touch(name: str) -> None:
    marks = {"utm_source": "yandex", "utm_medium": "cpc", "utm_campaign": "окна_весна", "utm_term": "купить окна"}
    own = drafted(name, replace(FACTS, last_touch=None)).deal.utm
    assert {key: value for key, value in own.items() if key.startswith("utm_")} == marks
    call = replace(FACTS, lead=replace(LEAD, utm={}, click_ids={}))
    assert drafted(name, call).deal.utm == drafted(name, FACTS).deal.utm


def test_amocrm_gets_click_ids_in_its_own_tracking_fields() -> None:
    assert drafted("amocrm-leads", FACTS).deal.utm["yclid"] == "123456"


def test_company_is_made_only_when_one_is_named() -> None:
    facts = replace(FACTS, lead=replace(LEAD, company="ООО Ромашка"))
    for name in PRESETS:
        assert drafted(name, FACTS).company is None
        company = drafted(name, facts).company
        assert company is not None
        assert company.text("name") == "ООО Ромашка"


def test_every_flag_has_words_in_both_languages() -> None:
    from leads.records import FLAGS

    for words in FLAG_TEXTS.values():
        assert set(FLAGS) <= set(words)

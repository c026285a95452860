"""Drafts to Bitrix24 fields and back, as plain values."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import CompanyDraft, ContactDraft, DealDraft, NoteDraft, TaskDraft
from connectors.bitrix24.commands import command_text, unreferenced
from connectors.bitrix24.payloads import (
    activity_params,
    comment_params,
    company_fields,
    contact_fields,
    deal_fields,
    entity_of,
    record_id,
    todo_params,
    typed_id,
)
from connectors.bitrix24.persons import missing_parts, phone_digits, phone_forms, same_email, same_phones, too_long
from connectors.bitrix24.records import deal_state, found_deal
from connectors.bitrix24.refusals import refused_fields
from connectors.sandbox.bitrix24_php import parse_query

DUE = datetime(2026, 11, 24, 14, 17, tzinfo=timezone(timedelta(hours=3)))
DEAL = DealDraft(
    key="lead-1:deal",
    title="Расчёт окон",
    contact_id="12",
    company_id="3",
    responsible="7",
    pipeline="5",
    stage="C5:NEW",
    price="1500.50",
    source="Авито",
    comment="3 окна",
    tags=("сайт", "окна"),
    utm={"utm_source": "yandex", "utm_term": ""},
    fields={"UF_CRM_LEADHUB_LINK": "https://hub.example.com/leads/1"},
    phones=("+79161234567",),
    emails=("ivan@example.ru",),
    name="Иван",
)


def test_a_deal_carries_everything_that_is_known_in_one_record() -> None:
    assert deal_fields(DEAL, "deal", "UC_AVITO1") == {
        "TITLE": "Расчёт окон",
        "CATEGORY_ID": 5,
        "STAGE_ID": "C5:NEW",
        "CONTACT_ID": 12,
        "COMPANY_ID": 3,
        "OPPORTUNITY": "1500.50",
        "COMMENTS": "3 окна",
        "SOURCE_ID": "UC_AVITO1",
        "SOURCE_DESCRIPTION": "Авито",
        "UF_CRM_LEADHUB_TAGS": "сайт, окна",
        "UTM_SOURCE": "yandex",
        "ASSIGNED_BY_ID": 7,
        "UF_CRM_LEADHUB_LINK": "https://hub.example.com/leads/1",
        "ORIGINATOR_ID": "leadhub",
        "ORIGIN_ID": "lead-1:deal",
    }


def test_a_lead_also_carries_the_person_and_has_a_status_instead_of_a_pipeline() -> None:
    fields = deal_fields(DEAL, "lead", "WEB", with_tags=False)
    assert fields["PHONE"] == [{"VALUE": "+79161234567", "VALUE_TYPE": "MOBILE"}]
    assert fields["EMAIL"] == [{"VALUE": "ivan@example.ru", "VALUE_TYPE": "WORK"}]
    assert fields["NAME"] == "Иван"
    assert fields["STATUS_ID"] == "C5:NEW"
    assert not {"CATEGORY_ID", "STAGE_ID", "UF_CRM_LEADHUB_TAGS"} & set(fields)


def test_the_stage_tells_the_pipeline_when_none_is_given() -> None:
    fields = deal_fields(DealDraft("k", "t", stage="C9:NEW"), "deal", "WEB")
    assert fields["CATEGORY_ID"] == 9
    assert "CATEGORY_ID" not in deal_fields(DealDraft("k", "t", stage="NEW"), "deal", "WEB")


def test_our_key_cannot_be_overwritten_by_a_mapping() -> None:
    fields = deal_fields(DealDraft("k", "t", fields={"ORIGIN_ID": "other", "TITLE": "mapped"}), "deal", "WEB")
    assert (fields["ORIGIN_ID"], fields["TITLE"]) == ("k", "mapped")


def test_a_contact_without_a_name_is_shown_by_its_phone() -> None:
    assert contact_fields(ContactDraft("k", phones=("+74951234567",)))["NAME"] == "+74951234567"
    assert contact_fields(ContactDraft("k", emails=("a@example.ru",)))["NAME"] == "a@example.ru"


def test_a_company_has_a_title() -> None:
    assert company_fields(CompanyDraft("k", "ООО Ромашка", "7")) == {
        "TITLE": "ООО Ромашка",
        "ASSIGNED_BY_ID": 7,
        "ORIGINATOR_ID": "leadhub",
        "ORIGIN_ID": "k",
    }


def test_notes_and_tasks_are_marked_with_their_key() -> None:
    note = comment_params(NoteDraft("n1", "Заявка\nс сайта", "42"), "deal", "42")
    assert note == {"fields": {"ENTITY_TYPE": "deal", "ENTITY_ID": 42, "COMMENT": "Заявка\nс сайта\n\n#leadhub:n1"}}
    task = todo_params(TaskDraft("t1", "Позвонить: Иван\nдо 14:17", DUE, "42", responsible="7"), "lead", "42")
    assert task == {
        "ownerTypeId": 1,
        "ownerId": 42,
        "deadline": "2026-11-24T11:17:00+00:00",
        "title": "Позвонить: Иван",
        "description": "Позвонить: Иван\nдо 14:17\n\n#leadhub:t1",
        "pingOffsets": [0, 15],
        "responsibleId": 7,
    }


def test_without_to_dos_a_task_is_a_planned_call_with_exactly_one_number() -> None:
    draft = TaskDraft("t1", "Позвонить: Иван, +7 916 123-45-67, окна", DUE, "42", contact_id="12")
    fields = activity_params(draft, "deal", "42")["fields"]
    assert (fields["TYPE_ID"], fields["DIRECTION"], fields["ORIGIN_ID"]) == (2, 2, "t1")
    assert fields["COMMUNICATIONS"] == [{"VALUE": "+7 916 123-45-67", "ENTITY_TYPE_ID": 3, "ENTITY_ID": 12}]
    assert activity_params(TaskDraft("t1", "Написать", DUE, "42"), "deal", "42")["fields"]["TYPE_ID"] == 1


@pytest.mark.parametrize(
    ("value", "made"),
    [
        (123, "123"),
        ("123", "123"),
        ({"id": 5}, "5"),
        ({"item": {"id": 5}}, "5"),
        (True, ""),
        (0, ""),
        (None, ""),
        ([], ""),
        ("", ""),
        ({"item": []}, ""),
    ],
)
def test_only_a_positive_number_is_an_id(value: Any, made: str) -> None:
    assert record_id(value) == made


@pytest.mark.parametrize("usual", ["lead", "deal"])
@pytest.mark.parametrize("entity", ["lead", "deal"])
def test_ids_tell_leads_and_deals_apart(entity: Any, usual: Any) -> None:
    assert entity_of(typed_id(entity, "15", usual), usual) == (entity, "15")
    assert typed_id(usual, "15", usual) == "15"


# --- commands of a batch ---------------------------------------------------------------------------

TEXTS = st.text(st.sampled_from("abяё +&=?#[]%$\n\"'"), max_size=20)
TREES = st.recursive(
    TEXTS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3), st.dictionaries(st.sampled_from(["a", "=b", ">C"]), inner, min_size=1)
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["fields", "filter", "id"]), TREES, min_size=1))
def test_a_command_is_read_back_by_php_as_it_was_meant(params: dict[str, Any]) -> None:
    method, _, query = command_text("crm.deal.add", params).partition("?")
    assert method == "crm.deal.add"
    assert parse_query(query) == params


@pytest.mark.parametrize("name", ["result", "total", "next", "time", "error", "RESULT"])
def test_people_cannot_refer_to_results_of_a_batch(name: str) -> None:
    text = f"цена ${name}[c1][ID] и $5"
    assert f"${name}[" not in unreferenced(text)
    assert unreferenced(text).replace("$ ", "$") == text


def test_plain_money_is_left_alone() -> None:
    assert unreferenced("$total is $500, $result of it") == "$total is $500, $result of it"


# --- phones ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phone", "digits"),
    [
        ("+7 (916) 123-45-67", "79161234567"),
        ("8 916 123-45-67", "79161234567"),
        ("89161234567, доб. 12", "79161234567"),
        ("9161234567", "9161234567"),
        ("810 49 30 1234567", "81049301234567"),
        ("0049 30 1234567", "49301234567"),
        ("011 49 30 1234567", "49301234567"),
        ("123-45-67", "1234567"),
    ],
)
def test_phones_are_compared_as_the_vendor_compares_them(phone: str, digits: str) -> None:
    assert phone_digits(phone) == digits


def test_a_russian_number_is_also_looked_up_without_its_country_code() -> None:
    assert phone_forms("+79161234567") == ("+79161234567", "9161234567")
    assert phone_forms("+4930123456") == ("+4930123456",)


@given(st.from_regex(r"\+7[3489][0-9]{9}", fullmatch=True), st.from_regex(r"\+7[3489][0-9]{9}", fullmatch=True))
def test_a_stranger_never_has_the_same_phone(mine: str, other: str) -> None:
    assert same_phones([mine], [mine])
    assert same_phones([f"8 ({mine[2:5]}) {mine[5:8]}-{mine[8:]}"], [mine])
    assert same_phones([mine], [other]) == (mine == other)


def test_emails_are_compared_without_case_and_space() -> None:
    assert same_email([" Ivan@Example.RU "], ["ivan@example.ru"])
    assert not same_email([""], ["ivan@example.ru"])


def test_a_value_that_would_sink_the_record_is_named() -> None:
    assert too_long(["+79161234567"], ["a" * 250 + "@example.ru"]) == ("emails",)


def test_a_known_contact_gets_only_what_it_lacks() -> None:
    record = {
        "ID": "1",
        "NAME": "Иван",
        "COMPANY_ID": "0",
        "ORIGIN_ID": None,
        "ORIGINATOR_ID": "",
        "UF_CRM_A": "kept",
        "UF_CRM_B": "",
        "PHONE": [{"ID": "5", "VALUE": "8 (916) 123-45-67", "VALUE_TYPE": "HOME"}],
    }
    draft = ContactDraft(
        "p1",
        "Иван Петров",
        ("+79161234567", "+74951234567"),
        ("ivan@example.ru",),
        company_id="3",
        fields={"UF_CRM_A": "new", "UF_CRM_B": "filled"},
    )
    assert missing_parts(record, draft) == {
        "PHONE": [{"VALUE": "+74951234567", "VALUE_TYPE": "WORK"}],
        "EMAIL": [{"VALUE": "ivan@example.ru", "VALUE_TYPE": "WORK"}],
        "COMPANY_ID": 3,
        "UF_CRM_B": "filled",
        "ORIGINATOR_ID": "leadhub",
        "ORIGIN_ID": "p1",
    }


def test_a_name_that_is_only_a_phone_is_replaced() -> None:
    record = {"NAME": "+79161234567", "PHONE": [{"VALUE": "+79161234567"}], "ORIGIN_ID": "x", "ORIGINATOR_ID": "y"}
    assert missing_parts(record, ContactDraft("p1", "Иван", ("+79161234567",))) == {"NAME": "Иван"}
    assert missing_parts({**record, "LAST_NAME": "Петров"}, ContactDraft("p1", "Иван")) == {}


# --- refusals --------------------------------------------------------------------------------------

LABELS = {"Источник заявки": "UF_CRM_SRC", "Ответственный": "ASSIGNED_BY_ID"}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('Поле "E-mail" содержит некорректный адрес', ("emails",)),
        ("Invalid email address", ("emails",)),
        ('Неверное значение поля "Источник заявки"', ("uf_crm_src",)),
        ("Поле «Ответственный» обязательно", ("responsible",)),
        ("Field UTM_SOURCE is too long", ("utm",)),
        ("STAGE_ID is wrong", ("stage",)),
        ('Поле "UF_CRM_BUDGET" обязательно для заполнения', ("UF_CRM_BUDGET",)),
        ("Something else", ()),
    ],
)
def test_a_refusal_is_told_in_the_words_of_the_draft(text: str, names: tuple[str, ...]) -> None:
    draft = DealDraft("k", "t", fields={"uf_crm_src": "x"})
    assert refused_fields(text, draft, LABELS) == names


# --- records ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "closed"),
    [
        ({"STAGE_ID": "C5:WON", "STAGE_SEMANTIC_ID": "S"}, True),
        ({"STAGE_ID": "C5:WHATEVER", "STAGE_SEMANTIC_ID": "P", "CLOSED": "N"}, False),
        ({"STAGE_ID": "C5:LOSE"}, True),
        ({"STAGE_ID": "NEW"}, False),
        ({"STAGE_ID": "X", "CLOSED": "Y"}, True),
    ],
)
def test_a_deal_is_closed_when_won_or_lost(row: dict[str, Any], closed: bool) -> None:
    assert deal_state("deal", {"ID": 4, **row}, "deal").closed is closed


def test_a_deal_in_a_classic_portal_has_a_prefix_and_strings_for_ids() -> None:
    row = {
        "ID": "4",
        "CONTACT_ID": "9",
        "STAGE_ID": "NEW",
        "CATEGORY_ID": "0",
        "DATE_MODIFY": "2026-11-24T14:02:00+03:00",
    }
    state = deal_state("deal", row, "lead")
    assert (state.id, state.contact_ids, state.pipeline) == ("D_4", ("9",), "0")
    assert state.updated_at == datetime(2026, 11, 24, 11, 2, tzinfo=UTC)


def test_a_deal_of_another_program_has_no_key_of_ours() -> None:
    row = {"ID": 4, "ORIGINATOR_ID": "other", "ORIGIN_ID": "77", "CONTACT_ID": "0", "SOURCE_ID": ""}
    found = found_deal("deal", row, "deal")
    assert (found.key, found.has_contact, found.has_source) == ("", False, False)

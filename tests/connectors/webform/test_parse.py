import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.bodies import UnreadableBody
from connectors.doors import ParsedLead, Refused, Unreadable, content_key
from connectors.webform import SOURCE, WebformSettings
from connectors.webform.fields import OURS, meaning_of
from leads.records import FLAGS
from tests.support.requests import NOW, from_http_file, inbound

FIXTURES = Path(__file__).parent / "fixtures"
PLAIN = WebformSettings()


def lead_of(body: object, settings: WebformSettings = PLAIN, *, region: str = "RU", **request: Any) -> ParsedLead:
    data = body if isinstance(body, bytes | str) else json.dumps(body, ensure_ascii=False)
    (lead,) = SOURCE.parse(settings, inbound(data, **request), region).leads
    return lead


# --- samples -----------------------------------------------------------------------------


def test_the_sample_form_is_understood() -> None:
    (lead,) = SOURCE.parse(PLAIN, from_http_file(FIXTURES / "form.http"), "RU").leads
    assert (lead.name, lead.phones, lead.emails) == ("Сергей", ("+79993004050",), ())
    assert lead.comment == "Нужна доставка"
    assert lead.lead_uid == "b7f1c0de-0001"
    assert lead.utm == {"utm_source": "google", "utm_medium": "cpc", "utm_campaign": "delivery"}
    assert lead.click_ids == {"gclid": "FakeGclid777"}
    assert lead.page_url == "https://site.example.test/delivery?utm_source=google"
    assert lead.referrer == "https://www.google.com/"
    assert lead.extra == {}
    assert lead.flags == ()
    assert lead.touch is not None
    assert (lead.touch.channel, lead.touch.at) == ("ad", NOW)


def test_the_sample_json_is_understood() -> None:
    (lead,) = SOURCE.parse(PLAIN, from_http_file(FIXTURES / "json.http"), "RU").leads
    assert (lead.name, lead.phones) == ("Alice Müller", ("+493023125014",))
    assert lead.emails == ("alice.mueller@example.test",)
    assert lead.utm == {
        "utm_source": "facebook", "utm_medium": "paid_social", "utm_campaign": "de_q1", "utm_content": "video2",
    }  # fmt: skip
    assert lead.click_ids == {"fbclid": "IwFake123", "client_id": "111111111.1767600000"}
    assert lead.lead_uid == "b7f1c0de-0002"
    assert lead.extra == {"source": "landing-de", "ids.fbp": "fb.1.1767600000000.123456789"}


def test_the_sample_multipart_is_understood() -> None:
    (lead,) = SOURCE.parse(PLAIN, from_http_file(FIXTURES / "multipart.http"), "RU").leads
    assert (lead.name, lead.phones, lead.emails) == ("Виктор", ("+79994005060",), ("viktor@example.test",))
    assert (lead.comment, lead.lead_uid) == ("Фото во вложении", "b7f1c0de-0003")


def test_a_contact_form_7_and_a_tilda_post_are_understood_too() -> None:
    (lead,) = SOURCE.parse(PLAIN, from_http_file(FIXTURES / "cf7.http"), "RU").leads
    assert (lead.name, lead.phones, lead.emails) == ("Олег Смирнов", ("+79992003040",), ("oleg@example.test",))
    assert lead.page_url == "https://site.example.test/contacts/"
    (lead,) = SOURCE.parse(PLAIN, from_http_file(FIXTURES / "tilda.http"), "RU").leads
    assert lead.lead_uid == "467251:8442970"
    assert (lead.utm["utm_source"], lead.utm["utm_medium"]) == ("yandex", "cpc")
    assert lead.click_ids == {
        "_ym_uid": "1767600000123456789", "client_id": "111111111.1767600000", "roistat_visit": "1000777",
    }  # fmt: skip


# --- fields ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("name", "name"), ("Имя", "name"), ("Ваше имя*", "name"), ("your-name", "name"), ("ФИО", "name"),
        ("contact_name", "name"), ("fields.name.value", "name"), ("client.name", "name"), ("name-2", "name"),
        ("firstName", "first_name"), ("Фамилия", "last_name"), ("customer.last_name", "last_name"),
        ("phone", "phone"), ("Телефон", "phone"), ("your-tel", "phone"), ("tel-456", "phone"), ("Phone_2", "phone"),
        ("contact.phones.0.value", "phone"), ("ваш телефон:", "phone"), ("form_fields.phone", "phone"),
        ("E-mail", "email"), ("Ваш e-mail", "email"), ("Электронная почта", "email"), ("email-789", "email"),
        ("message", "comment"), ("Ваш вопрос", "comment"), ("textarea-1", "comment"), ("Комментарий", "comment"),
        ("page", "page_url"), ("_url", "page_url"), ("HTTP_REFERER", "referrer"), ("formname", "form"),
        ("form.name", "form"), ("utm.source", "touch"), ("utmSource", "touch"), ("ids.fbclid", "touch"),
        ("_ym_uid", "touch"), ("ClientID", "touch"), ("_ga", "touch"), ("roistat", "touch"),
        ("tranid", "lead_uid"), ("event_id", "lead_uid"), ("Название компании", "company"),
        ("id", "extra"), ("user_id", "extra"), ("product.name", "extra"), ("payment.products.0.name", "extra"),
        ("text-123", "extra"), ("source", "extra"), ("manager_phone", "extra"), ("utm", "utm"), ("", "extra"),
        ("company.name", "company"), ("contact_form", "extra"), ("lead_id", "extra"),
    ],
)  # fmt: skip
def test_a_field_is_known_by_its_name(name: str, meaning: str) -> None:
    assert meaning_of(name).meaning == meaning


def test_names_are_put_together() -> None:
    assert (
        lead_of({"first_name": "Иван", "middle_name": "Петрович", "last_name": "Сидоров"}).name
        == "Иван Петрович Сидоров"
    )
    assert lead_of({"name": "Иван", "last_name": "Сидоров"}).name == "Иван Сидоров"
    for group in ("name", "your-name", "names", "form_fields[name]"):
        lead = lead_of(f"{group}[first]=Ivan&{group}[middle]=P.&{group}[last]=Petrov&tel=89161234567")
        assert (lead.name, lead.extra) == ("Ivan P. Petrov", {})
    assert lead_of({"name": "Иван Сидоров", "Фамилия": "Сидоров"}).name == "Иван Сидоров"


def test_two_phones_in_one_field_and_an_extension_are_read() -> None:
    lead = lead_of({"phone": "8 (916) 123-45-67, +7 495 123-45-67 доб. 12"})
    assert lead.phones == ("+79161234567", "+74951234567")
    assert lead.extra == {"phone_ext": "+74951234567: 12"}
    assert lead.flags == ()


def test_the_sources_own_region_reads_national_numbers() -> None:
    assert lead_of({"phone": "020 7183 8750"}, WebformSettings(region="GB")).phones == ("+442071838750",)


def test_an_unreadable_phone_and_email_are_kept_and_flagged() -> None:
    lead = lead_of({"Телефон": "12345", "email": "ivan@", "name": "Иван"})
    assert lead.flags == ("no_contact", "bad_phone", "bad_email")
    assert lead.extra == {"Телефон": "12345", "email": "ivan@"}


def test_a_lead_without_contact_is_a_lead() -> None:
    lead = lead_of({"name": "Иван"})
    assert (lead.name, lead.flags) == ("Иван", ("no_contact",))


def test_contacts_are_found_in_the_wrong_field() -> None:
    assert lead_of({"email": "8 916 123-45-67"}).phones == ("+79161234567",)
    lead = lead_of({"phone": "ivan@example.ru"})
    assert (lead.emails, lead.flags) == (("ivan@example.ru",), ())
    lead = lead_of({"Контакт": "ivan@example.ru"})
    assert lead.emails == ("ivan@example.ru",)
    lead = lead_of({"contact": "89161234567"})
    assert lead.phones == ("+79161234567",)


def test_a_label_that_only_hints_is_believed_when_the_value_proves_it() -> None:
    assert lead_of({"По какому телефону удобно?": "89161234567"}).phones == ("+79161234567",)
    lead = lead_of({"Есть ли у вас телефон?": "да", "email": "a@example.test"})
    assert (lead.phones, lead.flags) == ((), ())
    assert lead.extra == {"Есть ли у вас телефон?": "да"}


def test_without_any_contact_a_field_that_is_all_phone_is_taken() -> None:
    lead = lead_of({"text-123": "+7 916 123-45-67", "inn": "7707083893"})
    assert (lead.phones, lead.flags) == (("+79161234567",), ())
    assert lead.extra == {"text-123": "+7 916 123-45-67", "inn": "7707083893"}
    assert lead_of({"email": "a@example.test", "text-123": "+7 916 123-45-67"}).phones == ()


def test_everything_else_is_kept_as_text() -> None:
    lead = lead_of("name=x&options[]=a&options[]=b&quiz[1][answer]=%D0%B4%D0%B0&empty=&agree=on")
    assert lead.extra == {"options": "a, b", "quiz.1.answer": "да", "agree": "on"}


def test_the_better_of_two_synonyms_wins_and_the_other_is_kept() -> None:
    lead = lead_of(
        {"form_id": "77", "form_name": "Расчёт окон", "url": "https://a.test/", "page_url": "https://b.test/"}
    )
    assert (lead.form, lead.page_url) == ("Расчёт окон", "https://b.test/")
    assert lead.extra == {"form_id": "77", "url": "https://a.test/"}


def test_several_messages_are_one_comment() -> None:
    assert lead_of({"message": "Окна", "question": "Когда?"}).comment == "Окна\nКогда?"


def test_a_page_that_is_no_address_is_not_taken_for_one() -> None:
    lead = lead_of({"page": "Главная"}, headers={"Referer": "https://site.test/"})
    assert (lead.page_url, lead.extra) == ("https://site.test/", {"page": "Главная"})


def test_the_owners_own_field_names_come_first() -> None:
    settings = WebformSettings(fields={"q1": "phone", "Поле 2": "name", "comment": "extra", "src": "utm_source"})
    lead = lead_of({"q1": "89161234567", "поле 2": "Иван", "comment": "x", "src": "VK"}, settings)
    assert (lead.phones, lead.name, lead.comment) == (("+79161234567",), "Иван", "")
    assert (lead.extra, lead.utm) == ({"comment": "x"}, {"utm_source": "vk"})


@pytest.mark.parametrize("ours", OURS)
def test_every_name_of_ours_means_what_it_says(ours: str) -> None:
    meaning = meaning_of(ours)
    assert meaning.sure
    assert (meaning.meaning == "touch") == ours.startswith(("utm", "_ym")) or ours in (
        "gclid",
        "yclid",
        "fbclid",
        "client_id",
        "roistat_visit",
    )
    assert meaning.meaning in (ours, "touch")


def test_files_are_noted_by_name_and_size() -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="tel"\r\n\r\n89161234567\r\n--b\r\n'
        b'Content-Disposition: form-data; name="plan"; filename="plan.pdf"\r\n\r\n%PDF\r\n--b--\r\n'
    )
    lead = lead_of(body, headers={"Content-Type": "multipart/form-data; boundary=b"})
    assert lead.extra == {"plan (file)": "plan.pdf (4 bytes)"}


def test_windows_1251_is_read_and_said() -> None:
    lead = lead_of("имя=Иван&телефон=89161234567".encode("cp1251"))
    assert (lead.name, lead.phones, lead.flags) == ("Иван", ("+79161234567",), ("charset_guessed",))


def test_a_filled_honeypot_is_marked_and_kept() -> None:
    lead = lead_of("tel=89161234567&leadhub_hp=http%3A%2F%2Fspam.test")
    assert lead.flags == ("spam_honeypot",)
    assert lead_of("tel=89161234567&leadhub_hp=").flags == ()
    assert lead_of("tel=89161234567&trap=x", WebformSettings(honeypot="trap")).flags == ("spam_honeypot",)
    assert lead_of("tel=89161234567&trap=x", WebformSettings(honeypot="")).flags == ()


def test_fields_of_the_address_fill_what_the_body_leaves_out() -> None:
    lead = lead_of({"phone": "89161234567"}, query="key=secret&form=Calculator&phone=89160000001")
    assert lead.form == "Calculator"
    assert lead.phones[0] == "+79161234567"
    assert "key" not in lead.extra
    assert lead_of(b"", query="name=x&key=1").name == "x"


def test_the_key_in_the_body_is_not_kept() -> None:
    lead = lead_of({"api_key": "s3cret", "phone": "89161234567"}, WebformSettings(key="s3cret"))
    assert lead.extra == {}


def test_a_list_of_leads_is_as_many_leads() -> None:
    body = json.dumps([{"name": "A", "lead_uid": "1"}, {"name": "B"}, {"name": "C"}])
    leads = SOURCE.parse(PLAIN, inbound(body, headers={"Idempotency-Key": "k"}), "RU").leads
    assert [(lead.name, lead.lead_uid) for lead in leads] == [("A", "1"), ("B", "k#1"), ("C", "k#2")]
    (lead,) = SOURCE.parse(PLAIN, inbound(b'[{"name": "A"}]'), "RU").leads
    assert lead.name == "A"


def test_a_test_ping_makes_no_lead() -> None:
    parsed = SOURCE.parse(PLAIN, inbound("test=test"), "RU")
    assert parsed.leads == ()
    assert parsed.reply is not None
    assert parsed.reply.status == 200


@pytest.mark.parametrize("body", [b"", b"hello", b'{"name":', b"{}", b"[]"])
def test_a_body_without_fields_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableBody):
        SOURCE.parse(PLAIN, inbound(body, query="key=x"), "RU")


# --- where the visitor came from ----------------------------------------------------------


def test_utm_and_click_ids_are_taken_from_the_page_when_no_field_has_them() -> None:
    lead = lead_of(
        {"phone": "1", "page_url": "https://a.test/?UTM_Source=Yandex&utm_term=%D0%BE%D0%BA%D0%BD%D0%B0&yclid=Y1"}
    )
    assert lead.utm == {"utm_source": "yandex", "utm_term": "окна"}
    assert lead.click_ids == {"yclid": "Y1"}


def test_a_utm_string_in_one_field_is_read() -> None:
    expected = {"utm_source": "vk", "utm_medium": "cpc"}
    assert lead_of({"utm": "utm_source=vk&utm_medium=cpc"}).utm == expected
    assert lead_of({"utm": "source=VK|medium=CPC"}).utm == expected
    assert lead_of("utm[source]=vk&utm[medium]=cpc").utm == expected


def test_placeholders_of_ad_systems_are_no_utm() -> None:
    assert lead_of({"utm_source": "yandex", "utm_term": "{keyword}", "utm_content": "null"}).utm == {
        "utm_source": "yandex"
    }


FIRST = {"at": "2026-11-02T10:00:00.000Z", "referrer": "https://www.google.com/", "landing_page": "https://a.test/okna"}
LAST = {
    "at": "2026-11-23T10:00:00.000Z",
    "utm_source": "Yandex",
    "utm_medium": "cpc",
    "yclid": "Y9",
    "landing_page": "https://a.test/?x",
}


@pytest.mark.parametrize("as_text", [True, False])
def test_what_the_browser_remembers_becomes_first_and_last_touch(as_text: bool) -> None:
    first, last = (json.dumps(FIRST), json.dumps(LAST)) if as_text else (FIRST, LAST)
    lead = lead_of({"phone": "89161234567", "page_url": "https://a.test/form", "lh_first": first, "lh_last": last})
    assert lead.browser_first_touch is not None
    assert lead.browser_first_touch.at == datetime(2026, 11, 2, 10, tzinfo=UTC)
    assert (lead.browser_first_touch.channel, lead.browser_first_touch.landing_page) == (
        "organic",
        "https://a.test/okna",
    )
    assert lead.touch is not None
    assert (lead.touch.channel, lead.touch.landing_page) == ("ad", "https://a.test/?x")
    assert lead.touch.at == NOW
    assert lead.utm == {"utm_source": "yandex", "utm_medium": "cpc"}
    assert lead.click_ids == {"yclid": "Y9"}
    assert lead.extra == {}


def test_a_visit_with_utm_of_its_own_is_not_mixed_with_the_last_one() -> None:
    lead = lead_of({"utm_source": "vk", "lh_last": {**LAST, "utm_campaign": "spring"}})
    assert lead.utm == {"utm_source": "vk"}
    assert lead.click_ids == {}


def test_touches_in_a_cookie_field_are_read() -> None:
    cookies = "a=b; leadhub_first=%7B%22utm_source%22%3A%22vk%22%7D; _ga=GA1.1.11.22; _ym_uid=99"
    lead = lead_of({"phone": "89161234567", "cookies": cookies})
    assert lead.browser_first_touch is not None
    assert lead.browser_first_touch.utm == {"utm_source": "vk"}
    assert lead.click_ids == {"client_id": "11.22", "_ym_uid": "99"}


@pytest.mark.parametrize(
    "at", ["2099-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "yesterday", "", "2026-11-02T10:00:00", "9" * 15]
)
def test_a_visitors_wrong_clock_does_not_date_a_touch(at: str) -> None:
    lead = lead_of({"lh_first": {"at": at, "utm_source": "vk"}})
    assert lead.browser_first_touch is not None
    assert lead.browser_first_touch.at == NOW


# --- dedup ---------------------------------------------------------------------------------


def test_the_leads_own_id_comes_before_the_header() -> None:
    assert lead_of({"lead_uid": "a"}, headers={"Idempotency-Key": "b"}).lead_uid == "a"
    assert lead_of({"name": "x"}, headers={"Idempotency-Key": "b"}).lead_uid == "b"
    assert lead_of({"lead_uid": "undefined", "event_id": "0"}, headers={"Idempotency-Key": "b"}).lead_uid == "b"
    assert len(lead_of({"lead_uid": "x" * 5000}).lead_uid) == 64


def test_equal_content_has_one_key_whatever_the_order_the_dress_and_the_time() -> None:
    one = lead_of({"name": "Иван", "phone": "8 916 123-45-67", "a": "1", "b": "2"})
    again = lead_of("b=2&a=1&phone=%2B79161234567&name=Иван", received_at=datetime(2026, 11, 24, 12, tzinfo=UTC))
    assert content_key("site", one) == content_key("site", again)
    assert content_key("site", one) != content_key("other", one)


CHANGES: list[dict[str, Any]] = [
    {"name": "Пётр"},
    {"phones": ("+79160000000",)},
    {"emails": ("a@example.test",)},
    {"comment": "x"},
    {"extra": {"a": "2"}},
    {"form": "x"},
    {"page_url": "https://a.test/"},
    {"utm": {"utm_source": "vk"}},
    {"external_id": "7"},
    {"company": "x"},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_any_other_content_has_another_key(change: dict[str, Any]) -> None:
    lead = lead_of({"name": "Иван", "phone": "8 916 123-45-67", "a": "1"})
    assert content_key("site", lead) != content_key("site", replace(lead, **change))


# --- anything at all ------------------------------------------------------------------------

NAMES = st.text(max_size=8) | st.sampled_from(
    [
        *("name", "phone", "email", "lh_first", "lh_last.at", "utm", "cookies", "page_url", "lead_uid", "Контакт"),
        *("a[b][]", "referrer", "_redirect", "leadhub_hp", "Телефон", "fields.0.phone.value", "связи", "\ud800", "."),
    ]
)
VALUES = st.text() | st.sampled_from(
    [
        *(
            "89161234567",
            "+7 (___) ___",
            "a@b.ru; c@d.ru",
            "http://[",
            "//[::1",
            "{",
            '{"at": 1e999}',
            "utm_source=a&=b",
        ),
        *("https://a.test/?utm_source=%ff&utm_term=%", "a=b; _ga=GA1.1.x; leadhub_first=%7B", "\x00\ud800"),
        *("99999999999999", "[object Object]"),
    ]
)
ANY_VALUE = VALUES | st.integers() | st.none() | st.booleans() | st.dictionaries(NAMES, VALUES, max_size=3)


@given(st.dictionaries(NAMES, ANY_VALUE, min_size=1))
def test_any_fields_make_a_lead_that_a_database_can_hold(fields: dict[str, Any]) -> None:
    try:
        parsed = SOURCE.parse(PLAIN, inbound(json.dumps(fields)), "RU")
    except Unreadable:
        return
    for lead in parsed.leads:
        assert set(lead.flags) <= set(FLAGS)
        text = repr(lead)
        assert "\\x00" not in text
        for part in (
            *lead.extra,
            *lead.extra.values(),
            lead.name,
            lead.comment,
            lead.page_url,
            lead.referrer,
            lead.lead_uid,
        ):
            assert isinstance(part, str)
            assert "\x00" not in part
            part.encode()
        assert len(content_key("site", lead)) == 64


@given(st.binary(), st.text(max_size=30), st.text(max_size=10))
def test_any_request_is_parsed_unreadable_or_refused(body: bytes, content_type: str, tail: str) -> None:
    settings = WebformSettings(key="k", url_token="t", redirect="https://a.test/")
    request = inbound(
        body, path_tail=tail, headers={"content-type": content_type, "referer": content_type, "x-leadhub-key": tail}
    )
    with pytest.raises(Refused):
        SOURCE.verify(settings, request)
    try:
        SOURCE.parse(settings, request, "RU")
    except Unreadable:
        return  # the other allowed outcome

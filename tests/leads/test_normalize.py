"""Free text, names, e-mails and UTM values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.normalize import EmailResult, clean_text, email, emails, person_name, utm_value

WILD = st.text(st.characters(codec=None), max_size=60)  # lone surrogates and controls included
LONG = "x" * 3_000_000
EMAILISH = st.text(st.sampled_from("abИ.@-_+ 1,;<>'\u200b"), max_size=24)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Нужны 3 окна", "Нужны 3 окна"),
        ("  a\r\nb\rc\u2028d  ", "a\nb\nc\nd"),
        ("a\0b\x07c\x1bd", "abcd"),
        ("a\tb", "a\tb"),
        ("\ud83d", "\ufffd"),
        ("и\u0306", "й"),
        ("\ufeffИван\u200b", "Иван"),
        ("abc\u202etxt.exe", "abctxt.exe"),
        ("👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"),
    ],
)
def test_text_keeps_what_people_see_and_loses_what_databases_refuse(text: str, expected: str) -> None:
    assert clean_text(text) == expected


def test_cut_text_says_so() -> None:
    assert clean_text("абвгд", 4) == "абв…"
    assert clean_text("абвг", 4) == "абвг"


@given(WILD)
def test_cleaned_text_can_be_stored_and_cleaning_again_changes_nothing(text: str) -> None:
    once = clean_text(text)
    assert b"\0" not in once.encode("utf-8")
    assert clean_text(once) == once


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  Иван \t\n Петров ", "Иван Петров"),
        ("иван", "иван"),
        ("Anna-Maria O'Neil", "Anna-Maria O'Neil"),
        ("Анна 🌸", "Анна 🌸"),
        ("null", ""),
        ("undefined", ""),
        ("Null", "Null"),
        ("И" * 300, "И" * 255),
    ],
)
def test_a_name_is_one_line_in_its_own_case(text: str, expected: str) -> None:
    assert person_name(text) == expected


@given(WILD)
def test_a_name_is_stable(text: str) -> None:
    once = person_name(text)
    assert person_name(once) == once
    assert "\n" not in once


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ivan@Example.RU ", "ivan@example.ru"),
        ("mailto:ivan@example.ru", "ivan@example.ru"),
        ("ivan.petrov+okna@mail.example.co.uk", "ivan.petrov+okna@mail.example.co.uk"),
        ("почта@пример.рф", "почта@пример.рф"),
        ("ivan@ПРИМЕР.РФ", "ivan@пример.рф"),
        ("ivan@xn--e1afmkfd.xn--p1ai", "ivan@xn--e1afmkfd.xn--p1ai"),
        ("ivan@example.ru.", "ivan@example.ru"),
        ("o'neil@example.com", "o'neil@example.com"),
        (".ivan@example.ru", "ivan@example.ru"),
    ],
)
def test_an_address_is_trimmed_and_in_lower_case(text: str, expected: str) -> None:
    assert email(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "нет", "ivan", "ivan@", "@example.ru", "ivan@example", "ivan@@example.ru", "iv an@example.ru"),
        *("ivan@example..ru", "iv..an@example.ru", "ivan.@example.ru", "ivan@-example.ru"),
        *("ivan@example.123", "ivan@example,ru", "ivan@127.0.0.1", f"{'a' * 65}@example.ru", f"a@{'b' * 64}.ru"),
        *("+79161234567", "ivan@exa_mple-.ru", f"a@{'b.' * 130}ru"),
    ],
)
def test_what_is_obviously_no_address_is_refused(text: str) -> None:
    assert email(text) == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a@b.ru; C@d.com", EmailResult(("a@b.ru", "c@d.com"))),
        ("a@b.ru,c@d.com", EmailResult(("a@b.ru", "c@d.com"))),
        ("a@b.ru A@B.RU", EmailResult(("a@b.ru",))),
        ("Иван Петров <ivan@example.ru>", EmailResult(("ivan@example.ru",))),
        ("ivan @ example.ru", EmailResult(("ivan@example.ru",))),
        ("a@b.ru, c@d", EmailResult(("a@b.ru",), "c@d")),
        ("ivan@example,ru", EmailResult((), "ivan@example,ru")),
        ("нет почты", EmailResult((), "нет почты")),
        ("  ", EmailResult()),
    ],
)
def test_all_addresses_of_a_field_are_found_and_the_unread_is_kept(text: str, expected: EmailResult) -> None:
    assert emails(text) == expected


@given(EMAILISH)
def test_an_address_read_again_is_the_same(text: str) -> None:
    for address in emails(text).found:
        assert email(address) == address
        assert address == address.lower()
        assert address.count("@") == 1
        assert not any(char.isspace() for char in address)


@given(WILD)
def test_any_text_as_an_address_is_survived(text: str) -> None:
    result = emails(text)
    assert not (result.found and email(text) == "" and "@" not in text)
    "".join((*result.found, result.rest)).encode("utf-8")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Yandex", "yandex"),
        (" CPC ", "cpc"),
        ("%D0%BA%D1%83%D0%BF%D0%B8%D1%82%D1%8C+%D0%BE%D0%BA%D0%BD%D0%B0", "купить окна"),
        ("%EE%EA%ED%E0", "окна"),
        ("c%2B%2B", "c++"),
        ("a+b", "a+b"),
        ("100%", "100%"),
        ("%2541", "%41"),
        ("cmp_{id}", "cmp_{id}"),
        ("окна\nи двери", "окна и двери"),
    ],
)
def test_a_utm_value_is_decoded_once_and_in_lower_case(text: str, expected: str) -> None:
    assert utm_value(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "(none)", "(not set)", "(not provided)", "(direct)", "null", "undefined", "None", "-"),
        *("<не указано>", "<не заполнено>", "{keyword}", "{{campaign.name}}", "{param}", "%7Bkeyword%7D"),
    ],
)
def test_a_utm_value_that_means_nothing_is_empty(text: str) -> None:
    assert utm_value(text) == ""


@given(WILD)
def test_any_text_as_a_utm_value_can_be_stored(text: str) -> None:
    value = utm_value(text)
    assert b"\0" not in value.encode("utf-8")
    assert len(value) <= 500


def test_text_without_end_is_bounded_work_and_no_unread_text_is_lost() -> None:
    assert emails(f"a@b.ru {LONG}") == EmailResult(("a@b.ru",), LONG[: len(LONG) - 2_000 + len("a@b.ru ")])
    assert utm_value(LONG) == "x" * 500
    assert utm_value("%D0%BE" * 100_000) == "о" * 500
    assert len(person_name(LONG)) == 255

"""Phones: the usual Russian ways of typing, properties, and that the short cut is no opinion of its own."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from leads.phones import NOTHING, country, phones, read_phones

PHONEISH = st.text(st.sampled_from("0123456789+()- .,;/_доби٣８\u00a0\u2011"), min_size=0, max_size=30)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+79161234567", "+79161234567"),
        ("+7 (916) 123-45-67", "+79161234567"),
        ("+7(916)1234567", "+79161234567"),
        ("7 (916) 123-45-67", "+79161234567"),
        ("8 (916) 123-45-67", "+79161234567"),
        ("8-916-123-45-67", "+79161234567"),
        ("8.916.123.45.67", "+79161234567"),
        ("89161234567", "+79161234567"),
        ("9161234567", "+79161234567"),
        ("(916) 123 45 67", "+79161234567"),
        ("+ 7 916 123 45 67", "+79161234567"),
        ("+7\u00a0916\u00a0123\u201345\u201367", "+79161234567"),
        ("8\u2011916\u2011123\u201145\u201167", "+79161234567"),
        ("+8 916 123 45 67", "+79161234567"),
        ("+89161234567", "+79161234567"),
        ("+7 8 916 123 45 67", "+79161234567"),
        ("+779161234567", "+79161234567"),
        ("+7 +7 916 123 45 67", "+79161234567"),
        ("007 916 123-45-67", "+79161234567"),
        ("8 800 555 35 35", "+78005553535"),
        ("8 (495) 123-45-67", "+74951234567"),
        ("тел. 8 916 123-45-67", "+79161234567"),
        ("tel:+79161234567", "+79161234567"),
        ("+7-916-123-45-67 (WhatsApp)", "+79161234567"),
        ("٨٩١٦١٢٣٤٥٦٧", "+79161234567"),
        ("８９１６１２３４５６７", "+79161234567"),
        ("+7 701 123 45 67", "+77011234567"),
        ("8 701 123 45 67", "+77011234567"),
        ("+375 29 123-45-67", "+375291234567"),
        ("375291234567", "+375291234567"),
        ("380671234567", "+380671234567"),
        ("998 90 123 45 67", "+998901234567"),
        ("8 10 49 30 123456", "+4930123456"),
        ("00 49 30 123456", "+4930123456"),
        ("0049 (0)30 123456", "+4930123456"),
        ("+49 (0) 30 123456", "+4930123456"),
        ("+44 7700 900123", "+447700900123"),
        ("+1 (202) 555-0123", "+12025550123"),
    ],
)
def test_one_phone_is_read_as_people_type_it(text: str, expected: str) -> None:
    result = phones(text, "RU")
    assert (result.found, result.bad) == ((expected,), False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8 916 123-45-67, 8 903 765-43-21", ("+79161234567", "+79037654321")),
        ("89161234567;89037654321", ("+79161234567", "+79037654321")),
        ("+7 916 123 45 67 / +7 903 765 43 21", ("+79161234567", "+79037654321")),
        ("89161234567 или 89037654321", ("+79161234567", "+79037654321")),
        ("89161234567 и 8 495 123 45 67", ("+79161234567", "+74951234567")),
        ("89161234567\n89037654321", ("+79161234567", "+79037654321")),
        ("89161234567 89037654321", ("+79161234567", "+79037654321")),
        ("+79161234567+79037654321", ("+79161234567", "+79037654321")),
        ("89161234567, +7 (916) 123-45-67", ("+79161234567",)),
        ("Звонить после 18: 8 916 123 45 67", ("+79161234567",)),
    ],
)
def test_several_phones_in_one_field_are_all_found_once(text: str, expected: tuple[str, ...]) -> None:
    assert phones(text, "RU").found == expected


@pytest.mark.parametrize(
    "text",
    [
        "8 495 123-45-67 доб. 123",
        "8 495 123-45-67 доб 123",
        "8 495 123-45-67, доб. 123",
        "8 495 123-45-67 (доб. 123)",
        "8 495 123-45-67 добавочный 123",
        "8 495 123-45-67 вн.123",
        "8 495 123-45-67 внутр. 123",
        "+7 495 123-45-67 ext. 123",
        "+7 495 123-45-67 x123",
        "8(495)1234567#123",
        "84951234567,123",
    ],
)
def test_an_extension_is_kept_aside_so_that_it_does_not_part_one_person_in_two(text: str) -> None:
    result = phones(text, "RU")
    assert result.found == ("+74951234567",)
    assert result.extensions == (("+74951234567", "123"),)
    assert result.rest == ""


def test_each_of_two_phones_keeps_its_own_extension() -> None:
    result = phones("89161234567 доб 12; 84951234567 доб. 34", "RU")
    assert result.extensions == (("+79161234567", "12"), ("+74951234567", "34"))


@pytest.mark.parametrize(
    "text", ["", "   ", "-", "+", "+7", "+7 (", "+7 (___) ___-__-__", "8 (___) ___-__-__", "нет", "anonymous", "n/a"]
)
def test_an_empty_mask_or_a_word_for_none_is_neither_a_phone_nor_a_bad_phone(text: str) -> None:
    assert phones(text, "RU") == NOTHING
    assert not phones(text, "RU").bad


@pytest.mark.parametrize(
    "text",
    [
        "123456",
        "+7 (916) 123-45-6",
        "89161234567890",
        "+7 999 999-99-99",
        "+70000000000",
        "1234567890",
        "позвоните мне",
        "ivan@example.ru",
        "+999123456789",
        "(202) 555-0143",
        "2025550143",
        "+7 202 555-01-43",
    ],
)
def test_what_is_no_phone_is_kept_as_rest_and_called_bad(text: str) -> None:
    result = phones(text, "RU")
    assert (result.found, result.rest, result.bad) == ((), text, True)


def test_an_unread_second_number_is_kept_beside_the_first() -> None:
    result = phones("89161234567, 12345678", "RU")
    assert (result.found, result.rest, result.bad) == (("+79161234567",), "12345678", True)


@pytest.mark.parametrize(
    ("text", "region", "expected"),
    [
        ("(202) 555-0123", "US", "+12025550123"),
        ("020 7946 0018", "GB", "+442079460018"),
        ("030 123456", "DE", "+4930123456"),
        ("79161234567", "US", "+79161234567"),
        ("+7 916 123-45-67", "", "+79161234567"),
        ("8 029 123 45 67", "BY", "+375291234567"),
    ],
)
def test_a_number_without_country_code_is_read_as_of_the_region(text: str, region: str, expected: str) -> None:
    assert phones(text, region).found == (expected,)


def test_without_a_region_a_national_number_is_not_guessed() -> None:
    assert phones("(202) 555-0123", "").found == ()


def test_a_text_of_any_length_is_bounded_work_and_nothing_of_it_is_lost() -> None:
    text = "89161234567 " + "1 2 3 " * 20_000
    result = phones(text, "RU")
    assert result.found == ("+79161234567",)
    assert len(result.rest) > 100_000


@pytest.mark.parametrize(
    ("phone", "expected"),
    [("+79161234567", "RU"), ("+77011234567", "KZ"), ("+375291234567", "BY"), ("+12025550123", "US"), ("nonsense", "")],
)
def test_the_country_of_a_phone(phone: str, expected: str) -> None:
    assert country(phone) == expected


# --- properties ------------------------------------------------------------------------------------


@given(PHONEISH, st.sampled_from(["RU", "KZ", "US", "DE", ""]))
def test_what_is_found_is_ascii_e164_and_reading_it_again_gives_the_same(text: str, region: str) -> None:
    for phone in phones(text, region).found:
        assert phone.startswith("+")
        assert phone[1:].isascii()
        assert phone[1:].isdigit()
        assert 8 <= len(phone) <= 16
        assert phones(phone, region).found == (phone,)


@given(st.text(max_size=60))
def test_any_text_at_all_is_survived_and_nothing_unread_vanishes(text: str) -> None:
    result = phones(text, "RU")
    if not result.found and sum(char.isdigit() for char in text) > 3:
        assert result.rest
    result.rest.encode("utf-8")


def _dressed(draw: st.DrawFn, prefix: str, digits: str) -> str:
    space = st.sampled_from(["", " ", "-", "\u00a0"])
    area = f"({digits[:3]})" if draw(st.booleans()) else digits[:3]
    groups = [area, digits[3:6], digits[6:8], digits[8:]]
    text = prefix
    for group in groups:
        text += draw(space) + group
    return text


@st.composite
def russian_looking(draw: st.DrawFn) -> str:
    """Ten digits in a dress, of any area code: mostly numbers that exist, sometimes not."""
    digits = draw(st.text("0123456789", min_size=10, max_size=10))
    return _dressed(draw, draw(st.sampled_from(["+7", "8", "7", "", "+8", "+7 8"])), digits)


@settings(max_examples=500)
@example("73000000000", "KZ")  # the plan of Kazakhstan has no 3xx, so there this is no number
@example("8 800 0000000", "RU")
@example("8000000000", "RU")
@given(russian_looking(), st.sampled_from(["RU", "KZ", "US", ""]))
def test_the_short_cut_gives_exactly_what_the_long_way_gives(text: str, region: str) -> None:
    assert phones(text, region) == read_phones(text, region)


@settings(max_examples=300)
@given(st.data(), st.sampled_from("3489"), st.text("0123456789", min_size=9, max_size=9))
def test_all_dresses_of_one_russian_number_are_one_number(data: st.DataObject, first: str, tail: str) -> None:
    digits = first + tail
    dressed = data.draw(st.composite(lambda draw: _dressed(draw, draw(st.sampled_from(["+7", "8", "7"])), digits))())
    assert phones(dressed, "RU") == phones(f"+7{digits}", "RU")

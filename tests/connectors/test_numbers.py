"""Numbers as telephony sends them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.numbers import NOBODY, Number, line_or_client


@pytest.mark.parametrize(
    ("sent", "region", "e164"),
    [
        ("79990001122", "RU", "+79990001122"),
        ("+79990001122", "US", "+79990001122"),
        ("89990001122", "RU", "+79990001122"),
        ("84951234567", "RU", "+74951234567"),
        ("87011234567", "KZ", "+77011234567"),
        ("9990001122", "RU", "+79990001122"),
        ("+7 (999) 000-11-22", "RU", "+79990001122"),
        ("74950000101", "RU", "+74950000101"),
        ("81012025550143", "RU", "+12025550143"),
        ("02071838750", "GB", "+442071838750"),
        ("13812345678", "CN", "+8613812345678"),
        ("11987654321", "BR", "+5511987654321"),
        ("00442071838750", "RU", "+442071838750"),
    ],
)
def test_a_number_is_read_with_its_country_or_that_of_the_source(sent: str, region: str, e164: str) -> None:
    assert line_or_client(sent, region).e164 == e164


@pytest.mark.parametrize("sent", ["998901112233", "442071838750", "12025550143", "375291234567", "77012345678"])
@pytest.mark.parametrize("region", ["RU", "GB", ""])
def test_the_plus_that_a_vendor_left_out_is_put_back_before_the_region_counts(sent: str, region: str) -> None:
    assert line_or_client(sent, region).e164 == f"+{sent}"


@pytest.mark.parametrize(
    "sent",
    ["sip:79990001122@pbx.example", "<sip:+79990001122@a;user=phone>", '"Ivan" <79990001122>', "tel:+79990001122"],
)
def test_what_stands_around_a_number_is_taken_off(sent: str) -> None:
    assert line_or_client(sent, "RU").e164 == "+79990001122"


@pytest.mark.parametrize(
    ("sent", "extension"), [("101", "101"), ("20501", "20501"), ("sip:101@pbx.example", "101"), ("0", "0")]
)
def test_up_to_five_digits_are_an_extension_and_nobody_outside(sent: str, extension: str) -> None:
    number = line_or_client(sent, "RU")
    assert number == Number(extension=extension, raw=extension)
    assert number.outside == ""


@pytest.mark.parametrize(
    "sent", ["", " ", "anonymous", "Anonymous", "Unknown", "sip:anonymous@anonymous.invalid", "+", "0000000000", "null"]
)
def test_a_hidden_caller_is_nobody(sent: str) -> None:
    assert line_or_client(sent, "RU") is NOBODY
    assert not NOBODY
    assert NOBODY.outside == ""


@pytest.mark.parametrize(
    ("sent", "raw"),
    [("sip:anna@demo.mangosip.ru", "anna"), ("112233", "112233"), ("1234567890123456789", "1234567890123456789")],
)
def test_what_is_no_phone_is_kept_as_it_was_sent(sent: str, raw: str) -> None:
    assert line_or_client(sent, "RU") == Number(raw=raw)
    assert line_or_client(sent, "RU").outside == raw


@given(
    st.text(st.sampled_from("0123456789+ -()@;<>:sip٣x"), max_size=30) | st.text(max_size=120),
    st.sampled_from(["RU", "GB", "", "BR"]),
)
def test_whatever_is_sent_makes_a_number_or_text(sent: str, region: str) -> None:
    number = line_or_client(sent, region)
    assert number.e164 == "" or (number.e164[0] == "+" and number.e164[1:].isascii() and number.e164[1:].isdecimal())
    assert not (number.e164 and number.extension)
    assert line_or_client(number.e164, region).e164 == number.e164

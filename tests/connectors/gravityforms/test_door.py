import pytest

from tests.support import form_doors as doors

ENTRY = {"id": "3021", "form_id": "5"}


def test_the_sample_lead() -> None:
    found = doors.lead_of("gravityforms", doors.sample("gravityforms", "lead.http"), region="US")
    assert (found.name, found.phones, found.emails) == ("John Doe", ("+12025550143",), ("john.doe@example.test",))
    assert (found.lead_uid, found.form, found.page_url) == ("3021", "5", "https://site.example.test/quote/")
    assert (found.extra, found.flags) == ({"ip": "203.0.113.9"}, ())


def test_an_address_and_choices_are_no_name() -> None:
    body = {
        **ENTRY, "1.1": "Main St 1", "1.3": "Springfield", "1.6": "Canada", "2.1": "Red", "2.3": "Blue", "2.6": "Green",
        "4.2": "", "4.3": "Ann", "4.4": "M.", "4.6": "Lee", "5": "ann@example.test",
    }  # fmt: skip
    found = doors.lead_of("gravityforms", doors.posted("gravityforms", body))
    assert found.name == "Ann M. Lee"
    assert found.extra == {
        "1.1": "Main St 1", "1.3": "Springfield", "1.6": "Canada", "2.1": "Red", "2.3": "Blue", "2.6": "Green",
    }  # fmt: skip


@pytest.mark.parametrize("text", ["2026-01-05 12:00:00", "05.01.2026", "1200", "4111-1111-1111-1111-1111", "12 5 4"])
def test_numbers_that_are_no_phone_stay_what_they_are(text: str) -> None:
    found = doors.lead_of("gravityforms", doors.posted("gravityforms", {**ENTRY, "2": "a@example.test", "7": text}))
    assert (found.phones, found.extra) == ((), {"7": text})


def test_the_owners_numbers_count_before_what_stands_in_them() -> None:
    body = {**ENTRY, "3": "8 999 200-30-50", "4": "8 999 200-30-51", "9": "Нужны окна"}
    chosen = {"4": "phone", "9": "comment"}
    found = doors.lead_of("gravityforms", doors.posted("gravityforms", body), fields=chosen)
    assert (found.phones, found.comment, found.extra) == (("+79992003051",), "Нужны окна", {"3": "8 999 200-30-50"})


def test_columns_of_the_entry_say_nothing_of_the_person() -> None:
    body = {**ENTRY, "2": "a@example.test", "status": "active", "is_read": "0", "created_by": None, "currency": "USD"}
    assert doors.lead_of("gravityforms", doors.posted("gravityforms", body)).extra == {}


def test_an_id_without_a_form_is_not_taken_for_an_entrys() -> None:
    found = doors.lead_of("gravityforms", doors.posted("gravityforms", {"id": "1", "Phone": "+79992003050"}))
    assert (found.lead_uid, found.extra) == ("", {"id": "1"})

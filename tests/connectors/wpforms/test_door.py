from tests.support import form_doors as doors


def test_the_sample_lead() -> None:
    found = doors.lead_of("wpforms", doors.sample("wpforms", "lead.http"))
    assert (found.name, found.phones, found.emails) == ("Ирина", ("+79992003050",), ("irina@example.test",))
    assert (found.lead_uid, found.form, found.page_url) == ("1501", "77", "https://site.example.test/")
    assert (found.extra, found.flags) == ({}, ())


def test_the_plugins_own_list_of_fields_is_read_by_type() -> None:
    body = {
        "form_id": 77, "form_name": "Замер", "entry_id": 1502,
        "fields": {
            "1": {"id": 1, "type": "name", "name": "Кто вы", "value": "Аня", "first": "Аня"},
            "2": {"id": 2, "type": "phone", "name": "Как позвонить", "value": "8 999 200-30-50"},
            "3": {"id": 3, "type": "checkbox", "name": "Что нужно", "value": ["Окна", "Двери"]},
            "4": {"id": 4, "type": "divider", "name": "Раздел", "value": ""},
        },
    }  # fmt: skip
    found = doors.lead_of("wpforms", doors.posted("wpforms", body))
    assert (found.name, found.phones, found.form, found.lead_uid) == ("Аня", ("+79992003050",), "Замер", "1502")
    assert found.extra == {"Что нужно": "Окна, Двери"}


def test_an_entry_without_a_number_has_no_id() -> None:
    """The free version stores no entries: its id is 0 for every lead."""
    body = {"entry_id": 0, "phone": "+79992003050"}
    assert doors.lead_of("wpforms", doors.posted("wpforms", body)).lead_uid == ""


def test_keys_of_the_owner_are_named_in_the_settings() -> None:
    body = {"a": "Аня", "b": "8 999 200-30-50"}
    found = doors.lead_of("wpforms", doors.posted("wpforms", body), fields={"a": "name", "b": "phone"})
    assert (found.name, found.phones, found.extra) == ("Аня", ("+79992003050",), {})

from urllib.parse import urlencode

from connectors.doors import Inbound
from tests.support import form_doors as doors


def advanced(*fields: tuple[str, str, str, str], **meta: str) -> Inbound:
    """(id, type, title, value) of each field."""
    named = {"form[id]": "55f8b75", "form[name]": "Contact"}
    for key, kind, title, value in fields:
        named |= {f"fields[{key}][id]": key, f"fields[{key}][type]": kind, f"fields[{key}][title]": title}
        named |= {f"fields[{key}][value]": value, f"fields[{key}][raw_value]": value, f"fields[{key}][required]": "0"}
    for key, value in meta.items():
        named |= {f"meta[{key}][title]": key.title(), f"meta[{key}][value]": value}
    return doors.posted("elementor", urlencode(named))


def test_the_sample_with_advanced_data_on() -> None:
    found = doors.lead_of("elementor", doors.sample("elementor", "advanced-data-on.http"), region="GB")
    assert (found.name, found.phones, found.emails) == ("Jane Roe", ("+442071838750",), ("jane.roe@example.test",))
    assert found.form == "Contact"
    assert found.page_url == "https://shop.example.test/contact/?utm_source=google&utm_medium=cpc&gclid=FakeGclid123"
    assert found.utm == {"utm_source": "google", "utm_medium": "cpc"}
    assert found.click_ids == {"gclid": "FakeGclid123"}
    assert (found.extra, found.flags, found.lead_uid) == ({"remote_ip": "203.0.113.7"}, (), "")


def test_the_sample_with_advanced_data_off() -> None:
    found = doors.lead_of("elementor", doors.sample("elementor", "advanced-data-off.http"))
    assert (found.name, found.phones, found.emails) == ("Jane Roe", ("+442071838750",), ("jane.roe@example.test",))
    assert (found.form, found.extra, found.flags) == ("Contact", {}, ())


def test_a_national_number_is_of_the_sources_region_and_flagged_where_it_is_none() -> None:
    request = doors.sample("elementor", "advanced-data-on.http")
    assert doors.lead_of("elementor", request, region="GB").phones == ("+442071838750",)
    abroad = doors.lead_of("elementor", request)
    assert (abroad.phones, abroad.extra["Phone"], abroad.flags) == ((), "020 7183 8750", ("bad_phone",))


def test_the_type_counts_more_than_a_renamed_title() -> None:
    request = advanced(
        ("f1", "tel", "Как до вас дозвониться", "+7 999 100-20-30"), ("f2", "email", "Ящик", "a@example.test"),
        ("name", "text", "", "Аня"), ("message", "textarea", "Расскажите", "Нужны окна"),
        ("f5", "step", "Шаг 2", "x"), ("f6", "select", "Город", "Тверь"),
    )  # fmt: skip
    found = doors.lead_of("elementor", request)
    assert (found.phones, found.emails, found.name) == (("+79991002030",), ("a@example.test",), "Аня")
    assert found.comment == "Нужны окна"
    assert found.extra == {"Город": "Тверь"}


def test_the_marks_of_the_visit_do_not_depend_on_the_sites_language() -> None:
    request = advanced(
        ("f1", "tel", "Тел", "+79991002030"), date="5 января", time="12:00", credit="Elementor", user_agent="Firefox",
        page_url="https://a.example.test/?utm_source=vk",
    )  # fmt: skip
    found = doors.lead_of("elementor", request)
    assert found.page_url == "https://a.example.test/?utm_source=vk"
    assert found.utm == {"utm_source": "vk"}
    assert found.extra == {"user_agent": "Firefox"}


def test_two_fields_of_one_title_are_both_kept() -> None:
    request = advanced(("a", "tel", "Телефон", "+79991002030"), ("b", "tel", "Телефон", "+79991002031"))
    assert doors.lead_of("elementor", request).phones == ("+79991002030", "+79991002031")


def test_the_layout_with_form_fields_is_read() -> None:
    body = urlencode({"form_fields[name]": "Аня", "form_fields[phone]": "+79991002030", "form_id": "7"})
    found = doors.lead_of("elementor", doors.posted("elementor", body))
    assert (found.name, found.phones, found.form) == ("Аня", ("+79991002030",), "7")


def test_labels_as_keys_with_what_the_site_adds() -> None:
    fields = {
        "No Label name": "Аня", "Телефон": "+79991002030", "No Label field_1": "Да", "Date": "5 января",
        "Time": "12:00", "Page URL": "https://a.example.test/?utm_source=vk", "Powered by": "Elementor",
        "form_name": "Замер",
    }  # fmt: skip
    found = doors.lead_of("elementor", doors.posted("elementor", urlencode(fields)))
    assert (found.name, found.form, found.utm) == ("Аня", "Замер", {"utm_source": "vk"})
    assert found.extra == {"No Label field_1": "Да"}

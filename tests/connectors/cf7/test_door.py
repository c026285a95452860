from urllib.parse import urlencode

from connectors.doors import Parsed
from tests.support import form_doors as doors


def test_the_sample_lead() -> None:
    found = doors.lead_of("cf7", doors.sample("cf7", "lead.http"))
    assert (found.name, found.phones, found.emails) == ("Олег Смирнов", ("+79992003040",), ("oleg@example.test",))
    assert (found.comment, found.form) == ("Перезвоните", "123")
    assert found.page_url == "https://site.example.test/contacts/"
    assert found.utm == {"utm_source": "vk", "utm_medium": "social"}
    assert (found.lead_uid, found.extra, found.flags) == ("", {}, ())


def test_a_form_post_with_numbered_tags_choices_and_the_plugins_own_fields() -> None:
    fields = [
        ("_wpcf7", "9"), ("_wpcf7_version", "6.0"), ("_wpnonce", "abc"), ("text-12", "Вопрос"),
        ("tel-456", "89992003040"), ("your-name", "Аня"),
        ("services[]", "Окна"), ("services[]", "Двери"), ("form_title", "Замер"),
    ]  # fmt: skip
    found = doors.lead_of("cf7", doors.posted("cf7", urlencode(fields)))
    assert (found.name, found.phones, found.form) == ("Аня", ("+79992003040",), "Замер")
    assert found.extra == {"text-12": "Вопрос", "services": "Окна, Двери"}


def test_only_the_plugins_own_fields_are_no_lead() -> None:
    assert doors.taken("cf7", doors.posted("cf7", {"_wpcf7": "9", "_wpcf7_locale": "ru_RU"})) == Parsed()


def test_the_owners_names_count_before_ours() -> None:
    body = {"q-tel": "нет", "q-two": "8 999 200 30 40"}
    assert doors.lead_of("cf7", doors.posted("cf7", body), fields={"q-two": "phone"}).phones == ("+79992003040",)

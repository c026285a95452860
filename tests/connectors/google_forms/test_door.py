from connectors.doors import Parsed
from tests.support import form_doors as doors


def test_the_sample_response() -> None:
    found = doors.lead_of("google-forms", doors.sample("google-forms", "apps-script.http"))
    assert (found.lead_uid, found.form) == ("2_ABaOnuFake0001", "1FAIpQLSfake")
    assert (found.name, found.phones, found.emails) == ("Анна", ("+79996007080",), ("anna.k@example.test",))
    assert (found.extra, found.flags) == ({}, ())


def test_several_answers_and_the_sheets_own_columns() -> None:
    body = {
        "namedValues": {
            "Отметка времени": ["05.01.2026 14:00:00"], "Как вас зовут?": ["Аня"], "Что нужно?": ["Окна", "Двери"],
            "Ваш телефон для связи": ["8 999 600 70 80"], "Пусто": [""],
        },
        "responseId": "r2", "form_title": "Замер",
    }  # fmt: skip
    found = doors.lead_of("google-forms", doors.posted("google-forms", body))
    assert (found.name, found.phones, found.lead_uid, found.form) == ("Аня", ("+79996007080",), "r2", "Замер")
    assert found.extra == {"Что нужно?": "Окна, Двери"}


def test_a_post_without_answers_makes_nothing() -> None:
    assert doors.taken("google-forms", doors.posted("google-forms", {"hello": "world"})) == Parsed()


def test_the_owner_names_whole_questions() -> None:
    body = {"response_id": "r3", "named_values": {"Куда звонить, в рабочее время?": ["89996007080"]}}
    chosen = {"Куда звонить, в рабочее время?": "phone"}
    assert doors.lead_of("google-forms", doors.posted("google-forms", body), fields=chosen).phones == ("+79996007080",)

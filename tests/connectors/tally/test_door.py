import base64
import hmac
import json
from typing import Any

from connectors.doors import Inbound, Parsed
from tests.support import form_doors as doors
from tests.support.requests import inbound


def signed(event: object) -> Inbound:
    raw = json.dumps(event, ensure_ascii=False).encode()
    digest = base64.b64encode(hmac.digest(b"fake-tally-secret-1", raw, "sha256")).decode()
    return inbound(raw, headers={"Tally-Signature": digest})


def response(*fields: dict[str, Any]) -> Inbound:
    data = {"responseId": "r1", "submissionId": "s1", "formId": "F", "fields": list(fields)}
    return signed({"eventId": "e1", "eventType": "FORM_RESPONSE", "data": data})


def test_the_sample_response() -> None:
    found = doors.lead_of("tally", doors.sample("tally", "form-response.http"))
    assert (found.lead_uid, found.form, found.name) == ("2wgx4n", "Quote", "Lena")
    assert (found.phones, found.emails) == (("+493023125015",), ("lena@example.test",))
    assert found.utm == {"utm_source": "google"}
    assert (found.extra, found.flags) == ({}, ())


def test_chosen_options_are_told_by_their_texts() -> None:
    options = [{"id": "o1", "text": "Окна"}, {"id": "o2", "text": "Двери"}]
    found = doors.lead_of("tally", response(
        {"key": "question_a", "label": "Что нужно?", "type": "CHECKBOXES", "value": ["o1", "o2"], "options": options},
        {"key": "question_a_o1", "label": "Что нужно? (Окна)", "type": "CHECKBOXES", "value": True},
        {"key": "question_a_o2", "label": "Что нужно? (Двери)", "type": "CHECKBOXES", "value": False},
        {"key": "question_b", "label": "Срочно?", "type": "MULTIPLE_CHOICE", "value": ["zzz"], "options": options},
        {"key": "question_c", "label": "Согласие", "type": "CHECKBOX", "value": True},
    ))  # fmt: skip
    assert found.extra == {"Что нужно?": "Окна, Двери", "Срочно?": "zzz", "Согласие": "true"}
    assert found.form == "F"


def test_files_and_matrices_are_readable() -> None:
    found = doors.lead_of("tally", response(
        {"key": "q1", "label": "Фото", "type": "FILE_UPLOAD", "value": [{"name": "a.png", "url": "https://f.example.test/a"}]},
        {"key": "q2", "label": "Оценка", "type": "MATRIX", "value": {"r1": ["c1"]},
         "rows": [{"id": "r1", "text": "Цена"}], "columns": [{"id": "c1", "text": "Хорошо"}]},
        {"key": "q3", "label": None, "type": "INPUT_NUMBER", "value": 3},
    ))  # fmt: skip
    assert found.extra == {"Фото": "https://f.example.test/a", "Оценка": "Цена: Хорошо", "q3": "3"}


def test_without_a_secret_the_address_is_the_proof() -> None:
    body = doors.sample("tally", "form-response.http").body
    found = doors.lead_of("tally", inbound(body, path_tail="tok-1"), secret=None, url_token="tok-1")
    assert found.name == "Lena"


def test_other_events_make_nothing() -> None:
    assert doors.taken("tally", signed({"eventType": "FORM_CREATED", "data": {"formId": "F"}})) == Parsed()

import base64
import hmac
import json
from typing import Any

import pytest

from connectors.doors import Inbound, Parsed
from tests.support import form_doors as doors
from tests.support.requests import inbound


def signed(event: object) -> Inbound:
    raw = json.dumps(event, ensure_ascii=False).encode()
    digest = base64.b64encode(hmac.digest(b"fake-typeform-secret-1", raw, "sha256")).decode()
    return inbound(raw, headers={"Typeform-Signature": f"sha256={digest}"})


def response(*answers: tuple[str, str, str, Any], **more: Any) -> dict[str, Any]:
    """(title, ref, type, value) of each question."""
    fields = [{"id": f"f{n}", "title": title, "ref": ref} for n, (title, ref, _, _) in enumerate(answers)]
    told = [
        {"type": kind, kind: value, "field": {"id": f"f{n}", "ref": ref}}
        for n, (_, ref, kind, value) in enumerate(answers)
    ]
    form = {"token": "t1", "definition": {"title": "Demo", "fields": fields}, "answers": told, **more}
    return {"event_id": "e1", "event_type": "form_response", "form_response": form}


def test_the_vector_of_the_fact_sheet() -> None:
    digest = hmac.digest(b"testsecret", b'{"a":1}', "sha256")
    request = inbound('{"a":1}', headers={"Typeform-Signature": f"sha256={base64.b64encode(digest).decode()}"})
    assert request.headers["typeform-signature"] == "sha256=D0pgSp6a0YIDSzIk+2FySp7xJ8LV3jVUmVzDH5zDxJk="
    assert doors.taken("typeform", request, secret="testsecret") == Parsed()


def test_the_sample_response() -> None:
    found = doors.lead_of("typeform", doors.sample("typeform", "form-response.http"))
    assert (found.lead_uid, found.form) == ("01KFAKE0TYPEFORM0000000001", "Demo request")
    assert (found.name, found.phones, found.emails) == ("Octavia Chen", ("+12025550166",), ("octavia@example.test",))
    assert found.utm == {"utm_source": "newsletter", "utm_medium": "email"}
    assert (found.extra, found.flags) == ({}, ())
    assert found.touch is not None
    assert found.touch.channel == "email"


def test_every_type_of_answer_is_text() -> None:
    event = response(
        ("Which plan?", "a", "choice", {"label": "Pro"}),
        ("Extras", "b", "choices", {"labels": ["SSO", "SLA"], "other": "API"}),
        ("Seats", "c", "number", 25), ("Newsletter", "d", "boolean", True), ("Start", "e", "date", "2026-02-01"),
        ("Brief", "f", "file_url", "https://files.example.test/1.pdf"), ("Skipped", "g", "text", None),
        ("Price", "h", "number", 1.5),
    )  # fmt: skip
    assert doors.lead_of("typeform", signed(event)).extra == {
        "Which plan?": "Pro", "Extras": "SSO, SLA, API", "Seats": "25", "Newsletter": "true", "Start": "2026-02-01",
        "Brief": "https://files.example.test/1.pdf", "Price": "1.5",
    }  # fmt: skip


def test_questions_in_whole_sentences_are_understood() -> None:
    event = response(
        ("Hi! What's your first name?", "x1", "text", "Ann"), ("And your last name?", "x2", "text", "Lee"),
        ("What is your company name?", "x3", "text", "Acme"),
        ("Best way to call you: phone?", "x4", "text", "+12025550166"),
    )  # fmt: skip
    found = doors.lead_of("typeform", signed(event))
    assert (found.name, found.phones) == ("Ann Lee", ("+12025550166",))
    assert found.extra == {"What is your company name?": "Acme"}


def test_the_owner_names_questions_by_ref_or_title() -> None:
    event = response(("Кто?", "who", "text", "Аня"), ("О чём?", "what", "text", "Окна"))
    found = doors.lead_of("typeform", signed(event), fields={"who": "name", "О чём?": "comment"})
    assert (found.name, found.comment, found.extra) == ("Аня", "Окна", {})


def test_two_questions_of_one_title_are_both_kept() -> None:
    event = response(("More?", "a", "text", "one"), ("More?", "b", "text", "two"))
    assert doors.lead_of("typeform", signed(event)).extra == {"More?": "one", "More? (2)": "two"}


@pytest.mark.parametrize("kind", ["form_response_partial", "something_new"])
def test_partial_and_unknown_events_make_nothing(kind: str) -> None:
    event = response(("Email?", "e", "email", "a@example.test"))
    assert doors.taken("typeform", signed({**event, "event_type": kind})) == Parsed()


def test_hidden_fields_and_variables_are_kept() -> None:
    event = response(
        hidden={"gclid": "G1", "utm_campaign": "Spring", "plan": "pro"},
        variables=[{"key": "score", "type": "number", "number": 4}],
    )
    found = doors.lead_of("typeform", signed(event))
    assert (found.click_ids, found.utm) == ({"gclid": "G1"}, {"utm_campaign": "spring"})
    assert found.extra == {"plan": "pro", "score": "4"}

import hmac
import json
from dataclasses import replace

import pytest
from pydantic import ValidationError

from connectors.doors import Inbound, Parsed, ParsedLead, Refused
from connectors.generic import SOURCE, GenericSettings
from tests.support import form_doors as doors
from tests.support.requests import inbound


def made(body: object, query: str = "", **settings: object) -> ParsedLead:
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    (lead,) = SOURCE.parse(GenericSettings.model_validate(settings), inbound(text, query=query), "RU").leads
    return lead


# --- samples -------------------------------------------------------------------------------


def test_the_sample_form() -> None:
    found = doors.lead_of("generic", doors.sample("generic", "form.http"))
    assert (found.lead_uid, found.name, found.phones) == ("b7f1c0de-0001", "Сергей", ("+79993004050",))
    assert (found.emails, found.comment) == ((), "Нужна доставка")
    assert found.page_url == "https://site.example.test/delivery?utm_source=google"
    assert found.referrer == "https://www.google.com/"
    assert found.utm == {"utm_source": "google", "utm_medium": "cpc", "utm_campaign": "delivery"}
    assert (found.click_ids, found.extra, found.flags) == ({"gclid": "FakeGclid777"}, {}, ())


def test_the_sample_json() -> None:
    found = doors.lead_of("generic", doors.sample("generic", "json.http"))
    assert (found.lead_uid, found.name, found.phones) == ("b7f1c0de-0002", "Alice Müller", ("+493023125014",))
    assert (found.emails, found.comment) == (("alice.mueller@example.test",), "Callback please")
    assert found.utm == {
        "utm_source": "facebook", "utm_medium": "paid_social", "utm_campaign": "de_q1", "utm_content": "video2",
    }  # fmt: skip
    assert found.click_ids == {"fbclid": "IwFake123", "client_id": "111111111.1767600000"}
    assert found.extra == {"source": "landing-de", "ids.fbp": "fb.1.1767600000000.123456789"}


def test_the_sample_multipart() -> None:
    found = doors.lead_of("generic", doors.sample("generic", "multipart.http"))
    assert (found.lead_uid, found.name, found.phones) == ("b7f1c0de-0003", "Виктор", ("+79994005060",))
    assert (found.emails, found.comment) == (("viktor@example.test",), "Фото во вложении")


# --- proofs --------------------------------------------------------------------------------

SECRET = "fake-signing-1"


def signature(body: bytes) -> str:
    return hmac.digest(SECRET.encode(), body, "sha256").hex()


def verified(request: Inbound, **settings: object) -> None:
    SOURCE.verify(GenericSettings.model_validate(settings), request)


@pytest.mark.parametrize(
    "bearer", ["", "Bearer", "Bearer fake-bearer-generic-2", "Basic fake-bearer-generic-1", "Bearer é"]
)
def test_json_with_a_wrong_or_missing_bearer_is_refused(bearer: str) -> None:
    request = doors.sample("generic", "json.http")
    headers = {key: value for key, value in request.headers.items() if key != "authorization"}
    for given in ({}, {"authorization": bearer}):
        with pytest.raises(Refused) as caught:
            doors.taken("generic", replace(request, headers={**headers, **given}))
        assert caught.value.status == 401


def test_a_browsers_form_needs_only_the_token_of_the_address() -> None:
    form = inbound("phone=89991002030", path_tail="t")
    verified(form, url_token="t", bearer="b", secret=SECRET)
    with pytest.raises(Refused):
        verified(inbound("phone=89991002030"), bearer="b")
    with pytest.raises(Refused):
        verified(replace(form, headers={"authorization": "Bearer x"}), url_token="t", bearer="b")


@pytest.mark.parametrize("prefix", ["sha256=", "", "SHA256="])
def test_a_signature_over_the_raw_body_is_a_proof(prefix: str) -> None:
    body = '{"phone": "89991002030", "name": "Аня"}'.encode()
    good = inbound(body, headers={"X-Signature": prefix + signature(body)})
    verified(good, secret=SECRET)
    for bad in (
        replace(good, body=body + b" "),
        replace(good, headers={}),
        replace(good, headers={"x-signature": "sha256="}),
    ):
        with pytest.raises(Refused):
            verified(bad, secret=SECRET)
    with pytest.raises(Refused):
        verified(good, secret="another")


def test_one_proof_is_enough_but_none_may_be_wrong() -> None:
    body = b'{"phone": "89991002030"}'
    by_key = inbound(body, query="key=k")
    verified(by_key, key="k", bearer="b", secret=SECRET)
    verified(inbound(body, headers={"X-Leadhub-Key": "k"}), key="k", bearer="b")
    with pytest.raises(Refused):
        verified(replace(by_key, headers={"authorization": "Bearer x"}), key="k", bearer="b")
    with pytest.raises(Refused):
        verified(inbound(body, query="key=kk", headers={"Authorization": "Bearer b"}), key="k", bearer="b")


def test_without_any_proof_in_the_settings_none_is_asked_for() -> None:
    verified(inbound(b'{"phone": "1"}', headers={"Authorization": "Bearer whatever"}))


# --- the map -------------------------------------------------------------------------------

QUIZ = {
    "id": 77001,
    "quiz": {"id": "q1", "name": "Сколько стоит ремонт"},
    "answers": [
        {"q": "Какой дом?", "a": "Кирпичный", "t": "answers"},
        {"q": "Что нужно?", "a": ["Окна", "Двери"], "t": "answers"},
        {"q": "Площадь", "a": 54, "t": "text"},
        {"q": "Пропущено", "a": ""},
    ],
    "contacts": {"name": "Аня", "phone": "8 (999) 100-20-30", "email": ""},
    "extra": {
        "href": "https://quiz.example.test/?utm_source=yandex&utm_medium=cpc",
        "referrer": "https://yandex.ru/",
        "utm": {"source": "yandex", "medium": "cpc", "name": "remont", "content": None},
        "cookies": {"_ym_uid": "1767600000123456789", "roistat_visit": "77"},
        "ip": "203.0.113.5",
    },
}  # fmt: skip
ANSWERS = "Какой дом? Кирпичный\nЧто нужно? Окна, Двери\nПлощадь: 54"


def test_a_quiz_is_understood_without_a_map() -> None:
    found = made(QUIZ)
    assert (found.name, found.phones, found.comment) == ("Аня", ("+79991002030",), ANSWERS)
    assert found.page_url.startswith("https://quiz.example.test/")
    assert found.utm == {"utm_source": "yandex", "utm_medium": "cpc", "utm_campaign": "remont"}
    assert found.click_ids == {"_ym_uid": "1767600000123456789", "roistat_visit": "77"}
    assert found.extra == {
        "id": "77001", "quiz.id": "q1", "quiz.name": "Сколько стоит ремонт", "extra.ip": "203.0.113.5",
    }  # fmt: skip


def test_a_map_names_what_their_paths_do_not_tell() -> None:
    found = made(QUIZ, fields={"lead_uid": "id", "form": "quiz.name", "comment": "answers", "external_id": "extra.ip"})
    assert (found.lead_uid, found.form, found.comment) == ("77001", "Сколько стоит ремонт", ANSWERS)
    assert (found.external_id, found.extra) == ("203.0.113.5", {"quiz.id": "q1"})


@pytest.mark.parametrize("path", ["answers[1].a", "answers.1.a", "$.answers[1].a", "Answers.1.A"])
def test_a_map_may_reach_into_the_list_of_answers(path: str) -> None:
    found = made(QUIZ, fields={"company": path})
    assert (found.company, found.comment) == ("Окна, Двери", ANSWERS)


def test_a_mapped_branch_gathers_what_hangs_on_it() -> None:
    found = made(
        {"u": {"p": "89991002030"}, "form": {"Дом": "Кирпич", "Этаж": 5}}, fields={"phone": "u.p", "comment": "form"}
    )
    assert (found.phones, found.comment) == (("+79991002030",), "Дом: Кирпич\nЭтаж: 5")
    listed = made(
        {"u": "89991002030", "notes": [{"t": "раз"}, {"t": "два"}]}, fields={"phone": "u", "comment": "notes"}
    )
    assert listed.comment == "0.t: раз\n1.t: два"


def test_the_first_of_a_plain_list_is_the_list() -> None:
    assert made({"tels": ["89991002030", "89991002031"]}, fields={"phone": "tels[0]"}).phones == (
        "+79991002030",
        "+79991002031",
    )


def test_a_question_that_asks_for_a_contact_is_a_field_too() -> None:
    body = {
        "answers": [
            {"question": "Ваш телефон для связи", "answer": "8 999 100-20-30"},
            {"question": "Имя", "answer": "Аня"},
        ]
    }
    found = made(body)
    assert (found.name, found.phones) == ("Аня", ("+79991002030",))
    assert found.comment == "Ваш телефон для связи: 8 999 100-20-30\nИмя: Аня"


def test_named_values_inside_are_fields() -> None:
    body = {
        "form": "Замер",
        "fields": [{"label": "Телефон", "value": "89991002030"}, {"label": "Цвет", "value": ["белый"]}],
    }
    found = made(body)
    assert (found.phones, found.form, found.extra) == (("+79991002030",), "Замер", {"Цвет": "белый"})


def test_an_own_comment_and_the_answers_are_both_kept() -> None:
    found = made({"comment": "Срочно", "phone": "89991002030", "answers": [{"q": "Дом?", "a": "Да"}]})
    assert found.comment == "Срочно\nДом? Да"


def test_a_mapped_form_works_as_well() -> None:
    found = made("p=89991002030&u%5Bn%5D=Аня", fields={"phone": "p", "name": "u[n]"})
    assert (found.name, found.phones) == ("Аня", ("+79991002030",))


@pytest.mark.parametrize("fields", [{"fone": "x"}, {"phone": "$."}, {"phone": ""}])
def test_a_map_that_cannot_be_is_an_error_of_the_configuration(fields: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        GenericSettings.model_validate({"fields": fields})


# --- the rest of a web form ----------------------------------------------------------------


def test_the_idempotency_key_is_the_id_where_the_body_has_none() -> None:
    request = inbound(b'{"phone": "89991002030"}', headers={"Idempotency-Key": "k-1"})
    (lead,) = SOURCE.parse(GenericSettings(), request, "RU").leads
    assert lead.lead_uid == "k-1"


def test_a_plain_form_may_be_sent_on_and_the_honeypot_marks_spam() -> None:
    settings = GenericSettings.model_validate({"redirect": "https://example.com/thanks"})
    parsed = SOURCE.parse(settings, inbound("phone=89991002030&leadhub_hp=x"), "RU")
    assert parsed.reply is not None
    assert (parsed.reply.status, parsed.reply.headers) == (303, {"location": "https://example.com/thanks"})
    assert parsed.leads[0].flags == ("spam_honeypot",)


def test_pages_may_ask_before_they_send_and_servers_have_no_limit() -> None:
    assert GenericSettings().cors_headers("https://a.test")["access-control-allow-origin"] == "https://a.test"
    assert GenericSettings().limit_for("203.0.113.7") is None


def test_everything_may_stand_in_the_address() -> None:
    assert made("", query="phone=89991002030").phones == ("+79991002030",)
    assert SOURCE.parse(GenericSettings(), inbound(b" "), "RU") == Parsed()

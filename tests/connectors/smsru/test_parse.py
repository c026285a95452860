import pytest

from connectors.doors import Parsed, Refused, Reply
from connectors.smsru import SOURCE, SmsRuSettings
from tests.support.messengers import replayed, sample, settings_of, taken, with_body
from tests.support.requests import inbound

REPORT = "smsru/msg-1-status-callback"


def test_a_report_is_answered_100_and_makes_nothing() -> None:
    parsed = replayed(REPORT)
    assert parsed == Parsed()
    assert SOURCE.reply(settings_of("smsru"), sample(REPORT), parsed, []) == Reply(200, b"100", "text/plain")


def test_the_vector_of_the_hash() -> None:
    settings = SmsRuSettings.model_validate({"api_id": "api-id"})
    proof = "4c29841ef1ff8ec3702655f01ec6d2e809fc30afd8701922075f8be8bf8c92a3"
    body = f"data%5B0%5D=sms_status%0A000000-1%0A103%0A1795161600&hash={proof}"
    assert SOURCE.parse(settings, inbound(body), "RU") == Parsed()
    with pytest.raises(Refused):
        SOURCE.parse(settings, inbound(body.replace("103", "104")), "RU")


def test_a_report_without_its_hash_or_with_lines_left_out_or_moved_is_refused() -> None:
    request = sample(REPORT)
    first, second, proof = request.body.split(b"&")
    for pieces in ((first, second), (first, proof), (second, proof), (second, first, proof)):
        with pytest.raises(Refused):
            taken("smsru", with_body(request, b"&".join(pieces)))


def test_an_empty_request_makes_nothing() -> None:
    assert taken("smsru", with_body(sample(REPORT), b"")) == Parsed()

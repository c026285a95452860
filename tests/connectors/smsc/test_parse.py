import hashlib
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qsl, quote, urlencode

import pytest
from pydantic import ValidationError

from connectors.doors import Inbound, Refused
from connectors.events import ParsedMessage
from connectors.smsc import SOURCE, SmscSettings
from tests.support.messengers import SENT, message, only, sample, settings_of, taken, with_body
from tests.support.requests import inbound

SMS = "smsc/msg-1-incoming-sms"
FIELDS = dict(parse_qsl(sample(SMS).body.decode()))


def signed(encoding: str = "utf-8", **changed: str) -> Inbound:
    fields = {**FIELDS, **changed}
    text = ":".join((fields["phone"], fields["mes"], fields["to"], "fake-smsc-word"))
    fields["md5"] = hashlib.md5(text.encode(encoding)).hexdigest()
    return inbound(urlencode(fields, encoding=encoding), path_tail="tok-smsc-1")


def made(encoding: str = "utf-8", **changed: str) -> ParsedMessage:
    return only(taken("smsc", signed(encoding, **changed)))


def test_an_sms_comes_from_a_phone() -> None:
    first = message(SMS)
    assert first.lead is not None
    assert first.lead.touch is not None
    assert (first.chat_id, first.message_id) == ("+79161234567:79037672215", "55012345")
    assert (first.channel, first.author, first.at) == ("sms", "client", SENT)
    assert first.text == "Перезвоните мне"
    assert (first.lead.phones, first.lead.messengers) == (("+79161234567",), ())
    assert first.lead.extra == {"our_number": "79037672215"}
    assert first.lead.touch.channel == "messenger"


@pytest.mark.parametrize("field", ["phone", "mes", "to", "md5"])
def test_a_changed_field_is_refused(field: str) -> None:
    request = sample(SMS)
    body = urlencode({**FIELDS, field: FIELDS[field][:-1] + "9"}).encode()
    with pytest.raises(Refused):
        taken("smsc", with_body(request, body))
    without = urlencode({name: value for name, value in FIELDS.items() if name != field}).encode()
    with pytest.raises(Refused):
        taken("smsc", with_body(request, without))


def test_the_vector_of_the_signature() -> None:
    settings = SmscSettings.model_validate({"secret_word": "word"})
    body = f"phone=79161234567&mes={quote('Привет')}&to=79037672215&md5=6d584762471346ee543262f24aae0dd8"
    assert only(SOURCE.parse(settings, inbound(body), "RU")).text == "Привет"


def test_the_signature_covers_the_bytes_whatever_the_encoding() -> None:
    assert made("windows-1251", mes="Здравствуйте").text == "Здравствуйте"


def test_an_sms_may_come_by_get() -> None:
    request = sample(SMS)
    by_get = replace(request, method="GET", body=b"", query=list(FIELDS.items()))
    assert only(taken("smsc", by_get)) == message(SMS)
    assert SOURCE.handshake(settings_of("smsc"), by_get) is None
    assert "GET" in SOURCE.methods


def test_a_time_without_a_zone_is_of_the_zone_of_the_settings() -> None:
    assert made(time="20.11.2026 11:00:00").at == SENT
    settings = settings_of("smsc", timezone="Asia/Novosibirsk")
    assert only(taken("smsc", signed(time="20.11.2026 11:00:00"), settings)).at == SENT - timedelta(hours=4)
    with pytest.raises(ValidationError):
        settings_of("smsc", timezone="Mars/Base")


def test_a_sender_that_is_a_word_is_no_phone() -> None:
    sent = made(phone="MyBank")
    assert sent.lead is not None
    assert (sent.lead.phones, sent.lead.messengers) == ((), (("sms", "MyBank"),))


def test_an_sms_without_an_id_is_known_by_its_content() -> None:
    first, second, third = made(sms_id=""), made(sms_id=""), made(sms_id="", mes="Ещё раз")
    assert first.message_id == second.message_id
    assert first.message_id not in ("", third.message_id)


@pytest.mark.parametrize(
    ("status", "lost"), [("1", ()), ("22", ("SMSC.ru could not deliver it: the number is wrong (status 22)",))]
)
def test_a_report_about_our_own_sms_tells_only_of_lost_ones_and_is_signed_too(
    status: str, lost: tuple[str, ...]
) -> None:
    fields = {"id": "7", "phone": "79161234567", "status": status, "time": "20.11.2026 11:00:00", "err": "0"}
    proof = hashlib.md5(f"7:79161234567:{status}:fake-smsc-word".encode()).hexdigest()
    report = inbound(urlencode({**fields, "md5": proof}), path_tail="tok-smsc-1")
    made = taken("smsc", report)
    assert (made.messages, [(one.message_id, one.why) for one in made.undelivered]) == (
        (),
        [("7", one) for one in lost],
    )
    with pytest.raises(Refused):
        taken("smsc", with_body(report, report.body.replace(b"status=", b"status=2")))

"""Every file of tests/samples has its expectation here; field by field it is asserted in its door's own tests."""

import contextlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from connectors.doors import DoorSettings, Inbound, Parsed, Refused, Reply
from connectors.proofs import configured
from connectors.registry import SOURCES
from tests.support.all_doors import KEYS, SAMPLES
from tests.support.requests import NOW, from_http_file

EXPECTED: dict[str, str] = {
    "360dialog/msg-1-text.http": "1 messages",
    "asterisk/dialplan-curl-hangup.http": "1 calls",
    "avito/msg-1-text-about-item.http": "1 messages",
    "avito/msg-2-image.http": "1 messages",
    "beeline/in-received.http": "1 calls",
    "callibri/lead.http": "1 leads",
    "calltouch/call.http": "1 calls",
    "cf7/lead.http": "1 leads",
    "chat2desk/msg-1-inbox.http": "1 messages",
    "elementor/advanced-data-off.http": "1 leads",
    "elementor/advanced-data-on.http": "1 leads",
    "envybox/callback.http": "1 leads",
    "generic/form.http": "1 leads",
    "generic/json.http": "1 leads",
    "generic/multipart.http": "1 leads",
    "google-ads/lead.http": "1 leads",
    "google-forms/apps-script.http": "1 leads",
    "gravityforms/lead.http": "1 leads",
    "instagram/msg-1-text.http": "1 messages",
    "instagram/msg-2-ig-me-referral.http": "1 messages",
    "jivo/call-event.http": "1 calls",
    "jivo/chat-finished.http": "2 messages",
    "jivo/msg-1-offline-message.http": "1 leads",
    "jivo/msg-2-chat-finished.http": "2 messages",
    "mango/in-answered-1-ivr-appeared.http": "1 calls",
    "mango/in-answered-2-abonent-appeared.http": "1 calls",
    "mango/in-answered-3-connected.http": "1 calls",
    "mango/in-answered-4-recording-started.http": "1 calls",
    "mango/in-answered-5-disconnected.http": "1 calls",
    "mango/in-answered-6-summary.http": "1 calls",
    "mango/in-answered-7-record-added.http": "1 calls",
    "mango/in-missed-1-appeared.http": "1 calls",
    "mango/in-missed-2-disconnected.http": "1 calls",
    "mango/in-missed-3-summary.http": "1 calls",
    "mango/out-1-appeared.http": "1 calls",
    "mango/out-2-connected.http": "1 calls",
    "mango/out-3-summary.http": "1 calls",
    "mango/result-callback.http": "nothing",
    "megafon/contact-request.http": "nothing",
    "megafon/in-answered-1-incoming.http": "1 calls",
    "megafon/in-answered-2-accepted.http": "1 calls",
    "megafon/in-answered-3-history.http": "1 calls",
    "megafon/in-missed-history.http": "1 calls",
    "meta/1-verify.http": "handshake",
    "meta/2-leadgen.http": "1 errands",
    "moysklad/customerorder-update.http": "1 errands",
    "onlinepbx/in-answered-1-start.http": "1 calls",
    "onlinepbx/in-answered-2-answered.http": "1 calls",
    "onlinepbx/in-answered-3-end.http": "1 calls",
    "onlinepbx/in-missed-end.http": "1 calls",
    "ringostat/in-after-call.http": "1 calls",
    "roistat/1-call-start.http": "1 calls",
    "roistat/2-call-end.http": "1 calls",
    "shopify/orders-create.http": "1 leads",
    "sipuni/in-answered-1-start.http": "1 calls",
    "sipuni/in-answered-2-start-operator.http": "1 calls",
    "sipuni/in-answered-3-answer.http": "1 calls",
    "sipuni/in-answered-4-hangup.http": "1 calls",
    "sipuni/in-missed-hangup.http": "1 calls",
    "sipuni/out-hangup.http": "1 calls",
    "slack/msg-1-block-action.http": "nothing",
    "smsc/msg-1-incoming-sms.http": "1 messages",
    "smsru/msg-1-status-callback.http": "nothing",
    "stripe/checkout-completed.http": "1 payments",
    "tally/form-response.http": "1 leads",
    "telegram/msg-1-start-deeplink.http": "1 messages",
    "telegram/msg-2-contact-shared.http": "1 messages",
    "telegram/msg-3-text-with-phone.http": "1 messages",
    "telegram/msg-4-photo-with-caption.http": "1 messages",
    "telegram/msg-5-business-message.http": "1 messages",
    "telegram/msg-6-callback-query.http": "nothing",
    "telphin/in-answered-1-dial-in.http": "1 calls",
    "telphin/in-answered-2-answer.http": "1 calls",
    "telphin/in-answered-3-hangup.http": "1 calls",
    "tilda/1-test-ping.http": "nothing",
    "tilda/2-lead.http": "1 leads",
    "tilda/3-order.http": "1 leads",
    "twilio/in-answered-1-voice.http": "1 calls",
    "twilio/in-answered-2-dial-action.http": "1 calls",
    "twilio/in-answered-3-status.http": "1 calls",
    "twilio/in-answered-4-recording.http": "1 calls",
    "twilio/in-missed-1-dial-action.http": "1 calls",
    "twilio/in-missed-2-status.http": "1 calls",
    "twilio/msg-1-sms-inbound.http": "1 messages",
    "twilio/msg-2-mms-inbound.http": "1 messages",
    "twilio/out-status-busy.http": "1 calls",
    "typeform/form-response.http": "1 leads",
    "uis/in-answered-1-inbound.http": "1 calls",
    "uis/in-answered-2-talk-started.http": "1 calls",
    "uis/in-answered-3-finished.http": "1 calls",
    "uis/in-answered-4-record.http": "1 calls",
    "uis/in-lost.http": "1 calls",
    "umnico/msg-1-message-incoming.http": "1 messages",
    "viber/msg-1-conversation-started.http": "1 messages",
    "viber/msg-2-message-text.http": "1 messages",
    "viber/msg-3-message-contact.http": "1 messages",
    "vk/1-confirmation.http": "nothing",
    "vk/2-lead-forms-new.http": "1 leads",
    "vk/msg-1-confirmation.http": "nothing",
    "vk/msg-2-message-new-with-ref.http": "1 messages",
    "vk/msg-3-message-allow.http": "1 messages",
    "vk/msg-4-photo-attachment.http": "1 messages",
    "wazzup/msg-1-webhook-test.http": "nothing",
    "wazzup/msg-2-text-whatsapp.http": "1 messages",
    "wazzup/msg-3-telegram-with-phone.http": "1 messages",
    "wazzup/msg-4-create-contact.http": "nothing",
    "whatsapp/msg-1-verify-handshake.http": "handshake",
    "whatsapp/msg-2-text-new.http": "1 messages",
    "whatsapp/msg-3-click-to-whatsapp-ad.http": "1 messages",
    "whatsapp/msg-4-image-with-caption.http": "1 messages",
    "whatsapp/msg-5-status-failed.http": "1 undelivered",
    "woocommerce/order-created.http": "1 leads",
    "wpforms/lead.http": "1 leads",
    "yookassa/payment-succeeded.http": "1 payments",
    "zadarma/0-zd-echo.http": "handshake",
    "zadarma/in-answered-1-start.http": "1 calls",
    "zadarma/in-answered-2-internal.http": "1 calls",
    "zadarma/in-answered-3-answer.http": "1 calls",
    "zadarma/in-answered-4-end.http": "1 calls",
    "zadarma/in-answered-5-record.http": "1 calls",
    "zadarma/in-missed-1-start.http": "1 calls",
    "zadarma/in-missed-2-end.http": "1 calls",
    "zadarma/out-1-start.http": "1 calls",
    "zadarma/out-2-end.http": "1 calls",
}
"""File -> what comes of it: `handshake`, `nothing`, or how many of each kind."""

NO_REQUESTS = {
    ".gitattributes": "keeps the bytes of the samples as they are",
    "README.md": "says what the samples are",
    "asterisk/in-answered.ami": "the manager's stream: tests/connectors/asterisk/test_fold.py",
    "asterisk/in-answered.ari.jsonl": "events of ARI: tests/connectors/asterisk/test_fold.py",
    "asterisk/in-missed.ami": "the manager's stream: tests/connectors/asterisk/test_fold.py",
    "keys-messengers.json": "the keys",
    "keys.json": "the keys",
    "meta/graph-lead-response.json": "an answer of the Graph API: tests/connectors/meta",
}
AT = {"stripe": datetime.fromtimestamp(1767600000, UTC), "slack": datetime.fromtimestamp(1795161605, UTC)}
NOT_ASKED_FOR = {("generic/form.http", "bearer"), ("generic/multipart.http", "bearer")}
"""A browser's form can send none: the token in the address is enough for it."""
FROM = {"yookassa": "77.75.156.11"}


def request_of(file: str) -> Inbound:
    path = SAMPLES / file
    vendor = file.partition("/")[0]
    target = path.read_bytes().split(b" ", 2)[1].decode()
    request = from_http_file(path, AT.get(vendor, NOW))
    return replace(request, url=f"https://hub.example.test{target}", remote_ip=FROM.get(vendor, request.remote_ip))


def settings_of(file: str, **more: object) -> DoorSettings:
    """With the keys of the samples; the token only where the sample's address has one."""
    vendor = file.partition("/")[0]
    keys = {name: value for name, value in KEYS.get(vendor, {}).items() if value != ""}
    if not request_of(file).path_tail.startswith(str(keys.get("url_token", "\0"))):
        keys.pop("url_token", None)
    return SOURCES[vendor].settings.model_validate({**keys, **more})


def taken(file: str, settings: DoorSettings, request: Inbound) -> Parsed | Reply:
    """As the intake does it."""
    door = SOURCES[file.partition("/")[0]]
    if request.method == "GET":
        found = door.handshake(settings, request)
        if found is not None:
            return found
    door.verify(settings, request)
    return door.parse(settings, request, "RU")


def told(found: Parsed | Reply) -> str:
    if isinstance(found, Reply):
        return "handshake"
    kinds = ("leads", "calls", "messages", "payments", "errands", "undelivered")
    counts = [f"{len(getattr(found, kind))} {kind}" for kind in kinds if getattr(found, kind)]
    return ", ".join(counts) or "nothing"


def test_every_file_has_its_expectation() -> None:
    files = {str(path.relative_to(SAMPLES)) for path in Path(SAMPLES).rglob("*") if path.is_file()}
    assert files == {*EXPECTED, *NO_REQUESTS}


@pytest.mark.parametrize("file", EXPECTED)
def test_a_sample_file_makes_what_is_expected(file: str) -> None:
    assert told(taken(file, settings_of(file), request_of(file))) == EXPECTED[file]


@pytest.mark.parametrize("file", EXPECTED)
def test_with_any_other_secret_a_sample_file_is_refused(file: str) -> None:
    """A handshake or test that proves nothing also makes nothing."""
    settings, request = settings_of(file), request_of(file)
    proofs = [proof.setting for proof in configured(settings) if proof.kind != "address"]
    for name in proofs:
        if (file, name) in NOT_ASKED_FOR:
            continue
        other = settings.model_copy(update={name: SecretStr("quite-another-secret")})
        with contextlib.suppress(Refused):
            found = taken(file, other, request)
            assert told(found) in ("handshake", "nothing"), f"{name} was not checked"
    if not proofs:
        assert SOURCES[file.partition("/")[0]].settings.sent_from, "nothing proves who sent it"
        assert FROM.get(file.partition("/")[0]) == request.remote_ip
        with pytest.raises(Refused):
            taken(file, settings, replace(request, remote_ip="192.0.2.99"))

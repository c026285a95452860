"""E-mail alerts through a real mail conversation."""

import smtplib
import ssl
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from connectors.errors import AuthError, PermanentError, RetryableError, UnknownOutcomeError
from connectors.notify import Button, MessageRef, Notice
from connectors.smtp.channel import SmtpChannel, outcome
from connectors.smtp.message import compose
from connectors.smtp.settings import SmtpSettings
from leads.clock import SystemClock
from tests.connectors.smtp.server import MailServer, mail_server

NOTICE = Notice(
    "<b>🔴 amoCRM «Продажи» не принимает лиды</b>\nС 14:02 · 2 &lt; 3",
    buttons=(Button("Показать", url="https://hub.example.com/?a=1&b=2"), Button("Заглушить", action="mute:1")),
    topic="i1",
)


def channel(server: MailServer | None, **more: Any) -> SmtpChannel:
    settings = {
        "host": "127.0.0.1",
        "port": server.port if server else 9,
        "security": "none",
        "from": "hub@example.com",
        "to": ["ops@example.com", "owner@example.com"],
        "timeout_s": 2,
        **more,
    }
    return SmtpChannel(SmtpSettings.model_validate(settings), SystemClock())


async def test_a_notice_arrives_as_text_and_html_at_every_reader() -> None:
    async with mail_server() as server:
        ref = await channel(server).send(NOTICE)
    (mail,) = server.mails
    assert mail["Subject"] == "🔴 amoCRM «Продажи» не принимает лиды"
    assert [address for address in server.readers[0] if "ops@" in address or "owner@" in address] == server.readers[0]
    assert ref.message_id == mail["Message-ID"]
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert plain.get_content().splitlines() == [
        "🔴 amoCRM «Продажи» не принимает лиды",
        "С 14:02 · 2 < 3",
        "",
        "Показать: https://hub.example.com/?a=1&b=2",
    ]
    assert "<b>🔴" in html.get_content()
    assert 'href="https://hub.example.com/?a=1&amp;b=2"' in html.get_content()


async def test_the_end_is_threaded_under_the_first_message() -> None:
    async with mail_server() as server:
        first = await channel(server).send(NOTICE)
        await channel(server).send(Notice("🟢 снова принимает", topic="i1"), reply_to=first)
    assert server.mails[1]["In-Reply-To"] == server.mails[0]["Message-ID"]
    assert server.mails[1]["Message-ID"] != server.mails[0]["Message-ID"]


def test_a_repeat_within_the_hour_has_the_same_message_id() -> None:
    settings = channel(None).settings
    at = datetime(2026, 11, 24, 11, 2, tzinfo=UTC)
    one, again = (compose(NOTICE, settings, at.replace(minute=minute))["Message-ID"] for minute in (2, 40))
    assert one == again
    assert compose(NOTICE, settings, at.replace(hour=15))["Message-ID"] != one


async def test_ping_signs_in_and_sends_nothing() -> None:
    async with mail_server() as server:
        await channel(server, username="hub", password="secret").ping()
    assert "AUTH" in server.commands
    assert "NOOP" in server.commands
    assert "MAIL" not in server.commands


@pytest.mark.parametrize(
    ("answers", "raised"),
    [
        ({"AUTH": "535 no"}, AuthError),
        ({"MAIL": "530 sign in first"}, AuthError),
        ({"RCPT": "550 no such reader|451 later"}, RetryableError),
        ({"connect": "421 busy"}, RetryableError),
        ({"RCPT": "451 later"}, RetryableError),
        ({"RCPT": "550 no such reader"}, PermanentError),
        ({"DATA": "554 no"}, PermanentError),
        ({"BODY": "452 full"}, RetryableError),
        ({"BODY": "552 too long"}, PermanentError),
        ({"EHLO": "cut"}, RetryableError),
        ({"BODY": "cut"}, UnknownOutcomeError),
    ],
)
async def test_what_a_failure_means(answers: dict[str, str], raised: type[Exception]) -> None:
    async with mail_server(**answers) as server:
        with pytest.raises(raised) as caught:
            await channel(server, username="hub", password="secret-word").send(NOTICE)
    assert type(caught.value) is raised
    assert "secret-word" not in str(caught.value)
    assert len(server.mails) == (1 if raised is UnknownOutcomeError else 0)


async def test_one_reader_refused_does_not_keep_it_from_the_others() -> None:
    async with mail_server(RCPT="550 no such reader|250 ok") as server:
        await channel(server).send(NOTICE)
    assert len(server.mails) == 1


async def test_nobody_listening_means_nothing_was_written() -> None:
    with pytest.raises(RetryableError):
        await channel(None).send(NOTICE)


async def test_a_server_without_encryption_is_not_spoken_to_in_the_clear() -> None:
    async with mail_server(EHLO="250 mail.example.com") as server:
        with pytest.raises(AuthError):
            await channel(server, security="starttls", username="hub", password="x").send(NOTICE)
    assert "AUTH" not in server.commands


async def test_a_sent_mail_cannot_be_changed() -> None:
    with pytest.raises(PermanentError):
        await channel(None).edit(MessageRef("x", "y"), NOTICE)


def test_a_certificate_that_cannot_be_trusted_needs_a_person() -> None:
    assert isinstance(outcome(ssl.SSLCertVerificationError("self-signed"), sending=False), AuthError)
    assert isinstance(outcome(smtplib.SMTPServerDisconnected("gone"), sending=True), UnknownOutcomeError)


@pytest.mark.parametrize(
    "wrong",
    [
        {"to": []},
        {"to": "no address"},
        {"from": "Hub <hub@example.com>"},
        {"port": 70000},
        {"host": ""},
        {"security": "ssl"},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    good = {"host": "mail.example.com", "from": "hub@example.com", "to": "ops@example.com", "password": "secret-word"}
    assert SmtpSettings.model_validate(good).to == ("ops@example.com",)
    with pytest.raises(ValidationError) as caught:
        SmtpSettings.model_validate({**good, **wrong})
    assert "secret-word" not in str(caught.value)


def test_the_port_follows_the_encryption_unless_given() -> None:
    good = {"host": "m", "from": "a@b", "to": "c@d"}
    ports = [SmtpSettings.model_validate({**good, "security": s}).effective_port for s in ("tls", "starttls", "none")]
    assert ports == [465, 587, 25]
    assert SmtpSettings.model_validate({**good, "port": 2525, "password": SecretStr("x")}).effective_port == 2525

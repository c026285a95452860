"""One mail server as an alert channel. smtplib blocks, so it runs in a thread behind `Mailer`."""

import asyncio
import smtplib
import ssl
from email.message import EmailMessage
from typing import Protocol

from connectors.errors import AuthError, ConnectorError, PermanentError, RetryableError, UnknownOutcomeError
from connectors.notify import MessageRef, Notice
from connectors.smtp.message import compose
from connectors.smtp.settings import SmtpSettings
from leads.clock import Clock


class Mailer(Protocol):
    """Hands one mail to a server, or only greets it (`mail` None). Raises the errors of `connectors.errors`."""

    async def __call__(self, mail: EmailMessage | None) -> None: ...


class SmtpMailer:
    """A connection of its own for each mail: alerts are few."""

    def __init__(self, settings: SmtpSettings) -> None:
        self._settings = settings

    async def __call__(self, mail: EmailMessage | None) -> None:
        await asyncio.to_thread(self._hand_over, mail)

    def _hand_over(self, mail: EmailMessage | None) -> None:
        sending = False
        try:
            with self._connect() as server:
                if mail is None:
                    server.noop()
                    return
                _accepted(server.mail(str(mail["From"])))
                replies = [server.rcpt(address) for address in self._settings.to]
                _accepted(min(replies))  # one reader who takes it is enough
                sending = True
                reply = server.data(mail.as_bytes())
                sending = False
                _accepted(reply)
        except (smtplib.SMTPException, OSError) as error:
            raise outcome(error, sending=sending) from error

    def _connect(self) -> smtplib.SMTP:
        s = self._settings
        if s.security == "tls":
            context = ssl.create_default_context()
            server: smtplib.SMTP = smtplib.SMTP_SSL(s.host, s.effective_port, timeout=s.timeout_s, context=context)
        else:
            server = smtplib.SMTP(s.host, s.effective_port, timeout=s.timeout_s)
        try:
            server.ehlo()
            if s.security == "starttls":
                server.starttls(context=ssl.create_default_context())
                server.ehlo()
            if s.username:
                server.login(s.username, s.password.get_secret_value())
        except BaseException:
            server.close()
            raise
        return server


def _accepted(reply: tuple[int, bytes]) -> None:
    if reply[0] >= 400:
        raise smtplib.SMTPResponseException(*reply)


def outcome(error: Exception, *, sending: bool) -> ConnectorError:
    """`sending`: the body was on its way, so nobody knows whether the server kept it."""
    name = type(error).__name__
    match error:
        case smtplib.SMTPAuthenticationError():
            return AuthError(name, "send mail", error.smtp_code)
        case smtplib.SMTPNotSupportedError():
            return AuthError(f"{name}: the server offers no such sign-in or encryption", "send mail")
        case smtplib.SMTPResponseException() if error.smtp_code in (530, 534, 535, 538):
            return AuthError(name, "send mail", error.smtp_code)
        case smtplib.SMTPResponseException() if 400 <= error.smtp_code < 500:
            return RetryableError(name, "send mail", error.smtp_code)
        case smtplib.SMTPResponseException():
            return PermanentError(name, "send mail", error.smtp_code)
        case ssl.SSLCertVerificationError():
            return AuthError("the server's certificate cannot be trusted", "send mail")
    return UnknownOutcomeError(name, "send mail") if sending else RetryableError(name, "send mail")


class SmtpChannel:
    """Keeps `connectors.notify.Channel`. A sent mail cannot be changed."""

    edits = False

    def __init__(self, settings: SmtpSettings, clock: Clock, mailer: Mailer | None = None) -> None:
        self.settings = settings
        self._clock = clock
        self._mailer = mailer or SmtpMailer(settings)

    async def ping(self) -> None:
        """Greets the server and signs in; sends nothing."""
        await self._mailer(None)

    async def send(self, notice: Notice, reply_to: MessageRef | None = None) -> MessageRef:
        mail = compose(notice, self.settings, self._clock.now(), reply_to)
        await self._mailer(mail)
        return MessageRef(", ".join(self.settings.to), str(mail["Message-ID"]))

    async def edit(self, ref: MessageRef, notice: Notice) -> None:
        raise PermanentError("a sent mail cannot be changed", "edit mail")

    async def close(self) -> None:
        return

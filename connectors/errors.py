"""The outcomes of a failed call: each says what to do next."""

from dataclasses import dataclass

NOT_SIGNED_IN = "not signed in yet"
CANNOT_OPEN = "the stored token cannot be opened with the keys in hub.secret_key"
NO_SUCH_HOST = "ConnectError: no such host"
NOT_TRUSTED = "ConnectError: no trusted certificate"


@dataclass(eq=False)
class ConnectorError(Exception):
    """A failed call. `operation` is our name for it; the text holds no body, token, phone or name.

    `status` is the HTTP status or 0 when none came; `request_id` is the vendor's, for their support.
    """

    message: str
    operation: str = ""
    status: int = 0
    request_id: str = ""

    def __str__(self) -> str:
        parts = [self.operation, f"HTTP {self.status}" if self.status else "", self.message]
        text = ": ".join(part for part in parts if part)
        return f"{text} (request {self.request_id})" if self.request_id else text


class RetryableError(ConnectorError):
    """Nothing was written: wait, repeat."""


@dataclass(eq=False)
class RateLimitedError(RetryableError):
    """Told to slow down; nothing was written. Holds for the whole connection."""

    retry_after_s: float = 1.0


@dataclass(eq=False)
class TooEarlyError(RetryableError):
    """Nothing was written and nothing is wrong: what has to be known first cannot be seen yet. Again in `wait_s`."""

    wait_s: float = 1.0


class AuthError(ConnectorError):
    """Token refused or rights lost: the connection pauses, a person is told, no attempt is spent."""


class NoRightsError(AuthError):
    """The token is good and may not do this one thing: what a lead can do without must not stop the leads."""


class NoAccessError(AuthError):
    """The settings give no access to what was to be asked, so nobody was asked; the text names what they lack."""

    @classmethod
    def lacks(cls, setting: str, source: str) -> "NoAccessError":
        return cls(f"no {setting} in the settings of source {source}")


@dataclass(eq=False)
class PermanentError(ConnectorError):
    """Refused for what was in it; nothing was written.

    `fields` names the refused fields as we sent them (custom field id or code, or one of
    the draft's own attributes: "stage", "responsible", "phones", ...), when the vendor tells.
    `gone` means that the record that we referred to does not exist any more.
    """

    fields: tuple[str, ...] = ()
    gone: bool = False


class UnknownOutcomeError(ConnectorError):
    """Sent, and no answer that can be trusted: look up by our key, then decide."""

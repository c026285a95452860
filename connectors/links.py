"""The other direction of a door: what the vendor of a source can be asked for.

A door is pure; a link does the I/O. Each ability is a protocol of its own, and a vendor's link has those that its
API offers: `isinstance(link, Lists)` asks. Methods raise the outcomes of `connectors.errors`, as a CRM's do, and
what they read comes back as `Parsed`, exactly as a request to the door would have given it: the same ids, so that
what had arrived already is a repeat. A method whose token or other setting is missing raises `NoAccessError`, naming
it: a source without it works as a door all the same.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol, runtime_checkable

from connectors.doors import DoorSettings, Parsed
from connectors.events import Errand
from leads.clock import Clock


@dataclass(frozen=True, slots=True)
class LinkOpening:
    """What `jobs` hands to a door when it opens the link of one source. `region` is the hub's default region."""

    name: str
    settings: DoorSettings
    clock: Clock
    region: str = ""
    transport: Any = None
    """An `httpx.AsyncBaseTransport` instead of the network (simulator, tests), or None."""
    user_agent: str = "leadhub"


class Link(Protocol):
    """The vendor's API with the settings of one source. Methods are safe to call at the same time."""

    async def close(self) -> None: ...


@runtime_checkable
class Fetches(Protocol):
    """Reads what a request merely named."""

    async def fetch(self, errand: Errand) -> Parsed:
        """What the errand stands for. PermanentError when the vendor says that there is no such thing."""
        ...


@runtime_checkable
class Lists(Protocol):
    """Reads what happened lately, for what never arrived."""

    def history(self, since: datetime, until: datetime) -> AsyncIterator[Parsed]:
        """Everything of [since, until), page by page, oldest first where the vendor can; aware UTC."""
        ...


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message of ours. `key` is our id of it, for vendors that take one against doubles."""

    key: str
    chat_id: str
    channel: str
    text: str
    client_wrote_at: datetime | None = None
    """When the client last wrote: some channels allow a reply only for so long (WhatsApp 24 h)."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a message may not be sent: `window` (the client wrote more than `limit` hours ago), `too_long` (more than
    `limit` characters), `empty`, `no_access` (the settings lack a token)."""

    code: Literal["window", "too_long", "empty", "no_access"]
    limit: int = 0

    def __str__(self) -> str:
        match self.code:
            case "window":
                return (
                    f"the client last wrote more than {self.limit} h ago: the messenger takes no free text then, "
                    "only an approved template"
                )
            case "too_long":
                return f"the text is longer than the {self.limit} characters that the messenger takes"
            case "empty":
                return "the text is empty"
            case _:
                return "the settings of the source give no access to send"


@runtime_checkable
class Replies(Protocol):
    """Sends a message into a conversation that the client opened."""

    repeats_safely: bool
    """The vendor knows our key of a message and sends it but once: after a lost answer it may be sent again."""

    def why_not(self, message: Outgoing) -> Refusal | None:
        """What forbids this message now, by what is known without asking the vendor."""
        ...

    async def send(self, message: Outgoing) -> str:
        """The vendor's id of it, "" if it gives none. PermanentError, said for people, when it may not be sent."""
        ...


@runtime_checkable
class Dials(Protocol):
    """Calls an employee and then the client: click-to-call."""

    async def dial(self, extension: str, phone: str, key: str) -> str:
        """`phone` in E.164; `key` is our id of the call. Returns the vendor's id of the command, or ""."""
        ...


@runtime_checkable
class Records(Protocol):
    """Gives the recording of a call."""

    async def recording(self, recording_id: str, url: str) -> tuple[str, AsyncIterator[bytes]]:
        """(content type, the bytes). PermanentError when it is gone, RetryableError while it is not ready."""
        ...


@runtime_checkable
class Files(Protocol):
    """Gives a file of a conversation of which the vendor told an id only."""

    async def file(self, file_id: str) -> tuple[str, AsyncIterator[bytes]]:
        """(content type, the bytes). PermanentError when it is gone."""
        ...


@runtime_checkable
class Listens(Protocol):
    """Receives events over a connection of our own (AMI, IMAP, long polling) instead of requests."""

    def listen(self) -> AsyncIterator[Parsed]:
        """Yields until cancelled, reconnecting by itself. What was yielded is stored before the next is asked for."""
        ...


@runtime_checkable
class Watched(Protocol):
    """A link that keeps a connection and knows how it is."""

    trouble: str
    """Why it is not connected now, "" when it is."""

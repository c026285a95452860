"""What an alert channel is: a place where a person reads a short message."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Button:
    """Opens `url`, or sends `action` (at most 64 bytes) back to the hub; one of the two."""

    text: str
    url: str = ""
    action: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """One message. `html` is Telegram's small HTML (b, i, code, a ...), its first line the headline.

    `topic` is the same for all messages about one thing: an e-mail channel threads by it.
    """

    html: str
    buttons: tuple[Button, ...] = ()
    silent: bool = False
    topic: str = ""

    @property
    def headline(self) -> str:
        return self.html.partition("\n")[0]


@dataclass(frozen=True, slots=True)
class MessageRef:
    """Where a message stands. An empty `message_id` means sent, but under an id that nobody told us."""

    chat_id: str
    message_id: str


class Channel(Protocol):
    """Methods raise the errors of `connectors.errors`.

    AuthError means that this channel takes nothing until a person mends it (token revoked,
    bot thrown out of the chat); PermanentError means this message only.
    """

    @property
    def edits(self) -> bool:
        """Whether a sent message can be changed."""
        ...

    async def ping(self) -> None: ...

    async def send(self, notice: Notice, reply_to: MessageRef | None = None) -> MessageRef:
        """A new message. No vendor here takes an idempotency key: a repeat may show it twice."""
        ...

    async def edit(self, ref: MessageRef, notice: Notice) -> None:
        """Safe to repeat. PermanentError with `gone` when there is no such message any more."""
        ...

    async def close(self) -> None: ...

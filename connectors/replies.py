"""What the links of messengers share: limits of a text, the window for an answer, ids of what was sent."""

from datetime import timedelta
from typing import Any, ClassVar

import httpx

from connectors.apilink import ApiLink
from connectors.errors import PermanentError
from connectors.links import Outgoing, Refusal
from connectors.trees import Tree


class ReplyLink(ApiLink):
    """The base of a messenger's link; a vendor's own says how one message is handed over in `hand_over`."""

    operation: ClassVar[str]
    repeats_safely: bool = False
    max_chars: ClassVar[int] = 4096
    window: ClassVar[timedelta | None] = None
    """How long after the client's last message free text is taken; None: always."""

    def why_not(self, message: Outgoing) -> Refusal | None:
        longest = self.longest(message)
        if not message.text.strip():
            return Refusal("empty")
        if self.length(message.text) > longest:
            return Refusal("too_long", longest)
        wrote_at = message.client_wrote_at
        if self.window is not None and wrote_at is not None and self.clock.now() - wrote_at >= self.window:
            return Refusal("window", round(self.window / timedelta(hours=1)))
        return None

    def longest(self, message: Outgoing) -> int:
        return self.max_chars

    def length(self, text: str) -> int:
        return len(text)

    async def send(self, message: Outgoing) -> str:
        refusal = self.why_not(message)
        if refusal is not None:
            raise PermanentError(str(refusal), self.operation)
        return await self.hand_over(message)

    async def hand_over(self, message: Outgoing) -> str:
        """Sends it; returns the vendor's id. Never repeats by itself."""
        raise NotImplementedError


def object_of(value: Any) -> Tree:
    return value if isinstance(value, dict) else {}


def answered(response: httpx.Response) -> Tree:
    """The JSON object of an answer, `{}` for anything else."""
    try:
        return object_of(response.json())
    except ValueError:
        return {}

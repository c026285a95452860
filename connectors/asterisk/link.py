"""What an Asterisk can be asked for: to call a colleague and then a client, and what it tells by itself."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from connectors.asterisk.listen import Connected, Lost, listen
from connectors.asterisk.originate import OPERATION, originate
from connectors.asterisk.settings import AsteriskSettings
from connectors.doors import Parsed
from connectors.errors import NoAccessError
from connectors.links import LinkOpening


class AsteriskLink:
    """Each call is ordered over a manager connection of its own; another one is listened to."""

    def __init__(self, opening: LinkOpening, settings: AsteriskSettings) -> None:
        self.trouble = "not connected yet"
        self._settings, self._clock, self._region = settings, opening.clock, opening.region

    @classmethod
    def open(cls, opening: LinkOpening) -> "AsteriskLink | None":
        settings = opening.settings
        return cls(opening, settings) if isinstance(settings, AsteriskSettings) and settings.ami else None

    async def dial(self, extension: str, phone: str, key: str) -> str:
        if self._settings.ami is None:
            raise NoAccessError("ami is not set", OPERATION)
        return await originate(self._settings.ami, extension, phone, key)

    async def listen(self) -> AsyncIterator[Parsed]:
        """Events of calls; `trouble` says meanwhile why there is no connection."""
        async with aclosing(listen(self._settings, self._clock, self._region)) as heard:
            async for one in heard:
                if isinstance(one, Lost):
                    self.trouble = str(one.error)
                elif isinstance(one, Connected):
                    self.trouble = ""
                else:
                    yield Parsed(calls=(one,))

    async def close(self) -> None:
        """Nothing is held open but what is listened to, and that ends with its listener."""

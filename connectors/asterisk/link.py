"""What an Asterisk can be asked for: to call a colleague and then a client."""

from connectors.asterisk.originate import OPERATION, originate
from connectors.asterisk.settings import AsteriskSettings
from connectors.errors import NoAccessError
from connectors.links import LinkOpening


class AsteriskLink:
    """Each call is ordered over a manager connection of its own."""

    def __init__(self, opening: LinkOpening, settings: AsteriskSettings) -> None:
        self._settings = settings

    @classmethod
    def open(cls, opening: LinkOpening) -> "AsteriskLink | None":
        settings = opening.settings
        return cls(opening, settings) if isinstance(settings, AsteriskSettings) and settings.ami else None

    async def dial(self, extension: str, phone: str, key: str) -> str:
        if self._settings.ami is None:
            raise NoAccessError("ami is not set", OPERATION)
        return await originate(self._settings.ami, extension, phone, key)

    async def close(self) -> None:
        """Nothing is held open."""

"""The API of YooKassa: what a notification claims is read there."""

import base64
from urllib.parse import quote

from connectors.apilink import ApiLink
from connectors.base import Rate
from connectors.doors import Inbound, Parsed
from connectors.errors import NoAccessError
from connectors.events import Errand
from connectors.formfields import dict_of, text_of
from connectors.links import LinkOpening
from connectors.yookassa.parse import STATUS, payment_of
from connectors.yookassa.settings import YookassaSettings


class YookassaLink(ApiLink):
    """GET {api_url}/payments/{id} and /refunds/{id}, Basic shop_id:secret_key."""

    def __init__(self, opening: LinkOpening, settings: YookassaSettings) -> None:
        key = settings.secret_key.get_secret_value() if settings.secret_key else ""
        super().__init__(opening, settings.api_url, Rate(10, 1.0), secrets=(key,))
        self._name, self._settings, self._key = opening.name, settings, key

    @classmethod
    def open(cls, opening: LinkOpening) -> "YookassaLink | None":
        return cls(opening, opening.settings) if isinstance(opening.settings, YookassaSettings) else None

    async def fetch(self, errand: Errand) -> Parsed:
        """The payment as YooKassa has it, whatever state the notification claimed."""
        for setting, value in (("secret_key", self._key), ("shop_id", self._settings.shop_id)):
            if not value:
                raise NoAccessError.lacks(setting, self._name)
        kind = "refund" if errand.data.get("event", "").startswith("refund.") else "payment"
        object_id = errand.data.get("object_id") or errand.data.get("payment_id", "")
        login = base64.b64encode(f"{self._settings.shop_id}:{self._key}".encode()).decode()
        answer = await self.http.call(
            f"yookassa.{kind}",
            "GET",
            f"{kind}s/{quote(object_id, safe='')}",
            writes=False,
            headers={"Authorization": f"Basic {login}"},
        )
        thing = dict_of(answer)
        event = f"{kind}.{text_of(thing.get('status'))}"
        if event not in STATUS:
            return Parsed()
        asked = Inbound("POST", "", [], {}, b"", "", self.clock.now())
        return Parsed(payments=(payment_of(self._settings, asked, self.region, event, thing),))

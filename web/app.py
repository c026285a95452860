"""The web side as one ASGI application: doors first, then what machines ask for, then console and API."""

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable

from jobs.hub import Hub
from jobs.secret import secret_keys
from jobs.sources.trial import Trials
from web.hooks import PREFIX as HOOKS
from web.hooks import HooksApp
from web.intake import PREFIX, IntakeApp, Receive, Scope, Send
from web.probes import Probes


class WebApp:
    """Console and API are made when first asked for: a hub that only takes leads in starts sooner and stays smaller."""

    def __init__(self, hub: Hub) -> None:
        settings = hub.settings.hub
        self._hub = hub
        self._intake = IntakeApp(
            hub.intake,
            hub.clock,
            max_body=settings.max_body,
            trusted_proxies=[ipaddress.ip_network(one, strict=False) for one in settings.trusted_proxies],
            public_url=str(settings.public_url or ""),
            trials=Trials(hub.intake, hub.db, secret_keys(hub.settings), hub.clock),
        )
        self._hooks = HooksApp(hub, self._intake)
        self._probes = Probes(hub)
        self._pages: Callable[[Scope, Receive, Send], Awaitable[None]] | None = None
        self._making = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(PREFIX):
            await self._intake(scope, receive, send)
            return
        if scope["type"] == "http" and scope["path"].startswith(HOOKS):
            await self._hooks(scope, receive, send)
            return
        if scope["type"] == "http" and scope["path"] in self._probes.paths:
            await self._probes(scope, receive, send)
            return
        if self._pages is None:
            async with self._making:
                await asyncio.to_thread(self.make_pages)  # takes a second, in which leads are taken in
        assert self._pages is not None
        await self._pages(scope, receive, send)

    def make_pages(self) -> None:
        """Makes console and API now, where there is no other thread to do it in."""
        if self._pages is None:
            from web.pages import make_pages

            self._pages = make_pages(self._hub)

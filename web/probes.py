"""What machines ask for: health, readiness, metrics and the script. Plain ASGI, so that it is there at once."""

import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from connectors.doors import Reply
from jobs.hub import Hub
from jobs.reports import day_status, day_window
from store.cursors import touch
from store.db import StoreUnavailable
from store.inbox import backlog
from store.recovered import recovered_by_what
from web.intake import Receive, Scope, Send, send_reply

STATIC = Path(__file__).parent / "static"
SCRIPT_MAX_AGE_S = 3600


class Probes:
    """ASGI application for the paths in `paths`."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._script = (STATIC / "leadhub.js").read_bytes()
        self.paths: dict[str, Callable[[], Awaitable[Reply]]] = {
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/metrics": self._metrics,
            "/leadhub.js": self._leadhub_js,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] in ("GET", "HEAD"):
            reply = await self.paths[scope["path"]]()
        else:
            reply = _json(405, {"error": "ask with GET"}, {"allow": "GET, HEAD"})
        await send_reply(send, reply, without_body=scope["method"] == "HEAD")

    async def _healthz(self) -> Reply:
        return Reply(200, b"ok\n", "text/plain; charset=utf-8")

    async def _readyz(self) -> Reply:
        """Able to accept: the database can be written, or at least the spool."""
        database = True
        try:
            await self._hub.db.write(touch)
        except StoreUnavailable:
            database = False
        body = {"ready": database, "database": database, "spool_records": self._hub.spool.waiting}
        return _json(200 if database else 503, body)

    async def _metrics(self) -> Reply:
        """Also with the database away: what waits in the spool is wanted then."""
        from web import metrics  # its library is not needed before somebody asks

        now = self._hub.clock.now()
        zone = self._hub.settings.hub.zone
        names = list(self._hub.connections)
        today = now.astimezone(zone).date()
        since, until = day_window(today, zone)
        stored = None
        with suppress(StoreUnavailable):
            stored = await self._hub.db.read(
                lambda conn: metrics.Stored(
                    day_status(conn, today, zone, names, now),
                    backlog(conn).count,
                    recovered_by_what(conn, since, until),
                )
            )
        return Reply(200, metrics.render(self._hub, stored), "text/plain; version=0.0.4; charset=utf-8")

    async def _leadhub_js(self) -> Reply:
        headers = {"cache-control": f"public, max-age={SCRIPT_MAX_AGE_S}", "access-control-allow-origin": "*"}
        return Reply(200, self._script, "text/javascript; charset=utf-8", headers)


def _json(status: int, body: object, headers: dict[str, str] | None = None) -> Reply:
    return Reply(status, json.dumps(body).encode(), headers=headers or {})

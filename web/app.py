"""The web side as one ASGI application: doors first, then health, API and console."""

import ipaddress
from pathlib import Path

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from jobs.app import Hub
from jobs.reports import day_status
from store.cursors import touch
from store.db import StoreUnavailable
from web import metrics
from web.api import make_api
from web.console import Console
from web.guard import Guard
from web.intake import PREFIX, IntakeApp, Receive, Scope, Send
from web.problems import add_handlers

STATIC = Path(__file__).parent / "static"
SCRIPT_MAX_AGE_S = 3600
API_VERSION = "1"
API_ABOUT = "Leads, their stories and what is wrong. Every call needs `Authorization: Bearer` and a token made with \
`leadhub token create NAME`."


class WebApp:
    """Sends `/in/…` to the intake and everything else to FastAPI, which is slower and knows more."""

    def __init__(self, hub: Hub) -> None:
        settings = hub.settings.hub
        self._intake = IntakeApp(
            hub.intake,
            hub.clock,
            max_body=settings.max_body,
            trusted_proxies=[ipaddress.ip_network(one, strict=False) for one in settings.trusted_proxies],
            public_url=str(settings.public_url or ""),
        )
        self.pages = Guard(make_pages(hub), https=str(settings.public_url or "").startswith("https:"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(PREFIX):
            await self._intake(scope, receive, send)
        else:
            await self.pages(scope, receive, send)


def make_pages(hub: Hub) -> FastAPI:
    app = FastAPI(
        title="leadhub",
        version=API_VERSION,
        description=API_ABOUT,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    script = (STATIC / "leadhub.js").read_bytes()

    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> PlainTextResponse:
        return PlainTextResponse("ok\n")

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> JSONResponse:
        """Able to accept: the database can be written, or at least the spool."""
        database = True
        try:
            await hub.db.write(touch)
        except StoreUnavailable:
            database = False
        body = {"ready": database, "database": database, "spool_records": hub.spool.waiting}
        return JSONResponse(body, 200 if database else 503)

    @app.get("/metrics", include_in_schema=False)
    async def prometheus() -> Response:
        now = hub.clock.now()
        zone = hub.settings.hub.zone
        names = list(hub.connections)
        today = now.astimezone(zone).date()
        status = await hub.db.read(lambda conn: day_status(conn, today, zone, names, now))
        return Response(metrics.render(hub, status), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/leadhub.js", include_in_schema=False)
    async def leadhub_js() -> Response:
        headers = {"Cache-Control": f"public, max-age={SCRIPT_MAX_AGE_S}", "Access-Control-Allow-Origin": "*"}
        return Response(script, media_type="text/javascript; charset=utf-8", headers=headers)

    app.include_router(make_api(hub))
    console = Console(hub)
    app.router.routes.extend(console.routes())
    add_handlers(app, console)
    return app

"""Console and API as one FastAPI application."""

from fastapi import FastAPI

from jobs.hub import Hub
from web.api import make_api
from web.console import Console
from web.guard import Guard
from web.problems import add_handlers

API_VERSION = "1"
API_ABOUT = "Leads, their stories and what is wrong. Every call needs `Authorization: Bearer` and a token made with \
`leadhub token create NAME`."


def make_pages(hub: Hub) -> Guard:
    app = FastAPI(
        title="leadhub",
        version=API_VERSION,
        description=API_ABOUT,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.router.routes.extend(make_api(hub).routes)  # `include_router` would make each of them once more
    console = Console(hub)
    app.router.routes.extend(console.routes())
    add_handlers(app, console)
    return Guard(app, https=str(hub.settings.hub.public_url or "").startswith("https:"))

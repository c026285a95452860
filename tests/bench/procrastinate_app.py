"""The baseline: a lead becomes a Procrastinate task, as that library's documentation shows.

`api` defers one task for each request; the tasks, which `procrastinate worker` runs, do nothing.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import procrastinate
from fastapi import FastAPI

app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=os.environ.get("BASELINE_DATABASE", "")))


@app.task(queue="leads")
async def deliver(lead: dict[str, Any]) -> None:
    """Where a real one would call the CRM."""


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    async with app.open_async():
        yield


api = FastAPI(lifespan=lifespan)


@api.post("/in/site", status_code=202)
async def take(lead: dict[str, Any]) -> dict[str, Any]:
    return {"job": await deliver.defer_async(lead=lead)}


@api.get("/readyz")
async def ready() -> dict[str, bool]:
    return {"ready": True}

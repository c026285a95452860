"""The sandbox vendors alone, without a hub."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from connectors.sandbox.app import SandboxApp, default_vendors
from leads.clock import SystemClock
from tests.support.vendor_server import serve


@contextmanager
def sandboxes() -> Iterator[tuple[str, SandboxApp]]:
    """Address and application of the sandbox vendors, on a thread of their own."""
    started: list[tuple[str, SandboxApp]] = []
    ready, stop = Event(), Event()

    async def run() -> None:
        clock = SystemClock()
        app = SandboxApp(default_vendors(clock), clock)
        async with serve(app) as url:
            started.append((url, app))
            ready.set()
            while not stop.is_set():
                await asyncio.sleep(0.02)

    thread = Thread(target=lambda: asyncio.run(run()))
    thread.start()
    ready.wait(20)
    try:
        yield started[0]
    finally:
        stop.set()
        thread.join(20)

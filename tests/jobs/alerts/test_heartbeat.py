"""The dead man's switch against a real server."""

import asyncio
import logging
from typing import Any

import pytest

from jobs.alerts.heartbeat import Heartbeat
from leads.clock import SystemClock
from tests.support.vendor_server import serve


class Watcher:
    def __init__(self) -> None:
        self.paths: list[str] = []
        self.status = 200

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.paths.append(scope["path"])
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})


async def test_it_pings_again_and_again_while_all_is_well() -> None:
    watcher = Watcher()
    async with serve(watcher) as url:
        heartbeat = Heartbeat(f"{url}/ping/secret", lambda: True, SystemClock(), every_s=0.01)
        task = asyncio.create_task(heartbeat.run())
        async with asyncio.timeout(60):
            while len(watcher.paths) < 3:
                await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert set(watcher.paths) == {"/ping/secret"}


async def test_a_hub_that_is_not_well_stays_silent() -> None:
    watcher = Watcher()
    async with serve(watcher) as url:
        heartbeat = Heartbeat(url, lambda: False, SystemClock())
        assert await heartbeat.beat() is False
        await heartbeat.close()
    assert watcher.paths == []


async def test_lost_and_regained_are_one_line_each_and_the_url_is_in_none(caplog: pytest.LogCaptureFixture) -> None:
    watcher = Watcher()
    with caplog.at_level(logging.INFO, logger="jobs.alerts.heartbeat"):
        async with serve(watcher) as url:
            heartbeat = Heartbeat(f"{url}/ping/secret", lambda: True, SystemClock())
            for status in (200, 500, 503, 200, 200):
                watcher.status = status
                assert await heartbeat.beat() is (status == 200)
            await heartbeat.close()
    events = [record.__dict__["event"] for record in caplog.records]
    assert events == ["heartbeat.lost", "heartbeat.back"]
    assert "secret" not in caplog.text


async def test_a_watcher_that_cannot_be_reached_harms_nothing() -> None:
    heartbeat = Heartbeat("http://127.0.0.1:9/ping", lambda: True, SystemClock())
    assert await heartbeat.beat() is False
    await heartbeat.close()

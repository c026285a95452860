"""All sandbox vendors behind one address: a prefix each, faults by page or JSON, a page of what arrived.

`/amocrm/…`, `/bitrix24/…`, `/hubspot/…` and `/telegram/…` go to the vendors. `/` is the page.
`GET /_sandbox/state`, `POST /_sandbox/faults`, `DELETE /_sandbox/faults[?vendor=NAME]` are for programs.
Plain ASGI, with nothing between the server and the fault layer: a cut connection must be really cut.
"""

import asyncio
import contextlib
import json
import os
import random
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol, get_args, runtime_checkable

from connectors.sandbox.base import (
    Fault,
    FaultKind,
    FaultLayer,
    Receive,
    SandboxRequest,
    SandboxResponse,
    Scope,
    Send,
    VendorSandbox,
    answer,
    read,
)
from connectors.sandbox.posts import Sending, post_over_http
from leads.clock import Clock

KINDS: tuple[str, ...] = get_args(FaultKind)
SHOWN_ROWS = 50
SHOWN_REQUESTS = 20
SAVE_EVERY_S = 0.5


@runtime_checkable
class Kept(Protocol):
    """A vendor whose state is kept over a restart when the app has a state file."""

    def snapshot(self) -> dict[str, Any]:
        """Plain JSON values."""
        ...

    def restore(self, state: dict[str, Any]) -> None: ...


class SandboxApp:
    """ASGI application. `layers` is vendor name -> its fault layer."""

    def __init__(
        self,
        vendors: Iterable[VendorSandbox],
        clock: Clock,
        *,
        rng: random.Random | None = None,
        state_file: Path | None = None,
    ) -> None:
        self.clock = clock
        self.layers = {vendor.name: FaultLayer(vendor, clock, rng) for vendor in vendors}
        for layer in self.layers.values():
            layer.sending = Sending(post_over_http)
        self._state_file = state_file
        self._saved = ""
        self._saver: asyncio.Task[None] | None = None
        self._page = (files("connectors.sandbox") / "page.html").read_bytes()
        self.load()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        root = scope.get("root_path", "")
        path: str = scope["path"].removeprefix(root)
        layer = self.layers.get(path.lstrip("/").partition("/")[0])
        if layer is not None:
            await layer({**scope, "root_path": f"{root}/{layer.vendor.name}"}, receive, send)
            return
        await answer(send, self._own(await read(scope, receive)))

    # --- faults and state -----------------------------------------------------------------

    def add_fault(self, given: Any) -> list[str]:
        """Sets a fault for one vendor or, with "*", for all. Returns what is wrong with `given`; empty: it is set."""
        problems, vendors, fault = self._read_fault(given)
        if not problems:
            for name in vendors:
                self.layers[name].faults.append(Fault(**fault))
        return problems

    def clear_faults(self, vendor: str = "") -> None:
        for name, layer in self.layers.items():
            if vendor in ("", "*", name):
                layer.faults.clear()

    def state(self) -> dict[str, Any]:
        """What the page shows, as JSON values. Rows and requests are the newest few, counts are of all."""
        return {"vendors": [_vendor_state(layer) for layer in self.layers.values()], "kinds": KINDS}

    def _read_fault(self, given: Any) -> tuple[list[str], list[str], dict[str, Any]]:
        if not isinstance(given, dict):
            return ["expected a JSON object"], [], {}
        problems = []
        vendor, kind = given.get("vendor", "*"), given.get("kind")
        if vendor != "*" and vendor not in self.layers:
            problems.append(f"vendor: expected * or one of {', '.join(self.layers)}")
        if kind not in KINDS:
            problems.append(f"kind: expected one of {', '.join(KINDS)}")
        fault: dict[str, Any] = {"kind": kind, "match": str(given.get("match", ""))}
        for name, low, high in (("share", 0, 1), ("times", -1, 1_000_000), ("delay_s", 0, 3600)):
            value = given.get(name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                problems.append(f"{name}: expected a number from {low} to {high}")
            else:
                fault[name] = int(value) if name == "times" else float(value)
        return problems, list(self.layers) if vendor == "*" else [str(vendor)], fault

    def _own(self, request: SandboxRequest) -> SandboxResponse:
        match (request.method, request.path):
            case ("GET" | "HEAD", "/" | ""):
                return SandboxResponse(200, self._page, content_type="text/html; charset=utf-8")
            case ("GET", "/_sandbox/state"):
                return SandboxResponse(200, self.state(), {"cache-control": "no-store"})
            case ("POST", "/_sandbox/faults"):
                try:
                    given = request.json()
                except ValueError:
                    given = None
                problems = self.add_fault(given)
                return SandboxResponse(400, {"problems": problems}) if problems else SandboxResponse(201, self.state())
            case ("DELETE", "/_sandbox/faults"):
                self.clear_faults(request.param("vendor"))
                return SandboxResponse(200, self.state())
            case _:
                return SandboxResponse(404, {"error": f"nothing here; vendors: {', '.join(self.layers)}"})

    # --- keeping the state over a restart --------------------------------------------------

    def load(self) -> None:
        """Reads the state file. One that cannot be read is put aside, never overwritten."""
        if self._state_file is None or not self._state_file.exists():
            return
        try:
            kept = json.loads(self._state_file.read_text(encoding="utf-8"))
            if not isinstance(kept, dict):
                raise TypeError("not an object")
            for name, layer in self.layers.items():
                if name in kept and isinstance(layer.vendor, Kept):
                    layer.vendor.restore(kept[name])
        except (ValueError, KeyError, TypeError, AttributeError):
            self._state_file.replace(self._state_file.with_suffix(".unreadable"))

    def save(self) -> None:
        """Writes the state file if something changed; whole or not at all."""
        if self._state_file is None:
            return
        kept = {name: x.vendor.snapshot() for name, x in self.layers.items() if isinstance(x.vendor, Kept)}
        text = json.dumps(kept, ensure_ascii=False)
        if text == self._saved:
            return
        self._state_file.parent.mkdir(parents=True, exist_ok=True)
        draft = self._state_file.with_suffix(".new")
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._state_file)
        self._saved = text

    async def start(self) -> None:
        """Begins to save twice a second. The lifespan of a server does it; call it where there is none."""
        if self._state_file is not None and self._saver is None:
            self._saver = asyncio.get_running_loop().create_task(self._save_on())

    async def stop(self) -> None:
        if self._saver is not None:
            self._saver.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._saver
            self._saver = None
        self.save()

    async def _save_on(self) -> None:
        while True:
            await self.clock.sleep(SAVE_EVERY_S)
            self.save()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await self.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})


def default_vendors(clock: Clock) -> list[VendorSandbox]:
    """The four that leadhub ships, as `config.yaml` expects them."""
    from connectors.sandbox.amocrm import AmocrmSandbox
    from connectors.sandbox.bitrix24 import Bitrix24Sandbox
    from connectors.sandbox.hubspot import HubSpotSandbox
    from connectors.sandbox.telegram import TelegramSandbox

    return [AmocrmSandbox(clock), Bitrix24Sandbox(clock), HubSpotSandbox(clock), TelegramSandbox(clock)]


def _vendor_state(layer: FaultLayer) -> dict[str, Any]:
    return {
        "name": layer.vendor.name,
        "requests": len(layer.requests),
        "recent": [f"{method} {_hidden(path)}" for _, method, path in layer.requests[: -SHOWN_REQUESTS - 1 : -1]],
        "tables": [
            {
                "title": table.title,
                "columns": list(table.columns),
                "total": len(table.rows),
                "rows": [list(row) for row in table.rows[:SHOWN_ROWS]],
            }
            for table in layer.vendor.tables()
        ],
        "faults": [
            {
                "kind": fault.kind,
                "match": fault.match,
                "share": fault.share,
                "times": fault.times,
                "delay_s": fault.delay_s,
                "hits": fault.hits,
            }
            for fault in layer.faults
        ],
    }


def _hidden(path: str) -> str:
    """Bot tokens and webhook keys stand in paths: nobody's page shows them, a sandbox's neither."""
    parts = path.split("/")
    if len(parts) > 2 and parts[1].startswith("bot"):
        parts[1] = "bot…"
    if len(parts) > 4 and parts[1] == "rest" and parts[2].isdigit():
        parts[3] = "…"
    return "/".join(parts)

"""amoCRM and HubSpot in a process of their own, with their limits and webhooks, and people who edit in both.

`GET /_bench`: what was measured so far. `POST /_bench/hooks`: where webhooks go, {name: address}; `POST /_bench/edits`:
{rate, seconds} begins to edit the contacts that both have, in turn here and there. An edit's time ends when the other
CRM has the value.
"""

import argparse
import asyncio
import json
import time
from typing import Any

import httpx
import uvloop

from connectors.sandbox.base import FaultLayer, SandboxRequest, SandboxResponse, answer, read
from connectors.sandbox.posts import Post, Sending
from jobs.serving import bind, listen
from leads.clock import SystemClock
from tests.bench.sync_data import SIDES, Filled, Size

NAMES = ("amocrm", "hubspot")
HOOKS = [f"{what}_{kind}" for what in ("add", "update", "delete") for kind in ("contact", "company", "lead")]
POST_TIMEOUT_S = 10.0


class TwoCrms:
    """ASGI application, a prefix for each."""

    def __init__(self) -> None:
        clock = SystemClock()
        self.sides: dict[str, Filled] = {name: SIDES[name](clock) for name in NAMES}
        self._client = httpx.AsyncClient(timeout=POST_TIMEOUT_S, trust_env=False)
        self._layers = {name: FaultLayer(_Watched(name, self), clock) for name in NAMES}
        for layer in self._layers.values():
            layer.sending = Sending(self._post)
        self._pairs: list[dict[str, str]] = []
        self._waiting: dict[str, dict[str, tuple[str, float]]] = {name: {} for name in NAMES}
        """Side -> id of its record -> value that it shall have, and since when."""
        self._took_ms: list[float] = []
        self._editing: asyncio.Task[None] | None = None
        self.refused = 0
        self.calls = dict.fromkeys(NAMES, 0)

    def fill(self, share: float, pairs: int) -> None:
        if share:
            for name, side in self.sides.items():
                side.fill(Size().part(share), second=name == NAMES[1])
        for number in range(pairs):
            values = {"first_name": "Анна", "last_name": "Орлова", "emails": (f"pair.{number}@example.ru",)}
            self._pairs.append({name: side.put("contact", values) for name, side in self.sides.items()})

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        layer = self._layers.get(scope["path"].split("/")[1])
        if layer is not None:
            await layer({**scope, "root_path": f"/{layer.vendor.name}"}, receive, send)
            return
        request = await read(scope, receive)
        if request.path == "/_bench/hooks":
            self._subscribe(request.json())
        elif request.path == "/_bench/edits":
            self._editing = asyncio.ensure_future(self._edit(**request.json()))
        await answer(send, SandboxResponse(200, self._told()))

    def seen(self, name: str, response: SandboxResponse) -> None:
        """Called after every call to a CRM."""
        self.calls[name] += 1
        self.refused += response.status in (429, 503)
        now, waiting = time.monotonic(), self._waiting[name]
        for id, (value, since) in list(waiting.items()):
            if self._last_name(name, id) == value:
                self._took_ms.append((now - since) * 1000)
                del waiting[id]

    def _told(self) -> dict[str, Any]:
        return {
            "took_ms": self._took_ms,
            "waiting": sum(map(len, self._waiting.values())),
            "editing": self._editing is not None and not self._editing.done(),
            "refused": self.refused,
            "calls": self.calls,
        }

    def _subscribe(self, addresses: dict[str, str]) -> None:
        asked = {"destination": addresses["amocrm"], "settings": HOOKS}
        headers = {"authorization": "Bearer sandbox", "content-type": "application/json"}
        request = SandboxRequest("POST", "/api/v4/webhooks", [], headers, json.dumps(asked).encode())
        answered = self.sides["amocrm"].box.handle(request)
        if answered.status != 200:
            raise RuntimeError(f"the subscription was answered with {answered.status}")
        self.sides["hubspot"].box.webhooks.target = addresses["hubspot"]

    async def _edit(self, rate: float, seconds: float) -> None:
        began = time.monotonic()
        for number in range(round(rate * seconds)):
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            pair, value = self._pairs[number % len(self._pairs)], f"Правка {number}"
            here, there = NAMES if number % 2 else NAMES[::-1]
            self._waiting[there][pair[there]] = value, time.monotonic()
            self.sides[here].edit("contact", pair[here], {"last_name": value})
            self._layers[here].send_posts()

    async def _post(self, post: Post) -> None:
        try:
            await self._client.post(post.url, content=post.body, headers=dict(post.headers))
        except httpx.HTTPError:
            return

    def _last_name(self, name: str, id: str) -> str:
        if name == "amocrm":
            return str(self.sides[name].box.stores["contacts"].records[id].get("last_name"))
        return str(self.sides[name].box.contacts[id]["properties"].get("lastname"))


class _Watched:
    """A CRM's sandbox that tells of each call."""

    def __init__(self, name: str, crms: TwoCrms) -> None:
        self.name = name
        self._crms = crms
        self._box = crms.sides[name].box

    @property
    def posts(self) -> Any:
        return self._box.posts

    def handle(self, request: SandboxRequest) -> SandboxResponse:
        response: SandboxResponse = self._box.handle(request)
        self._crms.seen(self.name, response)
        return response

    def fault_answer(self, kind: Any) -> Any:
        return self._box.fault_answer(kind)

    def tables(self) -> Any:
        return self._box.tables()


async def run(port: int, share: float, pairs: int) -> None:
    crms = TwoCrms()
    crms.fill(share, pairs)
    one = listen(crms, bind("127.0.0.1", port))
    await one.server.serve(sockets=[one.socket])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--share", type=float, default=0.0, help="of the full number of records, a third in both")
    parser.add_argument("--pairs", type=int, default=0, help="contacts that both have, to be edited")
    args = parser.parse_args()
    uvloop.run(run(args.port, args.share, args.pairs))


if __name__ == "__main__":
    main()

"""An amoCRM sandbox in a process of its own, that takes its time to answer and notes when each deal was made.

`GET /_bench` gives {id of a deal: [made_at, spent_s]}. `made_at` is on the machine's monotonic clock, which all
processes share; `spent_s` is what the calls before it took here, one behind the other, from reading each to its
answer. It is a little more than the delay asked for, and much more while the machine stands still: it is not the hub's.
"""

import argparse
import asyncio
import json
import time
from typing import Any

import uvloop

from connectors.sandbox.amocrm import AmocrmSandbox
from connectors.sandbox.base import SandboxRequest, SandboxResponse, answer, read
from jobs.serving import bind, listen
from leads.clock import SystemClock
from tests.bench.forms import number_in


class SlowCrm:
    """ASGI application around the sandbox, without its rate limit: each call takes `delay_s`."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._crm = AmocrmSandbox(SystemClock(), rate=None)
        self._looked_s: dict[int, float] = {}
        """Number of an enquiry -> what looking for its person took; both looks leave at once."""
        self._contact_s: dict[str, float] = {}
        """Id of a contact -> what looking for it and making it took."""
        self._made: dict[str, tuple[float, float]] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        request = await read(scope, receive)
        if request.path == "/_bench":
            await answer(send, SandboxResponse(200, self._made))
            return
        arrived = time.monotonic()
        await asyncio.sleep(self._delay_s)
        deals, contacts = len(self._crm.deals), len(self._crm.contacts)
        response = self._crm.handle(request)
        for deal_id in list(self._crm.deals)[deals:]:
            at = time.monotonic()
            self._made[deal_id] = at, self._before(deal_id) + at - arrived
        await answer(send, response)
        self._note(request, list(self._crm.contacts)[contacts:], time.monotonic() - arrived)

    def _note(self, request: SandboxRequest, made: list[str], took_s: float) -> None:
        if (looked_for := number_in(request.param("query"))) is not None:
            self._looked_s[looked_for] = max(took_s, self._looked_s.get(looked_for, 0.0))
        for contact_id in made:
            number = number_in(json.dumps(self._crm.contacts[contact_id]))
            self._contact_s[contact_id] = took_s + (0.0 if number is None else self._looked_s.pop(number, 0.0))

    def _before(self, deal_id: str) -> float:
        """Of a deal: what its person took."""
        linked = self._crm.deals[deal_id]["_embedded"]["contacts"]
        return sum(self._contact_s.get(str(one["id"]), 0.0) for one in linked)


async def run(port: int, delay_s: float) -> None:
    one = listen(SlowCrm(delay_s), bind("127.0.0.1", port))
    await one.server.serve(sockets=[one.socket])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--delay-ms", type=float, default=50.0)
    args = parser.parse_args()
    uvloop.run(run(args.port, args.delay_ms / 1000))


if __name__ == "__main__":
    main()

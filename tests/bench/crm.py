"""An amoCRM sandbox in a process of its own, that takes its time to answer and notes when each deal was made.

`GET /_bench` gives {id of a deal: seconds}, on the machine's monotonic clock, which all processes share.
"""

import argparse
import asyncio
import time
from typing import Any

import uvloop

from connectors.sandbox.amocrm import AmocrmSandbox
from connectors.sandbox.base import SandboxResponse, answer, read
from jobs.serving import bind, listen
from leads.clock import SystemClock


class SlowCrm:
    """ASGI application around the sandbox, without its rate limit: each call takes `delay_s`."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._crm = AmocrmSandbox(SystemClock(), rate=None)
        self._made_at: dict[int, float] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        request = await read(scope, receive)
        if request.path == "/_bench":
            await answer(send, SandboxResponse(200, self._made_at))
            return
        await asyncio.sleep(self._delay_s)
        before = len(self._crm.deals)
        response = self._crm.handle(request)
        for deal_id in list(self._crm.deals)[before:]:
            self._made_at[deal_id] = time.monotonic()
        await answer(send, response)


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

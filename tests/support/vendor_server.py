"""Runs an ASGI application on a free loopback port, in the test's own event loop."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Generator
from typing import Any

import uvicorn


class _QuietServer(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """The signals of the process belong to pytest."""
        yield


def _mounted(app: Any, path: str) -> Any:
    """`app` as if mounted at `path` by a router: the scope keeps the whole path and names the root."""

    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "root_path": path}, receive, send)

    return mounted if path else app


@contextlib.asynccontextmanager
async def serve(app: Any, *, path: str = "", port: int = 0) -> AsyncIterator[str]:
    """Yields the base url (`http://127.0.0.1:PORT` + `path`), reachable at once; stops within a second of leaving.

    Requests still running then (a fault that hangs) are cancelled.
    """
    # The protocol is named because asyncio switches Nagle's delay off only where it is.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(256)
        config = uvicorn.Config(
            _mounted(app, path),
            lifespan="off",
            ws="none",
            http="httptools",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        server = _QuietServer(config)
        task = asyncio.ensure_future(server.serve(sockets=[listener]))
        while not server.started:
            if task.done():
                task.result()
                raise RuntimeError("the server ended before it started")
            await asyncio.sleep(0.001)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}{path}"
        finally:
            server.should_exit = True
            await task

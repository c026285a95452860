"""Runs the hub as a process: sockets, roles, sandbox, signals, a clean end."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

import uvicorn

from jobs.hub import Hub

log = logging.getLogger(__name__)

BACKLOG = 2048
KEEP_ALIVE_S = 30
GRACE_S = 4


class CannotListen(Exception):
    """The address is taken or not ours; the text names it."""


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling: the hub decides when to stop. `ready` is set once it answers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass(slots=True)
class Listening:
    server: _Server
    socket: socket.socket
    task: "asyncio.Task[None] | None" = None


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises CannotListen."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio switches Nagle's delay off only for sockets that say they are TCP.
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(BACKLOG)
    except OSError as exc:
        found.close()
        raise CannotListen(f"cannot listen on {host}:{port}: {exc.strerror or exc}") from exc
    found.setblocking(False)
    return found


def listen(app: Any, bound: socket.socket) -> Listening:
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
        proxy_headers=False,
    )
    return Listening(_Server(config), bound)


async def run(
    hub: Hub,
    roles: Collection[str],
    servers: list[Listening],
    *,
    started: Callable[[], None] = lambda: None,
) -> None:
    """Until SIGTERM or SIGINT; then stops taking work, hands back what is in flight, and returns."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    hub.start(roles)
    for one in servers:
        one.task = asyncio.create_task(one.server.serve(sockets=[one.socket]))
    await asyncio.gather(*(one.server.ready.wait() for one in servers))
    log.info("hub started", extra={"event": "hub.started", "roles": sorted(roles)})
    started()
    await stop.wait()
    log.info("hub stopping", extra={"event": "hub.stopping"})
    hub_server = servers[:1]
    for one in hub_server:
        one.server.should_exit = True
    await asyncio.gather(*(one.task for one in hub_server if one.task), return_exceptions=True)
    await hub.stop()
    for one in servers[1:]:  # the sandbox goes last: work in flight may still be talking to it
        one.server.should_exit = True
    await asyncio.gather(*(one.task for one in servers[1:] if one.task), return_exceptions=True)
    log.info("hub stopped", extra={"event": "hub.stopped"})

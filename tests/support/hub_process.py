"""Hubs as processes of their own: started, waited for by what they say, killed."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from tests.support.hub_main import READY, Options

PATIENCE_S = 180.0
"""Nothing here takes so long; a busy machine may."""
ROOT = Path(__file__).parents[2]


class Ended(Exception):
    """The process is gone; the text ends with what it logged last."""


class HubProcess:
    """One running hub. What it prints is read line by line and waited for; what it logs is in `log`."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.pid = 0
        self.lines: list[str] = []
        self.ended = asyncio.Event()
        self.status: int | None = None
        self.started_at = time.monotonic()
        self._changed = asyncio.Condition()
        self._reader: asyncio.Task[None] | None = None
        self._popen: subprocess.Popen[bytes] | None = None

    # --- starting -------------------------------------------------------------------------

    @classmethod
    async def start_cold(cls, command: list[str], log: Path, env: dict[str, str] | None = None) -> "HubProcess":
        """A new interpreter, as in production."""
        self = cls(log)
        read, write = os.pipe()
        with open(log, "ab") as errors:
            self._popen = subprocess.Popen(
                command,
                stdout=write,
                stderr=errors,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **(env or {})},
                cwd=ROOT,
            )
        os.close(write)
        self.pid = self._popen.pid
        await self._read(read)
        return self

    @classmethod
    async def start_serve(
        cls, config: Path, log: Path, *, roles: str = "web,worker,scheduler", env: dict[str, str] | None = None
    ) -> "HubProcess":
        """The real `leadhub serve`."""
        command = [sys.executable, "-m", "cli.main", "serve", "--config", str(config), "--roles", roles, "--json-logs"]
        return await cls.start_cold(command, log, env)

    @classmethod
    async def start_main(cls, options: Options, log: Path) -> "HubProcess":
        """The test's entry point in a new interpreter."""
        return await cls.start_cold([sys.executable, "-m", "tests.support.hub_main", options.to_json()], log)

    async def _read(self, handle: int) -> None:
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(handle, "rb")
        )
        self._reader = loop.create_task(self._listen(reader, transport))

    async def _listen(self, reader: asyncio.StreamReader, transport: asyncio.BaseTransport) -> None:
        try:
            while line := await reader.readline():
                text = line.decode().strip()
                async with self._changed:
                    self.lines.append(text)
                    self._changed.notify_all()
        finally:
            transport.close()
            if self._popen is not None:
                self.status = await asyncio.to_thread(self._popen.wait)
            self.ended.set()
            async with self._changed:
                self._changed.notify_all()

    # --- waiting --------------------------------------------------------------------------

    async def says(self, start: str, timeout_s: float = PATIENCE_S) -> str:
        """The first line that begins so. Raises Ended when the process ends without having said it."""

        def found() -> str | None:
            return next((line for line in self.lines if line.startswith(start)), None)

        try:
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait_for(lambda: found() is not None or self.ended.is_set())
        except TimeoutError:
            raise Ended(f"did not say {start!r} within {timeout_s} s\n{self.tail()}") from None
        line = found()
        if line is None:
            raise Ended(f"ended without saying {start!r}\n{self.tail()}")
        return line

    async def ready(self) -> "HubProcess":
        await self.says(READY)
        return self

    async def held(self, name: str, timeout_s: float = PATIENCE_S) -> None:
        await self.says(f"held: {name}", timeout_s)

    def tail(self, lines: int = 30) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""

    # --- ending ---------------------------------------------------------------------------

    async def kill(self) -> None:
        """SIGKILL: it does not get to do anything any more."""
        self.signal(signal.SIGKILL)
        async with asyncio.timeout(PATIENCE_S):
            await self.ended.wait()

    async def stop(self, number: int = signal.SIGTERM, timeout_s: float = PATIENCE_S) -> int:
        """Asks it to end; the exit status."""
        self.signal(number)
        async with asyncio.timeout(timeout_s):
            await self.ended.wait()
        if self.status is None:
            last = next((line for line in reversed(self.lines) if line.startswith("exit ")), "exit -1")
            self.status = int(last.removeprefix("exit "))
        return self.status

    def signal(self, number: int) -> None:
        if self.pid and not self.ended.is_set():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


class Zygote:
    """Starts hubs that need not import anything. Starts itself at the first use."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._count = 0

    async def start(self, options: Options, folder: Path) -> HubProcess:
        """A hub of `options`; it logs into `folder`."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.hub_zygote"], stdin=subprocess.PIPE, cwd=ROOT
            )
        self._count += 1
        fifo = folder / f"hub{self._count}.out"
        os.mkfifo(fifo)
        hub = HubProcess(folder / f"hub{self._count}.log")
        await hub._read(os.open(fifo, os.O_RDONLY | os.O_NONBLOCK))
        asked = {"options": options.to_json(), "out": str(fifo), "log": str(hub.log)}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        self._process.stdin.flush()
        hub.pid = int((await hub.says("pid ")).removeprefix("pid "))
        return hub

    def close(self) -> None:
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process.wait()


@contextlib.contextmanager
def zygote_running() -> Iterator[Zygote]:
    zygote = Zygote()
    try:
        yield zygote
    finally:
        zygote.close()


@contextlib.asynccontextmanager
async def all_killed() -> AsyncIterator[list[HubProcess]]:
    """Whatever is in the list when the block ends is killed."""
    hubs: list[HubProcess] = []
    try:
        yield hubs
    finally:
        for hub in hubs:
            await hub.kill()


def free_port() -> int:
    """A port on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

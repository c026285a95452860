"""Sends enquiries from a process of its own, as cheaply as Python can: what is measured is the other end.

Closed loop (`--rate 0`): each connection sends the next enquiry as soon as the last is answered. Open loop: enquiries
leave at random moments, so many a second on average, whether or not earlier ones were answered. Prints a line of JSON.
"""

import argparse
import asyncio
import base64
import json
import os
import random
import time
from pathlib import Path
from typing import Any, cast

import uvloop

from tests.bench.forms import form, request

ANSWER_WAIT_S = 10.0


class Sender(asyncio.Protocol):
    """One keep-alive connection with at most one request under way."""

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._buffer = b""
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's do not inherit from it

    def send(self, number: int) -> None:
        data = self._load.prepared(number)
        self._sent_at = time.monotonic()
        self._load.sent_at[number] = self._sent_at
        self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(rest) < length:
            return
        self._buffer = b""
        self._load.answered(self, int(head[9:12]), self._sent_at, time.monotonic())

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.lost += 1


class Load:
    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.sent_at: dict[int, float] = {}
        self.latencies_s: list[float] = []
        self.answered_at: list[float] = []
        self.bad = 0
        self.lost = 0
        self.finished_at = 0.0
        self._idle: list[Sender] = []
        self._next = args.first
        self._until = 0.0
        self._all_answered = asyncio.Event()
        if args.requests is not None:
            self._prepared = [base64.b64decode(line) for line in args.requests.read_bytes().splitlines()]
        else:
            numbers = range(args.first, args.first + args.prepare)
            self._prepared = [request(args.path, form(number)) for number in numbers]

    def prepared(self, number: int) -> bytes:
        index = number - self.args.first
        return self._prepared[index] if index < len(self._prepared) else request(self.args.path, form(number))

    def answered(self, sender: Sender, status: int, sent_at: float, answered_at: float) -> None:
        self.finished_at = answered_at
        if 200 <= status < 300:
            self.latencies_s.append(answered_at - sent_at)
            self.answered_at.append(answered_at)
        else:
            self.bad += 1
        if not self.args.rate and self.finished_at < self._until:
            self._send(sender)
            return
        self._idle.append(sender)
        if len(self.latencies_s) + self.bad == len(self.sent_at):
            self._all_answered.set()

    def _send(self, sender: Sender) -> None:
        number, self._next = self._next, self._next + 1
        sender.send(number)

    async def run(self) -> dict[str, Any]:
        args, loop = self.args, asyncio.get_running_loop()
        senders = []
        for _ in range(args.connections):
            _, sender = await loop.create_connection(lambda: Sender(self), "127.0.0.1", args.port)
            senders.append(sender)
        started = time.monotonic()
        self._until = started + args.seconds
        if args.rate:
            self._idle = senders
            await self._send_at_random(started)
        else:
            for sender in senders:
                self._send(sender)
            await asyncio.sleep(args.seconds)
        self._all_answered.clear()
        if len(self.latencies_s) + self.bad < len(self.sent_at):
            async with asyncio.timeout(ANSWER_WAIT_S):
                await self._all_answered.wait()
        return {
            "sent": len(self.sent_at),
            "accepted": len(self.latencies_s),
            "bad": self.bad,
            "lost": self.lost,
            "seconds": self.finished_at - started,
            "latencies_ms": [round(one * 1000, 3) for one in self.latencies_s],
            "answered_at": self.answered_at if args.rate else [],
            "sent_at": self.sent_at if args.rate else {},
        }

    async def _send_at_random(self, started: float) -> None:
        rng = random.Random(args_seed(self.args))
        at = started
        while (at := at + rng.expovariate(self.args.rate)) < self._until:
            await asyncio.sleep(max(0.0, at - time.monotonic()))
            while not self._idle:
                await asyncio.sleep(0.001)
            self._send(self._idle.pop())


def args_seed(args: argparse.Namespace) -> int:
    return int(args.first)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", default="/in/site")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rate", type=float, default=0.0, help="enquiries a second; 0: as fast as answered")
    parser.add_argument("--first", type=int, default=0, help="number of the first enquiry")
    parser.add_argument("--prepare", type=int, default=0, help="requests made before the clock starts")
    parser.add_argument("--requests", type=Path, help="whole requests to send instead, one a line in base64")
    args = parser.parse_args()

    async def run() -> dict[str, Any]:
        return await Load(args).run()

    _write(json.dumps(uvloop.run(run())).encode())


def _write(data: bytes) -> None:
    """All of it, also to a pipe and with PYTHONUNBUFFERED, where `print` may cut it short."""
    while data:
        data = data[os.write(1, data) :]


if __name__ == "__main__":
    main()
